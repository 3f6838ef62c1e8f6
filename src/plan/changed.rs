//! `drain-changed`: runners made from an older spec, or with an older record's token, are replaced.
//!
//! Busy ones are asked like idle ones: SIGQUIT lets a job end, and under a backlog no runner would
//! ever be idle. Until a runner of the new spec has made contact, nobody knows whether it works at
//! all, so they go one at a time, each when the one before it is replaced: neither a long job nor a
//! broken image takes a pool's supply. Once one works, all busy ones are asked at once.

use super::draft::{Draft, RunnerIndex, SupplyId, VariantSupply};
use super::images::without_image;
use super::placement::hosts_of;
use super::{Facts, Rule};
use crate::world::{Offer, Phase, Variant, World};

pub(super) fn drain_changed(draft: &mut Draft<'_>) {
    for id in draft.supply_ids() {
        let supply = draft.supply(id);
        // Before its image is there, nobody knows whether there is one.
        if supply.is_blocked() || lacks_image(draft.world(), supply.offer()) {
            continue;
        }
        let changed = Changed::of(draft, &supply.offer().variant);
        if changed.works {
            drain_busy(draft, &changed.busy);
        }
        // While one starts or is asked for, it is not known whether the newer spec works at all.
        if draft.supply(id).is_unproven() || changed.idle_leave > 0 {
            continue;
        }
        let Some(runner) = changed_idle(draft, id) else {
            if !changed.works && !changed.fails && changed.busy_leave == 0 {
                drain_busy(draft, changed.busy.get(..1).unwrap_or_default());
            }
            continue;
        };
        if changed.works || changed.busy_leave == 0 || changed.stay > 1 {
            replace_idle(draft, id, runner);
        }
    }
}

/// How a variant's runners of an older spec stand, and whether the newer one works.
#[derive(Default)]
struct Changed {
    /// A runner of the newer spec is in contact.
    works: bool,
    /// The last start failed, so there may be none in the place of one that has a job to give.
    fails: bool,
    /// Those that are busy and were not asked to exit, the one whose job is oldest first.
    busy: Vec<RunnerIndex>,
    /// How many were not asked to exit and can be asked.
    stay: usize,
    /// How many without a job were asked to exit and are not gone.
    idle_leave: usize,
    /// How many were asked to exit and have a job.
    busy_leave: usize,
}

impl Changed {
    fn of(draft: &Draft<'_>, variant: &Variant) -> Self {
        let fails = draft.world().memory.backoffs.contains_key(variant);
        let mut changed = Self { fails, ..Self::default() };
        for view in draft.runners().iter().filter(|view| view.runner.variant == *variant) {
            // One that does not leave holds up no other.
            if draft.world().standstill(view).is_some() {
                continue;
            }
            let asked = draft.is_decided(view.runner);
            let differs = draft.is_outdated(view.runner);
            match view.phase {
                Phase::Idle { .. } | Phase::Busy { .. } if !differs => {
                    changed.works |= view.seen && !asked;
                }
                Phase::Idle { .. } if asked => changed.idle_leave += 1,
                Phase::Busy { .. } if asked => changed.busy_leave += 1,
                Phase::Draining { busy: true, .. } if differs => changed.busy_leave += 1,
                Phase::Draining { .. } if differs => changed.idle_leave += 1,
                Phase::Idle { .. } | Phase::Busy { .. } => {
                    changed.stay += usize::from(view.seen);
                }
                Phase::Created
                | Phase::Starting { .. }
                | Phase::Draining { .. }
                | Phase::Exited { .. }
                | Phase::Failed { .. } => {}
            }
        }
        changed.busy = draft.busy();
        changed.busy.retain(|&index| {
            let runner = draft.runner(index).runner;
            runner.variant == *variant && draft.is_outdated(runner)
        });
        changed
    }
}

/// No host that serves the variant has the runner's image.
fn lacks_image(world: &World, offer: &Offer<'_>) -> bool {
    let hosts = hosts_of(world, offer);
    let lacks = |host| without_image(world, host, &offer.variant, offer.pool).is_some();
    !hosts.is_empty() && hosts.into_iter().all(lacks)
}

fn drain_busy(draft: &mut Draft<'_>, busy: &[RunnerIndex]) {
    for &runner in busy {
        draft.drain(runner, Rule::DrainChanged, Facts::Changed { busy: true });
    }
}

/// The changed runner that is idle longest.
fn changed_idle(draft: &Draft<'_>, id: SupplyId) -> Option<RunnerIndex> {
    draft.supply(id).idle().find(|&runner| draft.is_outdated(draft.runner(runner).runner))
}

fn replace_idle(draft: &mut Draft<'_>, id: SupplyId, runner: RunnerIndex) {
    if draft.supply(id).idle_spare() == 0 {
        replace_needed(draft, id);
    }
    draft.drain(runner, Rule::DrainChanged, Facts::Changed { busy: false });
}

/// The runner that goes was to have a job: its successor gets it, where there is room for both.
/// Else the job waits; a pool whose runners are always needed would never change otherwise.
fn replace_needed(draft: &mut Draft<'_>, id: SupplyId) {
    match draft.place(id) {
        Ok(place) => {
            let (pending, idle, max) = replacement_counts(draft.supply(id));
            let facts = |choice| Facts::Demand {
                pending,
                idle,
                starting: 0,
                start: 1,
                max,
                choice: Some(choice),
            };
            draft.pass_to_start(id);
            draft.start(id, place, Rule::ServeDemand, facts);
        }
        Err(hold) => draft.unserve(id, hold),
    }
}

/// Its pending jobs, the idle runners that are left for them, and the pool's maximum.
fn replacement_counts(supply: &VariantSupply<'_>) -> (u32, u32, u32) {
    let pending = u32::try_from(supply.idle_needed()).unwrap_or(u32::MAX);
    (pending, pending.saturating_sub(1), supply.offer().pool.max)
}
