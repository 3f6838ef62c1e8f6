//! What is begun counts for its brake, whatever comes of it.

use jiff::Timestamp;

use crate::plan::{Action, Plan};
use crate::world::{Deed, Leftover, Memory, RecordSettings};

/// What the action does to which object, and the settings that a record gets.
fn deed(action: &Action) -> Option<(Deed, Option<&RecordSettings>)> {
    Some(match action {
        Action::CreateRecord { variant } => (Deed::MakeRecord(variant.clone()), None),
        Action::UpdateRecord { record, settings, .. } => {
            (Deed::ChangeRecord(*record), Some(settings))
        }
        Action::DeleteRecord { record, .. } => (Deed::Remove(Leftover::Record(*record)), None),
        Action::Sweep { leftover } => (Deed::Remove(leftover.clone()), None),
        Action::Reap { runner, .. } => (Deed::Reap(runner.id.clone()), None),
        // Starts have a limit of their own, and what drains a phase.
        Action::CreateNetwork { .. } | Action::Start { .. } | Action::Drain { .. } => return None,
    })
}

/// The same was done to the same object within the hour before that look: whatever came of it is
/// not seen, so that doing it once more is no progress.
pub(super) fn is_repeated(before: &Memory, action: &Action) -> bool {
    let Some((deed, sent)) = deed(action) else { return false };
    // Each is a new one.
    if matches!(deed, Deed::MakeRecord(_)) {
        return false;
    }
    let efforts = before.efforts.get(&deed);
    efforts.is_some_and(|efforts| sent.is_none() || efforts.sent.as_ref() == sent)
}

/// Notes what `plan` says is to be done.
pub(super) fn note(memory: &mut Memory, plan: &Plan, now: Timestamp) {
    for decision in &plan.decisions {
        if let Action::CreateRecord { variant } = &decision.action {
            memory.own_records.asked(variant, now);
        }
        let Some((deed, sent)) = deed(&decision.action) else { continue };
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
