//! Who is behind the managers that no host accounts for: asked of GitLab for their records only, and
//! seldom, as nothing is decided by it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::gitlab::Gitlab;
use crate::world::{Caller, Look, Observed, Record, RecordId, SystemId};

/// Records asked about at one look, so that a look costs the same however many there are.
const ASKED_MAX: usize = 2;
/// How long a record is left alone that was asked about, also where GitLab did not answer.
const ASKED_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// What was told, and when it was asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Callers {
    told: BTreeMap<RecordId, BTreeMap<SystemId, Caller>>,
    asked: BTreeMap<RecordId, Timestamp>,
}

impl Callers {
    /// Fills in what is known of the managers that no host accounts for.
    pub(super) async fn name(&mut self, gitlab: &dyn Gitlab, look: &Look, records: &mut [Record]) {
        let mut unplaced: BTreeMap<RecordId, BTreeSet<SystemId>> = BTreeMap::new();
        for (record, row) in look.unplaced_managers(records) {
            unplaced.entry(record.id).or_default().insert(row.system_id.clone());
        }
        self.told.retain(|id, _| unplaced.contains_key(id));
        self.asked.retain(|id, _| unplaced.contains_key(id));
        for id in self.due(&unplaced, look.now) {
            self.asked.insert(id, look.now);
            match gitlab.callers(id).await {
                Ok(told) => drop(self.told.insert(id, told)),
                Err(error) => {
                    tracing::debug!(record = %id, %error, "who uses its token is not told");
                }
            }
        }
        for record in records {
            let Some(told) = self.told.get(&record.id) else { continue };
            let Observed::Known { value: rows, .. } = &mut record.managers else { continue };
            for row in rows {
                row.caller = told.get(&row.system_id).cloned();
            }
        }
    }

    /// The records with a row of which nothing was told, those first that were asked about longest
    /// ago.
    fn due(
        &self,
        unplaced: &BTreeMap<RecordId, BTreeSet<SystemId>>,
        now: Timestamp,
    ) -> Vec<RecordId> {
        let untold = unplaced.iter().filter(|(id, rows)| {
            let told = self.told.get(id);
            rows.iter().any(|row| told.is_none_or(|told| !told.contains_key(row)))
        });
        let mut due: Vec<(Option<Timestamp>, RecordId)> =
            untold.map(|(id, _)| (self.asked.get(id).copied(), *id)).collect();
        due.retain(|(asked, _)| asked.is_none_or(|at| now.duration_since(at).abs() >= ASKED_AGAIN));
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).take(ASKED_MAX).collect()
    }
}
