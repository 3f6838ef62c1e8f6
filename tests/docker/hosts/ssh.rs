//! `ssh://`, through a real server to the engine of this machine.

use std::process::Stdio;

use autogit::engine::docker::{DockerEngine, DockerSettings};
use autogit::engine::{Engine as _, EngineError};
use bollard::Docker;
use tokio::process::Command;

use crate::hosts::harness::Harness;
use crate::hosts::life::lives;
use crate::hosts::own_engine::OwnEngine;
use crate::hosts::require::{Folder, free_port, until};
use crate::hosts::sshd::Sshd;
use crate::support::docker::{Bench, on_bench, settings};
use crate::support::image;

fn over(sshd: &Sshd, key: &str, knows_host: bool) -> DockerSettings {
    DockerSettings { ssh: sshd.client(key, knows_host), ..settings(Some(&sshd.endpoint())) }
}

async fn refusal(settings: DockerSettings) -> String {
    let error = DockerEngine::connect(settings).unwrap().info().await.unwrap_err();
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    error.to_string()
}

#[track_caller]
fn says(told: &str, words: &[&str]) {
    for word in words.iter().chain(&["\nhint: ", "ssh://"]) {
        assert!(told.contains(word), "`{word}` is not in: {told}");
    }
}

#[tokio::test]
async fn a_runner_is_started_watched_and_drained_over_ssh() {
    let Some(sshd) = Sshd::start().await else { return };
    let docker = Docker::connect_with_unix_defaults().unwrap();
    let bench = Bench::at(over(&sshd, "user", true), docker).await.unwrap();
    on_bench(bench, lives).await;
    until("no ssh outlives its engine's client", async || (sshd.clients() == 0).then_some(()))
        .await;
}

#[tokio::test]
async fn what_is_wrong_with_ssh_is_told_in_its_own_words_with_the_remedy() {
    let Some(mut sshd) = Sshd::start().await else { return };
    let told = refusal(over(&sshd, "stranger", true)).await;
    says(&told, &["Permission denied (publickey)", "`authorized_keys`"]);
    let told = refusal(over(&sshd, "user", false)).await;
    says(&told, &["Host key verification failed", "`known_hosts`"]);
    let mut elsewhere = over(&sshd, "user", true);
    elsewhere.endpoint = Some(format!("{}/nowhere/docker.sock", sshd.endpoint()));
    let told = refusal(elsewhere).await;
    says(&told, &["dial unix /nowhere/docker.sock", "is Docker running there?"]);
    let mut nobody = over(&sshd, "user", true);
    nobody.endpoint = Some(format!("ssh://127.0.0.1:{}", free_port()));
    says(&refusal(nobody).await, &["Connection refused", "does `ssh` reach it"]);
    let without = DockerSettings { ssh: "/nowhere/ssh".into(), ..over(&sshd, "user", true) };
    says(&refusal(without).await, &["no `ssh` program"]);

    let engine = DockerEngine::connect(over(&sshd, "user", true)).unwrap();
    engine.info().await.unwrap();
    sshd.cut();
    let told = engine.info().await.unwrap_err();
    assert!(matches!(told, EngineError::Unreachable { .. }), "{told}");
    sshd.start_again().await;
    engine.info().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_lost_while_a_job_runs_costs_nothing_but_the_sight_of_it() {
    let Some(images) = image::ensure() else { return };
    let Some(engine) = OwnEngine::start(Folder::new(), &[]).await else { return };
    let Some(mut sshd) = Sshd::start().await else { return };
    let harness = Harness::new(&engine, images).await;
    let endpoint = format!("{}{}", sshd.endpoint(), engine.socket().display());
    let settings = DockerSettings { endpoint: Some(endpoint), ..over(&sshd, "user", true) };
    let operator = harness.operator(&settings, "max: 1");
    let job = harness.queue();
    harness.until_begun(job).await;
    let runners = harness.runners().await;
    sshd.cut();
    operator.until_host_is_unknown().await;
    sshd.start_again().await;
    operator.until_it_sees().await;
    assert_eq!((harness.runners().await, harness.gitlab.running()), (runners.clone(), vec![job]));
    sshd.cut();
    operator.until_host_is_unknown().await;
    harness.open_gate();
    harness.until_succeeded(job).await;
    assert_eq!(harness.runners().await, runners);
    sshd.start_again().await;
    harness.until_nothing_is_left().await;
}

/// Runs a program where nothing it leaves in `/run` stays.
const APART: &str = "mount -t tmpfs tmpfs /run && exec \"$0\" \"$@\"";

#[tokio::test]
async fn no_ssh_outlives_an_autogit_that_is_killed() {
    let Some(sshd) = Sshd::start().await else { return };
    let ssh = sshd.client("user", true);
    let spec = format!(
        "gitlab: {{url: 'http://127.0.0.1:1', runner_url: 'http://git.lan', \
         token: glpat-x}}\nhosts: {{local: {{docker: '{}'}}}}\npools: {{linux: {{tags: [a]}}}}\n",
        sshd.endpoint(),
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        [ssh.parent().unwrap().to_owned()].into_iter().chain(std::env::split_paths(&path)),
    );
    let mut autogit = Command::new("unshare")
        .args(["--mount", "sh", "-c", APART, env!("CARGO_BIN_EXE_autogit"), "run"])
        .args(["--config", &sshd.folder.write("autogit.yaml", &spec)])
        .env_clear()
        .env("PATH", path.unwrap())
        .env("TMPDIR", sshd.folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("AutoGit talks by ssh", async || (sshd.clients() > 0).then_some(())).await;
    autogit.kill().await.unwrap();
    until("no ssh is left", async || (sshd.clients() == 0).then_some(())).await;
}
