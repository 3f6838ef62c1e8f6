//! An engine that no spec names: found as docker's own client finds it.

use std::process::Command;

use autogit::clock::Clock;
use autogit::engine::docker::DockerSettings;
use autogit::spec::HostSpec;

use crate::hosts::life::lives;
use crate::hosts::own_engine::{self, OwnEngine};
use crate::hosts::require::Folder;
use crate::support::docker::{Bench, on_bench};

/// A bench on the engine that a process with these variables finds.
async fn found(engine: &OwnEngine, variables: &[(&str, &str)]) -> Bench {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let mut settings = DockerSettings::of(&HostSpec::default(), variable, Clock::system());
    settings.socket = Some(engine.socket());
    Bench::at(settings, engine.docker()).await.unwrap()
}

#[tokio::test]
async fn docker_host_names_the_engine() {
    let address = format!("tcp://{}:2375", own_engine::address(false));
    let flags = ["--host", &address, "--tls=false"];
    let Some(engine) = OwnEngine::start(Folder::new(), &flags).await else { return };
    let bench = found(&engine, &[("DOCKER_HOST", &address)]).await;
    assert_eq!(bench.engine.endpoint(), address);
    on_bench(bench, lives).await;
}

/// Where engines without root listen, for a user with these folders; and Podman with it.
const PLACES: [&str; 4] = [
    "/run/user/docker.sock",
    "/run/home/.docker/run/docker.sock",
    "/run/user/podman/podman.sock",
    "/run/podman/podman.sock",
];

/// Runs a program where `/run` holds nothing but a socket at that place.
const ALONE: &str = r#"mount -t tmpfs tmpfs /run && mkdir -p "$(dirname "$1")" && ln -s "$0" "$1" &&
    shift && exec "$@""#;

const SPEC: &str = "gitlab: {url: 'http://127.0.0.1:1', runner_url: 'http://git.lan', token: x}
pools: {linux: {tags: [docker]}}
";

#[tokio::test]
async fn sockets_are_found_wherever_docker_and_podman_put_them() {
    let Some(engine) = OwnEngine::start(Folder::new(), &[]).await else { return };
    let spec = engine.folder.write("autogit.yaml", SPEC);
    for place in PLACES {
        let planned = Command::new("unshare")
            .args(["--mount", "bash", "-c", ALONE])
            .args([engine.socket().to_str().unwrap(), place, env!("CARGO_BIN_EXE_autogit")])
            .args(["plan", "--format", "json", "--config", &spec])
            .env_clear()
            .env("TMPDIR", engine.folder.path())
            .envs([
                ("HOME", "/run/home"),
                ("XDG_RUNTIME_DIR", "/run/user"),
                ("PATH", "/usr/bin:/bin"),
            ])
            .output()
            .unwrap();
        let plan: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
        assert_eq!(plan["sources"]["local"]["state"], "known", "{place}: {plan}");
    }
}
