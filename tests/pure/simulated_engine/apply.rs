//! The world changes between a look and what the plan made of it does: each step looks again right
//! before it acts.

use std::collections::BTreeSet;

use autogit::apply::{ApplyError, Effect, Outcome};
use autogit::engine::{Engine, EngineError};
use autogit::plan::{Action, Plan, plan};
use autogit::sandbox::engine::{Fault, JobLeftovers, Operation};
use autogit::sandbox::gitlab::{Down, NewRecord, WaitsFor};
use autogit::sandbox::runner::Version;
use autogit::spec::{HostName, Scope, ServedPools, Warm};
use autogit::world::{ContainerState, JobId, Leftover, RecordId, Runner, World};

use crate::simulated_engine::fixture::{Fixture, linux, name, planned, record, refusal};

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
async fn killed_at_work() -> (Fixture, World, Plan, Runner) {
    let mut fixture = Fixture::new("{linux: {tags: [docker], max: 3, cache: discard}}");
    fixture.job(WaitsFor::Runner);
    fixture.tick().await;
    fixture.pass(10).await;
    let runner = fixture.runner().await;
    fixture.engine().kill_container(&runner.id, 137).unwrap();
    let world = fixture.look().await;
    let plan = planned(&world, |action| matches!(action, Action::Reap { .. }));
    (fixture, world, plan, runner)
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_runner_left_is_cleaned_up_where_nobody_came_meanwhile() {
    let (mut fixture, world, plan, runner) = killed_at_work().await;
    assert!(!fixture.engine().jobs().await.unwrap().containers.is_empty());
    assert_eq!(only(fixture.apply(&world, plan).await).unwrap(), Effect::Done);
    assert!(fixture.container_names().is_empty() && fixture.rows(runner.record).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_a_person_started_again_is_not_reaped() {
    let (mut fixture, world, plan, runner) = killed_at_work().await;
    fixture.engine().start(&runner.id).await.unwrap();
    let before =
        (fixture.container_names(), fixture.engine().counts(), fixture.rows(runner.record));
    all_skipped(&fixture.apply(&world, plan).await);
    let after = (fixture.container_names(), fixture.engine().counts(), fixture.rows(runner.record));
    assert_eq!(before, after);
    assert!(matches!(fixture.runner().await.state, ContainerState::Running { .. }));
}

#[tokio::test(start_paused = true)]
async fn of_a_slot_that_another_container_has_by_now_only_the_dead_one_is_reaped() {
    for is_started in [true, false] {
        let (mut fixture, world, plan, runner) = killed_at_work().await;
        let id = fixture.create(&runner.system_id, runner.record).await;
        if is_started {
            fixture.engine().start(&id).await.unwrap();
        }
        let mut names = fixture.container_names();
        let left = fixture.engine().jobs().await.unwrap();
        assert_eq!(only(fixture.apply(&world, plan).await).unwrap(), Effect::Done);
        assert!(names.remove(runner.name.as_str()));
        assert_eq!(names, fixture.container_names());
        let now = fixture.engine().jobs().await.unwrap();
        assert_eq!((left.volumes, left.networks), (now.volumes, now.networks));
        assert_eq!(fixture.rows(runner.record), [runner.system_id]);
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
        let (mut fixture, world, plan, runner) = killed_at_work().await;
        fixture.refuse(operation);
        assert!(only(fixture.apply(&world, plan).await).is_err(), "{operation}");
        assert!(fixture.container_names().contains(runner.name.as_str()), "{operation}");
        fixture.tick().await;
        assert!(!fixture.container_names().contains(runner.name.as_str()), "{operation}");
        assert!(fixture.engine().volumes().is_empty(), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_container_of_a_killed_runner_stays_until_its_row_is_gone() {
    let (mut fixture, world, plan, runner) = killed_at_work().await;
    fixture.gitlab.set_down(Down::Status(502));
    assert!(only(fixture.apply(&world, plan).await).is_err());
    assert_eq!(Vec::from_iter(fixture.container_names()), [runner.name.as_str()]);
    fixture.gitlab.set_down(Down::None);
    fixture.tick().await;
    assert!(fixture.container_names().is_empty() && fixture.rows(runner.record).is_empty());
}

/// The plan for the first runner of all, whose record and network are there already.
async fn to_be_started() -> (Fixture, World, Plan) {
    let mut fixture = Fixture::new(COLD);
    fixture.tick().await;
    let spec = fixture.look().await.spec.clone();
    fixture.engine().create_network(&spec.network, &spec.instance).await.unwrap();
    fixture.change_spec(|spec| spec.pools[0].warm = Warm::Count(1));
    let world = fixture.look().await;
    let plan = planned(&world, is_start);
    (fixture, world, plan)
}

#[tokio::test(start_paused = true)]
async fn a_runner_is_started_where_nobody_came_meanwhile() {
    let (mut fixture, world, plan) = to_be_started().await;
    let started = only(fixture.apply(&world, plan).await).unwrap();
    let runner = fixture.runner().await;
    assert_eq!((started, runner.record), (Effect::Started(runner.id), record(&world).id));
    assert!(matches!(runner.state, ContainerState::Running { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_runner_is_not_started_beside_a_living_one_of_its_slot_and_leaves_no_container() {
    for is_started in [true, false] {
        let (mut fixture, world, plan) = to_be_started().await;
        let id = fixture.create(&fixture.first_slot(&world), RecordId(99)).await;
        if is_started {
            fixture.engine().start(&id).await.unwrap();
        }
        let refused = only(fixture.apply(&world, plan).await);
        assert!(matches!(refused, Err(ApplyError::SlotTaken(_))), "{refused:?}");
        assert_eq!(Vec::from_iter(fixture.container_names()), [name().as_str()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_not_known_to_be_alone_is_not_started_and_leaves_no_container() {
    for operation in [Operation::WithSystemId, Operation::Start] {
        let (mut fixture, world, plan) = to_be_started().await;
        fixture.refuse(operation);
        let refused = only(fixture.apply(&world, plan).await);
        assert!(matches!(refused, Err(ApplyError::Engine(_))), "{refused:?}");
        assert!(fixture.container_names().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_be_removed_again_is_said_to_be_left() {
    let (mut fixture, world, plan) = to_be_started().await;
    fixture.start(&fixture.first_slot(&world), RecordId(99)).await;
    fixture.refuse(Operation::RemoveContainer);
    let left = only(fixture.apply(&world, plan).await).unwrap_err();
    assert!(matches!(left, ApplyError::NotUndone(_)) && left.in_doubt());
    assert_eq!(fixture.container_names().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_took_meanwhile_stays_his() {
    let (mut fixture, world, plan) = to_be_started().await;
    let planned_name = plan.decisions[0].action.runner().unwrap().clone();
    let id = fixture.create(&fixture.first_slot(&world), RecordId(99)).await;
    fixture.engine().rename_by_hand(&id, planned_name.as_str()).unwrap();
    assert!(only(fixture.apply(&world, plan).await).is_err());
    assert_eq!(fixture.runner().await.id, id);
}

/// What a job left where no container has its runner's slot, and the plan to sweep it.
async fn left_by_a_job() -> (Fixture, World, Plan) {
    let mut fixture = Fixture::new(COLD);
    fixture.tick().await;
    let world = fixture.look().await;
    let system_id = fixture.first_slot(&world);
    let left = JobLeftovers {
        version: Version::NEWEST,
        system_id,
        job: JobId(41),
        project: 3,
        running: true,
        reusable: false,
    };
    fixture.engine().add_job_leftovers(&left).unwrap();
    fixture.look().await;
    fixture.pass(60).await;
    let world = fixture.look_twice().await;
    let plan = planned(&world, is_job_object);
    assert_eq!(plan.decisions.len(), 6);
    (fixture, world, plan)
}

#[tokio::test(start_paused = true)]
async fn what_a_job_left_stays_where_a_runner_has_its_slot_by_now() {
    for is_started in [true, false] {
        let (mut fixture, world, plan) = left_by_a_job().await;
        let id = fixture.create(&fixture.first_slot(&world), RecordId(99)).await;
        if is_started {
            fixture.engine().start(&id).await.unwrap();
        }
        let before = fixture.engine().counts();
        all_skipped(&fixture.apply(&world, plan).await);
        assert_eq!(fixture.engine().counts(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn volumes_and_networks_of_a_job_go_after_the_containers_that_have_them() {
    let (mut fixture, world, mut plan) = left_by_a_job().await;
    // In whatever order the plan names them.
    plan.decisions.reverse();
    let outcomes = fixture.apply(&world, plan).await;
    let done = |outcome: &Outcome| matches!(outcome.result, Ok(Effect::Done));
    assert!(outcomes.iter().all(done), "{outcomes:?}");
    let counts = fixture.engine().counts();
    // The runners' own network stays.
    assert_eq!((counts.containers, counts.volumes, counts.networks), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_before_its_sweep_is_no_error() {
    let (mut fixture, world, plan) = left_by_a_job().await;
    fixture.apply(&world, plan.clone()).await;
    all_skipped(&fixture.apply(&world, plan).await);
}

/// The record of a pool that the spec has no more, and the plan to delete it.
async fn unasked_record() -> (Fixture, World, Plan, RecordId) {
    let mut fixture = Fixture::new("{linux: {tags: [docker]}, docs: {tags: [docs]}}");
    fixture.tick().await;
    fixture.change_spec(|spec| spec.pools.retain(|pool| pool.name != linux().pool));
    fixture.grow_old().await;
    let world = fixture.look_twice().await;
    let plan = planned(&world, |action| matches!(action, Action::DeleteRecord { .. }));
    let Action::DeleteRecord { record, .. } = plan.decisions[0].action else { unreachable!() };
    (fixture, world, plan, record)
}

#[tokio::test(start_paused = true)]
async fn a_record_that_nobody_asks_for_is_deleted_where_nobody_came_meanwhile() {
    let (mut fixture, world, plan, record) = unasked_record().await;
    assert_eq!(only(fixture.apply(&world, plan).await).unwrap(), Effect::Done);
    assert_eq!(fixture.gitlab.record(record), None);
}

#[tokio::test(start_paused = true)]
async fn a_record_stays_that_a_container_was_made_with_meanwhile() {
    let (mut fixture, world, plan, record) = unasked_record().await;
    fixture.create(&fixture.first_slot(&world), record).await;
    all_skipped(&fixture.apply(&world, plan).await);
    assert!(fixture.gitlab.record(record).is_some());
}

/// A runner that a person removed: what it left, and the plan to sweep such things.
async fn removed_runner(such: impl Fn(&Action) -> bool) -> (Fixture, World, Plan, Runner) {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    fixture.pass(10).await;
    let runner = fixture.runner().await;
    fixture.engine().remove_by_hand(&runner.id).unwrap();
    fixture.change_spec(|spec| spec.pools[0].enabled = false);
    let world = fixture.look_twice().await;
    let plan = planned(&world, such);
    (fixture, world, plan, runner)
}

fn is_row(action: &Action) -> bool {
    matches!(action, Action::Sweep { leftover: Leftover::Manager(..) })
}

fn is_network(action: &Action) -> bool {
    matches!(action, Action::Sweep { leftover: Leftover::Network(..) })
}

#[tokio::test(start_paused = true)]
async fn the_row_and_the_network_of_a_runner_that_is_gone_go_where_nobody_came_meanwhile() {
    let (mut fixture, world, plan, runner) = removed_runner(is_sweep).await;
    let outcomes = fixture.apply(&world, plan).await;
    let done = |outcome: &Outcome| matches!(outcome.result, Ok(Effect::Done));
    assert!(outcomes.len() == 2 && outcomes.iter().all(done), "{outcomes:?}");
    assert!(fixture.rows(runner.record).is_empty() && fixture.engine().networks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_row_stays_whose_runner_is_there_by_now() {
    let (mut fixture, world, plan, runner) = removed_runner(is_row).await;
    fixture.create(&runner.system_id, runner.record).await;
    all_skipped(&fixture.apply(&world, plan).await);
    assert_eq!(fixture.rows(runner.record), [runner.system_id]);
}

#[tokio::test(start_paused = true)]
async fn a_row_goes_though_its_slot_is_filled_with_another_record() {
    let (mut fixture, world, plan, runner) = removed_runner(is_row).await;
    fixture.create(&runner.system_id, RecordId(99)).await;
    assert_eq!(only(fixture.apply(&world, plan).await).unwrap(), Effect::Done);
    assert!(fixture.rows(runner.record).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_network_stays_that_a_container_is_on_by_now() {
    let (mut fixture, world, plan, runner) = removed_runner(is_network).await;
    let id = fixture.create_on_our_network(&runner.system_id, runner.record).await;
    all_skipped(&fixture.apply(&world, plan.clone()).await);
    // Of one that does not run yet, Docker itself would not refuse.
    assert_eq!(fixture.engine().networks().len(), 1);
    fixture.engine().start(&id).await.unwrap();
    all_skipped(&fixture.apply(&world, plan).await);
}

const TWO_POOLS: &str =
    "{linux: {tags: [docker], max: 3, warm: 1}, docs: {tags: [docs], max: 3, warm: 1}}";

/// Two hosts, each of which serves one pool.
fn two_hosts(pools: &str) -> Fixture {
    let mut fixture = Fixture::on(&["alpha", "beta"], pools);
    fixture.change_spec(|spec| {
        let hosts = spec.hosts.values_mut().zip(&spec.pools);
        hosts.for_each(|(host, pool)| host.pools = ServedPools::These(vec![pool.name.clone()]));
    });
    fixture
}

fn runs(fixture: &Fixture, host: &str) -> bool {
    let containers = fixture.engine_of(host).containers();
    containers.iter().any(|it| matches!(it.state, ContainerState::Running { .. }))
}

fn failed(outcomes: &[Outcome]) -> Vec<&str> {
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err());
    failed.map(|outcome| outcome.decision.action.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_host_that_gets_no_network_stops_no_other() {
    let mut fixture = two_hosts(TWO_POOLS);
    fixture.engine_of("alpha").fail_next(Operation::CreateNetwork, refusal());
    let outcomes = fixture.tick().await;
    assert_eq!(failed(&outcomes), ["create-network"], "{outcomes:?}");
    assert!(!runs(&fixture, "alpha") && runs(&fixture, "beta"));
    assert!(fixture.engine_of("alpha").containers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_gitlab_refuses_stops_no_other_pool() {
    let docs = "docs: {tags: [docs], max: 3, warm: 1, scope: {group: full}}";
    let pools = format!("{{linux: {{tags: [docker], max: 3, warm: 1}}, {docs}}}");
    let mut fixture = two_hosts(&pools);
    for _ in 0..RECORDS_OF_A_GROUP {
        fixture.gitlab.add_record_by_hand(NewRecord {
            scope: Scope::Group("full".to_owned()),
            description: "somebody's".to_owned(),
            tags: Vec::new(),
            run_untagged: true,
            protected: false,
        });
    }
    let outcomes = fixture.tick().await;
    assert_eq!(failed(&outcomes), ["create-record", "start"], "{outcomes:?}");
    let without = |outcome: &Outcome| matches!(outcome.result, Err(ApplyError::NoRecord(_)));
    assert!(outcomes.iter().any(without));
    assert!(runs(&fixture, "alpha") && !runs(&fixture, "beta"));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_there_is_no_port_to_stops_no_other() {
    let mut fixture = two_hosts(TWO_POOLS);
    let world = fixture.look().await;
    fixture.ports.engines.remove(&HostName::new("alpha").unwrap());
    let outcomes = fixture.apply(&world, plan(&world)).await;
    let lost = |outcome: &&Outcome| matches!(outcome.result, Err(ApplyError::NoHost(_)));
    assert_eq!(outcomes.iter().filter(lost).count(), 2, "{outcomes:?}");
    assert!(!runs(&fixture, "alpha") && runs(&fixture, "beta"));
}

#[tokio::test(start_paused = true)]
async fn without_a_network_no_container_is_made_and_the_job_says_why() {
    let mut fixture = Fixture::new(COLD);
    let mut controller = fixture.controller().await;
    fixture.job(WaitsFor::Runner);
    let full = EngineError::Refused {
        attempt: "create network `autogit-network`".to_owned(),
        problem: "all predefined address pools have been fully subnetted".to_owned(),
    };
    for _ in 0..2 {
        fixture.engine().fail_next(Operation::CreateNetwork, Fault::Refused(full.clone()));
    }
    let mut refused = 0;
    for _ in 0..6 {
        fixture.pass(5).await;
        let tick = controller.tick().await;
        refused += tick.outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
        assert_eq!(fixture.container_names(), BTreeSet::new());
        if let Some(held) = tick.view.plan.held_jobs.first() {
            let words = held.hold.to_string();
            assert_eq!(held.hold.as_str(), "no-network", "{words}");
            assert!(words.contains("have been fully subnetted"), "{words}");
        }
    }
    // Ten seconds of pause after the first, twenty after the second.
    assert_eq!(refused, 2);
    for _ in 0..5 {
        fixture.pass(5).await;
        controller.tick().await;
    }
    assert!(runs(&fixture, "alpha"));
}

/// A second look a second later would see no more than the one before.
#[tokio::test(start_paused = true)]
async fn what_is_done_again_as_before_is_no_progress() {
    let fixture = Fixture::new("{linux: {tags: [Docker], max: 3}}");
    let mut autogit = fixture.another();
    fixture.gitlab.fold_tags(true);
    let mut progress = Vec::new();
    for _ in 0..20 {
        let tick = autogit.tick().await;
        if !tick.outcomes.is_empty() {
            progress.push(tick.made_progress());
        }
        fixture.pass(10).await;
    }
    // The record is made, set right as far as anyone can tell, and set right again.
    assert_eq!(progress[..3], [true, true, false], "{progress:?}");
}
