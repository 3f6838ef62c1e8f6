//! What GitLab is asked about jobs that no pool may take.

use autogit::plan::{JobHold, plan};
use autogit::sandbox::gitlab::{NewJob, NewRecord};
use autogit::spec::Unmatched;
use autogit::world::{JobId, RecordId, World};

use crate::simulated_engine::scene::Scene;

const POOLS: &str = "{linux: {tags: [docker]}}";
const LIST: &str = "GET /api/v4/projects/{id}/runners";

/// A runner of somebody else for jobs with the tag `macos`, that polls or was never seen.
async fn add_mac(scene: &Scene, tags: &[&str], online: bool, protected: bool) -> RecordId {
    let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
    let (scope, description) = (autogit::spec::Scope::Instance, "mac mini".to_owned());
    let record = NewRecord { scope, description, tags, run_untagged: false, protected };
    let (id, token) = scene.gitlab.add_record_by_hand(record);
    if online {
        scene.poll_with(&token, "r_ofanothere1", "18.4.0").await;
    }
    id
}

/// A job on a branch that is not protected.
fn add_job(scene: &Scene, tags: &[&str]) -> JobId {
    let project = scene.gitlab.add_project("team/app");
    let job = NewJob::new(project).tagged(tags);
    scene.gitlab.add_job(NewJob { ref_name: "feature".to_owned(), ..job })
}

/// The word and the words for why the job has no runner.
fn held(world: &World, job: JobId) -> (&'static str, String) {
    let plan = plan(world);
    let held = plan.held_jobs.iter().find(|held| held.job == job).unwrap();
    (JobHold::as_str(&held.hold), held.hold.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_another_runner_may_take_is_left_to_it_and_gitlab_is_asked_once() {
    let mut scene = Scene::new(POOLS);
    scene.tick().await;
    let id = add_mac(&scene, &["macos", "arm64"], true, false).await;
    let job = add_job(&scene, &["macos"]);
    for _ in 0..3 {
        let world = scene.look().await;
        let words =
            format!("no pool has tag `macos`; runner {id} `mac mini` of GitLab may take it");
        assert_eq!(held(&world, job), ("other-runner", words));
        scene.pass(10).await;
    }
    assert_eq!(scene.gitlab.requests().get(LIST), Some(&1));
    scene.gitlab.pause_record(id, true);
    scene.pass(600).await;
    assert_eq!(held(&scene.look().await, job).0, "no-pool-matches");
    assert_eq!(scene.gitlab.requests().get(LIST), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_may_not_take_the_job_is_no_comfort() {
    for (tags, online, protected) in [
        (&["macos"][..], false, false),
        (&["macOS"], true, false),
        (&["macos"], true, true),
        (&["linux"], true, false),
    ] {
        let mut scene =
            Scene::new("{linux: {tags: [docker]}, safe: {tags: [safe], protected: true}}");
        scene.tick().await;
        add_mac(&scene, tags, online, protected).await;
        let job = add_job(&scene, &["macos"]);
        let reason = held(&scene.look().await, job).0;
        assert_eq!(reason, "no-pool-matches", "{tags:?} {online} {protected}");
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_record_of_a_pool_that_is_gone_is_no_other_runner() {
    let mut scene = Scene::new("{linux: {tags: [docker], warm: 1}, mac: {tags: [macos], warm: 1}}");
    scene.tick().await;
    scene.pass(20).await;
    scene.look().await;
    scene.change_spec(|spec| spec.pools.truncate(1));
    let job = add_job(&scene, &["macos"]);
    assert_eq!(held(&scene.look().await, job).0, "no-pool-matches");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_such_jobs_is_asked_about_a_few_at_a_look() {
    let mut scene = Scene::new(POOLS);
    scene.tick().await;
    let jobs: Vec<JobId> =
        (0..6).map(|number| add_job(&scene, &[&format!("tag-{number}")])).collect();
    for looks in 1..=4 {
        let world = scene.look().await;
        assert!(jobs.iter().all(|job| held(&world, *job).0 == "no-pool-matches"));
        let asked = scene.gitlab.requests().get(LIST).copied();
        assert_eq!(asked, Some(6.min(2 * looks)), "look {looks}");
    }
}

#[tokio::test(start_paused = true)]
async fn gitlab_is_not_asked_where_the_spec_leaves_such_jobs_to_others() {
    let mut scene = Scene::new(POOLS);
    scene.change_spec(|spec| spec.gitlab.unmatched = Unmatched::Ignore);
    scene.tick().await;
    let job = add_job(&scene, &["macos"]);
    assert_eq!(held(&scene.look().await, job).0, "other-runner");
    assert_eq!(scene.gitlab.requests().get(LIST), None);
}
