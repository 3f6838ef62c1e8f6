//! An engine that goes away under a running AutoGit, and comes back.

use autogit::engine::docker::DockerSettings;
use autogit::sandbox::gitlab::Status;
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};

use crate::hosts::own_engine::OwnEngine;
use crate::hosts::require::{Folder, until};
use crate::hosts::stage::Stage;
use crate::support::docker::settings;
use crate::support::image;

/// An engine and what runs on it. AutoGit and its runners reach the engine by a socket that stays
/// while the engine is away, as the socket that systemd holds does.
async fn staged(flags: &[&str]) -> Option<(OwnEngine, Stage, DockerSettings)> {
    let images = image::ensure()?;
    let engine = OwnEngine::start(Folder::new(), flags).await?;
    let (path, target) = (engine.folder.path().join("held.sock"), engine.socket());
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let target = target.clone();
            tokio::spawn(async move {
                let mut engine = UnixStream::connect(target).await?;
                copy_bidirectional(&mut client, &mut engine).await
            });
        }
    });
    let stage = Stage::new(&engine, images).await;
    let settings = settings(Some(&format!("unix://{}", path.display())));
    Some((engine, stage, settings))
}

#[tokio::test]
async fn a_machine_that_loses_its_power_loses_its_jobs_and_they_run_again() {
    let Some((mut engine, stage, settings)) = staged(&[]).await else { return };
    let operator = stage.operator(&settings, "lost_jobs: retry");
    let lost = stage.queue();
    stage.until_begun(lost).await;
    let before = stage.runners().await;
    engine.crash().await;
    operator.until_host_is_unknown().await;
    assert_eq!(stage.gitlab.running(), [lost]);

    engine.start_again().await;
    operator.until_it_sees().await;
    let again = until("the lost job is queued again", async || {
        stage.gitlab.jobs().into_iter().map(|job| job.id).find(|id| *id != lost)
    })
    .await;
    stage.until_begun(again).await;
    assert!(stage.runners().await.iter().all(|runner| !before.contains(runner)));
    stage.open_gate();
    stage.until_succeeded(again).await;
    stage.until_nothing_is_left().await;
}

#[tokio::test]
async fn an_engine_stopped_with_its_containers_leaves_nothing_and_the_next_job_runs() {
    let Some((mut engine, stage, settings)) = staged(&[]).await else { return };
    let operator = stage.operator(&settings, "max: 1");
    let stopped = stage.queue();
    stage.until_begun(stopped).await;
    engine.stop().await;
    operator.until_host_is_unknown().await;
    engine.start_again().await;
    operator.until_it_sees().await;
    stage.open_gate();
    let next = stage.queue();
    stage.until_succeeded(next).await;
    assert_ne!(stage.gitlab.job(stopped).unwrap().status, Status::Success);
    stage.until_nothing_is_left().await;
}

#[tokio::test]
async fn runners_outlive_an_engine_with_live_restore_and_are_adopted() {
    let Some((mut engine, stage, settings)) = staged(&["--live-restore"]).await else { return };
    let operator = stage.operator(&settings, "warm: 1, max: 1");
    let first = stage.queue();
    let before = stage.until_begun(first).await;
    let runners = stage.runners().await;
    engine.stop().await;
    operator.until_host_is_unknown().await;
    engine.start_again().await;
    operator.until_it_sees().await;
    assert_eq!(stage.runners().await, runners);
    stage.open_gate();
    // A runner that lost sight of its job's output gives the job up; that is between it and GitLab.
    stage.until_ended(first).await;
    let next = stage.queue();
    let next = stage.until_succeeded(next).await;
    assert_eq!(next.system_id, before.system_id);
    assert_eq!(stage.runners().await, runners);
}
