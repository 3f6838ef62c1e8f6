//! An engine that no spec names: found as docker's own client finds it.

use autogit::clock::Clock;
use autogit::engine::docker::DockerSettings;
use autogit::spec::HostSpec;

use crate::bench::{Bench, on_bench};
use crate::life::lives;
use crate::own_engine::OwnEngine;
use crate::require::{Folder, free_port};

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
    let address = format!("tcp://127.0.0.1:{}", free_port());
    let flags = ["--host", &address, "--tls=false"];
    let Some(engine) = OwnEngine::start(Folder::new(), &flags).await else { return };
    let bench = found(&engine, &[("DOCKER_HOST", &address)]).await;
    assert_eq!(bench.engine.endpoint(), address);
    on_bench(bench, lives).await;
}
