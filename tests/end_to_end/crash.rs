//! AutoGit killed with -9 and started again: what runs is adopted, and nothing is done twice.

use std::panic::AssertUnwindSafe;

use bollard::query_parameters::KillContainerOptionsBuilder;
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::program::Program;
use crate::stage::{Stage, on_stage, until};
use crate::trap::{Point, When};

/// What makes AutoGit act while a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stir {
    /// A second job comes, and its runner is idle afterwards.
    Job,
    /// The runner of a second job is killed.
    LostRunner,
    /// A pool is added.
    NewPool,
    /// A pool gets another tag.
    Retag,
    /// A pool is removed.
    RemovePool,
}

const POOLS: &str = "linux: {tags: [docker], max: 2}\nspare: {tags: [spare]}";

impl Stir {
    /// The pools after it, and so the records.
    fn pools(self) -> (&'static str, usize) {
        match self {
            Self::Job | Self::LostRunner => (POOLS, 2),
            Self::NewPool => {
                ("linux: {tags: [docker], max: 2}\nspare: {tags: [spare]}\nnew: {tags: [new]}", 3)
            }
            Self::Retag => ("linux: {tags: [docker], max: 2}\nspare: {tags: [spare, more]}", 2),
            Self::RemovePool => ("linux: {tags: [docker], max: 2}", 1),
        }
    }
}

async fn kill_runner(stage: &Stage, index: usize) {
    let runners = stage.engine.found().await.runners;
    let signal = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
    stage.engine.docker.kill_container(&runners[index], Some(signal)).await.unwrap();
}

/// Kills AutoGit at `point` while a job runs, starts it again, and checks that all ends well.
async fn survives(point: Point, stir: Stir) {
    on_stage(async |stage| {
        stage.save(POOLS);
        let first = Program::start(&stage);
        let busy = stage.queue_gated(&["docker"], "busy");
        let before = stage.until_begun(busy).await;
        let mut jobs = vec![busy];
        if stir == Stir::LostRunner {
            let lost = stage.queue_gated(&["docker"], "never");
            stage.until_begun(lost).await;
        }
        stage.trap.set(point, first.victim());
        match stir {
            Stir::Job => jobs.push(stage.queue(&["docker"], &["echo second"])),
            Stir::LostRunner => kill_runner(&stage, 1).await,
            Stir::NewPool | Stir::Retag | Stir::RemovePool => stage.save(stir.pools().0),
        }
        first.until_dead().await;
        assert_eq!(stage.gitlab.running().first(), Some(&busy));

        let _second = Program::start(&stage);
        jobs.push(stage.queue(&["docker"], &["echo after"]));
        for job in &jobs[1..] {
            stage.until_succeeded(*job).await;
        }
        stage.gates.open("busy");
        let after = stage.until_succeeded(busy).await;
        assert_eq!(after.system_id, before.system_id);
        assert_eq!(after.trace.matches("begin").count(), 1);
        stage.until_nothing_is_left().await;
        until("the records are those of the spec", async || {
            (stage.gitlab.records().len() == stir.pools().1).then_some(())
        })
        .await;
    })
    .await;
}

/// All these points at once, each on a stage of its own, before and after.
async fn survive(points: &[&'static str], stir: Stir) {
    let each = points.iter().flat_map(|&point| {
        [When::Before, When::After].map(|when| async move {
            let outcome = AssertUnwindSafe(survives(Point(point, when), stir)).catch_unwind().await;
            (point, when, outcome)
        })
    });
    for (point, when, outcome) in join_all(each).await {
        if let Err(panic) = outcome {
            tracing::info!("killed at {point} {when:?}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[tokio::test]
async fn killed_while_it_starts_a_runner() {
    let points =
        ["POST /containers/create", "PUT /containers/*/archive", "POST /containers/*/start"];
    survive(&points, Stir::Job).await;
}

#[tokio::test]
async fn killed_while_it_retires_a_runner() {
    let points = ["POST /containers/*/kill", "DELETE /runners/managers", "DELETE /containers/*"];
    survive(&points, Stir::Job).await;
}

#[tokio::test]
async fn killed_while_it_cleans_up_after_a_lost_runner() {
    let points = ["POST /containers/*/kill", "DELETE /volumes/*", "DELETE /networks/*"];
    survive(&points, Stir::LostRunner).await;
}

#[tokio::test]
async fn killed_while_it_makes_a_record() {
    survive(&["POST /user/runners"], Stir::NewPool).await;
}

#[tokio::test]
async fn killed_while_it_changes_a_record() {
    survive(&["PUT /runners/*"], Stir::Retag).await;
}

#[tokio::test]
async fn killed_while_it_deletes_a_record() {
    survive(&["DELETE /runners/*"], Stir::RemovePool).await;
}
