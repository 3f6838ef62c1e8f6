//! What fails costs itself alone, less and less often, and no longer than it fails.

use std::collections::BTreeSet;

use crate::invariants::Snapshot;
use autogit::engine::EngineError;
use autogit::sandbox::engine::{Fault, Operation};
use autogit::sandbox::gitlab::{Down, RecordView, Status};
use autogit::sandbox::runner::Version;
use autogit::world::{ContainerState, JobId, RecordId, Slot};

use super::{Calm, TWO_POOLS};
use crate::gitlab_side::MAKES_A_RECORD;
use crate::harness::IMAGE;

const HALF_AN_HOUR: u64 = 30 * 60;

impl Calm {
    /// The seconds at which the engine was asked for that.
    fn asked(&self, operation: &str) -> Vec<u64> {
        let asked = self.engine().operations().into_iter().filter_map(|line| {
            let (millis, what) = line.split_once(' ')?;
            what.starts_with(operation).then(|| millis.parse::<u64>().unwrap() / 1000)
        });
        asked.collect()
    }

    /// The seconds at which GitLab refused to make a record.
    fn refused_records(&self) -> Vec<u64> {
        let refused = format!("POST {MAKES_A_RECORD}: 403");
        let recorder = self.harness.recorder();
        let lines = recorder.lines.iter().filter(|line| line.contains(&refused));
        lines.map(|line| line.trim_start().split('.').next().unwrap().parse().unwrap()).collect()
    }
}

/// The record of the pool `linux`.
fn record(snapshot: &Snapshot) -> Option<RecordId> {
    let its = |record: &&RecordView| record.description == "autogit/autogit/linux-amd64";
    snapshot.records.iter().find(its).map(|record| record.id)
}

/// A pause that doubles from ten seconds to ten minutes makes nine attempts or so.
fn are_ever_rarer(attempts: &[u64], told: &str) {
    assert!((4..=12).contains(&attempts.len()), "{attempts:?}\n{told}");
    let gaps: Vec<u64> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (first, last) = (gaps[0], gaps[gaps.len() - 1]);
    assert!(last >= 10 * first.max(10), "{gaps:?}\n{told}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_nobody_has_is_asked_for_ever_more_rarely() {
    let calm = Calm::of(TWO_POOLS);
    calm.engine().forget_image(IMAGE);
    let job = calm.job(&["build"], 5);
    calm.pass(HALF_AN_HOUR).await;
    let mut seconds = calm.asked("provide image");
    seconds.dedup();
    are_ever_rarer(&seconds, &calm.told());
    calm.engine().publish_image(IMAGE);
    calm.until_succeeds(job, 11 * 60).await;
}

#[tokio::test(start_paused = true)]
async fn a_saved_file_ends_the_wait_after_failures() {
    let calm = Calm::of(TWO_POOLS);
    calm.engine().forget_image(IMAGE);
    let job = calm.job(&["build"], 5);
    calm.pass(HALF_AN_HOUR).await;
    calm.engine().publish_image(IMAGE);
    calm.pass(5).await;
    assert_eq!(calm.status(job), Status::Pending, "{}", calm.told());
    calm.write(&TWO_POOLS.replace("max: 2", "max: 1"));
    calm.until_succeeds(job, 40).await;
}

#[tokio::test(start_paused = true)]
async fn a_saved_file_may_name_another_image() {
    const OTHER: &str = "gitlab/gitlab-runner:other";
    let calm = Calm::of("\n  linux: {tags: [docker], warm: 1}\n");
    calm.until_at_rest(60).await;
    calm.engine().publish_image(OTHER);
    calm.write(&format!("\n  linux: {{tags: [docker], warm: 1, runner_image: '{OTHER}'}}\n"));
    calm.until_at_rest(240).await;
    let container = calm.runners()[0].id.clone();
    let containers = calm.engine().containers();
    let image = containers.into_iter().find(|it| it.id == container).map(|it| it.image);
    assert_eq!(image.as_deref(), Some(OTHER), "{}", calm.told());
}

#[tokio::test(start_paused = true)]
async fn runners_that_end_at_once_are_started_ever_more_rarely() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 3, warm: 1}\n");
    for _ in 0..HALF_AN_HOUR {
        calm.pass(1).await;
        for runner in calm.runners() {
            if matches!(runner.state, ContainerState::Running { .. }) {
                calm.harness.note_killed([runner.id.clone()]);
                calm.engine().kill_container(&runner.id, 1).unwrap();
            }
        }
    }
    are_ever_rarer(&calm.asked("start container"), &calm.told());
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_be_made_is_tried_ever_more_rarely() {
    let calm = Calm::of(TWO_POOLS);
    let full = || EngineError::Refused {
        attempt: "create a container".to_owned(),
        problem: "no space left on device".to_owned(),
    };
    for _ in 0..HALF_AN_HOUR {
        calm.engine().fail_next(Operation::CreateRunner, Fault::Refused(full()));
    }
    calm.job(&["build"], 5);
    calm.pass(HALF_AN_HOUR).await;
    are_ever_rarer(&calm.asked("create runner"), &calm.told());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_made_is_asked_for_ever_more_rarely_until_it_is_made() {
    let calm = Calm::of("\n  linux: {tags: [docker]}\n");
    calm.harness.refuse_records(true);
    calm.pass(HALF_AN_HOUR).await;
    are_ever_rarer(&calm.refused_records(), &calm.told());
    calm.harness.refuse_records(false);
    calm.until(11 * 60, "the record is made", |snapshot| record(snapshot).is_some()).await;
    // The brake on a variant's records looks back for an hour, whatever became of them.
    calm.pass(3_600).await;
    // The next failure is a first one again.
    let before = calm.refused_records().len();
    calm.harness.refuse_records(true);
    let record = record(&calm.harness.snapshot()).unwrap();
    calm.harness.note_deleted(record);
    calm.harness.gitlab().delete_record_by_hand(record);
    calm.until(60, "a record is refused", |_| calm.refused_records().len() > before).await;
    calm.harness.refuse_records(false);
    let job = calm.job(&["docker"], 5);
    calm.until_succeeds(job, 60).await;
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_lost_costs_no_record_no_runner_and_no_job() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 3, warm: 1}\n");
    calm.until_at_rest(60).await;
    let job = calm.job(&["docker"], HALF_AN_HOUR);
    calm.until_runs(job).await;
    let made = |snapshot: &Snapshot| snapshot.records.iter().map(|it| it.id).collect::<Vec<_>>();
    let before = made(&calm.harness.snapshot());
    calm.harness.switches().hide_runners(true);
    for _ in 0..20 {
        calm.pass(60).await;
        assert_eq!(made(&calm.harness.snapshot()), before, "{}", calm.told());
        assert_eq!(calm.status(job), Status::Running, "{}", calm.told());
        assert!(!calm.runners().is_empty(), "{}", calm.told());
    }
    calm.harness.switches().hide_runners(false);
    let another = calm.job(&["docker"], 5);
    calm.until_succeeds(another, 60).await;
    calm.until_succeeds(job, HALF_AN_HOUR).await;
    calm.until_at_rest(600).await;
    assert_eq!(made(&calm.harness.snapshot()), before, "{}", calm.told());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_took_costs_its_slot_for_ten_minutes() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 3, cooldown: 10s, cache: discard}\n");
    let name = "autogit-runner-linux-amd64-0";
    let slots = || calm.runners().iter().map(|runner| runner.slot).collect::<BTreeSet<_>>();
    let taken = calm.engine().add_foreign_container(name, [].into()).unwrap();
    let job = calm.job(&["docker"], 60);
    calm.until_runs(job).await;
    assert_eq!(slots(), [Slot(1)].into(), "{}", calm.told());
    calm.until_succeeds(job, 90).await;
    calm.engine().remove_by_hand(&taken).unwrap();
    calm.pass(11 * 60).await;
    let job = calm.job(&["docker"], 60);
    calm.until_runs(job).await;
    assert_eq!(slots(), [Slot(0)].into(), "{}", calm.told());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_away_costs_the_other_nothing() {
    let calm = Calm::on(&["alpha", "beta"], TWO_POOLS);
    calm.until_at_rest(60).await;
    for away in calm.harness.engines().keys() {
        calm.harness.engines()[away].set_reachable(false);
        calm.pass(120).await;
        let job = calm.job(&["docker"], 5);
        calm.until_succeeds(job, 45).await;
        calm.harness.engines()[away].set_reachable(true);
        calm.pass(120).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_job_is_queued_again_once_where_that_is_asked_for() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 3, lost_jobs: retry}\n");
    let (done, job) = calm.one_done_and_one_lost().await;
    // What cannot be said now is said once GitLab is there again.
    calm.harness.gitlab().set_down(Down::Unreachable);
    calm.pass(60).await;
    calm.harness.gitlab().set_down(Down::None);
    calm.until(240, "it is queued again and runs", |snapshot| {
        let of_it = snapshot.jobs.iter().filter(|again| again.id > job);
        of_it.filter(|again| again.status == Status::Success).count() == 1
    })
    .await;
    calm.pass(600).await;
    assert_eq!(calm.harness.gitlab().jobs().len(), 3, "{}", calm.told());
    assert_eq!(calm.status(done), Status::Success);
}

#[tokio::test(start_paused = true)]
async fn a_lost_job_is_told_by_its_id_and_left_alone_where_nothing_is_asked() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 3}\n");
    let (_, job) = calm.one_done_and_one_lost().await;
    calm.pass(300).await;
    let told = calm.told();
    let lost = told.matches("the runner ended while it had this job").count();
    assert_eq!(lost, 1, "{told}");
    assert!(told.contains(&format!("job={job} ")), "{told}");
    assert_eq!(calm.harness.gitlab().jobs().len(), 2, "{told}");
}

impl Calm {
    /// A job that is done, and another one whose runner is killed, the same runner.
    async fn one_done_and_one_lost(&self) -> (JobId, JobId) {
        let done = self.job(&["docker"], 5);
        self.until_succeeds(done, 60).await;
        let lost = self.job(&["docker"], 60);
        self.until_runs(lost).await;
        self.pass(5).await;
        let running = self.engine().running_jobs();
        let runner = running.into_iter().find(|it| it.job == lost).unwrap().runner;
        self.harness.doom([lost]);
        self.harness.note_killed([runner.clone()]);
        self.engine().kill_container(&runner, 137).unwrap();
        (done, lost)
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_whose_gitlab_runner_is_too_old_is_tried_once_and_held() {
    const OWN: &str = "registry.sim/own/runner:1";
    let pools = |image| format!("\n  linux: {{tags: [docker], runner_image: '{image}'}}\n");
    let calm = Calm::of(&pools(OWN));
    // It makes its own system id at each start, and labels no job with it.
    calm.engine().publish_image_of(OWN, Version::new(17, 4));
    let job = calm.job(&["docker"], 20 * 60);
    calm.pass(HALF_AN_HOUR).await;
    assert_eq!(calm.asked("start container").len(), 1, "{}", calm.told());
    assert_eq!(calm.status(job), Status::Success, "what it took, it finished\n{}", calm.told());
    assert!(calm.runners().is_empty(), "{}", calm.told());
    let next = calm.job(&["docker"], 5);
    calm.write(&pools(IMAGE));
    calm.until_succeeds(next, 60).await;
}
