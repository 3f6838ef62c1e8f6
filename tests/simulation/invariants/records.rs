//! Records, of which GitLab keeps each until somebody deletes it.

use super::Scene;
use autogit::world::RECORDS_PER_HOUR_MAX;

pub(super) fn no_variant_gets_records_without_end(scene: &Scene<'_>) -> Result<(), String> {
    let made = scene.records_made;
    // Neither of two knows how many the other one made.
    let most = if scene.ledger.twins { 2 * RECORDS_PER_HOUR_MAX } else { RECORDS_PER_HOUR_MAX };
    if made <= most {
        return Ok(());
    }
    Err(format!("{made} records of one variant, at most {most} may be made"))
}
