//! The world changes between a look and what the plan made of it does: each step looks again right
//! before it acts.

use std::collections::BTreeSet;

use autogit::apply::{ApplyError, Effect, Outcome};
use autogit::engine::{Engine, EngineError};
use autogit::plan::{Action, Plan, plan};
use autogit::sandbox::engine::{Fault, JobLeftovers, Operation};
use autogit::sandbox::gitlab::{Down, NewRecord, WaitsFor};
use autogit::sandbox::runner::Version;
use autogit::spec::{HostName, Scope, Warm};
use autogit::world::{ContainerState, JobId, Leftover, RecordId, Runner, World};

use crate::simulated_engine::scene::{Scene, linux, name, planned, record, refusal};

const WARM: &str = "{linux: {tags: [docker], max: 3, warm: 1}}";
/// GitLab's limit of the records of one group.
const RECORDS_OF_A_GROUP: usize = 1000;
const COLD: &str = "{linux: {tags: [docker], max: 3}}";

fn is_start(action: &Action) -> bool {
    matches!(action, Action::Start { .. })
}

fn is_sweep(action: &Action) -> bool {
    matches!(action, Action::Sweep { .. })
}

fn is_job_object(action: &Action) -> bool {
    let Action::Sweep { leftover } = action else { return false };
    matches!(
        leftover,
        Leftover::JobContainer(..) | Leftover::JobVolume(..) | Leftover::JobNetwork(..)
    )
}

/// The one outcome, whose decision is left out.
fn only(outcomes: Vec<Outcome>) -> Result<Effect, ApplyError> {
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes.into_iter().next().unwrap().result
}

#[track_caller]
fn all_skipped(outcomes: &[Outcome]) {
    let skipped = |outcome: &Outcome| matches!(outcome.result, Ok(Effect::Skipped(_)));
    assert!(!outcomes.is_empty() && outcomes.iter().all(skipped), "{outcomes:?}");
}

/// A runner that was killed while it had a job, and the plan to clean up after it.
async fn killed_at_work() -> (Scene, World, Plan, Runner) {
    let mut scene = Scene::new("{linux: {tags: [docker], max: 3, cache: discard}}");
    scene.job(WaitsFor::Runner);
    scene.tick().await;
    scene.pass(10).await;
    let runner = scene.runner().await;
    scene.engine().kill_container(&runner.id, 137).unwrap();
    let world = scene.look().await;
    let plan = planned(&world, |action| matches!(action, Action::Reap { .. }));
    (scene, world, plan, runner)
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_runner_left_is_cleaned_up_where_nobody_came_meanwhile() {
    let (mut scene, world, plan, runner) = killed_at_work().await;
    assert!(!scene.engine().jobs().await.unwrap().containers.is_empty());
    assert_eq!(only(scene.apply(&world, plan).await).unwrap(), Effect::Done);
    assert!(scene.container_names().is_empty() && scene.rows(runner.record).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_a_person_started_again_is_not_reaped() {
    let (mut scene, world, plan, runner) = killed_at_work().await;
    scene.engine().start(&runner.id).await.unwrap();
    let before = (scene.container_names(), scene.engine().counts(), scene.rows(runner.record));
    all_skipped(&scene.apply(&world, plan).await);
    let after = (scene.container_names(), scene.engine().counts(), scene.rows(runner.record));
    assert_eq!(before, after);
    assert!(matches!(scene.runner().await.state, ContainerState::Running { .. }));
}

#[tokio::test(start_paused = true)]
async fn of_a_slot_that_another_container_has_by_now_only_the_dead_one_is_reaped() {
    for is_started in [true, false] {
        let (mut scene, world, plan, runner) = killed_at_work().await;
        let id = scene.create(&runner.system_id, runner.record).await;
        if is_started {
            scene.engine().start(&id).await.unwrap();
        }
        let mut names = scene.container_names();
        let left = scene.engine().jobs().await.unwrap();
        assert_eq!(only(scene.apply(&world, plan).await).unwrap(), Effect::Done);
        assert!(names.remove(runner.name.as_str()));
        assert_eq!(names, scene.container_names());
        let now = scene.engine().jobs().await.unwrap();
        assert_eq!((left.volumes, left.networks), (now.volumes, now.networks));
        assert_eq!(scene.rows(runner.record), [runner.system_id]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_container_of_a_killed_runner_stays_until_all_else_of_it_is_gone() {
    let operations = [
        Operation::RemoveJobContainer,
        Operation::RemoveJobVolume,
        Operation::RemoveNetwork,
        Operation::ReadConfig,
    ];
    for operation in operations {
        let (mut scene, world, plan, runner) = killed_at_work().await;
        scene.refuse(operation);
        assert!(only(scene.apply(&world, plan).await).is_err(), "{operation}");
        assert!(scene.container_names().contains(runner.name.as_str()), "{operation}");
        scene.tick().await;
        assert!(!scene.container_names().contains(runner.name.as_str()), "{operation}");
        assert!(scene.engine().volumes().is_empty(), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_container_of_a_killed_runner_stays_until_its_row_is_gone() {
    let (mut scene, world, plan, runner) = killed_at_work().await;
    scene.gitlab.set_down(Down::Status(502));
    assert!(only(scene.apply(&world, plan).await).is_err());
    assert_eq!(Vec::from_iter(scene.container_names()), [runner.name.as_str()]);
    scene.gitlab.set_down(Down::None);
    scene.tick().await;
    assert!(scene.container_names().is_empty() && scene.rows(runner.record).is_empty());
}

/// The plan for the first runner of all, whose record and network are there already.
async fn to_be_started() -> (Scene, World, Plan) {
    let mut scene = Scene::new(COLD);
    scene.tick().await;
    let spec = scene.look().await.spec;
    scene.engine().create_network(&spec.network, &spec.instance).await.unwrap();
    scene.change_spec(|spec| spec.pools[0].warm = Warm::Count(1));
    let world = scene.look().await;
    let plan = planned(&world, is_start);
    (scene, world, plan)
}

#[tokio::test(start_paused = true)]
async fn a_runner_is_started_where_nobody_came_meanwhile() {
    let (mut scene, world, plan) = to_be_started().await;
    let started = only(scene.apply(&world, plan).await).unwrap();
    let runner = scene.runner().await;
    assert_eq!((started, runner.record), (Effect::Started(runner.id), record(&world).id));
    assert!(matches!(runner.state, ContainerState::Running { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_runner_is_not_started_beside_a_living_one_of_its_slot_and_leaves_no_container() {
    for is_started in [true, false] {
        let (mut scene, world, plan) = to_be_started().await;
        let id = scene.create(&scene.first_slot(&world), RecordId(99)).await;
        if is_started {
            scene.engine().start(&id).await.unwrap();
        }
        let refused = only(scene.apply(&world, plan).await);
        assert!(matches!(refused, Err(ApplyError::SlotTaken(_))), "{refused:?}");
        assert_eq!(Vec::from_iter(scene.container_names()), [name().as_str()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_not_known_to_be_alone_is_not_started_and_leaves_no_container() {
    for operation in [Operation::WithSystemId, Operation::Start] {
        let (mut scene, world, plan) = to_be_started().await;
        scene.refuse(operation);
        let refused = only(scene.apply(&world, plan).await);
        assert!(matches!(refused, Err(ApplyError::Engine(_))), "{refused:?}");
        assert!(scene.container_names().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_be_removed_again_is_said_to_be_left() {
    let (mut scene, world, plan) = to_be_started().await;
    scene.start(&scene.first_slot(&world), RecordId(99)).await;
    scene.refuse(Operation::RemoveContainer);
    let left = only(scene.apply(&world, plan).await).unwrap_err();
    assert!(matches!(left, ApplyError::NotUndone(_)) && left.in_doubt());
    assert_eq!(scene.container_names().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_took_meanwhile_stays_his() {
    let (mut scene, world, plan) = to_be_started().await;
    let planned_name = plan.decisions[0].action.runner().unwrap().clone();
    let id = scene.create(&scene.first_slot(&world), RecordId(99)).await;
    scene.engine().rename_by_hand(&id, planned_name.as_str()).unwrap();
    assert!(only(scene.apply(&world, plan).await).is_err());
    assert_eq!(scene.runner().await.id, id);
}

/// What a job left where no container has its runner's slot, and the plan to sweep it.
async fn left_by_a_job() -> (Scene, World, Plan) {
    let mut scene = Scene::new(COLD);
    scene.tick().await;
    let world = scene.look().await;
    let system_id = scene.first_slot(&world);
    let left = JobLeftovers {
        version: Version::NEWEST,
        system_id,
        job: JobId(41),
        project: 3,
        running: true,
        reusable: false,
    };
    scene.engine().add_job_leftovers(&left).unwrap();
    scene.look().await;
    scene.pass(60).await;
    let world = scene.look_twice().await;
    let plan = planned(&world, is_job_object);
    assert_eq!(plan.decisions.len(), 6);
    (scene, world, plan)
}

#[tokio::test(start_paused = true)]
async fn what_a_job_left_stays_where_a_runner_has_its_slot_by_now() {
    for is_started in [true, false] {
        let (mut scene, world, plan) = left_by_a_job().await;
        let id = scene.create(&scene.first_slot(&world), RecordId(99)).await;
        if is_started {
            scene.engine().start(&id).await.unwrap();
        }
        let before = scene.engine().counts();
        all_skipped(&scene.apply(&world, plan).await);
        assert_eq!(scene.engine().counts(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn volumes_and_networks_of_a_job_go_after_the_containers_that_have_them() {
    let (mut scene, world, mut plan) = left_by_a_job().await;
    // In whatever order the plan names them.
    plan.decisions.reverse();
    let outcomes = scene.apply(&world, plan).await;
    let done = |outcome: &Outcome| matches!(outcome.result, Ok(Effect::Done));
    assert!(outcomes.iter().all(done), "{outcomes:?}");
    let counts = scene.engine().counts();
    assert_eq!((counts.containers, counts.volumes, counts.networks), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_before_its_sweep_is_no_error() {
    let (mut scene, world, plan) = left_by_a_job().await;
    scene.apply(&world, plan.clone()).await;
    all_skipped(&scene.apply(&world, plan).await);
}

/// The record of a pool that the spec has no more, and the plan to delete it.
async fn unasked_record() -> (Scene, World, Plan, RecordId) {
    let mut scene = Scene::new("{linux: {tags: [docker]}, docs: {tags: [docs]}}");
    scene.tick().await;
    scene.change_spec(|spec| spec.pools.retain(|pool| pool.name != linux().pool));
    scene.grow_old().await;
    let world = scene.look_twice().await;
    let plan = planned(&world, |action| matches!(action, Action::DeleteRecord { .. }));
    let Action::DeleteRecord { record, .. } = plan.decisions[0].action else { unreachable!() };
    (scene, world, plan, record)
}

#[tokio::test(start_paused = true)]
async fn a_record_that_nobody_asks_for_is_deleted_where_nobody_came_meanwhile() {
    let (mut scene, world, plan, record) = unasked_record().await;
    assert_eq!(only(scene.apply(&world, plan).await).unwrap(), Effect::Done);
    assert_eq!(scene.gitlab.record(record), None);
}

#[tokio::test(start_paused = true)]
async fn a_record_stays_that_a_container_was_made_with_meanwhile() {
    let (mut scene, world, plan, record) = unasked_record().await;
    scene.create(&scene.first_slot(&world), record).await;
    all_skipped(&scene.apply(&world, plan).await);
    assert!(scene.gitlab.record(record).is_some());
}

/// A runner that a person removed: what it left, and the plan to sweep such things.
async fn removed_runner(such: impl Fn(&Action) -> bool) -> (Scene, World, Plan, Runner) {
    let mut scene = Scene::new(WARM);
    scene.tick().await;
    scene.pass(10).await;
    let runner = scene.runner().await;
    scene.engine().remove_by_hand(&runner.id).unwrap();
    scene.change_spec(|spec| spec.pools[0].warm = Warm::Count(0));
    let world = scene.look_twice().await;
    let plan = planned(&world, such);
    (scene, world, plan, runner)
}

fn is_row(action: &Action) -> bool {
    matches!(action, Action::Sweep { leftover: Leftover::Manager(..) })
}

fn is_network(action: &Action) -> bool {
    matches!(action, Action::Sweep { leftover: Leftover::Network(..) })
}

#[tokio::test(start_paused = true)]
async fn the_row_and_the_network_of_a_runner_that_is_gone_go_where_nobody_came_meanwhile() {
    let (mut scene, world, plan, runner) = removed_runner(is_sweep).await;
    let outcomes = scene.apply(&world, plan).await;
    let done = |outcome: &Outcome| matches!(outcome.result, Ok(Effect::Done));
    assert!(outcomes.len() == 2 && outcomes.iter().all(done), "{outcomes:?}");
    assert!(scene.rows(runner.record).is_empty() && scene.engine().networks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_row_stays_whose_runner_is_there_by_now() {
    let (mut scene, world, plan, runner) = removed_runner(is_row).await;
    scene.create(&runner.system_id, runner.record).await;
    all_skipped(&scene.apply(&world, plan).await);
    assert_eq!(scene.rows(runner.record), [runner.system_id]);
}

#[tokio::test(start_paused = true)]
async fn a_row_goes_though_its_slot_is_filled_with_another_record() {
    let (mut scene, world, plan, runner) = removed_runner(is_row).await;
    scene.create(&runner.system_id, RecordId(99)).await;
    assert_eq!(only(scene.apply(&world, plan).await).unwrap(), Effect::Done);
    assert!(scene.rows(runner.record).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_network_stays_that_a_container_is_on_by_now() {
    let (mut scene, world, plan, runner) = removed_runner(is_network).await;
    let id = scene.create_on_our_network(&runner.system_id, runner.record).await;
    all_skipped(&scene.apply(&world, plan.clone()).await);
    // Of one that does not run yet, Docker itself would not refuse.
    assert_eq!(scene.engine().networks().len(), 1);
    scene.engine().start(&id).await.unwrap();
    all_skipped(&scene.apply(&world, plan).await);
}

const TWO_POOLS: &str =
    "{linux: {tags: [docker], max: 3, warm: 1}, docs: {tags: [docs], max: 3, warm: 1}}";

/// Two hosts, each of which serves one pool.
fn two_hosts(pools: &str) -> Scene {
    let mut scene = Scene::on(&["alpha", "beta"], pools);
    scene.change_spec(|spec| {
        let hosts = spec.hosts.values_mut().zip(&spec.pools);
        hosts.for_each(|(host, pool)| host.pools = Some(vec![pool.name.clone()]));
    });
    scene
}

fn runs(scene: &Scene, host: &str) -> bool {
    let containers = scene.engine_of(host).containers();
    containers.iter().any(|it| matches!(it.state, ContainerState::Running { .. }))
}

fn failed(outcomes: &[Outcome]) -> Vec<&str> {
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err());
    failed.map(|outcome| outcome.decision.action.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_host_that_gets_no_network_stops_no_other() {
    let mut scene = two_hosts(TWO_POOLS);
    scene.engine_of("alpha").fail_next(Operation::CreateNetwork, refusal());
    let outcomes = scene.tick().await;
    assert_eq!(failed(&outcomes), ["create-network"], "{outcomes:?}");
    assert!(!runs(&scene, "alpha") && runs(&scene, "beta"));
    assert!(scene.engine_of("alpha").containers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_gitlab_refuses_stops_no_other_pool() {
    let docs = "docs: {tags: [docs], max: 3, warm: 1, scope: {group: full}}";
    let pools = format!("{{linux: {{tags: [docker], max: 3, warm: 1}}, {docs}}}");
    let mut scene = two_hosts(&pools);
    for _ in 0..RECORDS_OF_A_GROUP {
        scene.gitlab.add_record_by_hand(NewRecord {
            scope: Scope::Group("full".to_owned()),
            description: "somebody's".to_owned(),
            tags: Vec::new(),
            run_untagged: true,
            protected: false,
        });
    }
    let outcomes = scene.tick().await;
    assert_eq!(failed(&outcomes), ["create-record", "start"], "{outcomes:?}");
    let without = |outcome: &Outcome| matches!(outcome.result, Err(ApplyError::NoRecord(_)));
    assert!(outcomes.iter().any(without));
    assert!(runs(&scene, "alpha") && !runs(&scene, "beta"));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_there_is_no_port_to_stops_no_other() {
    let mut scene = two_hosts(TWO_POOLS);
    let world = scene.look().await;
    scene.ports.engines.remove(&HostName::new("alpha").unwrap());
    let outcomes = scene.apply(&world, plan(&world)).await;
    let lost = |outcome: &&Outcome| matches!(outcome.result, Err(ApplyError::NoHost(_)));
    assert_eq!(outcomes.iter().filter(lost).count(), 2, "{outcomes:?}");
    assert!(!runs(&scene, "alpha") && runs(&scene, "beta"));
}

#[tokio::test(start_paused = true)]
async fn without_a_network_no_container_is_made_and_the_job_says_why() {
    let mut scene = Scene::new(COLD);
    let mut controller = scene.controller().await;
    scene.engine().add_image(crate::simulated_engine::stage::IMAGE);
    scene.job(WaitsFor::Runner);
    let full = EngineError::Refused {
        attempt: "create network `autogit-network`".to_owned(),
        problem: "all predefined address pools have been fully subnetted".to_owned(),
    };
    for _ in 0..2 {
        scene.engine().fail_next(Operation::CreateNetwork, Fault::Refused(full.clone()));
    }
    let mut refused = 0;
    for _ in 0..6 {
        scene.pass(5).await;
        let tick = controller.tick().await;
        refused += tick.outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
        assert_eq!(scene.container_names(), BTreeSet::new());
        if let Some(held) = tick.view.plan.held_jobs.first() {
            let words = held.hold.to_string();
            assert_eq!(held.hold.as_str(), "no-network", "{words}");
            assert!(words.contains("have been fully subnetted"), "{words}");
        }
    }
    // Ten seconds of pause after the first, twenty after the second.
    assert_eq!(refused, 2);
    for _ in 0..5 {
        scene.pass(5).await;
        controller.tick().await;
    }
    assert!(runs(&scene, "alpha"));
}

/// A second look a second later would see no more than the one before.
#[tokio::test(start_paused = true)]
async fn what_is_done_again_as_before_is_no_progress() {
    let scene = Scene::new("{linux: {tags: [Docker], max: 3}}");
    let mut autogit = scene.another();
    scene.gitlab.fold_tags(true);
    let mut progress = Vec::new();
    for _ in 0..20 {
        let tick = autogit.tick().await;
        if !tick.outcomes.is_empty() {
            progress.push(tick.made_progress());
        }
        scene.pass(10).await;
    }
    // The record is made, set right as far as anyone can tell, and set right again.
    assert_eq!(progress[..3], [true, true, false], "{progress:?}");
}
