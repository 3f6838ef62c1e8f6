//! Every runner without a decision is held with the reason.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::draft::Draft;
use super::{HeldRunner, RunnerHold};
use crate::world::{Observed, Phase, Runner, RunnerView, Trouble, WorkloadId, World};

pub(super) fn hold_runners(draft: &mut Draft<'_>) {
    let kept = Kept::of(draft);
    let world = draft.world();
    let stays = |runner: &Runner| !draft.is_decided(runner) || world.is_acted_on(&runner.id);
    let held = draft.runners().iter().filter(|view| stays(view.runner));
    let held: Vec<HeldRunner> = held
        .map(|view| HeldRunner {
            host: view.host.clone(),
            runner: view.runner.name.clone(),
            hold: hold(draft, view, &kept),
            trouble: Trouble::of(view.runner, &view.phase),
            standstill: world.standstill(view),
        })
        .collect();
    for held in held {
        draft.hold_runner(held);
    }
    for (name, host) in &world.hosts {
        for aside in host.state.last().into_iter().flat_map(|state| &state.aside) {
            draft.hold_runner(HeldRunner {
                host: name.clone(),
                runner: aside.name.clone(),
                hold: RunnerHold::Unseen { error: Arc::clone(&aside.why) },
                trouble: None,
                standstill: None,
            });
        }
    }
}

/// Idle runners that stay for a job or as warm ones: of each variant, those that are idle shortest,
/// for the others go first.
struct Kept<'a> {
    needed: BTreeSet<&'a WorkloadId>,
    warm: BTreeSet<&'a WorkloadId>,
}

impl<'a> Kept<'a> {
    fn of(draft: &Draft<'a>) -> Self {
        let (mut needed, mut warm) = (BTreeSet::new(), BTreeSet::new());
        for (_, supply) in draft.supplies() {
            let mut idle = supply.idle().rev().map(|index| &draft.runner(index).runner.id);
            needed.extend(idle.by_ref().take(supply.idle_needed()));
            let idle_warm = supply.warm().saturating_sub(supply.starting_spare());
            warm.extend(idle.take(idle_warm));
        }
        Self { needed, warm }
    }
}

fn hold(draft: &Draft<'_>, view: &RunnerView<'_>, kept: &Kept<'_>) -> RunnerHold {
    let (world, runner) = (draft.world(), view.runner);
    let host = world.hosts.get(view.host);
    if let Some(Observed::Unknown { error, .. }) = host.map(|host| &host.state) {
        return RunnerHold::Unseen { error: Arc::clone(error) };
    }
    if world.is_being_reaped(&runner.id) {
        return RunnerHold::Reaping;
    }
    if world.memory.in_doubt.contains_key(&runner.name) {
        return RunnerHold::InDoubt;
    }
    let drains = matches!(view.phase, Phase::Draining { .. });
    if world.is_acted_on(&runner.id) && !drains {
        return RunnerHold::InDoubt;
    }
    match view.phase {
        Phase::Busy { job } => RunnerHold::Busy { job },
        Phase::Draining { since, busy } => {
            RunnerHold::Draining { ago: world.now.duration_since(since), busy }
        }
        Phase::Starting { .. } | Phase::Idle { .. } if runner.paused => RunnerHold::Paused,
        Phase::Starting { since, .. } | Phase::Failed { since } => {
            RunnerHold::Starting { running: world.now.duration_since(since) }
        }
        Phase::Idle { .. } if kept.needed.contains(&runner.id) => RunnerHold::Needed,
        Phase::Idle { .. } if draft.is_ending(runner) => RunnerHold::Ending,
        Phase::Idle { .. } if draft.is_outdated(runner) => RunnerHold::InTurn,
        Phase::Idle { .. } if kept.warm.contains(&runner.id) => RunnerHold::Warm,
        Phase::Idle { since } => idle_hold(world, view, world.now.duration_since(since)),
        Phase::Created if world.is_about_to_start(view.host, runner) => {
            RunnerHold::Unstarted { ago: world.now.duration_since(runner.created_at) }
        }
        // Both are decided on wherever their host is seen, but for what was tried in vain.
        Phase::Created | Phase::Exited { .. } => match world.reaping_waits(&runner.id) {
            Some((until, times)) => {
                RunnerHold::Removing { times, left: until.duration_since(world.now) }
            }
            None => RunnerHold::InDoubt,
        },
    }
}

fn idle_hold(world: &World, view: &RunnerView<'_>, idle: jiff::SignedDuration) -> RunnerHold {
    let cooldown = world.spec.pool(&view.runner.variant.pool).map(|pool| pool.cooldown);
    match (&world.queue, cooldown) {
        (Observed::Unknown { error, .. }, _) => {
            RunnerHold::Unseen { error: format!("the queue could not be read: {error}").into() }
        }
        (Observed::Known { value, .. }, _) if value.more => {
            RunnerHold::Unseen { error: "jobs that were not read may need it".into() }
        }
        (Observed::Known { .. }, cooldown) => {
            RunnerHold::CoolingDown { idle, cooldown: cooldown.unwrap_or_default() }
        }
    }
}
