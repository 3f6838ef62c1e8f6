//! `drain-failed`: runners that are known to have made no contact in time exit.

use jiff::SignedDuration;

use super::draft::Draft;
use super::{Facts, Rule};
use crate::world::Phase;

pub(super) fn drain_failed(draft: &mut Draft<'_>) {
    let world = draft.world;
    let drains: Vec<(usize, SignedDuration, std::time::Duration)> = draft
        .undecided()
        .filter_map(|(index, view)| {
            let Phase::Failed { since } = view.phase else { return None };
            let pool = world.spec.pool(&view.runner.variant.pool)?;
            Some((index, world.now.duration_since(since), pool.startup_timeout))
        })
        .collect();
    for (index, running, startup_timeout) in drains {
        let facts = Facts::NoContact { running, startup_timeout };
        if let Some(view) = draft.runners.get(index) {
            draft.back_off(&view.runner.variant, facts.to_string().into());
        }
        draft.drain(index, Rule::DrainFailed, facts);
    }
}
