//! What is begun counts for its brake, whatever comes of it.

use jiff::Timestamp;

use crate::plan::{Action, Plan};
use crate::world::{Deed, Leftover, Memory};

/// Notes what `plan` says is to be done.
pub(super) fn note(memory: &mut Memory, plan: &Plan, now: Timestamp) {
    for decision in &plan.decisions {
        if let Action::CreateRecord { variant } = &decision.action {
            memory.own_records.asked(variant, now);
        }
        let (deed, sent) = match &decision.action {
            Action::CreateRecord { variant } => (Deed::MakeRecord(variant.clone()), None),
            Action::UpdateRecord { record, settings, .. } => {
                (Deed::ChangeRecord(*record), Some(settings))
            }
            Action::DeleteRecord { record, .. } => (Deed::Remove(Leftover::Record(*record)), None),
            Action::Sweep { leftover } => (Deed::Remove(leftover.clone()), None),
            // Starts have a limit of their own, and what drains or is reaped a phase.
            Action::CreateNetwork { .. }
            | Action::Start { .. }
            | Action::Drain { .. }
            | Action::Reap { .. } => continue,
        };
        if sent.is_some() && memory.is_sent_again(&deed, sent) {
            tracing::warn!(
                rule = %decision.rule,
                "{}: {}, again after it was set: GitLab keeps something else than it was sent, or a \
                 person sets it back; it is changed ever more rarely",
                decision.action.as_str(),
                decision.facts
            );
        }
        memory.note_effort(deed, sent, now);
    }
}
