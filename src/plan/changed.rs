//! `drain-changed`: idle runners made from an older spec, or with an older record's token, are
//! replaced, one of a variant at a time: the next goes when the one before it is replaced.

use std::collections::BTreeSet;

use super::draft::{Draft, Line};
use super::{Facts, Rule};
use crate::world::{Phase, Variant};

pub(super) fn drain_changed(draft: &mut Draft<'_>) {
    let leaving = leaving(draft);
    for index in 0..draft.lines.len() {
        let Some(line) = draft.lines.get(index) else { continue };
        // While one starts or is asked for, it is not known whether the new spec works at all.
        let unproven = line.unproven > 0 || line.started > 0 || line.blocked.is_some();
        if unproven || leaving.contains(&line.offer.variant) {
            continue;
        }
        let changed = line.idle.iter().position(|&runner| {
            draft.runners.get(runner).is_some_and(|view| draft.wanted.differs(view.runner))
        });
        let Some(place) = changed else { continue };
        if line.idle_spare() == 0 {
            replace_needed(draft, index);
        }
        if let Some(runner) = draft.lines.get_mut(index).map(|line| line.idle.remove(place)) {
            draft.drain(runner, Rule::DrainChanged, Facts::Changed);
        }
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

/// The variants of which a changed runner was asked to exit and is not gone.
fn leaving(draft: &Draft<'_>) -> BTreeSet<Variant> {
    let leaving = draft.runners.iter().filter(|view| {
        matches!(view.phase, Phase::Draining { busy: false, .. })
            && draft.wanted.differs(view.runner)
    });
    leaving.map(|view| view.runner.variant.clone()).collect()
}
