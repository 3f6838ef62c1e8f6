//! `correct-record`: each record of ours names the hosts' engines in its note, so that it is known as
//! ours by whichever of them is seen, also after a host came or went.

use super::draft::Draft;
use super::{Action, Facts, Rule};
use crate::world::{Deed, Leftover, Origin, Record, RecordSettings, World};

/// Comes after all that may change or delete a record, and takes none of those.
pub(super) fn mark_records(draft: &mut Draft<'_>) {
    let world = draft.world();
    let changed = draft.changed_records();
    let records = world.records.known().into_iter().flatten();
    for record in records.filter(|record| !changed.contains(&record.id)) {
        if let Some(settings) = correction(world, record) {
            let action = Action::UpdateRecord {
                variant: record.variant.clone(),
                record: record.id,
                settings,
            };
            let facts = Facts::Drift { settings: vec!["maintenance_note"] };
            draft.decide(action, Rule::CorrectRecord, facts);
        }
    }
}

/// What the record gets; a note without a mark is a person's, or cannot be seen.
fn correction(world: &World, record: &Record) -> Option<RecordSettings> {
    let is = &record.settings;
    if record.origin != Origin::Ours
        || record.unseen.is_some()
        || is.marks.is_empty()
        || world.is_under_way(&Deed::Remove(Leftover::Record(record.id)))
    {
        return None;
    }
    let settings = RecordSettings { marks: world.wanted_marks(record), ..is.clone() };
    let differs = settings.marks != is.marks;
    (differs && world.changing_waits_until(record.id, &settings).is_none()).then_some(settings)
}
