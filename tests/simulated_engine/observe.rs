//! What a look makes of what cannot be read, or is seen twice.

use autogit::engine::Engine;
use autogit::plan::{Action, plan};
use autogit::sandbox::engine::{JobLeftovers, Operation};
use autogit::sandbox::gitlab::WaitsFor;
use autogit::spec::HostName;
use autogit::world::{Caller, JobId, Observed, RunnerLog, Token, World};

use crate::scene::{Scene, record, token};

const WARM: &str = "{linux: {tags: [docker], max: 3, warm: 1}}";
const COLD: &str = "{linux: {tags: [docker], max: 3}}";

fn is_known(world: &World, host: &str) -> bool {
    world.hosts[&HostName::new(host).unwrap()].state.known().is_some()
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_be_read_leaves_the_others_known() {
    let mut scene = Scene::on(&["alpha", "beta"], WARM);
    let world = scene.look().await;
    assert!(is_known(&world, "alpha") && is_known(&world, "beta"));
    scene.engine_of("beta").set_reachable(false);
    let world = scene.look().await;
    assert!(is_known(&world, "alpha") && !is_known(&world, "beta"));
    assert!(world.hosts.values().all(|host| host.engine().is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_host_is_not_known_where_any_part_of_it_cannot_be_read() {
    for operation in [Operation::Info, Operation::Jobs, Operation::Runners, Operation::Network] {
        let mut scene = Scene::new(WARM);
        scene.tick().await;
        scene.refuse(operation);
        assert!(!is_known(&scene.look().await, "alpha"), "{operation}");
        assert!(is_known(&scene.look().await, "alpha"), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn managers_that_gitlab_does_not_show_are_unknown() {
    let mut scene = Scene::new(WARM);
    scene.tick().await;
    scene.pass(10).await;
    let rows = |world: &World| record(world).managers.known().map(Vec::len);
    assert_eq!(rows(&scene.look().await), Some(1));
    scene.hide_managers(true);
    assert_eq!(rows(&scene.look().await), None);
    scene.hide_managers(false);
    assert_eq!(rows(&scene.look().await), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_no_host_accounts_for_is_asked_about_once() {
    let mut scene = Scene::new(COLD);
    scene.tick().await;
    scene.poll_elsewhere("r_ofanothere1", "17.4.2").await;
    for _ in 0..3 {
        let world = scene.look().await;
        let Observed::Known { value: rows, .. } = &record(&world).managers else { panic!() };
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        let address = Some("127.0.0.1".to_owned());
        let caller = Caller { address, version: Some("17.4.2".to_owned()) };
        assert_eq!(row.caller, Some(caller));
        scene.pass(120).await;
    }
    let asked = scene.gitlab.requests();
    assert_eq!(asked.get("GET /api/v4/runners/{id}/managers"), Some(&1), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_managers_gitlab_does_not_show_is_not_deleted() {
    let mut scene = Scene::new("{linux: {tags: [docker]}, docs: {tags: [docs]}}");
    scene.tick().await;
    scene.change_spec(|spec| spec.pools.truncate(1));
    scene.hide_managers(true);
    let deletes = |world: &World| {
        let decisions = plan(world).decisions;
        decisions.iter().any(|it| matches!(it.action, Action::DeleteRecord { .. }))
    };
    assert!(!deletes(&scene.look_twice().await));
    scene.hide_managers(false);
    assert!(deletes(&scene.look_twice().await));
}

#[tokio::test(start_paused = true)]
async fn the_token_is_found_again_in_a_container_that_runs_or_ended() {
    for has_ended in [false, true] {
        let mut scene = Scene::new(WARM);
        scene.tick().await;
        if has_ended {
            scene.engine().kill_container(&scene.runner().await.id, 1).unwrap();
        }
        scene.restart();
        assert_eq!(token(&scene.look().await), Token::AtHand);
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_is_found_again_in_a_container_that_was_never_started() {
    let mut scene = Scene::new(WARM);
    scene.tick().await;
    let runner = scene.runner().await;
    let config = scene.engine().read_config(&runner.id).await.unwrap();
    scene.engine().remove_by_hand(&runner.id).unwrap();
    scene.create_with(&runner.system_id, runner.record, config).await;
    scene.restart();
    assert_eq!(token(&scene.look().await), Token::AtHand);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_no_container_has_is_lost() {
    let mut scene = Scene::new(COLD);
    scene.tick().await;
    assert_eq!(token(&scene.look().await), Token::AtHand);
    scene.restart();
    assert_eq!(token(&scene.look().await), Token::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_token_whose_config_cannot_be_read_is_not_lost() {
    let mut scene = Scene::new(WARM);
    scene.tick().await;
    scene.restart();
    scene.refuse(Operation::ReadConfig);
    let unread = token(&scene.look().await);
    assert!(matches!(unread, Token::Unread { .. }), "{unread:?}");
    assert_eq!(token(&scene.look().await), Token::AtHand);
}

fn log(world: &World) -> RunnerLog {
    let state = world.hosts.values().next().unwrap().state.known().unwrap();
    state.runners[0].log.clone().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_keeps_what_it_told_last() {
    let mut scene = Scene::new(WARM);
    let job = scene.job(WaitsFor::Runner);
    scene.tick().await;
    scene.pass(10).await;
    let told = log(&scene.look().await);
    assert_eq!(told.received.map(|(id, _)| id), Some(job));
    scene.refuse(Operation::RunnerLog);
    assert_eq!(log(&scene.look().await), told);
}

fn pending(world: &World) -> Vec<JobId> {
    world.queue.known().unwrap().jobs.iter().map(|job| job.id).collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_a_container_is_not_pending_though_gitlab_still_lists_it() {
    let mut scene = Scene::new(COLD);
    let jobs = [(); 2].map(|()| scene.job(WaitsFor::Nobody));
    let world = scene.look().await;
    assert_eq!(pending(&world), jobs);
    let system_id = scene.first_slot(&world);
    let left = JobLeftovers { system_id, job: jobs[0], project: 3, running: true, reusable: false };
    scene.engine().add_job_leftovers(&left).unwrap();
    assert_eq!(pending(&scene.look().await), [jobs[1]]);
    assert_eq!(scene.gitlab.pending(), jobs);
}
