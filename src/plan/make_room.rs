//! `make-room`: where a job only lacks room, idle runners that no job needs exit, though they are
//! kept warm or cool down: a job comes before a runner that waits for one. For a job that GitLab
//! would drop soon, those exit as well that another job needs, and where nobody is idle, a busy one
//! is asked: it finishes its job first.

use jiff::{SignedDuration, Timestamp};

use super::draft::{CrowdedOut, Draft, RunnerIndex, SupplyId, Urgent};
use super::ledger::{Ledger, NoRoom};
use super::placement::hosts_of;
use super::{Facts, JobHold, Lack, Rule};
use crate::spec::HostName;
use crate::world::{Offer, Phase, RunnerView};

pub(super) fn make_room(draft: &mut Draft<'_>) {
    let (urgent, crowded_out) = draft.take_crowded_out();
    let no_spare = draft.supplies().all(|(_, supply)| supply.idle_spare() == 0);
    if urgent.is_empty() && (crowded_out.is_empty() || no_spare) {
        return;
    }
    let mut soon = Soon::of(draft, &urgent);
    for job in urgent {
        make_room_at_once(draft, &mut soon, &job);
    }
    for CrowdedOut { candidates, jobs } in crowded_out {
        for _ in 0..jobs {
            if !candidates.iter().any(|&by| make_room_for(draft, &mut soon, by)) {
                break;
            }
        }
    }
}

/// Sees to it that there will be room for one more runner; `false`: there can be none.
fn make_room_for<'a>(draft: &mut Draft<'a>, soon: &mut Soon<'a>, by: SupplyId) -> bool {
    let offer = draft.supply(by).offer().clone();
    let hosts = hosts_of(draft.world(), &offer);
    if hosts.iter().any(|host| soon.ledger.take(host, offer.pool).is_some()) {
        return true;
    }
    for host in hosts {
        let mut then = soon.clone();
        let Some(leaving) = leave_for(draft, &mut then, &offer, host) else { continue };
        *soon = then;
        for runner in leaving {
            let now = draft.world().now;
            let idle =
                idle_since(draft, runner).map_or(SignedDuration::ZERO, |at| now.duration_since(at));
            drain_idle(draft, runner, Facts::Room { idle, variant: offer.variant.clone() });
        }
        return true;
    }
    false
}

/// The fewest of the longest idle runners without which there is room on that host.
fn leave_for<'a>(
    draft: &Draft<'a>,
    soon: &mut Soon<'a>,
    offer: &Offer<'a>,
    host: &HostName,
) -> Option<Vec<RunnerIndex>> {
    let mut spares = std::mem::take(&mut soon.spares);
    let leaving = soon.leave(draft, offer, host, &mut spares);
    soon.spares = spares;
    leaving
}

/// The same for a job that GitLab would drop soon. Those that are leaving make room, too, when they
/// have ended their jobs; but who is idle is there at once.
fn make_room_at_once<'a>(draft: &mut Draft<'a>, soon: &mut Soon<'a>, job: &Urgent) {
    let Urgent { by, host, dropped_in } = job;
    let offer = draft.supply(*by).offer().clone();
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
    soon.ledger.keep_next(host, offer.pool);
    for runner in leaving {
        if matches!(draft.runner(runner).phase, Phase::Busy { .. }) {
            draft.drain(runner, Rule::MakeRoom, facts(true));
        } else {
            drain_idle(draft, runner, facts(false));
        }
    }
}

/// The idle runners, those first that no job needs, each longest idle first.
fn all_idle(draft: &Draft<'_>) -> Vec<RunnerIndex> {
    let mut all = spares(draft);
    let of_all = draft.supplies().flat_map(|(_, supply)| supply.idle());
    let needed: Vec<RunnerIndex> = of_all.filter(|runner| !all.contains(runner)).collect();
    all.extend(by_idleness(draft, needed));
    all
}

/// Idle runners that no job needs, longest idle first.
fn spares(draft: &Draft<'_>) -> Vec<RunnerIndex> {
    let of_all = draft.supplies().flat_map(|(_, supply)| supply.idle().take(supply.idle_spare()));
    by_idleness(draft, of_all.collect())
}

fn by_idleness(draft: &Draft<'_>, runners: Vec<RunnerIndex>) -> Vec<RunnerIndex> {
    let since = runners.into_iter().filter_map(|runner| Some((idle_since(draft, runner)?, runner)));
    let mut since: Vec<(Timestamp, RunnerIndex)> = since.collect();
    since.sort_unstable();
    since.into_iter().map(|(_, runner)| runner).collect()
}

fn idle_since(draft: &Draft<'_>, runner: RunnerIndex) -> Option<Timestamp> {
    let Phase::Idle { since } = draft.runner(runner).phase else { return None };
    Some(since)
}

/// The job that it was to have, if one, waits for the next.
fn drain_idle(draft: &mut Draft<'_>, runner: RunnerIndex, facts: Facts) {
    let host = draft.runner(runner).host;
    let kept = || JobHold::HostBudget { host: host.clone(), lacks: Lack::Kept };
    draft.drain_needed(runner, Rule::MakeRoom, facts, kept);
}

/// The room that there is once those that leave are gone, and who else could leave.
#[derive(Clone)]
struct Soon<'a> {
    ledger: Ledger<'a>,
    /// Idle runners that no job needs, longest idle first.
    spares: Vec<RunnerIndex>,
}

impl<'a> Soon<'a> {
    /// What is kept for `urgent` jobs is there for them first.
    fn of(draft: &Draft<'a>, urgent: &[Urgent]) -> Self {
        let mut soon = Self { ledger: draft.room().ledger().clone(), spares: spares(draft) };
        for Urgent { by, host, .. } in urgent {
            let pool = draft.supply(*by).offer().pool;
            soon.ledger.give_kept(host, pool);
        }
        let leaves = |view: &&RunnerView<'_>| match view.phase {
            Phase::Draining { busy, .. } => !busy,
            // Who has a job leaves when it ends, which nobody knows.
            Phase::Busy { .. } | Phase::Exited { .. } => false,
            Phase::Created | Phase::Starting { .. } | Phase::Idle { .. } | Phase::Failed { .. } => {
                draft.is_decided(view.runner)
            }
        };
        draft.runners().iter().filter(leaves).for_each(|view| soon.without(draft, view));
        // Who exited is removed without anybody's leaving.
        for view in draft.runners().iter().filter(|view| !view.is_live()) {
            let gpus = draft.world().cost_of(view.runner).gpus;
            soon.ledger.remove_gpus(view.host, &gpus);
        }
        soon
    }

    /// Those that have a job and were asked to exit are gone, too.
    fn busy_leave(&mut self, draft: &Draft<'_>) {
        let leaves = |view: &&RunnerView<'_>| match view.phase {
            Phase::Draining { busy, .. } => busy,
            Phase::Busy { .. } => draft.is_decided(view.runner),
            Phase::Created
            | Phase::Starting { .. }
            | Phase::Idle { .. }
            | Phase::Exited { .. }
            | Phase::Failed { .. } => false,
        };
        draft.runners().iter().filter(leaves).for_each(|view| self.without(draft, view));
    }

    fn without(&mut self, draft: &Draft<'_>, view: &RunnerView<'_>) {
        let pool = Some(&view.runner.variant.pool).filter(|_| !draft.is_ending(view.runner));
        self.ledger.remove(view.host, pool, &draft.world().cost_of(view.runner));
    }

    /// Takes the room for one more runner on that host; says who of `others` has to leave for it,
    /// the first of them that help.
    fn leave(
        &mut self,
        draft: &Draft<'_>,
        offer: &Offer<'a>,
        host: &HostName,
        others: &mut Vec<RunnerIndex>,
    ) -> Option<Vec<RunnerIndex>> {
        let mut leaving = Vec::new();
        while self.ledger.take(host, offer.pool).is_none() {
            let full = self.ledger.is_full(offer.pool);
            let lacks_gpus =
                matches!(self.ledger.room_for(host, offer.pool), Err(NoRoom::Lacks(Lack::Gpus(_))));
            let helps = |view: &RunnerView<'_>| {
                if full {
                    view.runner.variant.pool == offer.pool.name
                } else {
                    let has_gpus = || !draft.world().cost_of(view.runner).gpus.is_empty();
                    view.host == host && (!lacks_gpus || has_gpus())
                }
            };
            let next = others.iter().position(|&it| helps(draft.runner(it)))?;
            let runner = others.remove(next);
            self.without(draft, draft.runner(runner));
            leaving.push(runner);
        }
        Some(leaving)
    }
}
