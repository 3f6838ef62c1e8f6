//! Hosts come into the file and leave it, also the one that is first in it.

use autogit::sandbox::gitlab::RecordView;
use autogit::world::{EngineId, JobId, RecordId};

use super::Calm;
use crate::harness::Setup;
use crate::mutations::NOTES_STAY;

const ONE_POOL: &str = "\n  linux: {tags: [docker], max: 4, cooldown: 30s}\n";

/// The engine of a simulated host has its name for an id.
fn marks(hosts: &[&str]) -> String {
    let mut marks: Vec<String> =
        hosts.iter().map(|host| EngineId::from_observed(host).mark().to_string()).collect();
    marks.sort();
    format!("autogit installation={}", marks.join(","))
}

impl Calm {
    /// The one record that serves, and its note.
    fn note(&self) -> (RecordId, String) {
        let planted = self.harness.injected().others.records;
        let ours = |record: &RecordView| {
            record.description == "autogit/autogit/linux-amd64"
                && planted.iter().all(|other| other.id != record.id)
        };
        let mut records: Vec<_> =
            self.harness.gitlab().records().into_iter().filter(ours).collect();
        assert_eq!(records.len(), 1, "{}", self.told());
        let record = records.remove(0);
        (record.id, record.maintenance_note)
    }

    /// The rows of that record, by system id.
    fn rows(&self, id: RecordId) -> Vec<String> {
        let records = self.harness.gitlab().records().into_iter();
        let managers = records.filter(|record| record.id == id).flat_map(|record| record.managers);
        managers.map(|row| row.system_id.to_string()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_comes_to_be_the_first_takes_no_record_and_no_runner_away() {
    let calm = Calm::begin(Setup { spare: &["abel"], ..Calm::setup(&["alpha"], ONE_POOL) });
    let job = calm.job(&["docker"], 200);
    calm.until_runs(job).await;
    let (runner, (record, note)) = (calm.runner_of(job), calm.note());
    assert_eq!(note, marks(&["alpha"]), "as the first versions wrote it");
    calm.harness.declare_hosts(&["abel", "alpha"]);
    calm.pass(90).await;
    assert_eq!(calm.note(), (record, marks(&["abel", "alpha"])));
    assert_eq!(calm.rows(record), [runner.to_string()]);
    let more: Vec<JobId> = (0..3).map(|_| calm.job(&["docker"], 20)).collect();
    for job in more.into_iter().chain([job]) {
        calm.until_succeeds(job, 300).await;
    }
    calm.until_at_rest(300).await;
    assert_eq!(calm.note().0, record);
}

#[tokio::test(start_paused = true)]
async fn when_the_first_host_goes_what_is_left_stays_ours() {
    let mut calm = Calm::begin(Setup { spare: &["abel"], ..Calm::setup(&["alpha"], ONE_POOL) });
    let first = calm.job(&["docker"], 300);
    calm.until_runs(first).await;
    calm.harness.declare_hosts(&["abel", "alpha"]);
    calm.pass(30).await;
    let jobs = [first, calm.job(&["docker"], 200)];
    calm.until_runs(jobs[1]).await;
    let (record, note) = calm.note();
    let hosts: Vec<String> = {
        let snapshot = calm.harness.snapshot();
        snapshot.live_runners().map(|(host, _)| host.to_string()).collect()
    };
    assert_eq!(hosts, ["abel", "alpha"], "one on each");
    let mut rows = calm.rows(record);
    calm.harness.declare_hosts(&["alpha"]);
    calm.pass(90).await;
    assert_eq!(calm.note(), (record, note.clone()), "a runner still makes contact from there");
    assert_eq!(calm.rows(record), rows);
    calm.restart().await;
    calm.pass(90).await;
    assert_eq!(calm.note(), (record, note), "nothing but the note says so to a new process");
    for job in jobs {
        calm.until_succeeds(job, 300).await;
    }
    calm.pass(120).await;
    // The one on the host that is declared was of no use any more.
    rows.retain(|row| calm.runners().iter().any(|it| it.system_id.as_str() == row));
    assert_eq!((calm.rows(record), rows.len()), (rows, 1));
}

async fn all_hosts_change_one_by_one(calm: &Calm) {
    calm.pass(30).await;
    calm.harness.declare_hosts(&["abel", "alpha"]);
    calm.pass(90).await;
    calm.harness.declare_hosts(&["abel"]);
    calm.pass(90).await;
}

#[tokio::test(start_paused = true)]
async fn when_all_hosts_were_replaced_the_record_is_the_same() {
    let calm = Calm::begin(Setup { spare: &["abel"], ..Calm::setup(&["alpha"], ONE_POOL) });
    all_hosts_change_one_by_one(&calm).await;
    let (record, note) = calm.note();
    assert_eq!(note, marks(&["abel"]), "nothing of ours is left on the other one");
    let job = calm.job(&["docker"], 5);
    calm.until_succeeds(job, 60).await;
    calm.until_at_rest(300).await;
    assert_eq!(calm.note().0, record);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "no_record_turns_foreign")]
async fn notes_that_stay_as_they_were_are_noticed() {
    let setup = Calm::setup(&["alpha"], ONE_POOL);
    let calm = Calm::begin(Setup { spare: &["abel"], mutation: Some(&NOTES_STAY), ..setup });
    all_hosts_change_one_by_one(&calm).await;
}
