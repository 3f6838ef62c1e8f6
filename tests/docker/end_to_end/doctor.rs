//! `autogit doctor` with a real engine and a simulated GitLab over HTTP.

use crate::end_to_end::harness::with_harness;
use crate::end_to_end::program::Program;

const POOL: &str = "linux: {tags: [docker], max: 2}";

#[tokio::test]
async fn nothing_fails_with_all_there_and_fix_makes_the_network_that_is_ours() {
    with_harness(async |harness| {
        harness.save(POOL);
        let told = Program::ask(&harness, &["doctor"]).await;
        let text = String::from_utf8(told.stdout).unwrap();
        assert_eq!(told.status.code(), Some(0), "{text}");
        for fine in ["engine-version", "limits", "socket", "image", "runner-rights"] {
            let line = text.lines().find(|line| line.contains(&format!(" {fine} "))).unwrap();
            assert!(line.trim_start().starts_with("ok"), "{line}");
        }
        let network = format!("`{}-network` is not there", harness.instance);
        assert!(text.contains(&network), "{text}");

        let told = Program::ask(&harness, &["doctor", "--fix"]).await;
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(text.contains("fixed: make the runners' network on local"), "{text}");
        assert!(text.contains("-network` is there; AutoGit made it"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn an_image_that_is_not_there_and_may_not_be_pulled_fails() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], runner_image: 'autogit-no-such-image:1'}");
        let told = Program::ask(&harness, &["doctor", "--format", "json"]).await;
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        let json: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        let findings = json["findings"].as_array().unwrap().iter();
        let failed: Vec<_> = findings.filter(|finding| finding["verdict"] == "failed").collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(failed[0]["check"], "image");
    })
    .await;
}
