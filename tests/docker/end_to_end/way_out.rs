//! The commands of an operator who stops: drain, sweep and down.

use jiff::SignedDuration;

use crate::end_to_end::engine::Found;
use crate::end_to_end::harness::{Harness, until, with_harness};
use crate::end_to_end::program::Program;

/// What the command says on stdout, and whether it went well.
async fn said(harness: &Harness, words: &[&str]) -> (bool, String, String) {
    let output = Program::ask(harness, words).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// The name of a runner that is listed.
async fn a_runner(harness: &Harness) -> String {
    until("a runner is idle", async || {
        let (_, listed, _) = said(harness, &["runners"]).await;
        let idle = listed.lines().find(|line| line.contains("  idle "))?;
        idle.split_whitespace().next().map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn a_runner_is_drained_by_the_autogit_that_runs_and_by_the_command_alone() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], warm: 1, max: 2}");
        let autogit = Program::start(&harness);
        let first = a_runner(&harness).await;
        let (fine, words, _) = said(&harness, &["drain", &first]).await;
        assert!(fine && words.starts_with(&format!("{first} on local exits\n")), "{words}");
        until("another runner takes its place", async || {
            let (_, listed, _) = said(&harness, &["runners"]).await;
            let gone = !listed.contains(&format!("{first} "));
            (gone && listed.contains("  idle ")).then_some(())
        })
        .await;
        let (fine, _, words) = said(&harness, &["down", "--yes"]).await;
        assert!(!fine && words.contains("hint: stop it first"), "{words}");

        autogit.victim().kill();
        autogit.until_dead().await;
        let (fine, words, errors) = said(&harness, &["drain", "linux"]).await;
        assert!(fine, "{errors}");
        assert!(words.ends_with("what they leave is cleaned up when one does\n"), "{words}");
        until("what exited is shown", async || {
            let (_, shown, _) = said(&harness, &["sweep"]).await;
            shown.contains("- reap ").then_some(())
        })
        .await;
        let before = harness.engine.found().await;
        assert_ne!(before, Found::default(), "without --yes nothing is removed");
        let (fine, words, errors) = said(&harness, &["sweep", "--yes"]).await;
        assert!(fine, "{words}{errors}");
        let (_, listed, _) = said(&harness, &["runners"]).await;
        assert!(listed.ends_with("no runners\n"), "{listed}");
    })
    .await;
}

#[tokio::test]
async fn the_way_out_waits_for_a_job_and_leaves_nothing() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], warm: 1, max: 2}");
        let autogit = Program::start(&harness);
        let job = harness.queue_gated(&["docker"], "out");
        harness.until_begun(job).await;
        autogit.victim().kill();
        autogit.until_dead().await;
        // Whose instance is alive is not removed under another name.
        let instance = harness.instance.to_string();
        let saved = std::fs::read_to_string(harness.spec_file()).unwrap();
        std::fs::write(harness.spec_file(), saved.replacen(&instance, &format!("{instance}-n"), 1))
            .unwrap();
        let (fine, _, words) = said(&harness, &["sweep", "--instance", &instance, "--yes"]).await;
        assert!(!fine && words.contains("because it may be alive"), "{words}");
        std::fs::write(harness.spec_file(), saved).unwrap();

        harness.gitlab.age_records(SignedDuration::from_mins(11));
        let out = tokio::spawn({
            let harness = harness.clone();
            async move { said(&harness, &["down", "--yes"]).await }
        });
        harness.until_asked_twice().await;
        assert!(!out.is_finished(), "a job runs");
        harness.gates.open("out");
        harness.until_succeeded(job).await;
        let (fine, words, errors) = out.await.unwrap();
        assert!(fine, "{words}{errors}");
        assert_eq!(
            words,
            format!("no runner, network or cache of instance `{instance}` is left\n")
        );
        harness.until_not_even_the_network_is_left().await;
        assert!(harness.record_ids().is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_way_out_ends_where_an_autogit_that_it_cannot_see_starts_runners() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], warm: 1, max: 2}");
        let autogit = Program::start(&harness);
        a_runner(&harness).await;
        let output = Program::ask_from_outside(&harness, &["down", "--yes"]).await;
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{words}");
        assert!(words.contains("another AutoGit of this instance runs"), "{words}");
        assert!(words.contains("hint: stop that one first, also in a container"), "{words}");
        autogit.victim().kill();
        autogit.until_dead().await;
        let (fine, words, errors) = said(&harness, &["down", "--yes", "--keep-records"]).await;
        assert!(fine, "{words}{errors}");
    })
    .await;
}
