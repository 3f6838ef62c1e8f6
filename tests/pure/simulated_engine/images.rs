//! Runner images: seen at each look, pulled by the plan.

use std::time::Duration;

use autogit::engine::EngineError;
use autogit::plan::JobHold;
use autogit::reconcile::Tick;
use autogit::sandbox::engine::{Fault, Operation};
use autogit::sandbox::gitlab::WaitsFor;
use autogit::spec::PullPolicy;
use autogit::view::View;
use autogit::world::{Deed, Memory};

use crate::simulated_engine::fixture::Fixture;
use crate::simulated_engine::harness::IMAGE;
use crate::simulated_engine::log::Log;

const COLD: &str = "{linux: {tags: [docker], max: 3}}";

fn rules(view: &View) -> Vec<&str> {
    view.plan.decisions.iter().map(|decision| decision.rule.as_str()).collect()
}

fn hold(tick: &Tick) -> &JobHold {
    &tick.view.plan.held_jobs[0].hold
}

#[tokio::test(start_paused = true)]
async fn a_host_that_has_the_image_is_shown_no_pull() {
    let mut fixture = Fixture::new(COLD);
    let mut controller = fixture.controller().await;
    assert_eq!(rules(&controller.look().await), ["keep-record", "keep-network"]);
    fixture.engine().prune_image(IMAGE);
    assert_eq!(rules(&controller.look().await), ["keep-record", "pull-image", "keep-network"]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_image_is_pulled_at_once_and_no_look_waits_for_it() {
    let mut fixture = Fixture::new(COLD);
    fixture.engine().prune_image(IMAGE);
    fixture.job(WaitsFor::Runner);
    let mut controller = fixture.controller().await;
    let began = fixture.clock.now();
    let tick = controller.tick().await;
    assert!(rules(&tick.view).contains(&"pull-image"), "{:?}", rules(&tick.view));
    let tick = controller.tick().await;
    assert_eq!(rules(&tick.view), [""; 0]);
    assert_eq!(hold(&tick).as_str(), "image-pull");
    assert!(!tick.settled);
    let passed = fixture.clock.now().duration_since(began);
    assert!(passed.unsigned_abs() < Duration::from_secs(1), "{passed}");

    controller.something_ended().await;
    let pulled = fixture.clock.now().duration_since(began);
    assert_eq!(pulled.as_secs(), 5, "the pull takes that long");
    let tick = controller.tick().await;
    assert!(rules(&tick.view).contains(&"serve-demand"), "{:?}", rules(&tick.view));
}

#[tokio::test(start_paused = true)]
async fn a_look_beside_the_loop_knows_of_its_pull() {
    let mut fixture = Fixture::new(COLD);
    fixture.engine().prune_image(IMAGE);
    let mut controller = fixture.controller().await;
    controller.tick().await;
    let lent = controller.tick().await.view.memory_output().memory();
    let pulls = |memory: &Memory| {
        memory.under_way.keys().any(|deed| matches!(deed, Deed::PullImage { .. }))
    };
    assert!(pulls(&lent));
    let mut beside = fixture.another();
    beside.borrow_memory(lent);
    assert!(!rules(&beside.look().await).contains(&"pull-image"));
}

#[tokio::test(start_paused = true)]
async fn pulls_that_fail_together_are_one_failure_of_each_variant_that_needs_them() {
    let pools = "{linux: {tags: [docker]}, build: {tags: [build]}}";
    let mut fixture = Fixture::on(&["alpha", "beta"], pools);
    for host in ["alpha", "beta"] {
        fixture.engine_of(host).forget_image(IMAGE);
    }
    fixture.job(WaitsFor::Runner);
    let mut controller = fixture.controller().await;
    let tick = controller.tick().await;
    assert_eq!(rules(&tick.view).iter().filter(|rule| **rule == "pull-image").count(), 2);
    for _ in 0..2 {
        fixture.pass(5).await;
        controller.tick().await;
    }
    let tick = controller.tick().await;
    let backoffs = &tick.view.world.memory.backoffs;
    let failures: Vec<_> = backoffs.values().map(|backoff| backoff.failures).collect();
    assert_eq!(failures, [1, 1], "{backoffs:?}");
    assert_eq!(hold(&tick).as_str(), "backing-off");
    assert!(hold(&tick).to_string().contains("manifest unknown"), "{}", hold(&tick));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_never_pulled_is_an_error_once_and_serves_as_soon_as_it_is_brought() {
    let mut fixture = Fixture::new(COLD);
    fixture.change_spec(|spec| spec.pools[0].pull_policy = PullPolicy::Never);
    fixture.engine().prune_image(IMAGE);
    let mut controller = fixture.controller().await;
    let log = Log::default();
    let _caught = log.catch();
    for _ in 0..3 {
        fixture.pass(10).await;
        let tick = controller.tick().await;
        assert!(!rules(&tick.view).contains(&"pull-image"));
        let status = tick.view.as_seen().status_output();
        let why: Vec<_> = status.pools.values().map(|pool| &pool.why).collect();
        assert!(why[0].contains("hint: pull it there"), "{why:?}");
    }
    let errors = log.lines_with("has no image");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains("ERROR"), "{errors:#?}");
    fixture.engine().add_image(IMAGE);
    fixture.job(WaitsFor::Runner);
    let tick = controller.tick().await;
    assert!(rules(&tick.view).contains(&"serve-demand"), "{:?}", rules(&tick.view));
}

#[tokio::test(start_paused = true)]
async fn of_an_image_that_the_engine_does_not_tell_counts_what_it_told_last() {
    let mut fixture = Fixture::new(COLD);
    let refusal = || {
        let (attempt, problem) = ("show an image".to_owned(), "no".to_owned());
        Fault::Refused(EngineError::Refused { attempt, problem })
    };
    fixture.engine().fail_next(Operation::Image, refusal());
    let world = fixture.look().await;
    let host = world.hosts.keys().next().unwrap();
    let told = world.image(host, IMAGE).unwrap();
    assert!(told.as_ref().is_err_and(|error| error.contains("show an image")), "{told:?}");
    let here = fixture.look().await.image(host, IMAGE).cloned();
    fixture.engine().fail_next(Operation::Image, refusal());
    assert_eq!(fixture.look().await.image(host, IMAGE).cloned(), here);
    assert!(here.unwrap().is_ok());
}
