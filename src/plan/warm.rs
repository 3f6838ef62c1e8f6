//! `keep-warm`: a pool has its idle runners beyond the demand.

use super::draft::Draft;
use super::{Facts, Rule, UnmetWarm};

pub(super) fn keep_warm(draft: &mut Draft<'_>) {
    for id in draft.supply_ids() {
        let supply = draft.supply(id);
        // A late one may be idle all the same: while GitLab does not tell, a job is worth another
        // runner, and mere warmth is not.
        let (warm, spare) = (supply.warm(), supply.spare() + supply.late());
        let counts = [warm, spare].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let facts = |choice| {
            let [warm, spare] = counts;
            Facts::Warm { warm, spare, choice: Some(choice) }
        };
        let variant = supply.offer().variant.clone();
        for there in spare..warm {
            match draft.place(id) {
                Ok(place) => draft.start(id, place, Rule::KeepWarm, facts),
                Err(hold) => {
                    let missing = u32::try_from(warm - there).unwrap_or(u32::MAX);
                    draft.lack_warm(UnmetWarm { variant, missing, hold });
                    break;
                }
            }
        }
    }
}
