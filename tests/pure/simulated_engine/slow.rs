//! A GitLab that answers late costs its own part of each look only.

use std::time::Duration;

use autogit::plan::{Rule, plan};
use autogit::sandbox::engine::Operation;
use autogit::sandbox::gitlab::Down;
use autogit::spec::ServedPools;
use autogit::world::{Observed, World};
use jiff::Timestamp;

use crate::simulated_engine::fixture::{Fixture, refusal};

const WARM: &str = "{linux: {tags: [docker], max: 3, warm: 1}}";

/// When GitLab's parts were told, as far as they are known.
fn told_at(world: &World) -> [Option<Timestamp>; 2] {
    fn at<T>(source: &Observed<T>) -> Option<Timestamp> {
        match source {
            Observed::Known { at, .. } => Some(*at),
            Observed::Unknown { .. } => None,
        }
    }
    [at(&world.records), at(&world.queue)]
}

#[tokio::test(start_paused = true)]
async fn a_gitlab_that_drips_is_waited_for_once_and_is_as_old_as_its_reads_began() {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    fixture.drip(9);
    let began = fixture.clock.now();
    for waited in [10, 0, 0] {
        let before = fixture.clock.now();
        let world = fixture.look().await;
        assert!(world.all_hosts_known());
        assert_eq!(told_at(&world), [None, None]);
        assert_eq!(fixture.clock.now().duration_since(before).as_secs(), waited);
    }
    // A read takes several calls, one after the other.
    let mut told = [None, None];
    while told.contains(&None) {
        fixture.pass(9).await;
        let seen = told_at(&fixture.look().await);
        for (told, seen) in told.iter_mut().zip(seen) {
            *told = told.or(seen);
        }
    }
    let late = |told: Option<Timestamp>| told.unwrap().duration_since(began).as_secs();
    assert_eq!(told.map(late), [0, 10]);
}

/// Its container is cleaned up after although GitLab tells nothing for a while.
#[tokio::test(start_paused = true)]
async fn what_ended_is_removed_while_gitlab_drips() {
    let mut fixture = Fixture::new(WARM);
    let mut controller = fixture.controller().await;
    while fixture.engine().containers().is_empty() {
        controller.tick().await;
        fixture.pass(1).await;
    }
    let id = fixture.runner().await.id;
    fixture.engine().kill_container(&id, 0).unwrap();
    fixture.drip(9);
    let began = fixture.clock.now();
    while fixture.engine().containers().iter().any(|it| it.id == id) {
        controller.tick().await;
        fixture.pass(1).await;
    }
    assert!(fixture.clock.now().duration_since(began).as_secs() < 30);
}

/// When GitLab was away, each runner comes back within seconds, and AutoGit must not be faster.
#[tokio::test(start_paused = true)]
async fn a_runner_is_not_silent_for_the_time_in_which_gitlab_was_away() {
    let mut fixture = Fixture::new(WARM);
    let mut controller = fixture.controller().await;
    while !controller.tick().await.settled {
        fixture.pass(1).await;
    }
    for away_secs in [66 * 60, 2 * 60] {
        fixture.gitlab.set_down(Down::Unreachable);
        for _ in 0..away_secs / 10 {
            fixture.pass(10).await;
            controller.tick().await;
        }
        fixture.gitlab.set_down(Down::None);
        let view = controller.tick().await.view;
        assert!(view.world.records.known().is_some());
        assert!(view.plan.is_empty(), "{:?}", view.plan.decisions);
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_began_while_gitlab_was_away_has_not_failed_when_it_is_back() {
    let mut fixture = Fixture::new(WARM);
    let mut controller = fixture.controller().await;
    while fixture.engine().containers().is_empty() {
        controller.tick().await;
        fixture.clock.sleep(Duration::from_millis(100)).await;
    }
    fixture.gitlab.set_down(Down::Unreachable);
    for _ in 0..20 {
        fixture.pass(10).await;
        controller.tick().await;
    }
    fixture.gitlab.set_down(Down::None);
    let view = controller.tick().await.view;
    assert!(view.world.records.known().is_some());
    let failed = view.plan.decisions.iter().filter(|it| it.rule == Rule::DrainFailed);
    assert_eq!(failed.count(), 0, "{:?}", view.plan.decisions);
}

/// The same ids may be of other things there.
#[tokio::test(start_paused = true)]
async fn what_one_gitlab_told_is_not_taken_for_what_another_one_tells() {
    let mut fixture = Fixture::new("{linux: {tags: [docker], scope: {project: team/app}}}");
    let mut controller = fixture.controller().await;
    let told = controller.tick().await.view;
    assert!(told.world.scopes.values().all(Result::is_ok) && !told.world.scopes.is_empty());
    fixture.gitlab.set_down(Down::Unreachable);
    controller.reconnect(fixture.ports.clone());
    let away = controller.tick().await.view;
    assert_eq!(away.world.scopes, told.world.scopes, "the same GitLab");
    controller.reconnect(fixture.ports_at("http://elsewhere.sim"));
    let other = controller.tick().await.view;
    assert!(other.world.scopes.values().all(Result::is_err));
    assert!(other.world.records.last().is_none() && other.world.queue.last().is_none());
}

/// A right was lost as well, so that the list lacks the record.
#[tokio::test(start_paused = true)]
async fn a_record_that_a_host_shows_while_the_records_are_read_is_not_gone() {
    let pool = "{linux: {tags: [docker], max: 2, warm: 2, scope: {project: team/app}}}";
    let mut fixture = Fixture::on(&["alpha", "beta"], pool);
    fixture.change_spec(|spec| {
        spec.hosts.values_mut().next().unwrap().pools = ServedPools::These(Vec::new());
    });
    for _ in 0..9 {
        fixture.tick().await;
        fixture.pass(1).await;
    }
    assert!(!fixture.engine_of("beta").containers().is_empty());
    fixture.restart();
    fixture.gitlab.set_admin_mode(true);
    fixture.engine_of("beta").fail_next(Operation::Runners, refusal());
    fixture.drip(4);
    let mut world = fixture.look().await;
    while world.records.known().is_none() {
        fixture.pass(4).await;
        world = fixture.look().await;
    }
    assert!(world.all_hosts_known());
    assert!(plan(&world).decisions.iter().all(|it| it.rule != Rule::DrainOrphan));
}
