//! `drain-changed`: idle runners made from an older spec, or with an older record's token, are
//! replaced, one of a variant at a time: the next goes when the one before it is replaced.

use super::draft::Draft;
use super::{Facts, Rule};
use crate::world::{Phase, RunnerView, Variant, World, spec_hash};

pub(super) fn drain_changed(draft: &mut Draft<'_>) {
    let world = draft.world;
    let mut drains = Vec::new();
    for line in &draft.lines {
        let variant = &line.offer.variant;
        let changed = line.idle.iter().copied().find(|&index| {
            draft.runners.get(index).is_some_and(|view| {
                !draft.decided.contains(&view.runner.id) && is_changed(world, view)
            })
        });
        if let Some(index) = changed
            && line.starting == 0
            && !draft.runners.iter().any(|view| is_leaving(world, view, variant))
        {
            drains.push(index);
        }
    }
    for index in drains {
        draft.drain(index, Rule::DrainChanged, Facts::Changed);
    }
}

/// A changed runner of the variant that was asked to exit and is not gone.
fn is_leaving(world: &World, view: &RunnerView<'_>, variant: &Variant) -> bool {
    view.runner.variant == *variant
        && matches!(view.phase, Phase::Draining { busy: false, .. })
        && is_changed(world, view)
}

/// A new runner of its variant would be another one.
pub(crate) fn is_changed(world: &World, view: &RunnerView<'_>) -> bool {
    let runner = view.runner;
    let Some(pool) = world.spec.pool(&runner.variant.pool) else { return false };
    let current = world.current_record(&runner.variant, pool);
    let superseded = current.is_some_and(|record| record.id != runner.record);
    superseded || spec_hash(&world.spec, pool) != runner.spec
}
