//! Runners that a person froze, or that do not heed that they were asked to exit.

use autogit::cli::{RenderOptions, render_status};
use autogit::plan::Rule;
use autogit::reconcile::{Controller, Tick};
use autogit::world::Phase;

use crate::simulated_engine::fixture::Fixture;
use crate::simulated_engine::log::Log;

const WARM: &str = "{linux: {tags: [docker], max: 3, warm: 1}}";

/// A loop with its warm runner, which is in contact.
async fn at_rest(fixture: &mut Fixture) -> Controller {
    let mut controller = fixture.controller().await;
    let tick = pass(fixture, &mut controller, 6).await;
    assert!(matches!(phase(&tick), Some(Phase::Idle { .. })), "{:?}", phase(&tick));
    controller
}

/// So many looks, ten seconds apart.
async fn pass(fixture: &Fixture, controller: &mut Controller, looks: usize) -> Tick {
    let mut tick = controller.tick().await;
    for _ in 1..looks {
        fixture.pass(10).await;
        tick = controller.tick().await;
    }
    tick
}

/// That of the first runner.
fn phase(tick: &Tick) -> Option<Phase> {
    tick.view.world.runners().first().map(|view| view.phase)
}

/// Why the first runner stays.
fn why(tick: &Tick) -> String {
    tick.view.as_seen().runners_output()[0].why.clone()
}

#[tokio::test(start_paused = true)]
async fn a_paused_runner_is_told_is_no_supply_and_goes_on_once_it_may() {
    let mut fixture = Fixture::new(WARM);
    let mut controller = at_rest(&mut fixture).await;
    let id = fixture.runner().await.id;
    let log = Log::default();
    let _caught = log.catch();
    fixture.engine().pause_by_hand(&id, true).unwrap();
    let tick = controller.tick().await;
    assert!(tick.view.as_seen().runners_output()[0].paused);
    assert_eq!(why(&tick), "takes no job; its container is paused");
    assert!(log.lines_with("is paused").is_empty());
    // Another one is warm in its place, and this one is not called failed.
    let tick = pass(&fixture, &mut controller, 20).await;
    assert_eq!(tick.view.as_seen().status_output().total_runners, 2);
    let hint =
        "its container is paused for 3m; hint: `docker unpause autogit-runner-linux-amd64-0`";
    assert!(why(&tick).contains(hint), "{}", why(&tick));
    let status = render_status(&tick.view.as_seen().status_output(), &RenderOptions::bare());
    assert!(status.contains(&format!("autogit-runner-linux-amd64-0: {hint}")), "{status}");
    assert_eq!(log.lines_with("its container is paused").len(), 1);
    fixture.engine().pause_by_hand(&id, false).unwrap();
    let tick = pass(&fixture, &mut controller, 3).await;
    assert!(matches!(phase(&tick), Some(Phase::Idle { .. })), "{:?}", phase(&tick));
    assert!(!why(&tick).contains("paused"), "{}", why(&tick));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_does_not_heed_sigquit_is_told_with_what_to_do() {
    let mut fixture = Fixture::new(WARM);
    let mut controller = at_rest(&mut fixture).await;
    let id = fixture.runner().await.id;
    fixture.engine().deafen(&id).unwrap();
    let log = Log::default();
    let _caught = log.catch();
    fixture.change_spec(|spec| spec.pools[0].enabled = false);
    controller.adopt(fixture.info().await);
    let tick = controller.tick().await;
    assert_eq!(tick.outcomes[0].decision.rule, Rule::DrainOrphan, "{:?}", tick.outcomes);
    let tick = pass(&fixture, &mut controller, 4).await;
    assert!(!why(&tick).contains("hint"), "{}", why(&tick));
    let tick = pass(&fixture, &mut controller, 12).await;
    let hint = "it has no job and does not exit for";
    assert!(why(&tick).contains(hint) && why(&tick).contains("docker rm -f"), "{}", why(&tick));
    assert_eq!(log.lines_with(hint).len(), 1);
    assert_eq!(tick.view.as_seen().status_output().standstills.len(), 1);
    fixture.engine().remove_by_hand(&id).unwrap();
    let tick = pass(&fixture, &mut controller, 3).await;
    assert!(tick.view.as_seen().status_output().standstills.is_empty());
}
