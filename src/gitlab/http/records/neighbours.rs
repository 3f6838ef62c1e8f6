//! Records under the names of other instances that have our engines' marks: of another AutoGit on the
//! same engine, or of this one before its `instance` was changed.

use std::collections::{BTreeMap, BTreeSet};

use super::super::mark;
use super::{HttpGitlab, Listed};
use crate::gitlab::OtherInstance;
use crate::spec::InstanceName;
use crate::world::{Mark, RecordId};

/// Other instances of which a record is read by one process, one in a look: a list may have many.
const READ_MAX: usize = 50;

/// The other instances that the last list named.
#[derive(Default)]
pub(super) struct Neighbours {
    listed: BTreeMap<String, OtherInstance>,
    /// Whether the newest record of that instance, then, had our marks: one tells for all.
    read: BTreeMap<String, bool>,
}

impl Neighbours {
    /// Takes a new list.
    pub(super) fn note(&mut self, ours: &InstanceName, listed: &[Listed]) {
        self.listed.clear();
        for row in listed {
            let name = row.description.as_deref().and_then(mark::instance);
            let Some(name) = name.filter(|name| *name != ours.as_str()) else { continue };
            let other = self.listed.entry(name.to_owned()).or_insert_with(|| OtherInstance {
                instance: name.to_owned(),
                records: BTreeSet::new(),
                is_online: false,
            });
            other.records.insert(RecordId(row.id));
            other.is_online |= row.online == Some(true);
        }
    }

    /// The newest record of an instance that was not read yet.
    fn next(&self) -> Option<(String, RecordId)> {
        let mut unread = self.listed.iter().filter(|(name, _)| !self.read.contains_key(*name));
        let (name, other) = unread.next().filter(|_| self.read.len() < READ_MAX)?;
        Some((name.clone(), *other.records.last()?))
    }
}

impl HttpGitlab {
    /// Reads a record of one other instance. A failure is no news: nothing depends on it.
    pub(in super::super) async fn look_for_neighbours(&self, marks: &BTreeSet<Mark>) {
        let Some((name, id)) = self.records.with(|known| known.neighbours.next()) else { return };
        let read = self.read_details(id).await;
        let marked = read.is_ok_and(|it| !it.settings.marks.is_disjoint(marks));
        self.records.with(|known| known.neighbours.read.insert(name, marked));
    }

    /// Those that were found to have our marks, less what is known as ours under whatever name.
    pub(in super::super) fn neighbours(&self) -> Vec<OtherInstance> {
        self.records.with(|known| {
            let Neighbours { listed, read } = &known.neighbours;
            let marked = listed.iter().filter(|(name, _)| read.get(*name) == Some(&true));
            let mut others: Vec<OtherInstance> = marked.map(|(_, other)| other.clone()).collect();
            for other in &mut others {
                other.records.retain(|id| !known.details.contains_key(id));
            }
            others.retain(|other| !other.records.is_empty());
            others
        })
    }
}
