//! Records, of which GitLab keeps each until somebody deletes it.

use super::{Fixture, Look};
use autogit::world::{Origin, RECORDS_PER_HOUR_MAX};

/// Of those that others have under our name in a history, none has a mark.
pub(super) fn no_record_turns_foreign(look: &Look<'_>) -> Result<(), String> {
    let mut records = look.view.world.records.known().into_iter().flatten();
    let foreign = records.find(|record| record.origin == Origin::Foreign);
    foreign.map_or(Ok(()), |record| {
        Err(format!("record {} of {} is called foreign", record.id, record.variant))
    })
}

pub(super) fn no_variant_gets_records_without_end(fixture: &Fixture<'_>) -> Result<(), String> {
    let made = fixture.records_made;
    // Neither of two knows how many the other one made.
    let most = if fixture.injected.twins { 2 * RECORDS_PER_HOUR_MAX } else { RECORDS_PER_HOUR_MAX };
    if made <= most {
        return Ok(());
    }
    Err(format!("{made} records of one variant, at most {most} may be made"))
}
