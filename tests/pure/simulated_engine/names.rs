//! What the jobs are called that runners have.

use autogit::sandbox::gitlab::WaitsFor;
use autogit::world::{JobId, World};

use crate::simulated_engine::scene::Scene;

const WARM: &str = "{linux: {tags: [docker], max: 8, warm: 8}}";
const COLD: &str = "{linux: {tags: [docker], max: 3}}";
const ONE_JOB: &str = "GET /api/v4/projects/{id}/jobs/{job}";

fn name(world: &World, job: JobId) -> Option<String> {
    let facts = world.memory.job_facts.get(&job)?;
    let project = facts.project.as_ref().map(ToString::to_string).unwrap_or_default();
    Some(format!("{} of {project}", facts.name))
}

fn asked(scene: &Scene) -> u64 {
    scene.gitlab.requests().get(ONE_JOB).copied().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_job_that_left_the_queue_keeps_its_name_and_gitlab_is_not_asked() {
    let mut scene = Scene::new(COLD);
    scene.tick().await;
    let job = scene.job(WaitsFor::Runner);
    scene.tick().await;
    scene.pass(20).await;
    let world = scene.look().await;
    assert!(world.queue.known().unwrap().jobs.is_empty());
    assert_eq!(name(&world, job).as_deref(), Some("test of team/app"));
    assert_eq!(asked(&scene), 0, "{:?}", scene.gitlab.requests());
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_gitlab_is_asked_once_for_each_job_and_for_few_in_one_look() {
    let mut scene = Scene::new(WARM);
    scene.tick().await;
    scene.pass(10).await;
    let jobs: Vec<JobId> = (0..8).map(|_| scene.job(WaitsFor::Runner)).collect();
    scene.pass(70).await;
    scene.restart();
    let world = scene.look().await;
    let named = |world: &World| jobs.iter().filter(|job| name(world, **job).is_some()).count();
    assert_eq!((named(&world), asked(&scene)), (5, 5), "{:?}", world.memory.at_work);
    let world = scene.look().await;
    assert_eq!((named(&world), asked(&scene)), (8, 8));
    let facts = world.memory.job_facts.values();
    assert!(facts.clone().all(|facts| facts.started_at.is_some()), "{facts:?}");
    scene.look().await;
    assert_eq!(asked(&scene), 8);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_gitlab_does_not_show_is_asked_for_once() {
    let mut scene = Scene::new(WARM);
    scene.tick().await;
    scene.pass(10).await;
    let job = scene.job(WaitsFor::Runner);
    scene.pass(70).await;
    scene.hide_jobs();
    scene.restart();
    for _ in 0..3 {
        let world = scene.look().await;
        assert_eq!(name(&world, job), None);
        assert!(world.memory.at_work.values().any(|work| work.job == job));
    }
    assert_eq!(asked(&scene), 1);
}
