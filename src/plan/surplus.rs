//! `drain-over-max`: what the hosts show beyond a lowered `max` is asked to exit, busy or not, for
//! under a backlog no runner would ever be idle. `drain-surplus`: idle runners that nothing asks for
//! exit, longest idle first; starting and busy ones never do.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::draft::Draft;
use super::{Facts, JobHold, Rule};
use crate::duration::signed;
use crate::spec::PoolName;
use crate::world::{Phase, RunnerView};

pub(super) fn drain_surplus(draft: &mut Draft<'_>) {
    drain_over_max(draft);
    if let Some(queue) = draft.world.queue.known() {
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
        for index in 0..draft.lines.len() {
            let Some(line) = draft.lines.get(index) else { continue };
            let pool = line.offer.pool;
            let Some((alive, over)) = over.get_mut(&pool.name) else { continue };
            let most = if needed_too { line.idle.len() } else { line.idle_spare() };
            let facts = Facts::OverMax { live: *alive, max: pool.max, busy: false };
            for _ in 0..most.min(*over as usize) {
                drain_longest_idle(draft, index, facts.clone());
                *over -= 1;
            }
        }
    }
    let spec = &draft.world.spec;
    for index in draft.busy() {
        let pool = draft.runners.get(index).map(|view| &view.runner.variant.pool);
        let Some(pool) = pool.and_then(|pool| spec.pool(pool)) else { continue };
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
            view.seen && !draft.decided.contains(&view.runner.id)
        }
    };
    let mut live: BTreeMap<&PoolName, u32> = BTreeMap::new();
    for view in draft.runners.iter().filter(stays) {
        *live.entry(&view.runner.variant.pool).or_default() += 1;
    }
    let pools = draft.world.spec.pools.iter().filter_map(|pool| {
        let live = live.get(&pool.name).copied().unwrap_or(0);
        (live > pool.max).then(|| (pool.name.clone(), (live, live - pool.max)))
    });
    pools.collect()
}

fn drain_longest_idle(draft: &mut Draft<'_>, index: usize, facts: Facts) {
    let Some(line) = draft.lines.get_mut(index).filter(|line| !line.idle.is_empty()) else {
        return;
    };
    let pool = line.offer.pool;
    let needed = line.idle_spare() == 0;
    let runner = line.idle.remove(0);
    if needed {
        let hold = JobHold::PoolAtMax { pool: pool.name.clone(), max: pool.max, unseen: 0 };
        draft.unserve(index, Arc::new(hold));
    }
    draft.drain(runner, Rule::DrainOverMax, facts);
}

/// Idle beyond demand and warm, for longer than the cooldown, and for `least` at least.
fn drain_cooled(draft: &mut Draft<'_>, least: SignedDuration) {
    let world = draft.world;
    for index in 0..draft.lines.len() {
        let Some(line) = draft.lines.get(index) else { continue };
        let warm = line.warm();
        let surplus = line.spare().saturating_sub(warm).min(line.idle_spare());
        let cooldown = line.offer.pool.cooldown;
        let limit = signed(cooldown).max(least);
        let warm = u32::try_from(warm).unwrap_or(u32::MAX);
        // Longest idle first, so those that cooled down are the first ones.
        let cooled = line.idle.iter().take(surplus).map_while(|&runner| {
            let Phase::Idle { since } = draft.runners.get(runner)?.phase else { return None };
            let idle = world.now.duration_since(since);
            (idle >= limit).then_some((runner, Facts::Idle { idle, cooldown, warm }))
        });
        let drains: Vec<(usize, Facts)> = cooled.collect();
        if let Some(line) = draft.lines.get_mut(index) {
            line.idle.drain(..drains.len());
        }
        for (runner, facts) in drains {
            draft.drain(runner, Rule::DrainSurplus, facts);
        }
    }
}
