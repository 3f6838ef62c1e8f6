//! Records, of which GitLab keeps each until somebody deletes it.

use super::Scene;
use crate::world::RECORDS_PER_HOUR_MAX;

pub(super) fn no_variant_gets_records_without_end(scene: &Scene<'_>) -> Result<(), String> {
    let made = scene.records_made;
    if scene.ledger.twins || made <= RECORDS_PER_HOUR_MAX {
        return Ok(());
    }
    Err(format!("{made} records of one variant, at most {RECORDS_PER_HOUR_MAX} may be made"))
}
