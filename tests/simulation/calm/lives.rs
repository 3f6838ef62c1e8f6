//! AutoGit or a runner ends and another begins.

use autogit::sandbox::gitlab::Status;
use autogit::world::RecordId;

use super::{Calm, TWO_POOLS};

/// Until a record that a process before made is too old to be that of another AutoGit.
const TOO_OLD: u64 = 11 * 60;

#[tokio::test(start_paused = true)]
async fn a_restart_mid_job_duplicates_nothing_and_finds_its_token_again() {
    let mut calm = Calm::of(TWO_POOLS);
    let job = calm.job(&["docker"], 90);
    calm.until_runs(job).await;
    let (records, runners) = (calm.harness.gitlab().records().len(), calm.runners());
    calm.restart().await;
    calm.pass(30).await;
    // The pool that had no runner lost its token: its record is made anew, and the old one goes once
    // it is too old to be another AutoGit's.
    assert_eq!(calm.harness.gitlab().records().len(), records + 1);
    assert_eq!(calm.runners().len(), runners.len());
    let next = calm.job(&["docker"], 10);
    calm.until_succeeds(next, 60).await;
    let record = |job| -> RecordId { calm.harness.gitlab().job(job).unwrap().runner.unwrap() };
    assert_eq!(record(next), record(job), "the token was found in the runner's container");
    calm.until_succeeds(job, 120).await;
    calm.until_at_rest(TOO_OLD).await;
    assert_eq!(calm.harness.gitlab().records().len(), records);
}

#[tokio::test(start_paused = true)]
async fn jobs_are_served_while_autogit_is_gone() {
    let mut calm = Calm::of("\n  linux: {tags: [docker], warm: 1}\n");
    let first = calm.job(&["docker"], 10);
    calm.until_runs(first).await;
    calm.kill().await;
    let next = calm.job(&["docker"], 10);
    calm.until_succeeds(first, 30).await;
    calm.until_succeeds(next, 30).await;
    calm.autogit = Some(crate::process::Process::start(&calm.harness, "autogit again"));
    calm.until_at_rest(600).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_token_leads_to_a_new_record_beside_the_old_one() {
    let mut calm = Calm::of(TWO_POOLS);
    calm.until_at_rest(60).await;
    let before = calm.harness.gitlab().records();
    calm.kill().await;
    calm.autogit = Some(crate::process::Process::start(&calm.harness, "autogit again"));
    calm.until_at_rest(TOO_OLD).await;
    let after = calm.harness.gitlab().records();
    assert_eq!(after.len(), before.len());
    let job = calm.job(&["build"], 5);
    calm.until_succeeds(job, 60).await;
}

#[tokio::test(start_paused = true)]
async fn a_runner_killed_mid_job_is_reported_and_nothing_of_it_is_left() {
    let calm = Calm::of(TWO_POOLS);
    let job = calm.job(&["build"], 300);
    calm.until_runs(job).await;
    calm.pass(10).await;
    let runner = calm.runners().remove(0);
    calm.harness.doom([job]);
    calm.harness.note_killed([runner.id.clone()]);
    calm.engine().kill_container(&runner.id, 137).unwrap();
    calm.until_at_rest(120).await;
    assert!(calm.told().contains("the runner ended while it had this job"), "{}", calm.told());
    assert!(calm.told().contains(&format!("job={job}")), "{}", calm.told());
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_a_person_removed_leaves_nothing_behind() {
    let calm = Calm::of(TWO_POOLS);
    let job = calm.job(&["build"], 300);
    calm.until_runs(job).await;
    calm.pass(10).await;
    calm.harness.doom([job]);
    calm.engine().remove_by_hand(&calm.runners()[0].id).unwrap();
    calm.until_at_rest(180).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_restarts_gets_its_runners_back() {
    let calm = Calm::of("\n  linux: {tags: [docker], warm: 1}\n");
    let job = calm.job(&["docker"], 20);
    calm.until_runs(job).await;
    calm.harness.doom([job]);
    let running: Vec<_> = calm.engine().containers();
    calm.harness.note_killed(running.iter().map(|container| container.id.clone()));
    calm.harness.recorder().injected.others.containers.clear();
    calm.engine().restart_engine();
    assert_eq!(calm.engine().containers().len(), running.len());
    let next = calm.job(&["docker"], 10);
    calm.until_succeeds(next, 120).await;
    calm.until_at_rest(480).await;
    assert_eq!(calm.status(job), Status::Running, "nobody told GitLab");
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_gitlab_costs_no_runner_and_no_job() {
    use autogit::sandbox::gitlab::Down;
    let calm = Calm::of("\n  linux: {tags: [docker], max: 2, cooldown: 20s}\n");
    let job = calm.job(&["docker"], 60);
    calm.until_runs(job).await;
    calm.harness.gitlab().set_down(Down::Unreachable);
    calm.pass(600).await;
    assert_eq!(calm.runners().len(), 1);
    calm.harness.gitlab().set_down(Down::None);
    calm.until_succeeds(job, 30).await;
    calm.until_at_rest(180).await;
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_engine_keeps_its_runners() {
    let calm = Calm::of(TWO_POOLS);
    let job = calm.job(&["docker"], 60);
    calm.until_runs(job).await;
    calm.engine().set_reachable(false);
    calm.pass(600).await;
    assert_eq!(calm.status(job), Status::Success);
    assert_eq!(calm.runners().len(), 1);
    calm.engine().set_reachable(true);
    calm.until_at_rest(180).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_dead_runner_does_not_keep_the_next_one_in_its_slot_busy() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 1, cooldown: 10s}\n");
    let job = calm.job(&["docker"], 300);
    calm.until_runs(job).await;
    calm.harness.doom([job]);
    // The row stays at GitLab, with the job that nobody runs any more.
    calm.engine().remove_by_hand(&calm.runners()[0].id).unwrap();
    let next = calm.job(&["docker"], 5);
    calm.until_succeeds(next, 120).await;
    calm.until_at_rest(300).await;
    assert_eq!(calm.status(job), Status::Running);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_hangs_is_replaced_though_it_was_idle() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 1, warm: 1}\n");
    calm.until_at_rest(60).await;
    let runner = calm.runners().remove(0);
    calm.harness.hung().insert(runner.system_id, runner.id);
    calm.pass(60).await;
    let job = calm.job(&["docker"], 5);
    calm.until(900, "the runner goes", |snapshot| snapshot.runners().next().is_none()).await;
    calm.harness.hung().keep(|_| false);
    calm.until_succeeds(job, 900).await;
    calm.until_at_rest(300).await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_gets_a_new_records_runner_leaves_no_old_record() {
    let mut calm = Calm::of("\n  linux: {tags: [docker], max: 1, warm: 1, cooldown: 10s}\n");
    calm.until_at_rest(60).await;
    calm.kill().await;
    // With the container the token is lost, and the row stays.
    calm.engine().remove_by_hand(&calm.runners()[0].id).unwrap();
    calm.autogit = Some(crate::process::Process::start(&calm.harness, "autogit again"));
    calm.until_at_rest(TOO_OLD).await;
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_may_have_been_made_counts_against_max() {
    use autogit::sandbox::engine::{Fault, Operation};
    let pools = "\n  linux: {tags: [docker], max: 1, cooldown: 10s}\n";
    let calm = Calm::on(&["alpha", "beta"], pools);
    calm.until_at_rest(60).await;
    for engine in calm.harness.engines().values() {
        engine.fail_next(Operation::CreateRunner, Fault::AnswerLost);
    }
    let job = calm.job(&["docker"], 5);
    calm.until(60, "a container", |snapshot| snapshot.runners().next().is_some()).await;
    let snapshot = calm.harness.snapshot();
    let (host, _) = snapshot.runners().next().unwrap();
    calm.harness.engines()[host].set_reachable(false);
    calm.pass(120).await;
    assert_eq!(calm.runners().len(), 1, "{}", calm.told());
    calm.harness.engines()[host].set_reachable(true);
    calm.until_succeeds(job, 300).await;
    calm.until_at_rest(240).await;
}
