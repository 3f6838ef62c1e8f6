//! What has no effect, or is undone again and again, is done ever more rarely, and is said once.

use autogit::engine::EngineError;
use autogit::plan::JobHold;
use autogit::sandbox::engine::{Fault, Operation};
use autogit::sandbox::gitlab::{RecordView, Status};
use autogit::world::RECORDS_PER_HOUR_MAX;

use super::Calm;

const HALF_AN_HOUR: u64 = 30 * 60;

impl Calm {
    /// How often GitLab was asked for that.
    fn asked_of_gitlab(&self, what: &str) -> usize {
        self.told().lines().filter(|line| line.contains(what)).count()
    }
}

fn is_ours(record: &RecordView) -> bool {
    record.description == "autogit/autogit/linux-amd64"
}

#[tokio::test(start_paused = true)]
async fn a_server_that_keeps_another_spelling_of_a_tag_is_corrected_ever_more_rarely() {
    let calm = Calm::of("\n  linux: {tags: [Docker], cooldown: 10s}\n");
    calm.harness.gitlab().fold_tags(true);
    calm.pass(2 * HALF_AN_HOUR).await;
    let changes = calm.asked_of_gitlab("PUT /api/v4/runners/");
    assert!((4..=10).contains(&changes), "{changes}\n{}", calm.told());
    let said = calm.asked_of_gitlab("it is changed less and less often");
    assert_eq!(said, 1, "{}", calm.told());
    // All else goes on.
    let job = calm.job(&["docker"], 5);
    calm.harness.gitlab().fold_tags(false);
    calm.pass(11 * 60).await;
    assert_eq!(calm.status(job), Status::Pending);
    let job = calm.job(&["Docker"], 5);
    calm.until_succeeds(job, 60).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_somebody_deletes_again_and_again_is_made_ever_more_rarely() {
    let calm = Calm::of("\n  linux: {tags: [docker], cooldown: 10s}\n");
    let planted = calm.harness.injected().others.records;
    for _ in 0..HALF_AN_HOUR / 5 {
        calm.pass(5).await;
        let records = calm.harness.gitlab().records().into_iter();
        let theirs = |record: &RecordView| planted.iter().any(|other| other.id == record.id);
        for record in records.filter(|record| is_ours(record) && !theirs(record)) {
            calm.harness.note_deleted(record.id);
            calm.harness.gitlab().delete_record_by_hand(record.id);
        }
    }
    let made = calm.asked_of_gitlab("POST /api/v4/user/runners: 201");
    assert!((4..=RECORDS_PER_HOUR_MAX).contains(&made), "{made}\n{}", calm.told());
    let job = calm.job(&["docker"], 5);
    calm.pass(15).await;
    assert!(matches!(calm.hold(job), Some(JobHold::BackingOff { .. })), "{:?}", calm.hold(job));
    calm.until_succeeds(job, 11 * 60).await;
}

/// An engine that hangs while it removes a container says 409 until it is done.
#[tokio::test(start_paused = true)]
async fn a_container_whose_removal_hangs_is_asked_for_ever_more_rarely_and_goes_in_the_end() {
    let calm = Calm::of("\n  linux: {tags: [docker], cooldown: 10s}\n");
    let job = calm.job(&["docker"], 5);
    calm.until_runs(job).await;
    let runner = calm.runners().remove(0);
    for _ in 0..6 {
        let hangs = EngineError::BeingRemoved { id: runner.id.to_string() };
        calm.engine().fail_next(Operation::RemoveContainer, Fault::Refused(hangs));
    }
    calm.until_succeeds(job, 60).await;
    let asked = |what: &str| calm.told().lines().filter(|line| line.contains(what)).count();
    // Three times at once, then after 20, 40 and 80 s.
    calm.pass(120).await;
    assert!((4..=5).contains(&asked("remove container")), "{}", calm.told());
    assert_eq!(asked("Pending"), asked("remove container"), "{}", calm.told());
    assert_eq!(calm.runners().len(), 1, "pending is not done");
    assert_eq!(asked("log: ERROR"), 0, "{}", calm.told());
    calm.until_at_rest(400).await;
    assert_eq!(asked("remove container"), 7, "{}", calm.told());
}
