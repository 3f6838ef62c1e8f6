//! AutoGit killed with -9 and started again: what runs is adopted, and nothing is done twice.

use autogit::sandbox::rng::Rng;
use bollard::query_parameters::KillContainerOptionsBuilder;
use jiff::SignedDuration;

use crate::end_to_end::harness::{Harness, until, with_harness};
use crate::end_to_end::program::Program;
use crate::end_to_end::trap::{Point, When};

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
        // A container that was made and not started keeps its slot for a minute, whoever made it.
        let linux = format!("linux: {{tags: [docker], max: 8, job: {{network: {network}}}}}");
        linux + "\nspare: {tags: [spare]}"
    }

    /// The pools after it, and so the records.
    fn pools_after(self) -> (String, usize) {
        let before = self.pools_before();
        match self {
            Self::Job | Self::LostRunner => (before, 2),
            Self::NewPool => (before + "\nnew: {tags: [new]}", 3),
            // A record without a runner would be made anew, for its token died with AutoGit.
            Self::Retag => (before.replace("[docker]", "[docker, more]"), 2),
            Self::RemovePool => (before.lines().take(1).collect(), 1),
        }
    }
}

async fn kill_runner(harness: &Harness, index: usize) {
    let runners = harness.engine.found().await.runners;
    let signal = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
    harness.engine.docker.kill_container(&runners[index], Some(signal)).await.unwrap();
}

/// Right before and right after each of these.
fn around(points: &[&'static str]) -> Vec<Point> {
    points.iter().flat_map(|&at| [When::Before, When::After].map(|when| Point(at, when))).collect()
}

/// Starts AutoGit anew for each of the points, the first one aside, until it is killed there.
async fn killed_at(harness: &Harness, points: &[Point], mut program: Program) {
    for (number, &point) in points.iter().enumerate() {
        if number > 0 {
            // What another one made a moment ago may be in use elsewhere.
            harness.gitlab.age_records(SignedDuration::from_mins(11));
            program = Program::start(harness);
        }
        harness.trap.set(point, program.victim());
        tracing::info!("waits for AutoGit to be killed at {point:?}");
        program.until_dead().await;
    }
}

/// Kills AutoGit at one point after the other while a job runs, starts it again, and checks that
/// all ends well.
async fn survives(points: &[&'static str], stir: Stir) {
    with_harness(async |harness| {
        harness.save(&stir.pools_before());
        let first = Program::start(&harness);
        let busy = harness.queue_gated(&["docker"], "busy");
        let before = harness.until_begun(busy).await;
        if stir == Stir::LostRunner {
            let lost = harness.queue_gated(&["docker"], "never");
            harness.until_begun(lost).await;
        }
        let points = around(points);
        harness.trap.set(points[0], first.victim());
        let mut next = None;
        match stir {
            Stir::Job => next = Some(harness.queue(&["docker"], &["echo next"])),
            Stir::LostRunner => kill_runner(&harness, 1).await,
            Stir::NewPool | Stir::Retag | Stir::RemovePool => harness.save(&stir.pools_after().0),
        }
        killed_at(&harness, &points, first).await;
        assert_eq!(harness.gitlab.running().first(), Some(&busy));

        harness.gitlab.age_records(SignedDuration::from_mins(11));
        let last = Program::start(&harness);
        let next = next.unwrap_or_else(|| harness.queue(&["docker"], &["echo next"]));
        harness.until_succeeded(next).await;
        harness.gates.open("busy");
        let after = harness.until_succeeded(busy).await;
        assert_eq!(after.system_id, before.system_id);
        assert_eq!(after.trace.matches("begin").count(), 1);
        harness.until_nothing_is_left().await;
        until("the records are those of the spec", async || {
            (harness.gitlab.records().len() == stir.pools_after().1).then_some(())
        })
        .await;
        drop(last);
        let log = harness.logs().concat();
        assert!(!log.contains("ERROR"), "what a dead one left is no error to the next: {log}");
    })
    .await;
}

#[tokio::test]
async fn killed_between_two_looks_it_finds_all_again_and_has_nothing_to_do() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], warm: 1, max: 2}");
        let first = Program::start(&harness);
        let busy = harness.queue_gated(&["docker"], "busy");
        harness.until_begun(busy).await;
        until("a warm runner beside it", async || (harness.managers().len() == 2).then_some(()))
            .await;
        first.victim().kill();
        first.until_dead().await;
        let before = (harness.engine.found().await, harness.managers(), harness.record_ids());
        let _second = Program::start(&harness);
        harness.until_asked_twice().await;
        assert_eq!(
            (harness.engine.found().await, harness.managers(), harness.record_ids()),
            before
        );
        let plan = Program::ask(&harness, &["plan", "--detailed-exitcode"]).await;
        assert_eq!(plan.status.code(), Some(0), "{}", String::from_utf8_lossy(&plan.stdout));
        harness.gates.open("busy");
        harness.until_succeeded(busy).await;
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
    with_harness(async |harness| {
        let shared = "job: {network: shared}";
        let linux = format!("linux: {{tags: [docker], max: 2, {shared}}}");
        harness.save(&format!("{linux}\ndocs: {{tags: [docs], {shared}}}"));
        let tags = ["docker", "docker", "docs", "docker", "docs", "docker"];
        let jobs = tags.map(|tag| harness.queue(&[tag], &["echo begin", "sleep 1"]));
        let mut rng = Rng::new(seed());
        for _ in 0..KILLS {
            let program = Program::start(&harness);
            let when = if rng.below(2) == 0 { When::Before } else { When::After };
            harness.trap.set_after(rng.below(MOMENTS), Point("*", when), program.victim());
            program.until_dead().await;
        }
        let _last = Program::start(&harness);
        for job in jobs {
            let job = harness.until_succeeded(job).await;
            assert_eq!(job.trace.matches("begin\n").count(), 1, "{}", job.trace);
        }
        harness.until_nothing_is_left().await;
    })
    .await;
}

#[tokio::test]
async fn killed_while_it_makes_and_removes_the_network() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker]}");
        let first = Program::start(&harness);
        let made = around(&["POST /networks/create"]);
        harness.trap.set(made[0], first.victim());
        let job = harness.queue(&["docker"], &["echo done"]);
        killed_at(&harness, &made, first).await;
        let program = Program::start(&harness);
        harness.until_succeeded(job).await;
        let removed = around(&["DELETE /networks/*"]);
        harness.trap.set(removed[0], program.victim());
        harness.save("linux: {tags: [docker], enabled: false}");
        killed_at(&harness, &removed, program).await;
        let _last = Program::start(&harness);
        harness.until_not_even_the_network_is_left().await;
    })
    .await;
}

#[tokio::test]
async fn killed_while_it_starts_a_runner() {
    let points =
        ["POST /containers/create", "PUT /containers/*/archive", "POST /containers/*/start"];
    survives(&points, Stir::Job).await;
}

#[tokio::test]
async fn killed_while_it_retires_a_runner() {
    let points = ["POST /containers/*/kill", "DELETE /runners/managers", "DELETE /containers/*"];
    survives(&points, Stir::Job).await;
}

#[tokio::test]
async fn killed_while_it_cleans_up_after_a_lost_runner() {
    let points = ["POST /containers/*/kill", "DELETE /volumes/*", "DELETE /networks/*"];
    survives(&points, Stir::LostRunner).await;
}

#[tokio::test]
async fn killed_while_it_makes_a_record() {
    survives(&["POST /user/runners"], Stir::NewPool).await;
}

#[tokio::test]
async fn killed_while_it_changes_a_record() {
    survives(&["PUT /runners/*"], Stir::Retag).await;
}

#[tokio::test]
async fn killed_while_it_deletes_a_record() {
    survives(&["DELETE /runners/*"], Stir::RemovePool).await;
}
