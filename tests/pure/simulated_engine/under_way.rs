//! What the loop does while an action hangs.

use autogit::apply::Outcome;
use autogit::plan::Action;
use autogit::sandbox::engine::{Fault, Operation};
use autogit::world::Deed;

use crate::simulated_engine::fixture::{Fixture, refusal};

/// The engine answers after ten seconds, and says that it did not.
#[tokio::test(start_paused = true)]
async fn looks_go_on_and_nothing_is_decided_again_while_a_start_hangs() {
    let mut fixture = Fixture::on(&["alpha", "beta"], "{linux: {tags: [docker], max: 1, warm: 1}}");
    let mut controller = fixture.controller().await;
    for host in ["alpha", "beta"] {
        fixture.engine_of(host).fail_next(Operation::CreateRunner, Fault::AnswerLost);
    }
    let is_start = |outcome: &Outcome| matches!(outcome.decision.action, Action::Start { .. });
    let (mut decided, mut looks) = (0, 0);
    let result = loop {
        let began = fixture.clock.now();
        let tick = controller.tick().await;
        assert!(fixture.clock.now().duration_since(began).as_secs() <= 1);
        if let Some(ended) = tick.outcomes.into_iter().find(is_start) {
            break ended.result;
        }
        let under_way = tick.view.world.memory.under_way.keys();
        let starts = under_way.filter(|deed| matches!(deed, Deed::Start { .. })).count();
        assert_eq!(starts, decided);
        looks += starts;
        let decisions = tick.view.plan.decisions.iter();
        let new = decisions.filter(|it| matches!(it.action, Action::Start { .. })).count();
        decided += new;
        assert!(decided <= 1, "{:?}", tick.view.plan);
        fixture.pass(2).await;
    };
    assert!(looks > 2 && result.is_err(), "{looks} looks: {result:?}");
}

/// Whether a look saw its container before the answer that did not come, after it, or never.
#[tokio::test(start_paused = true)]
async fn a_failed_start_counts_once_against_the_starts_per_minute() {
    let lost = || Fault::AnswerLost;
    for (operation, fault) in [
        (Operation::CreateRunner, lost()),
        (Operation::Start, lost()),
        (Operation::Start, refusal()),
        (Operation::CreateRunner, refusal()),
    ] {
        let mut fixture = Fixture::new("{linux: {tags: [docker], max: 1, warm: 1}}");
        let mut controller = fixture.controller().await;
        fixture.engine().fail_next(operation, fault);
        let is_start = |outcome: &Outcome| matches!(outcome.decision.action, Action::Start { .. });
        loop {
            let tick = controller.tick().await;
            assert!(tick.view.world.memory.starts_of_the_minute().count() <= 1, "{operation}");
            if tick.outcomes.iter().any(is_start) {
                break;
            }
            fixture.pass(2).await;
        }
        let memory = controller.look().await.world.memory.clone();
        assert_eq!(memory.starts_of_the_minute().count(), 1, "{operation}: {memory:?}");
    }
}
