//! Records of ours that a person renamed and that no process knows any more: they have our mark, and
//! a description that names no variant. They are told, for another record stands in their place.

use std::collections::{BTreeMap, BTreeSet};

use super::super::mark;
use super::{HttpGitlab, Listed};
use crate::gitlab::Renamed;
use crate::world::{Mark, RecordId};

/// Runners of others whose details are read by one process, one in a look: what is ours was made
/// lately, and a list may have thousands.
const READ_MAX: usize = 100;

/// Listed runners that name no variant of ours and are not online.
#[derive(Default)]
pub(super) struct Strangers {
    listed: BTreeMap<RecordId, String>,
    /// Under which description each was read, and whether it has our mark.
    read: BTreeMap<RecordId, (String, bool)>,
    count: usize,
}

impl Strangers {
    /// Takes a new list. One of another instance's says so.
    pub(super) fn note(&mut self, listed: &[Listed]) {
        let strangers = listed.iter().filter(|row| row.online != Some(true));
        let strangers = strangers.filter_map(|row| {
            let description = row.description.clone().unwrap_or_default();
            mark::instance(&description).is_none().then_some((RecordId(row.id), description))
        });
        self.listed = strangers.collect();
        self.read.retain(|id, (description, _)| self.listed.get(id) == Some(description));
    }

    /// The newest that was not read yet.
    fn next(&self) -> Option<RecordId> {
        let mut ids = self.listed.keys().rev();
        ids.find(|id| !self.read.contains_key(id)).copied().filter(|_| self.count < READ_MAX)
    }
}

impl HttpGitlab {
    /// Reads the details of one listed runner that names no variant of ours. A failure is no news:
    /// nothing depends on it.
    pub(in super::super) async fn look_for_renamed(&self, marks: &BTreeSet<Mark>) {
        let next = self.records.with(|known| {
            let next = known.strangers.next()?;
            known.strangers.count += 1;
            Some(next)
        });
        let Some(id) = next else { return };
        let read = self.read_details(id).await;
        self.records.with(|known| {
            // Where it cannot be read, it is not told.
            let marked = read.is_ok_and(|it| !it.settings.marks.is_disjoint(marks));
            let description = known.strangers.listed.get(&id).cloned().unwrap_or_default();
            known.strangers.read.insert(id, (description, marked));
        });
    }

    /// Those that were found, less those that are known as ours.
    pub(in super::super) fn renamed(&self) -> Vec<Renamed> {
        self.records.with(|known| {
            let found = known.strangers.read.iter().filter(|(_, (_, marked))| *marked);
            let unknown = found.filter(|(id, _)| !known.details.contains_key(id));
            let renamed = unknown.map(|(id, (description, _))| Renamed {
                id: *id,
                description: description.clone(),
            });
            renamed.collect()
        })
    }
}
