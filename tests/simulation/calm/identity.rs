//! However a group or project is written, renamed, moved or lent: one record serves its pool.

use autogit::plan::JobHold;
use autogit::sandbox::gitlab::{RecordView, Status};
use autogit::world::{JobId, RecordId};

use super::Calm;

impl Calm {
    /// The records of ours that there are, and how many were ever made.
    fn records(&self) -> (Vec<RecordId>, usize) {
        let ours = |record: &RecordView| record.description.starts_with("autogit/autogit/");
        let planted = self.harness.injected().others.records;
        let records = self.harness.gitlab().records().into_iter().filter(ours);
        let records = records.map(|record| record.id);
        let there = records.filter(|id| planted.iter().all(|other| other.id != *id)).collect();
        let made = self.told().matches("POST /api/v4/user/runners: 201").count();
        (there, made)
    }

    /// One record was made and is there.
    fn one_record(&self) -> RecordId {
        let (there, made) = self.records();
        assert_eq!((there.len(), made), (1, 1), "{}", self.told());
        there[0]
    }
}

/// Jobs are queued for `team/app`, `team/site` and `infra/images` in turn.
async fn two_jobs_succeed(calm: &Calm, tags: &[&str]) {
    let jobs: Vec<JobId> = (0..2).map(|_| calm.job(tags, 5)).collect();
    for job in jobs {
        calm.until_succeeds(job, 60).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_in_other_letters_or_by_its_id_is_the_same_group() {
    for name in ["Team", "TEAM", "\"11\""] {
        let pool = format!("\n  linux: {{tags: [docker], max: 1, scope: {{group: {name}}}}}\n");
        let calm = Calm::of(&pool);
        two_jobs_succeed(&calm, &["docker"]).await;
        calm.pass(60).await;
        calm.one_record();
        let elsewhere = calm.job(&["docker"], 5);
        calm.pass(60).await;
        assert!(matches!(calm.hold(elsewhere), Some(JobHold::Scope { .. })), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_renamed_keeps_its_record_and_its_jobs() {
    let calm = Calm::of("\n  linux: {tags: [docker], max: 1, scope: {group: team}}\n");
    two_jobs_succeed(&calm, &["docker"]).await;
    let record = calm.one_record();
    let group = calm.harness.gitlab().add_group("team");
    calm.harness.gitlab().move_group(group, "crew");
    calm.job(&["docker"], 1);
    calm.pass(90).await;
    two_jobs_succeed(&calm, &["docker"]).await;
    assert_eq!(calm.one_record(), record);
    let view = calm.harness.recorder().view.clone().unwrap();
    let warning = "pool `linux`: group `team` is `crew` by now; write that as its `scope`";
    assert_eq!(view.as_seen().plan_output().warnings, [warning]);
}

/// Nobody knows the old path, so nothing follows from it: no record is made and none is deleted.
#[tokio::test(start_paused = true)]
async fn a_process_that_never_saw_a_renamed_group_holds_its_jobs_and_touches_no_record() {
    let mut calm = Calm::of("\n  linux: {tags: [docker], max: 1, scope: {group: team}}\n");
    two_jobs_succeed(&calm, &["docker"]).await;
    let record = calm.one_record();
    calm.kill().await;
    let group = calm.harness.gitlab().add_group("team");
    calm.harness.gitlab().move_group(group, "crew");
    calm.begin_again();
    let job = calm.harness.job(&["docker"], std::time::Duration::from_secs(5), false);
    calm.pass(300).await;
    assert_eq!(calm.status(job), Status::Pending);
    let Some(JobHold::ScopeUnresolved { error, .. }) = calm.hold(job) else {
        panic!("{:?}\n{}", calm.hold(job), calm.told())
    };
    assert!(error.contains("GitLab knows no group `team`"), "{error}");
    assert_eq!(calm.one_record(), record);
    calm.write("\n  linux: {tags: [docker], max: 1, scope: {group: crew}}\n");
    calm.pass(120).await;
    // Its token went with the runner that was drained and the process that made it.
    assert!(calm.records().1 <= 2, "{}", calm.told());
}

#[tokio::test(start_paused = true)]
async fn a_project_that_moved_is_served_by_its_record() {
    let calm = Calm::of("\n  app: {tags: [docker], max: 1, scope: {project: Team/App}}\n");
    let job = calm.job(&["docker"], 5);
    calm.until_succeeds(job, 60).await;
    let record = calm.one_record();
    let project = calm.harness.gitlab().add_project("team/app");
    calm.harness.gitlab().move_project(project, "infra/app");
    calm.job(&["docker"], 1);
    calm.job(&["docker"], 1);
    let job = calm.job(&["docker"], 5);
    calm.until_succeeds(job, 90).await;
    calm.pass(90).await;
    assert_eq!(calm.one_record(), record);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_person_lent_to_a_second_project_stays_the_one() {
    let calm = Calm::of("\n  app: {tags: [docker], max: 1, scope: {project: team/app}}\n");
    calm.pass(20).await;
    let record = calm.one_record();
    let other = calm.harness.gitlab().add_project("infra/images");
    calm.harness.gitlab().lend_record(record, other);
    calm.pass(300).await;
    assert_eq!(calm.one_record(), record);
}
