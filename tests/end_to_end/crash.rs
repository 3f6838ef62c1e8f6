//! AutoGit killed with -9 and started again: what runs is adopted, and nothing is done twice.

use std::panic::AssertUnwindSafe;

use autogit::sandbox::dice::Dice;
use bollard::query_parameters::KillContainerOptionsBuilder;
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::program::Program;
use crate::stage::{Stage, on_stage, until};
use crate::trap::{Point, When};

const KILLS: usize = 6;
/// Requests that AutoGit makes in some seconds, in which jobs start and end.
const MOMENTS: u64 = 100;

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

impl Stir {
    /// The pools before it.
    fn pools_before(self) -> String {
        // A network per job costs the engine more than the job; only its removal needs one.
        let network = if self == Self::LostRunner { "per-job" } else { "shared" };
        let linux = format!("linux: {{tags: [docker], max: 2, job: {{network: {network}}}}}");
        linux + "\nspare: {tags: [spare]}"
    }

    /// The pools after it, and so the records.
    fn pools_after(self) -> (String, usize) {
        let before = self.pools_before();
        match self {
            Self::Job | Self::LostRunner => (before, 2),
            Self::NewPool => (before + "\nnew: {tags: [new]}", 3),
            Self::Retag => (before.replace("[spare]", "[spare, more]"), 2),
            Self::RemovePool => (before.lines().take(1).collect(), 1),
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
        stage.save(&stir.pools_before());
        let first = Program::start(&stage);
        let busy = stage.queue_gated(&["docker"], "busy");
        let before = stage.until_begun(busy).await;
        if stir == Stir::LostRunner {
            let lost = stage.queue_gated(&["docker"], "never");
            stage.until_begun(lost).await;
        }
        stage.trap.set(point, first.victim());
        let mut next = None;
        match stir {
            Stir::Job => next = Some(stage.queue(&["docker"], &["echo next"])),
            Stir::LostRunner => kill_runner(&stage, 1).await,
            Stir::NewPool | Stir::Retag | Stir::RemovePool => stage.save(&stir.pools_after().0),
        }
        first.until_dead().await;
        assert_eq!(stage.gitlab.running().first(), Some(&busy));

        let second = Program::start(&stage);
        let next = next.unwrap_or_else(|| stage.queue(&["docker"], &["echo next"]));
        stage.until_succeeded(next).await;
        stage.gates.open("busy");
        let after = stage.until_succeeded(busy).await;
        assert_eq!(after.system_id, before.system_id);
        assert_eq!(after.trace.matches("begin").count(), 1);
        stage.until_nothing_is_left().await;
        until("the records are those of the spec", async || {
            (stage.gitlab.records().len() == stir.pools_after().1).then_some(())
        })
        .await;
        drop(second);
        let log = stage.logs().remove(1);
        assert!(!log.contains("ERROR"), "what the dead one left is no error to the next: {log}");
    })
    .await;
}

/// All these points at once, each on a stage of its own, before and after.
async fn all_survive<F: Future<Output = ()>>(
    points: &[&'static str],
    survives: impl Fn(Point) -> F,
) {
    let points = points.iter().flat_map(|&at| [When::Before, When::After].map(|it| Point(at, it)));
    let each = points.map(|point| {
        let outcome = AssertUnwindSafe(survives(point)).catch_unwind();
        async move { (point, outcome.await) }
    });
    for (point, outcome) in join_all(each).await {
        if let Err(panic) = outcome {
            tracing::info!("killed at {point:?}");
            std::panic::resume_unwind(panic);
        }
    }
}

async fn survive(points: &[&'static str], stir: Stir) {
    all_survive(points, |point| survives(point, stir)).await;
}

#[tokio::test]
async fn killed_between_two_looks_it_finds_all_again_and_has_nothing_to_do() {
    on_stage(async |stage| {
        stage.save("linux: {tags: [docker], warm: 1, max: 2}");
        let first = Program::start(&stage);
        let busy = stage.queue_gated(&["docker"], "busy");
        stage.until_begun(busy).await;
        until("a warm runner beside it", async || (stage.managers().len() == 2).then_some(()))
            .await;
        first.victim().kill();
        first.until_dead().await;
        let before = (stage.engine.found().await, stage.managers(), stage.record_ids());
        let _second = Program::start(&stage);
        stage.until_asked_twice().await;
        assert_eq!((stage.engine.found().await, stage.managers(), stage.record_ids()), before);
        let plan = Program::ask(&stage, &["plan", "--detailed-exitcode"]).await;
        assert_eq!(plan.status.code(), Some(0), "{}", String::from_utf8_lossy(&plan.stdout));
        stage.gates.open("busy");
        stage.until_succeeded(busy).await;
    })
    .await;
}

/// Draws the moments; `AUTOGIT_END_TO_END_SEED` draws others.
fn seed() -> u64 {
    let given = std::env::var_os("AUTOGIT_END_TO_END_SEED");
    let seed = given.map_or(7, |seed| seed.to_string_lossy().parse().unwrap());
    tracing::info!(seed, "again with AUTOGIT_END_TO_END_SEED={seed}");
    seed
}

#[tokio::test]
async fn killed_at_any_moment_again_and_again_it_loses_no_job() {
    on_stage(async |stage| {
        let shared = "job: {network: shared}";
        let linux = format!("linux: {{tags: [docker], max: 2, {shared}}}");
        stage.save(&format!("{linux}\ndocs: {{tags: [docs], {shared}}}"));
        let tags = ["docker", "docker", "docs", "docker", "docs", "docker"];
        let jobs = tags.map(|tag| stage.queue(&[tag], &["echo begin", "sleep 1"]));
        let mut dice = Dice::new(seed());
        for _ in 0..KILLS {
            let program = Program::start(&stage);
            let when = if dice.below(2) == 0 { When::Before } else { When::After };
            stage.trap.set_after(dice.below(MOMENTS), Point("*", when), program.victim());
            program.until_dead().await;
        }
        let _last = Program::start(&stage);
        for job in jobs {
            let job = stage.until_succeeded(job).await;
            assert_eq!(job.trace.matches("begin\n").count(), 1, "{}", job.trace);
        }
        stage.until_nothing_is_left().await;
    })
    .await;
}

#[tokio::test]
async fn killed_while_it_makes_or_removes_the_network() {
    let survives = async |point| {
        on_stage(async |stage| {
            stage.save("linux: {tags: [docker]}");
            let first = Program::start(&stage);
            stage.trap.set(point, first.victim());
            let job = stage.queue(&["docker"], &["echo done"]);
            first.until_dead().await;
            let _second = Program::start(&stage);
            stage.until_succeeded(job).await;
            stage.until_nothing_is_left().await;
        })
        .await;
    };
    all_survive(&["POST /networks/create", "DELETE /networks/*"], survives).await;
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
