//! The spec or a record changes under way.

use autogit::plan::JobHold;
use autogit::sandbox::gitlab::Status;
use autogit::world::Runner;

use super::{Calm, TWO_POOLS, running};

#[tokio::test(start_paused = true)]
async fn a_busy_runner_outlives_its_pool_until_the_job_ends() {
    let calm = Calm::of(TWO_POOLS);
    let job = calm.job(&["build"], 120);
    calm.until_runs(job).await;
    calm.write("\n  linux: {tags: [docker], max: 3, cooldown: 30s}\n");
    calm.pass(60).await;
    assert_eq!(calm.status(job), Status::Running, "{}", calm.told());
    calm.until_succeeds(job, 90).await;
    calm.until_at_rest(180).await;
}

#[tokio::test(start_paused = true)]
async fn a_disabled_pool_finishes_its_job_and_keeps_its_record() {
    let calm = Calm::of("\n  linux: {tags: [docker], warm: 1}\n");
    let job = calm.job(&["docker"], 90);
    calm.until_runs(job).await;
    let records = calm.harness.gitlab().records().len();
    calm.write("\n  linux: {tags: [docker], warm: 1, enabled: false}\n");
    calm.until_succeeds(job, 120).await;
    calm.until(120, "no runner", |snapshot| snapshot.runners().next().is_none()).await;
    calm.pass(120).await;
    assert_eq!(calm.harness.gitlab().records().len(), records);
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_changes_mid_job_replaces_the_runner_after_the_job() {
    let calm = Calm::of("\n  linux: {tags: [docker], warm: 1, max: 2, cooldown: 10s}\n");
    let job = calm.job(&["docker"], 100);
    calm.until_runs(job).await;
    let old: Vec<_> = calm.runners().into_iter().map(|runner| runner.spec).collect();
    calm.write(
        "\n  linux: {tags: [docker], warm: 1, max: 2, cooldown: 10s, job: {image: busybox}}\n",
    );
    calm.pass(60).await;
    assert_eq!(calm.status(job), Status::Running, "{}", calm.told());
    calm.until_succeeds(job, 90).await;
    calm.until_at_rest(240).await;
    assert!(calm.runners().iter().all(|runner| !old.contains(&runner.spec)));
}

#[tokio::test(start_paused = true)]
async fn a_lower_max_takes_effect_as_runners_become_idle() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 3, cooldown: 5m}\n");
    let jobs: Vec<_> = (0..3).map(|_| calm.job(&["docker"], 60)).collect();
    for job in &jobs {
        calm.until_runs(*job).await;
    }
    calm.write("\n  linux: {tags: [docker], max: 1, cooldown: 5m}\n");
    for job in jobs {
        calm.until_succeeds(job, 120).await;
    }
    calm.until(120, "one runner", |snapshot| snapshot.runners().count() == 1).await;
}

/// While jobs keep coming no runner is ever idle for long, and a change waits for none.
#[tokio::test(start_paused = true)]
async fn changes_take_effect_while_jobs_keep_coming() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 3, cooldown: 5m}\n");
    let long = calm.job(&["docker"], 900);
    calm.under_load(60, "three runners", |snapshot| running(snapshot) == 3).await;
    let old: Vec<_> = calm.runners().into_iter().map(|runner| runner.id).collect();
    let kept = calm.runner_of(long);
    calm.write("\n  linux: {tags: [docker], max: 3, cooldown: 5m, job: {image: busybox}}\n");
    calm.under_load(180, "a newer spec", |snapshot| {
        let stays = |runner: &Runner| old.contains(&runner.id) && runner.system_id != kept;
        !snapshot.runners().any(|(_, runner)| stays(runner)) && running(snapshot) == 3
    })
    .await;
    calm.write("\n  linux: {tags: [docker], max: 1, cooldown: 5m, job: {image: busybox}}\n");
    calm.under_load(120, "one runner and the long job's", |snapshot| running(snapshot) == 2).await;
    assert_eq!(calm.status(long), Status::Running, "{}", calm.told());
    calm.write("\n  linux: {tags: [docker], enabled: false}\n");
    calm.under_load(120, "the long job's runner", |snapshot| running(snapshot) == 1).await;
    calm.until_succeeds(long, 900).await;
    calm.until(60, "no runner", |snapshot| running(snapshot) == 0).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_nobody_has_takes_no_runner_of_a_busy_pool() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 3, cooldown: 5m}\n");
    calm.under_load(60, "three runners", |snapshot| running(snapshot) == 3).await;
    calm.write("\n  linux: {tags: [docker], max: 3, cooldown: 5m, runner_image: 'no/such:1'}\n");
    for _ in 0..600 {
        calm.feed();
        let snapshot = calm.second().await;
        assert_eq!(running(&snapshot), 3, "{}", calm.told());
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_file_changes_nothing() {
    let calm = Calm::of("\n  linux: {tags: [docker], warm: 1}\n");
    calm.until(60, "a runner", |snapshot| running(snapshot) == 1).await;
    assert!(!calm.harness.write_spec("pools: {linux: {tags: [docker], worm: 3}}"));
    calm.until_at_rest(60).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_person_deleted_is_made_anew_and_its_job_goes_on() {
    let calm = Calm::of(TWO_POOLS);
    let job = calm.job(&["docker"], 120);
    calm.until_runs(job).await;
    let record = calm.harness.gitlab().job(job).unwrap().runner.unwrap();
    calm.harness.note_deleted(record);
    calm.harness.gitlab().delete_record_by_hand(record);
    let next = calm.job(&["docker"], 10);
    calm.until_succeeds(next, 120).await;
    calm.until_succeeds(job, 150).await;
    // The old runner sleeps for five minutes after it was refused.
    calm.until_at_rest(480).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_person_retagged_is_set_right_and_a_pause_stays() {
    let calm = Calm::of("\n  linux: {tags: [docker], cooldown: 10s}\n");
    calm.pass(20).await;
    let planted = calm.harness.injected().others.records.len();
    let record = calm.harness.gitlab().records()[planted].id;
    calm.harness.gitlab().retag_record(record, &["else"]);
    calm.until_at_rest(120).await;
    calm.harness.gitlab().pause_record(record, true);
    let job = calm.job(&["docker"], 5);
    let paused = |calm: &Calm| matches!(calm.hold(job), Some(JobHold::Paused { .. }));
    calm.until(30, "the job is held", |_| paused(&calm)).await;
    calm.pass(120).await;
    assert!(paused(&calm) && calm.runners().is_empty(), "{}", calm.told());
    calm.harness.gitlab().pause_record(record, false);
    calm.until_succeeds(job, 60).await;
}
