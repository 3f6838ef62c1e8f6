//! What runs without a job, and what holds a job back.

use autogit::plan::{JobHold, RunnerHold};
use autogit::view::View;
use autogit::world::{JobId, Phase};
use jiff::SignedDuration;

use crate::end_to_end::harness::{Harness, with_harness};
use crate::end_to_end::operator::Operator;

/// Why a job waits, in the first view that holds it for the reason that `fits`.
pub(crate) async fn until_held(operator: &Operator, job: JobId, fits: fn(&JobHold) -> bool) {
    let held = |view: &View| {
        let found = view.plan.held_jobs.iter().find(|held| held.job == job)?;
        fits(&found.hold).then_some(())
    };
    operator.until(&format!("job {job} is held"), held).await;
}

/// How many runners have been idle for longer than the cooldown and stay because they are warm.
fn warm_beyond_cooldown(view: &View) -> usize {
    let is_warm = |name| {
        let mut held = view.plan.held_runners.iter();
        held.any(|held| held.runner == name && held.hold == RunnerHold::Warm)
    };
    let old = |phase: &Phase| {
        let Phase::Idle { since } = phase else { return false };
        view.world.now.duration_since(*since) > SignedDuration::from_secs(2)
    };
    let runners = view.world.runners().into_iter();
    runners.filter(|view| old(&view.phase) && is_warm(view.runner.name.clone())).count()
}

#[tokio::test]
async fn warm_runners_come_without_jobs_and_outlive_the_cooldown() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], warm: 2, max: 3}");
        let operator = Operator::start(&harness);
        let both = |view: &View| (warm_beyond_cooldown(view) == 2).then_some(());
        operator.until("two warm runners are older than the cooldown", both).await;
        assert_eq!(harness.engine.runners().await.len(), 2);

        harness.save("linux: {tags: [docker], warm: 0, max: 3}");
        harness.until_nothing_is_left().await;
    })
    .await;
}

#[tokio::test]
async fn a_pool_at_its_max_makes_the_next_job_wait() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], max: 1}");
        let first = harness.queue_gated(&["docker"], "first");
        let operator = Operator::start(&harness);
        harness.until_begun(first).await;
        let second = harness.queue(&["docker"], &["echo second"]);
        operator.wake();
        until_held(&operator, second, |hold| matches!(hold, JobHold::PoolAtMax { max: 1, .. }))
            .await;
        operator.until_looked_again().await;
        assert_eq!(harness.engine.runners().await.len(), 1);

        harness.gates.open("first");
        let (first, second) =
            (harness.until_succeeded(first).await, harness.until_succeeded(second).await);
        assert_eq!(first.system_id, second.system_id, "one slot serves both");
    })
    .await;
}

#[tokio::test]
async fn a_job_that_no_pool_fits_is_held_with_the_reason_and_costs_no_runner() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker]}");
        let tagged = harness.queue(&["docker", "gpu"], &["true"]);
        let untagged = harness.queue(&[], &["true"]);
        let operator = Operator::start(&harness);
        until_held(&operator, tagged, |hold| lacks(hold, &["gpu"])).await;
        until_held(&operator, untagged, |hold| lacks(hold, &[])).await;
        operator.until_looked_again().await;
        assert_eq!(harness.engine.runners().await.len(), 0);
        assert_eq!(harness.gitlab.pending(), [tagged, untagged]);
    })
    .await;
}

fn lacks(hold: &JobHold, tags: &[&str]) -> bool {
    matches!(hold, JobHold::NoPoolMatches { missing, .. } if missing.iter().eq(tags))
}

#[tokio::test]
async fn an_untagged_job_goes_to_the_pool_that_takes_them() {
    with_harness(async |harness: std::sync::Arc<Harness>| {
        harness.save("linux: {tags: [docker]}\nany: {tags: [other], run_untagged: true}");
        let job = harness.queue(&[], &["echo untagged"]);
        let operator = Operator::start(&harness);
        let job = harness.until_succeeded(job).await;
        let record = harness.gitlab.record(job.runner.unwrap()).unwrap();
        assert!(record.description.contains("/any-"), "{record:?}");
        drop(operator);
    })
    .await;
}
