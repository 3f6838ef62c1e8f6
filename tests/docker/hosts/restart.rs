//! An engine that goes away under a running AutoGit, and comes back.

use autogit::engine::docker::DockerSettings;
use autogit::sandbox::gitlab::Status;

use crate::hosts::harness::Harness;
use crate::hosts::line::Line;
use crate::hosts::own_engine::OwnEngine;
use crate::hosts::require::{Folder, until};
use crate::support::docker::settings;
use crate::support::image;

/// An engine and what runs on it. AutoGit and its runners reach the engine by a socket that stays
/// while the engine is away, as the socket that systemd holds does.
async fn with_harness(flags: &[&str]) -> Option<(OwnEngine, Harness, DockerSettings)> {
    let images = image::ensure()?;
    let engine = OwnEngine::start(Folder::new(), flags).await?;
    let line = Line::to(&engine);
    let harness = Harness::new(&engine, images).await;
    let settings = settings(Some(&line.endpoint()));
    Some((engine, harness, settings))
}

#[tokio::test]
async fn a_machine_that_loses_its_power_loses_its_jobs_and_they_run_again() {
    let Some((mut engine, harness, settings)) = with_harness(&[]).await else { return };
    let operator = harness.operator(&settings, "lost_jobs: retry");
    let lost = harness.queue();
    harness.until_begun(lost).await;
    let before = harness.runners().await;
    engine.crash().await;
    operator.until_host_is_unknown().await;
    assert_eq!(harness.gitlab.running(), [lost]);

    engine.start_again().await;
    operator.until_it_sees().await;
    let again = until("the lost job is queued again", async || {
        harness.gitlab.jobs().into_iter().map(|job| job.id).find(|id| *id != lost)
    })
    .await;
    harness.until_begun(again).await;
    assert!(harness.runners().await.iter().all(|runner| !before.contains(runner)));
    harness.open_gate();
    harness.until_succeeded(again).await;
    harness.until_nothing_is_left().await;
}

#[tokio::test]
async fn an_engine_stopped_with_its_containers_leaves_nothing_and_the_next_job_runs() {
    let Some((mut engine, harness, settings)) = with_harness(&[]).await else { return };
    let operator = harness.operator(&settings, "max: 1");
    let stopped = harness.queue();
    harness.until_begun(stopped).await;
    engine.stop().await;
    operator.until_host_is_unknown().await;
    engine.start_again().await;
    operator.until_it_sees().await;
    harness.open_gate();
    let next = harness.queue();
    harness.until_succeeded(next).await;
    assert_ne!(harness.gitlab.job(stopped).unwrap().status, Status::Success);
    harness.until_nothing_is_left().await;
}

#[tokio::test]
async fn runners_outlive_an_engine_with_live_restore_and_are_adopted() {
    let Some((mut engine, harness, settings)) = with_harness(&["--live-restore"]).await else {
        return;
    };
    let operator = harness.operator(&settings, "warm: 1, max: 1");
    let first = harness.queue();
    let before = harness.until_begun(first).await;
    let runners = harness.runners().await;
    engine.stop().await;
    operator.until_host_is_unknown().await;
    engine.start_again().await;
    operator.until_it_sees().await;
    assert_eq!(harness.runners().await, runners);
    harness.open_gate();
    // A runner that lost sight of its job's output gives the job up; that is between it and GitLab.
    harness.until_ended(first).await;
    let next = harness.queue();
    let next = harness.until_succeeded(next).await;
    assert_eq!(next.system_id, before.system_id);
    assert_eq!(harness.runners().await, runners);
}
