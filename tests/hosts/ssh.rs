//! `ssh://`, through a real server to the engine of this machine.

use autogit::engine::docker::{DockerEngine, DockerSettings};
use autogit::engine::{Engine as _, EngineError};
use bollard::Docker;

use crate::bench::{Bench, on_bench, settings};
use crate::life::lives;
use crate::require::{free_port, until};
use crate::sshd::Sshd;

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
