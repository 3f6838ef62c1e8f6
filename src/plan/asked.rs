//! `drain-asked`: runners that an operator asks to exit do, with or without a job, which they finish.

use super::draft::{Draft, RunnerIndex};
use super::{Facts, Rule};
use crate::world::Phase;

pub(super) fn drain_asked(draft: &mut Draft<'_>) {
    let asked = &draft.world().memory.asked;
    if asked.is_empty() {
        return;
    }
    let drains: Vec<(RunnerIndex, bool)> = draft
        .undecided()
        .filter(|(_, view)| asked.contains(&view.runner.name))
        .filter_map(|(index, view)| match view.phase {
            Phase::Busy { .. } => Some((index, true)),
            Phase::Idle { .. } | Phase::Starting { .. } | Phase::Failed { .. } => {
                Some((index, false))
            }
            Phase::Created | Phase::Draining { .. } | Phase::Exited { .. } => None,
        })
        .collect();
    for (index, busy) in drains {
        draft.drain(index, Rule::DrainAsked, Facts::Asked { busy });
    }
}
