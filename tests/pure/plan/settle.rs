//! How many looks it takes until nothing is left to do.

use autogit::model::{Durations, Model};
use autogit::plan::{Plan, plan};
use autogit::world::{Phase, World};
use jiff::SignedDuration;

/// Between two looks, so that most cooldowns are over by the next one.
const STEP: SignedDuration = SignedDuration::from_mins(10);

/// Runners make contact and take jobs before the next look, and jobs end before the one after.
const DURATIONS: Durations =
    Durations { start: SignedDuration::ZERO, pick_up: STEP, job: STEP, drain: STEP };

/// Empty plans in a row, while nothing moves, after which nothing will be done any more: a runner may
/// be starting and then idle for as long as it may; a sweep needs two looks.
const QUIET: usize = 5;

/// How many looks it takes until nothing is done any more.
pub(crate) fn settle(world: &World) -> usize {
    settle_with(world, |_, _| {}).0
}

/// The same, with a word to say on each plan, and what is there in the end. Each look may find one
/// runner more to replace, each job may need a runner of its own, and each token that ends gets a
/// successor and new runners, with four looks for the life of each: start, job, cooldown, end.
pub(crate) fn settle_with(world: &World, mut check: impl FnMut(&World, &Plan)) -> (usize, World) {
    let records = world.records.last().into_iter().flatten();
    let ending = records.filter(|record| record.token_expires_at.is_some()).count();
    let jobs = world.queue.last().map_or(0, |queue| queue.jobs.len());
    let count = world.runners().len() + jobs + ending;
    let limit = 12 + 4 * count;
    let mut model = Model::new(world.clone(), DURATIONS);
    let mut quiet = 0;
    for look in 0..limit {
        let plan = plan(model.world());
        check(model.world(), &plan);
        quiet = if plan.is_empty() && !is_moving(model.world()) { quiet + 1 } else { 0 };
        if quiet == QUIET {
            return (look + 1 - QUIET, model.world().clone());
        }
        model.apply(&plan);
        model.advance(STEP);
    }
    panic!("not settled after {limit} looks: {:#?}", plan(model.world()).decisions)
}

/// A runner has a job, or was asked to exit.
fn is_moving(world: &World) -> bool {
    let moves = |phase: &Phase| matches!(phase, Phase::Busy { .. } | Phase::Draining { .. });
    world.runners().iter().any(|view| view.seen && moves(&view.phase))
}
