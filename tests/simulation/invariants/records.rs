//! Records, of which GitLab keeps each until somebody deletes it.

use super::Fixture;
use autogit::world::RECORDS_PER_HOUR_MAX;

pub(super) fn no_variant_gets_records_without_end(fixture: &Fixture<'_>) -> Result<(), String> {
    let made = fixture.records_made;
    // Neither of two knows how many the other one made.
    let most = if fixture.injected.twins { 2 * RECORDS_PER_HOUR_MAX } else { RECORDS_PER_HOUR_MAX };
    if made <= most {
        return Ok(());
    }
    Err(format!("{made} records of one variant, at most {most} may be made"))
}
