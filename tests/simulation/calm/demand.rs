//! Runners come with the jobs and go after them.

use crate::invariants::Snapshot;
use autogit::plan::JobHold;
use autogit::sandbox::gitlab::Status;

use super::{Calm, TWO_POOLS, running, spec_of};

#[tokio::test(start_paused = true)]
async fn from_zero_to_jobs_over_two_pools_and_back_to_zero() {
    let calm = Calm::of(TWO_POOLS);
    calm.pass(30).await;
    assert!(calm.runners().is_empty(), "{}", calm.told());
    let plain: Vec<_> = (0..4).map(|n| calm.job(&["docker"], 10 + n)).collect();
    let build: Vec<_> = (0..3).map(|n| calm.job(&["build"], 20 + n)).collect();
    for job in plain.into_iter().chain(build) {
        calm.until_succeeds(job, 120).await;
    }
    calm.until_at_rest(120).await;
    assert!(calm.runners().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_waits_seconds_for_its_runner() {
    let calm = Calm::of(TWO_POOLS);
    calm.pass(30).await;
    let job = calm.job(&["docker"], 5);
    calm.until(15, "the job runs", |_| calm.status(job) == Status::Running).await;
}

#[tokio::test(start_paused = true)]
async fn warm_runners_are_there_before_jobs_and_outlive_their_cooldown() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 3, warm: 2, cooldown: 10s}\n");
    calm.until(60, "two runners", |snapshot| running(snapshot) == 2).await;
    let before = calm.runners();
    calm.pass(300).await;
    let names = |runners: &[autogit::world::Runner]| {
        runners.iter().map(|runner| runner.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&calm.runners()), names(&before));
    let job = calm.job(&["docker"], 60);
    calm.until_runs(job).await;
    calm.until(30, "a third runner", |snapshot| running(snapshot) == 3).await;
    calm.until_succeeds(job, 90).await;
    calm.until_at_rest(180).await;
    assert_eq!(calm.runners().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn max_holds_and_the_rest_of_the_jobs_wait_their_turn() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 2, cooldown: 10s}\n");
    calm.pass(15).await;
    let jobs: Vec<_> = (0..7).map(|_| calm.job(&["docker"], 15)).collect();
    calm.pass(20).await;
    let last = *jobs.last().unwrap();
    assert!(
        matches!(calm.hold(last), Some(JobHold::PoolAtMax { max: 2, .. })),
        "{:?}",
        calm.hold(last)
    );
    for job in jobs {
        calm.until_succeeds(job, 180).await;
        assert!(calm.runners().len() <= 2);
    }
    calm.until_at_rest(120).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_no_pool_matches_is_held_with_the_missing_tag() {
    let calm = Calm::of(TWO_POOLS);
    let job = calm.job(&["docker", "windows"], 5);
    calm.pass(120).await;
    assert_eq!(calm.status(job), Status::Pending);
    let Some(JobHold::NoPoolMatches { missing, .. }) = calm.hold(job) else {
        panic!("{:?}", calm.hold(job));
    };
    assert_eq!(missing.into_iter().collect::<Vec<_>>(), ["windows"]);
    assert!(calm.runners().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_without_tags_goes_to_the_pool_that_takes_such() {
    let calm = Calm::of(
        "\n  linux: {tags: [docker], cooldown: 10s}\n  any: {run_untagged: true, cooldown: 10s}\n",
    );
    let job = calm.job(&[], 5);
    calm.until_succeeds(job, 60).await;
    let record = calm.harness.gitlab().job(job).unwrap().runner.unwrap();
    let description = calm.harness.gitlab().record(record).unwrap().description;
    assert_eq!(description, "autogit/autogit/any-amd64");
    calm.until_at_rest(120).await;
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_kept_stays_and_one_that_is_discarded_goes() {
    let calm = Calm::of(
        "\n  keep: {tags: [keep], cooldown: 5s}\n  drop: {tags: [drop], cooldown: 5s, cache: discard}\n",
    );
    let (keep, drop) = (calm.job(&["keep"], 5), calm.job(&["drop"], 5));
    calm.until_succeeds(keep, 60).await;
    calm.until_succeeds(drop, 60).await;
    calm.until_at_rest(120).await;
    let planted = crate::others::counted(&calm.harness.injected().others.volumes);
    assert_eq!(calm.engine().volumes().len() - planted, 2, "clone and cache of the one that keeps");
}

#[tokio::test(start_paused = true)]
async fn failing_jobs_end_as_failed_and_leave_nothing() {
    let calm = Calm::of(TWO_POOLS);
    let job = calm.harness.job(&["build"], std::time::Duration::from_secs(4), true);
    calm.until(60, "the job fails", |_| calm.status(job) == Status::Failed).await;
    calm.until_at_rest(120).await;
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_runner_takes_one_job_and_the_next_gets_a_new_one() {
    let calm = Calm::of("\n  once: {tags: [once], max: 1, cooldown: 10s, jobs_per_runner: 1}\n");
    let jobs: Vec<_> = (0..3).map(|_| calm.job(&["once"], 5)).collect();
    for job in jobs {
        calm.until_succeeds(job, 120).await;
    }
    calm.until_at_rest(120).await;
}

#[tokio::test(start_paused = true)]
async fn jobs_that_nobody_takes_keep_no_runner_however_many_they_are() {
    // Ten pages are read.
    let calm = Calm::paged("\n  linux: {tags: [docker], cooldown: 10s}\n", Some(1));
    let job = calm.job(&["docker"], 5);
    for _ in 0..15 {
        calm.job(&["windows"], 5);
    }
    calm.until_succeeds(job, 60).await;
    calm.until_at_rest(240).await;
}

/// Two pools share one place, and the jobs of the one with the higher priority never end.
#[tokio::test(start_paused = true)]
async fn a_job_that_gitlab_would_drop_gets_a_runner_before_a_backlog_of_higher_priority() {
    let pools = "\n  linux: {tags: [docker], priority: 10}\n  deploy: {tags: [deploy]}\n";
    let calm = Calm::of(pools);
    assert!(calm.harness.write_spec(&spec_of(pools).replace("runners: 8", "runners: 1")));
    calm.under_load(60, "a runner", |snapshot| running(snapshot) == 1).await;
    let job = calm.job(&["deploy"], 10);
    let ended = |_: &Snapshot| calm.status(job) == Status::Success;
    calm.under_load(3_600, "the job succeeds", ended).await;
    calm.under_load(180, "the backlog goes on", |_| {
        let jobs = calm.harness.gitlab().jobs_without_logs();
        jobs.iter().any(|later| later.id > job && later.status == Status::Running)
    })
    .await;
}

/// A runner without a job sits in a poll that GitLab holds for 50 s.
#[tokio::test(start_paused = true)]
async fn a_runner_that_cooled_down_is_gone_within_seconds() {
    let calm = Calm::of("\n  linux: {tags: [docker], cooldown: 15s}\n");
    let job = calm.job(&["docker"], 5);
    calm.until_succeeds(job, 60).await;
    calm.until(45, "no runner", |snapshot| snapshot.runners().next().is_none()).await;
}
