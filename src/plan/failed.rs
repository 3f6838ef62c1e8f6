//! `drain-failed`: runners that are known to have made no contact in time exit, and so do those that
//! are of no use whatever they do.

use jiff::SignedDuration;

use super::draft::{Draft, RunnerIndex};
use super::{Facts, Rule};
use crate::world::{Phase, Trouble, Unfit};

pub(super) fn drain_failed(draft: &mut Draft<'_>) {
    drain_unfit(draft);
    let world = draft.world();
    let drains: Vec<(RunnerIndex, SignedDuration, std::time::Duration)> = draft
        .undecided()
        .filter_map(|(index, view)| {
            let Phase::Failed { since } = view.phase else { return None };
            let pool = world.spec.pool(&view.runner.variant.pool)?;
            Some((index, world.now.duration_since(since), pool.startup_timeout))
        })
        .collect();
    for (index, running, startup_timeout) in drains {
        let view = draft.runner(index);
        let trouble = Trouble::of(view.runner, &view.phase);
        fail(draft, index, Facts::NoContact { running, startup_timeout, trouble });
    }
}

/// Also one that has a job: it finishes it, and takes no other.
fn drain_unfit(draft: &mut Draft<'_>) {
    let mut unfit = draft.world().unfit(draft.runners());
    let runs = |phase: &Phase| match phase {
        Phase::Starting { .. } | Phase::Idle { .. } | Phase::Busy { .. } | Phase::Failed { .. } => {
            true
        }
        Phase::Created | Phase::Draining { .. } | Phase::Exited { .. } => false,
    };
    let drains = draft.undecided().filter(|(_, view)| runs(&view.phase));
    let drains: Vec<(RunnerIndex, Unfit)> =
        drains.filter_map(|(index, view)| Some((index, unfit.remove(&view.runner.id)?))).collect();
    for (index, unfit) in drains {
        fail(draft, index, Facts::Unfit { unfit });
    }
}

fn fail(draft: &mut Draft<'_>, index: RunnerIndex, facts: Facts) {
    let variant = &draft.runner(index).runner.variant;
    draft.back_off(variant, facts.cause_of_failure(), facts.to_string().into());
    draft.drain(index, Rule::DrainFailed, facts);
}
