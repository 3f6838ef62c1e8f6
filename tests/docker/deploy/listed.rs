//! A whole life behind the socket proxy's list.

use tokio::process::Command;

use crate::deploy::filter::Filter;
use crate::end_to_end::harness::{Harness, with_harness};
use crate::end_to_end::program::Program;

/// Lets AutoGit reach the engine through the proxy alone.
fn behind_the_proxy(harness: &Harness, pools: &str) {
    harness.save(pools);
    let text = std::fs::read_to_string(harness.spec_file()).unwrap();
    let behind = text.replace(
        "${DOCKER:-unix:///var/run/docker.sock}",
        &format!("unix://{}", harness.folder.join("proxy.sock").display()),
    );
    assert_ne!(text, behind);
    let beside = harness.folder.join("saving");
    std::fs::write(&beside, behind).unwrap();
    std::fs::rename(beside, harness.spec_file()).unwrap();
}

#[tokio::test]
async fn jobs_run_and_nothing_is_left_with_no_call_beside_the_socket_proxys_list() {
    with_harness(async |harness| {
        let filter = Filter::serve(&harness.folder.join("proxy.sock"));
        behind_the_proxy(&harness, "linux: {tags: [docker]}");
        let first = harness.queue_gated(&["docker"], "first");
        let program = Program::start(&harness);
        harness.until_begun(first).await;
        // After a restart the token is found in the runner's configuration.
        program.victim().kill();
        program.until_dead().await;
        let program = Program::start(&harness);
        let second = harness.queue(&["docker"], &["echo begin", "echo end"]);
        harness.until_succeeded(second).await;
        // What a runner leaves that is killed in mid-job is swept.
        let third = harness.queue_gated(&["docker"], "never");
        harness.until_begun(third).await;
        harness.gates.open("first");
        harness.until_succeeded(first).await;
        for runner in harness.engine.found().await.runners {
            // An idle one may have exited meanwhile.
            let _ = Command::new("docker").args(["kill", &runner]).output().await.unwrap();
        }
        behind_the_proxy(&harness, "{}");
        harness.until_not_even_the_network_is_left().await;
        assert_eq!(filter.refused(), Vec::<String>::new());
        drop(program);
    })
    .await;
}
