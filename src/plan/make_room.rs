//! `make-room`: where a job only lacks room, idle runners that no job needs exit, though they are
//! kept warm or cool down: a job comes before a runner that waits for one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::draft::Draft;
use super::room::{Cost, HostRoom};
use super::{Facts, Rule};
use crate::spec::{HostName, Pool, PoolName};
use crate::world::{Host, HostState, Offer, Phase, RunnerView, World};

pub(super) fn make_room(draft: &mut Draft<'_>) {
    if draft.crowded_out.is_empty() || draft.lines.iter().all(|line| line.idle_spare() == 0) {
        return;
    }
    let mut soon = Soon::of(draft);
    for (candidates, jobs) in std::mem::take(&mut draft.crowded_out) {
        for _ in 0..jobs {
            if !candidates.iter().any(|&line| make_room_for(draft, &mut soon, line)) {
                break;
            }
        }
    }
}

/// Sees to it that there will be room for one more runner of the line; `false`: there can be none.
fn make_room_for(draft: &mut Draft<'_>, soon: &mut Soon<'_>, line: usize) -> bool {
    let Some(offer) = draft.lines.get(line).map(|line| line.offer.clone()) else { return false };
    let hosts = hosts_of(draft.world, &offer);
    if hosts.iter().any(|host| soon.take(&offer, host)) {
        return true;
    }
    for host in hosts {
        let mut then = soon.clone();
        let Some(leaving) = leave_for(draft, &mut then, &offer, host) else { continue };
        *soon = then;
        for runner in leaving {
            drain(draft, runner, &offer);
        }
        return true;
    }
    false
}

/// The hosts that are seen and serve the variant.
fn hosts_of<'w>(world: &'w World, offer: &Offer<'_>) -> Vec<&'w HostName> {
    let serves = |(name, host): &(&HostName, &Host)| {
        let right_arch = |state: &HostState| state.engine.arch == offer.variant.arch;
        world.serves(name, offer.pool) && host.state.known().is_some_and(right_arch)
    };
    world.hosts.iter().filter(serves).map(|(name, _)| name).collect()
}

/// The fewest of the longest idle runners without which there is room on that host.
fn leave_for(
    draft: &Draft<'_>,
    soon: &mut Soon<'_>,
    offer: &Offer<'_>,
    host: &HostName,
) -> Option<Vec<usize>> {
    let mut leaving = Vec::new();
    while !soon.take(offer, host) {
        let full = soon.is_full(offer.pool);
        let helps = |view: &RunnerView<'_>| {
            if full { view.runner.variant.pool == offer.pool.name } else { view.host == host }
        };
        let next = soon.spares.iter().position(|&it| draft.runners.get(it).is_some_and(helps))?;
        let runner = soon.spares.remove(next);
        soon.give_back(draft, draft.runners.get(runner)?);
        leaving.push(runner);
    }
    Some(leaving)
}

/// Idle runners that no job needs, longest idle first.
fn spares(draft: &Draft<'_>) -> Vec<usize> {
    let of_lines = draft.lines.iter().flat_map(|line| line.idle.iter().take(line.idle_spare()));
    let mut spares: Vec<(Timestamp, usize)> =
        of_lines.filter_map(|&runner| Some((idle_since(draft, runner)?, runner))).collect();
    spares.sort_unstable();
    spares.into_iter().map(|(_, runner)| runner).collect()
}

fn idle_since(draft: &Draft<'_>, runner: usize) -> Option<Timestamp> {
    let Phase::Idle { since } = draft.runners.get(runner)?.phase else { return None };
    Some(since)
}

fn drain(draft: &mut Draft<'_>, runner: usize, offer: &Offer<'_>) {
    let Some(since) = idle_since(draft, runner) else { return };
    let facts =
        Facts::Room { idle: draft.world.now.duration_since(since), variant: offer.variant.clone() };
    draft.lines.iter_mut().for_each(|line| line.idle.retain(|&other| other != runner));
    draft.drain(runner, Rule::MakeRoom, facts);
}

/// The room that there is once those that leave are gone, and who else could leave.
#[derive(Clone)]
struct Soon<'a> {
    hosts: BTreeMap<HostName, HostRoom>,
    live: BTreeMap<&'a PoolName, u32>,
    /// Idle runners that no job needs, longest idle first.
    spares: Vec<usize>,
}

impl<'a> Soon<'a> {
    fn of(draft: &Draft<'a>) -> Self {
        let (hosts, spares) = (draft.room.hosts().clone(), spares(draft));
        let mut soon = Self { hosts, live: BTreeMap::new(), spares };
        for pool in draft.world.spec.pools.iter().filter(|pool| pool.enabled) {
            soon.live.insert(&pool.name, draft.room.count(&pool.name));
        }
        let leaves = |view: &&RunnerView<'_>| match view.phase {
            Phase::Draining { busy, .. } => !busy,
            // Who has a job leaves when it ends, which nobody knows.
            Phase::Busy { .. } | Phase::Exited { .. } => false,
            Phase::Created | Phase::Starting { .. } | Phase::Idle { .. } | Phase::Failed { .. } => {
                draft.decided.contains(&view.runner.id)
            }
        };
        for view in draft.runners.iter().filter(leaves) {
            soon.give_back(draft, view);
        }
        soon
    }

    fn give_back(&mut self, draft: &Draft<'_>, view: &RunnerView<'_>) {
        let pool = &view.runner.variant.pool;
        let cost = draft.world.spec.pool(pool).map(Cost::of).unwrap_or_default();
        if let Some(room) = self.hosts.get_mut(view.host) {
            room.give_back(cost);
        }
        if let Some(live) = self.live.get_mut(pool) {
            *live = live.saturating_sub(1);
        }
    }

    fn is_full(&self, pool: &Pool) -> bool {
        self.live.get(&pool.name).is_none_or(|live| *live >= pool.max)
    }

    /// Takes the room for one more runner on that host, if there is some.
    fn take(&mut self, offer: &Offer<'_>, host: &HostName) -> bool {
        let cost = Cost::of(offer.pool);
        let full = self.is_full(offer.pool);
        let Some(room) = self.hosts.get_mut(host).filter(|room| !full && room.fits(cost)) else {
            return false;
        };
        room.spend(cost);
        if let Some(live) = self.live.get_mut(&offer.pool.name) {
            *live += 1;
        }
        true
    }
}
