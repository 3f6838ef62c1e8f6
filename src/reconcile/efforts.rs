//! What is begun counts for its brake, whatever comes of it.

use jiff::Timestamp;

use crate::plan::{Action, Plan};
use crate::world::Memory;

/// Notes what `plan` says is to be done.
pub(super) fn note(memory: &mut Memory, plan: &Plan, now: Timestamp) {
    for decision in &plan.decisions {
        let action = &decision.action;
        // Starts have a limit of their own, and what drains a phase.
        if matches!(
            action,
            Action::CreateNetwork { .. } | Action::Start { .. } | Action::Drain { .. }
        ) {
            continue;
        }
        if let Action::CreateRecord { variant } = action {
            memory.own_records.asked(variant, now);
        }
        let (deed, sent) = (action.deed(), action.settings());
        if sent.is_some() && memory.is_sent_again(&deed, sent) {
            tracing::warn!(
                rule = %decision.rule,
                "{}: {}, again after it was set: GitLab keeps something else than it was sent, or a \
                 person sets it back; it is changed less and less often",
                action.as_str(),
                decision.facts
            );
        }
        memory.note_effort(deed, sent, now);
    }
}
