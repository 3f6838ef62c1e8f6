//! `drain-over-max`, `drain-surplus`: idle runners that nothing asks for exit, longest idle first.
//! Starting and busy ones never do.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::draft::Draft;
use super::{Facts, Rule};
use crate::spec::PoolName;
use crate::world::Phase;

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

/// A lowered `max` takes effect at once, as far as runners are idle.
fn drain_over_max(draft: &mut Draft<'_>) {
    let mut leaving: BTreeMap<PoolName, u32> = BTreeMap::new();
    let leaves = |phase: &Phase| matches!(phase, Phase::Draining { .. } | Phase::Created);
    for view in &draft.runners {
        if leaves(&view.phase) || (view.is_live() && draft.decided.contains(&view.runner.id)) {
            *leaving.entry(view.runner.variant.pool.clone()).or_default() += 1;
        }
    }
    for index in 0..draft.lines.len() {
        let Some(line) = draft.lines.get(index) else { continue };
        let (pool, max) = (line.offer.pool.name.clone(), line.offer.pool.max);
        let alive = draft.room.live(&pool).saturating_sub(leaving.get(&pool).copied().unwrap_or(0));
        let over = alive.saturating_sub(max) as usize;
        let drains: Vec<usize> = line.idle.iter().copied().take(over).collect();
        if drains.is_empty() {
            continue;
        }
        *leaving.entry(pool).or_default() += u32::try_from(drains.len()).unwrap_or(u32::MAX);
        if let Some(line) = draft.lines.get_mut(index) {
            line.idle.drain(..drains.len());
            line.idle_needed = line.idle_needed.min(line.idle.len());
        }
        for runner in drains {
            draft.drain(runner, Rule::DrainOverMax, Facts::OverMax { live: alive, max });
        }
    }
}

/// Idle beyond demand and warm, for longer than the cooldown, and for `least` at least.
fn drain_cooled(draft: &mut Draft<'_>, least: SignedDuration) {
    let world = draft.world;
    for index in 0..draft.lines.len() {
        let Some(line) = draft.lines.get(index) else { continue };
        let warm = line.warm();
        let surplus = line.spare().saturating_sub(warm).min(line.idle_spare());
        let cooldown = line.offer.pool.cooldown;
        let limit = SignedDuration::try_from(cooldown).unwrap_or(SignedDuration::MAX).max(least);
        let warm = u32::try_from(warm).unwrap_or(u32::MAX);
        let cooled = line.idle.iter().take(surplus).filter_map(|&runner| {
            let Phase::Idle { since } = draft.runners.get(runner)?.phase else { return None };
            let idle = world.now.duration_since(since);
            (idle >= limit).then_some((runner, Facts::Idle { idle, cooldown, warm }))
        });
        let drains: Vec<(usize, Facts)> = cooled.collect();
        for (runner, facts) in drains {
            draft.drain(runner, Rule::DrainSurplus, facts);
        }
    }
}
