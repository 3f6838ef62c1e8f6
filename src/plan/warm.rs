//! `keep-warm`: a pool has its idle runners beyond the demand.

use super::draft::Draft;
use super::{Facts, Rule, UnmetWarm};

pub(super) fn keep_warm(draft: &mut Draft<'_>) {
    for index in 0..draft.lines.len() {
        let Some(line) = draft.lines.get(index) else { continue };
        // A late one may be idle all the same: while GitLab does not tell, a job is worth another
        // runner, and mere warmth is not.
        let (warm, spare) = (line.warm(), line.spare() + line.late());
        let facts = Facts::Warm {
            warm: u32::try_from(warm).unwrap_or(u32::MAX),
            spare: u32::try_from(spare).unwrap_or(u32::MAX),
        };
        let variant = line.offer.variant.clone();
        for there in spare..warm {
            match draft.take_room(index) {
                Ok((host, slot)) => draft.start(index, &host, slot, Rule::KeepWarm, facts.clone()),
                Err(hold) => {
                    let missing = u32::try_from(warm - there).unwrap_or(u32::MAX);
                    draft.plan.unmet_warm.push(UnmetWarm { variant, missing, hold });
                    break;
                }
            }
        }
    }
}
