//! `drain-over-max`: what the hosts show beyond a lowered `max` is asked to exit, busy or not, for
//! under a backlog no runner would ever be idle. `drain-surplus`: idle runners that nothing asks for
//! exit, longest idle first; starting and busy ones never do.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::draft::{Draft, RunnerIndex};
use super::{Facts, JobHold, Rule};
use crate::duration::signed;
use crate::spec::PoolName;
use crate::world::{Phase, RunnerView};

pub(super) fn drain_surplus(draft: &mut Draft<'_>) {
    drain_over_max(draft);
    if let Some(queue) = draft.world().queue.known() {
        let least = if queue.more { UNREAD_PATIENCE } else { SignedDuration::ZERO };
        drain_cooled(draft, least);
    }
}

/// How long a runner is idle at least where the queue is too long to be read to its end: jobs that
/// were not read may need it, but GitLab gives them to idle runners within seconds. Without a
/// bound, a thousand jobs that nobody takes would keep every runner for ever.
const UNREAD_PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// A lowered `max` takes effect at once: idle runners that no job needs go first, then those that
/// one needs, then busy ones, the one whose job is oldest first. Starting ones are not asked: they
/// are idle or busy soon.
fn drain_over_max(draft: &mut Draft<'_>) {
    let mut over = over_max(draft);
    if over.is_empty() {
        return;
    }
    for needed_too in [false, true] {
        for id in draft.supply_ids() {
            let supply = draft.supply(id);
            let pool = supply.offer().pool;
            let Some((alive, over)) = over.get_mut(&pool.name) else { continue };
            let most = if needed_too { supply.idle_count() } else { supply.idle_spare() };
            let facts = Facts::OverMax { live: *alive, max: pool.max, busy: false };
            let leave: Vec<RunnerIndex> = supply.idle().take(most.min(*over as usize)).collect();
            for runner in leave {
                *over -= 1;
                let at_max =
                    || JobHold::PoolAtMax { pool: pool.name.clone(), max: pool.max, unseen: 0 };
                draft.drain_needed(runner, Rule::DrainOverMax, facts.clone(), at_max);
            }
        }
    }
    let spec = &draft.world().spec;
    for index in draft.busy() {
        let pool = &draft.runner(index).runner.variant.pool;
        let Some(pool) = spec.pool(pool) else { continue };
        if let Some((live, over @ 1..)) = over.get_mut(&pool.name) {
            *over -= 1;
            let facts = Facts::OverMax { live: *live, max: pool.max, busy: true };
            draft.drain(index, Rule::DrainOverMax, facts);
        }
    }
}

/// Of each pool of which the hosts show more live runners than it may have, those that leave aside:
/// how many live, and how many are too many. What no host shows counts against a start, but drains
/// nobody.
fn over_max(draft: &Draft<'_>) -> BTreeMap<PoolName, (u32, u32)> {
    let stays = |view: &&RunnerView<'_>| match view.phase {
        Phase::Created | Phase::Draining { .. } | Phase::Exited { .. } => false,
        Phase::Starting { .. } | Phase::Idle { .. } | Phase::Busy { .. } | Phase::Failed { .. } => {
            view.seen && !draft.is_decided(view.runner) && !draft.is_ending(view.runner)
        }
    };
    let mut live: BTreeMap<&PoolName, u32> = BTreeMap::new();
    for view in draft.runners().iter().filter(stays) {
        *live.entry(&view.runner.variant.pool).or_default() += 1;
    }
    let pools = draft.world().spec.pools.iter().filter_map(|pool| {
        let live = live.get(&pool.name).copied().unwrap_or(0);
        (live > pool.max).then(|| (pool.name.clone(), (live, live - pool.max)))
    });
    pools.collect()
}

/// Idle beyond demand and warm, for longer than the cooldown, and for `least` at least.
fn drain_cooled(draft: &mut Draft<'_>, least: SignedDuration) {
    let world = draft.world();
    for id in draft.supply_ids() {
        let supply = draft.supply(id);
        let warm = supply.warm();
        let surplus = supply.spare().saturating_sub(warm).min(supply.idle_spare());
        let cooldown = supply.offer().pool.cooldown;
        let limit = signed(cooldown).max(least);
        let warm = u32::try_from(warm).unwrap_or(u32::MAX);
        // Longest idle first, so those that cooled down are the first ones.
        let cooled = supply.idle().take(surplus).map_while(|runner| {
            let Phase::Idle { since } = draft.runner(runner).phase else { return None };
            let idle = world.now.duration_since(since);
            (idle >= limit).then_some((runner, Facts::Idle { idle, cooldown, warm }))
        });
        let drains: Vec<(RunnerIndex, Facts)> = cooled.collect();
        for (runner, facts) in drains {
            draft.drain(runner, Rule::DrainSurplus, facts);
        }
    }
}
