//! `drain-changed`: runners made from an older spec, or with an older record's token, are replaced.
//!
//! Busy ones are asked like idle ones: SIGQUIT lets a job end, and under a backlog no runner would
//! ever be idle. Until a runner of the new spec has made contact, nobody knows whether it works at
//! all, so they go one at a time, each when the one before it is replaced: neither a long job nor a
//! broken image takes a pool's supply. Once one works, all busy ones are asked at once.

use super::draft::{Draft, Line};
use super::room::hosts_of;
use super::{Facts, Rule};
use crate::spec::HostName;
use crate::world::{Phase, Variant};

pub(super) fn drain_changed(draft: &mut Draft<'_>) {
    for index in 0..draft.lines.len() {
        let Some(line) = draft.lines.get(index) else { continue };
        // While its image is on its way, nobody knows whether there is one.
        if line.blocked.is_some() || is_pulled(draft, line) {
            continue;
        }
        let changed = Changed::of(draft, &line.offer.variant);
        if changed.works {
            drain_busy(draft, &changed.busy);
        }
        // While one starts or is asked for, it is not known whether the newer spec works at all.
        if line_is_unproven(draft, index) || changed.idle_leave > 0 {
            continue;
        }
        let Some(place) = changed_idle(draft, index) else {
            if !changed.works && !changed.fails && changed.busy_leave == 0 {
                drain_busy(draft, changed.busy.get(..1).unwrap_or_default());
            }
            continue;
        };
        if changed.works || changed.busy_leave == 0 || changed.stay > 1 {
            replace_idle(draft, index, place);
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
    busy: Vec<usize>,
    /// How many were not asked to exit and can be asked.
    stay: usize,
    /// How many without a job were asked to exit and are not gone.
    idle_leave: usize,
    /// How many were asked to exit and have a job.
    busy_leave: usize,
}

impl Changed {
    fn of(draft: &Draft<'_>, variant: &Variant) -> Self {
        let fails = draft.world.memory.backoffs.contains_key(variant);
        let mut changed = Self { fails, ..Self::default() };
        for view in draft.runners.iter().filter(|view| view.runner.variant == *variant) {
            // One that does not leave holds up no other.
            if draft.world.standstill(view).is_some() {
                continue;
            }
            let asked = draft.decided.contains(&view.runner.id);
            let differs = draft.wanted.differs(view.runner);
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
            draft.runners.get(index).is_some_and(|view| {
                view.runner.variant == *variant && draft.wanted.differs(view.runner)
            })
        });
        changed
    }
}

/// Each host that serves the line is pulling the runner's image.
fn is_pulled(draft: &Draft<'_>, line: &Line<'_>) -> bool {
    let (world, image) = (draft.world, &line.offer.pool.runner_image);
    let hosts = hosts_of(world, &line.offer);
    let pulls = |host: &HostName| world.memory.pulling.contains(&(host.clone(), image.clone()));
    !hosts.is_empty() && hosts.into_iter().all(pulls)
}

fn line_is_unproven(draft: &Draft<'_>, line: usize) -> bool {
    draft.lines.get(line).is_some_and(|line| line.unproven > 0 || line.started > 0)
}

fn drain_busy(draft: &mut Draft<'_>, busy: &[usize]) {
    for &runner in busy {
        draft.drain(runner, Rule::DrainChanged, Facts::Changed { busy: true });
    }
}

/// The place of the changed runner among the idle ones that is idle longest.
fn changed_idle(draft: &Draft<'_>, line: usize) -> Option<usize> {
    draft.lines.get(line)?.idle.iter().position(|&runner| {
        draft.runners.get(runner).is_some_and(|view| draft.wanted.differs(view.runner))
    })
}

fn replace_idle(draft: &mut Draft<'_>, index: usize, place: usize) {
    if draft.lines.get(index).is_some_and(|line| line.idle_spare() == 0) {
        replace_needed(draft, index);
    }
    if let Some(runner) = draft.lines.get_mut(index).map(|line| line.idle.remove(place)) {
        draft.drain(runner, Rule::DrainChanged, Facts::Changed { busy: false });
    }
}

/// The runner that goes was to have a job: its successor gets it, where there is room for both.
/// Else the job waits; a pool whose runners are always needed would never change otherwise.
fn replace_needed(draft: &mut Draft<'_>, index: usize) {
    match draft.take_room(index) {
        Ok((host, slot)) => {
            let Some(line) = draft.lines.get_mut(index) else { return };
            let facts = replacement_facts(line);
            line.idle_jobs.pop();
            draft.start(index, &host, slot, Rule::ServeDemand, facts);
        }
        Err(hold) => draft.unserve(index, hold),
    }
}

fn replacement_facts(line: &Line<'_>) -> Facts {
    let pending = u32::try_from(line.idle_jobs.len()).unwrap_or(u32::MAX);
    let (idle, max) = (pending.saturating_sub(1), line.offer.pool.max);
    Facts::Demand { pending, idle, starting: 0, start: 1, max }
}
