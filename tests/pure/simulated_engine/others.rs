//! What GitLab is asked about jobs that no pool may take.

use autogit::plan::{JobHold, plan};
use autogit::sandbox::gitlab::{NewJob, NewRecord};
use autogit::spec::Unmatched;
use autogit::world::{JobId, RecordId, World};

use crate::simulated_engine::fixture::Fixture;

const POOLS: &str = "{linux: {tags: [docker]}}";
const LIST: &str = "GET /api/v4/projects/{id}/runners";

/// A runner of somebody else for jobs with the tag `macos`, that polls or was never seen.
async fn add_mac(fixture: &Fixture, tags: &[&str], online: bool, protected: bool) -> RecordId {
    let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
    let (scope, description) = (autogit::spec::Scope::Instance, "mac mini".to_owned());
    let record = NewRecord { scope, description, tags, run_untagged: false, protected };
    let (id, token) = fixture.gitlab.add_record_by_hand(record);
    if online {
        fixture.poll_with(&token, "r_ofanothere1", "18.4.0").await;
    }
    id
}

/// A job on a branch that is not protected.
fn add_job(fixture: &Fixture, tags: &[&str]) -> JobId {
    let project = fixture.gitlab.add_project("team/app");
    let job = NewJob::new(project).tagged(tags);
    fixture.gitlab.add_job(NewJob { ref_name: "feature".to_owned(), ..job })
}

/// The word and the words for why the job has no runner.
fn held(world: &World, job: JobId) -> (&'static str, String) {
    let plan = plan(world);
    let held = plan.held_jobs.iter().find(|held| held.job == job).unwrap();
    (JobHold::as_str(&held.hold), held.hold.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_another_runner_may_take_is_left_to_it_and_gitlab_is_asked_once() {
    let mut fixture = Fixture::new(POOLS);
    fixture.tick().await;
    let id = add_mac(&fixture, &["macos", "arm64"], true, false).await;
    let job = add_job(&fixture, &["macos"]);
    for _ in 0..3 {
        let world = fixture.look().await;
        let words =
            format!("no pool has tag `macos`; runner {id} `mac mini` of GitLab may take it");
        assert_eq!(held(&world, job), ("other-runner", words));
        fixture.pass(10).await;
    }
    assert_eq!(fixture.gitlab.requests().get(LIST), Some(&1));
    fixture.gitlab.pause_record(id, true);
    fixture.pass(600).await;
    assert_eq!(held(&fixture.look().await, job).0, "no-pool-matches");
    assert_eq!(fixture.gitlab.requests().get(LIST), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_may_not_take_the_job_is_no_comfort() {
    for (tags, online, protected) in [
        (&["macos"][..], false, false),
        (&["macOS"], true, false),
        (&["macos"], true, true),
        (&["linux"], true, false),
    ] {
        let mut fixture =
            Fixture::new("{linux: {tags: [docker]}, safe: {tags: [safe], protected: true}}");
        fixture.tick().await;
        add_mac(&fixture, tags, online, protected).await;
        let job = add_job(&fixture, &["macos"]);
        let reason = held(&fixture.look().await, job).0;
        assert_eq!(reason, "no-pool-matches", "{tags:?} {online} {protected}");
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_record_of_a_pool_that_is_gone_is_no_other_runner() {
    let mut fixture =
        Fixture::new("{linux: {tags: [docker], warm: 1}, mac: {tags: [macos], warm: 1}}");
    fixture.tick().await;
    fixture.pass(20).await;
    fixture.look().await;
    fixture.change_spec(|spec| spec.pools.truncate(1));
    let job = add_job(&fixture, &["macos"]);
    assert_eq!(held(&fixture.look().await, job).0, "no-pool-matches");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_such_jobs_is_asked_about_a_few_at_a_look() {
    let mut fixture = Fixture::new(POOLS);
    fixture.tick().await;
    let jobs: Vec<JobId> =
        (0..6).map(|number| add_job(&fixture, &[&format!("tag-{number}")])).collect();
    for looks in 1..=4 {
        let world = fixture.look().await;
        assert!(jobs.iter().all(|job| held(&world, *job).0 == "no-pool-matches"));
        let asked = fixture.gitlab.requests().get(LIST).copied();
        assert_eq!(asked, Some(6.min(2 * looks)), "look {looks}");
    }
}

#[tokio::test(start_paused = true)]
async fn gitlab_is_not_asked_where_the_spec_leaves_such_jobs_to_others() {
    let mut fixture = Fixture::new(POOLS);
    fixture.change_spec(|spec| spec.gitlab.unmatched = Unmatched::Ignore);
    fixture.tick().await;
    let job = add_job(&fixture, &["macos"]);
    assert_eq!(held(&fixture.look().await, job).0, "other-runner");
    assert_eq!(fixture.gitlab.requests().get(LIST), None);
}
