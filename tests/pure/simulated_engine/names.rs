//! What the jobs are called that runners have.

use autogit::sandbox::gitlab::WaitsFor;
use autogit::world::{JobId, World};

use crate::simulated_engine::fixture::Fixture;

const WARM: &str = "{linux: {tags: [docker], max: 8, warm: 8}}";
const COLD: &str = "{linux: {tags: [docker], max: 3}}";
const ONE_JOB: &str = "GET /api/v4/projects/{id}/jobs/{job}";

fn name(world: &World, job: JobId) -> Option<String> {
    let facts = world.memory.job_facts.get(&job)?;
    let project = facts.project.as_ref().map(ToString::to_string).unwrap_or_default();
    Some(format!("{} of {project}", facts.name))
}

fn asked(fixture: &Fixture) -> u64 {
    fixture.gitlab.requests().get(ONE_JOB).copied().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_job_that_left_the_queue_keeps_its_name_and_gitlab_is_not_asked() {
    let mut fixture = Fixture::new(COLD);
    fixture.tick().await;
    let job = fixture.job(WaitsFor::Runner);
    fixture.tick().await;
    fixture.pass(20).await;
    let world = fixture.look().await;
    assert!(world.queue.known().unwrap().jobs.is_empty());
    assert_eq!(name(&world, job).as_deref(), Some("test of team/app"));
    assert_eq!(asked(&fixture), 0, "{:?}", fixture.gitlab.requests());
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_gitlab_is_asked_once_for_each_job_and_for_few_in_one_look() {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    fixture.pass(10).await;
    let jobs: Vec<JobId> = (0..8).map(|_| fixture.job(WaitsFor::Runner)).collect();
    fixture.pass(70).await;
    fixture.restart();
    let world = fixture.look().await;
    let named = |world: &World| jobs.iter().filter(|job| name(world, **job).is_some()).count();
    assert_eq!(
        (named(&world), asked(&fixture)),
        (5, 5),
        "{:?}",
        world.memory.at_work().collect::<Vec<_>>()
    );
    let world = fixture.look().await;
    assert_eq!((named(&world), asked(&fixture)), (8, 8));
    let facts = world.memory.job_facts.values();
    assert!(facts.clone().all(|facts| facts.started_at.is_some()), "{facts:?}");
    fixture.look().await;
    assert_eq!(asked(&fixture), 8);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_gitlab_does_not_show_is_asked_for_once() {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    fixture.pass(10).await;
    let job = fixture.job(WaitsFor::Runner);
    fixture.pass(70).await;
    fixture.hide_jobs();
    fixture.restart();
    for _ in 0..3 {
        let world = fixture.look().await;
        assert_eq!(name(&world, job), None);
        assert!(world.memory.at_work().any(|work| work.job == job));
    }
    assert_eq!(asked(&fixture), 1);
}
