//! `make-room`: where a job only lacks room, idle runners that no job needs exit, though they are
//! kept warm or cool down: a job comes before a runner that waits for one. For a job that GitLab
//! would drop soon, those exit as well that another job needs, and where nobody is idle, a busy one
//! is asked: it finishes its job first.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::draft::{Draft, Urgent};
use super::room::{Cost, HostRoom, hosts_of};
use super::{Facts, JobHold, Lack, Rule};
use crate::spec::{HostName, Pool, PoolName};
use crate::world::{Offer, Phase, RunnerView, Variant};

pub(super) fn make_room(draft: &mut Draft<'_>) {
    let urgent = std::mem::take(&mut draft.urgent);
    let crowded_out = std::mem::take(&mut draft.crowded_out);
    let no_spare = draft.lines.iter().all(|line| line.idle_spare() == 0);
    if urgent.is_empty() && (crowded_out.is_empty() || no_spare) {
        return;
    }
    let mut soon = Soon::of(draft, &urgent);
    for job in urgent {
        make_room_at_once(draft, &mut soon, &job);
    }
    for (candidates, jobs) in crowded_out {
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
            let Some(since) = idle_since(draft, runner) else { continue };
            let idle = draft.world.now.duration_since(since);
            let facts = Facts::Room { idle, variant: offer.variant.clone() };
            drain_idle(draft, runner, facts);
        }
        return true;
    }
    false
}

/// The fewest of the longest idle runners without which there is room on that host.
fn leave_for(
    draft: &Draft<'_>,
    soon: &mut Soon<'_>,
    offer: &Offer<'_>,
    host: &HostName,
) -> Option<Vec<usize>> {
    let mut spares = std::mem::take(&mut soon.spares);
    let leaving = soon.leave(draft, offer, host, &mut spares);
    soon.spares = spares;
    leaving
}

/// The same for a job that GitLab would drop soon. Those that are leaving make room, too, when they
/// have ended their jobs; but who is idle is there at once.
fn make_room_at_once(draft: &mut Draft<'_>, soon: &mut Soon<'_>, job: &Urgent) {
    let Urgent { line, host, dropped_in } = job;
    let Some(offer) = draft.lines.get(*line).map(|line| line.offer.clone()) else { return };
    let variant = offer.variant.clone();
    let facts = |busy| Facts::Urgent { variant: variant.clone(), dropped_in: *dropped_in, busy };
    let mut then = soon.clone();
    let mut idle = all_idle(draft);
    if let Some(leaving) = then.leave(draft, &offer, host, &mut idle) {
        then.spares.retain(|runner| !leaving.contains(runner));
        *soon = then;
        for runner in leaving {
            drain_idle(draft, runner, facts(false));
        }
        return;
    }
    let mut then = soon.clone();
    then.busy_leave(draft);
    let mut busy = draft.busy();
    // Who has had its job for long may have it for long.
    busy.reverse();
    let mut asked = all_idle(draft);
    asked.extend(busy);
    let Some(leaving) = then.leave(draft, &offer, host, &mut asked) else { return };
    soon.spares.retain(|runner| !leaving.contains(runner));
    soon.spend(&offer, host);
    for runner in leaving {
        match draft.runners.get(runner).map(|view| &view.phase) {
            Some(Phase::Busy { .. }) => draft.drain(runner, Rule::MakeRoom, facts(true)),
            _ => drain_idle(draft, runner, facts(false)),
        }
    }
}

/// The idle runners, those first that no job needs, each longest idle first.
fn all_idle(draft: &Draft<'_>) -> Vec<usize> {
    let mut all = spares(draft);
    let of_lines = draft.lines.iter().flat_map(|line| &line.idle);
    let needed: Vec<usize> = of_lines.filter(|runner| !all.contains(runner)).copied().collect();
    all.extend(by_idleness(draft, needed));
    all
}

/// Idle runners that no job needs, longest idle first.
fn spares(draft: &Draft<'_>) -> Vec<usize> {
    let of_lines = draft.lines.iter().flat_map(|line| line.idle.iter().take(line.idle_spare()));
    by_idleness(draft, of_lines.copied().collect())
}

fn by_idleness(draft: &Draft<'_>, runners: Vec<usize>) -> Vec<usize> {
    let since = runners.into_iter().filter_map(|runner| Some((idle_since(draft, runner)?, runner)));
    let mut since: Vec<(Timestamp, usize)> = since.collect();
    since.sort_unstable();
    since.into_iter().map(|(_, runner)| runner).collect()
}

fn idle_since(draft: &Draft<'_>, runner: usize) -> Option<Timestamp> {
    let Phase::Idle { since } = draft.runners.get(runner)?.phase else { return None };
    Some(since)
}

/// The job that it was to have, if one, waits for the next.
fn drain_idle(draft: &mut Draft<'_>, runner: usize, facts: Facts) {
    let Some(host) = draft.runners.get(runner).map(|view| view.host.clone()) else { return };
    let place = draft.lines.iter().position(|line| line.idle.contains(&runner));
    if let Some(index) = place
        && let Some(line) = draft.lines.get_mut(index)
    {
        line.idle.retain(|&other| other != runner);
        if line.idle.len() < line.idle_jobs.len() {
            draft.unserve(index, Arc::new(JobHold::HostBudget { host, lacks: Lack::Kept }));
        }
    }
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
    /// What is kept for `urgent` jobs is there for them first.
    fn of(draft: &Draft<'a>, urgent: &[Urgent]) -> Self {
        let (hosts, spares) = (draft.room.hosts().clone(), spares(draft));
        let mut soon = Self { hosts, live: BTreeMap::new(), spares };
        for pool in draft.world.spec.pools.iter().filter(|pool| pool.enabled) {
            soon.live.insert(&pool.name, draft.room.count(&pool.name));
        }
        for Urgent { line, host, .. } in urgent {
            if let Some(line) = draft.lines.get(*line) {
                soon.give_back(draft, &line.offer.variant, host);
            }
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
            soon.give_back(draft, &view.runner.variant, view.host);
        }
        soon
    }

    /// Those that have a job and were asked to exit are gone, too.
    fn busy_leave(&mut self, draft: &Draft<'_>) {
        let leaves = |view: &&RunnerView<'_>| match view.phase {
            Phase::Draining { busy, .. } => busy,
            Phase::Busy { .. } => draft.decided.contains(&view.runner.id),
            Phase::Created
            | Phase::Starting { .. }
            | Phase::Idle { .. }
            | Phase::Exited { .. }
            | Phase::Failed { .. } => false,
        };
        for view in draft.runners.iter().filter(leaves) {
            self.give_back(draft, &view.runner.variant, view.host);
        }
    }

    fn give_back(&mut self, draft: &Draft<'_>, variant: &Variant, host: &HostName) {
        let pool = &variant.pool;
        let cost = draft.world.spec.pool(pool).map(Cost::of).unwrap_or_default();
        if let Some(room) = self.hosts.get_mut(host) {
            room.give_back(cost);
        }
        if let Some(live) = self.live.get_mut(pool) {
            *live = live.saturating_sub(1);
        }
    }

    /// Takes the room for one more runner on that host; says who of `others` has to leave for it,
    /// the first of them that help.
    fn leave(
        &mut self,
        draft: &Draft<'_>,
        offer: &Offer<'_>,
        host: &HostName,
        others: &mut Vec<usize>,
    ) -> Option<Vec<usize>> {
        let mut leaving = Vec::new();
        while !self.take(offer, host) {
            let full = self.is_full(offer.pool);
            let helps = |view: &RunnerView<'_>| {
                if full { view.runner.variant.pool == offer.pool.name } else { view.host == host }
            };
            let next = others.iter().position(|&it| draft.runners.get(it).is_some_and(helps))?;
            let runner = others.remove(next);
            let view = draft.runners.get(runner)?;
            self.give_back(draft, &view.runner.variant, view.host);
            leaving.push(runner);
        }
        Some(leaving)
    }

    fn is_full(&self, pool: &Pool) -> bool {
        self.live.get(&pool.name).is_none_or(|live| *live >= pool.max)
    }

    /// Takes the room for one more runner on that host, if there is some.
    fn take(&mut self, offer: &Offer<'_>, host: &HostName) -> bool {
        let cost = Cost::of(offer.pool);
        let fits = self.hosts.get(host).is_some_and(|room| room.fits(cost));
        if self.is_full(offer.pool) || !fits {
            return false;
        }
        self.spend(offer, host);
        true
    }

    fn spend(&mut self, offer: &Offer<'_>, host: &HostName) {
        if let Some(room) = self.hosts.get_mut(host) {
            room.spend(Cost::of(offer.pool));
        }
        if let Some(live) = self.live.get_mut(&offer.pool.name) {
            *live += 1;
        }
    }
}
