//! An engine that maps the users of its containers to others of the machine (`userns-remap`).

use autogit::engine::docker::DockerSettings;

use crate::hosts::life::lives_with;
use crate::hosts::own_engine::OwnEngine;
use crate::hosts::require::Folder;
use crate::support::docker::{Bench, on_bench, settings};

/// The runner is the machine's root there, or it could not open the socket, and its image's files are
/// another user's: it reads its config by `DAC_READ_SEARCH`, which it has nowhere else.
#[tokio::test]
async fn a_runner_lives_where_users_are_remapped() {
    let Some(engine) = OwnEngine::start(Folder::new(), &["--userns-remap=daemon"]).await else {
        return;
    };
    let socket = engine.socket();
    let endpoint = format!("unix://{}", socket.display());
    let settings = DockerSettings { socket: Some(socket), ..settings(Some(&endpoint)) };
    let bench = Bench::at(settings, engine.docker()).await.unwrap();
    on_bench(bench, |bench| lives_with(bench, "00000000000000c5")).await;
}
