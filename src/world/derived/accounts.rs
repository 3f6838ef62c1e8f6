//! Whose runner is behind each manager's row: one that a host has, one that is gone from an engine
//! that we see, or one on a host that cannot be seen.

use std::collections::{BTreeMap, BTreeSet};

use super::leftovers::is_silent;
use super::marks::Prefixes;
use super::phase::SILENT_AFTER;
use super::questions::SLOTS_MAX;
use crate::world::{
    Absence, EngineInfo, HostState, Look, Manager, Origin, Record, RecordId, Slot, SystemId,
    Variant,
};

/// What the hosts say of the rows.
pub(super) struct Accounts<'a> {
    /// Runners that a host has, now or as last seen, each with the record whose token it has: a slot
    /// that was filled again with another record's token leaves the old record's row behind.
    seen: BTreeSet<(RecordId, &'a SystemId)>,
    /// The same, by name alone.
    held: BTreeSet<&'a SystemId>,
    /// The names of containers that are set aside, which may have any record's token.
    aside: BTreeSet<&'a SystemId>,
    /// Runners that are gone from an engine that we see, also when it is asked for them.
    gone: BTreeSet<SystemId>,
    /// What follows the prefix in the system ids of our slots on the engines that we see now, and of
    /// AutoGit itself; looked up only for variants with a row of ours that has no runner, for each
    /// costs a hash.
    possible: BTreeMap<&'a Variant, BTreeSet<String>>,
    /// What our system ids start with.
    prefixes: Prefixes,
    /// Of a host that was never reached it is not known what they start with.
    knows_all_prefixes: bool,
}

impl<'a> Accounts<'a> {
    pub(super) fn of(look: &'a Look, records: &'a [Record]) -> Self {
        let states: Vec<&HostState> =
            look.hosts.values().filter_map(|host| host.state.last()).collect();
        let runners = states.iter().flat_map(|state| &state.runners);
        let seen: BTreeSet<(RecordId, &SystemId)> =
            runners.map(|runner| (runner.record, &runner.system_id)).collect();
        let aside = states.iter().flat_map(|state| &state.aside);
        let mut accounts = Self {
            held: seen.iter().map(|(_, id)| *id).collect(),
            aside: aside.filter_map(|aside| aside.system_id.as_ref()).collect(),
            gone: gone(look),
            possible: BTreeMap::new(),
            prefixes: look.prefixes(),
            knows_all_prefixes: look.host_without_mark().is_none(),
            seen,
        };
        for record in records {
            let mut rows = record.managers.known().into_iter().flatten();
            let without_runner =
                rows.any(|row| !accounts.is_seen(record, row) && accounts.is_ours(row));
            if without_runner {
                accounts
                    .possible
                    .entry(&record.variant)
                    .or_insert_with(|| rests_of_known_engines(look, &record.variant));
            }
        }
        accounts
    }

    /// By its name, the row is of a runner of ours.
    fn is_ours(&self, row: &Manager) -> bool {
        self.prefixes.has(&row.system_id)
    }

    /// A host has the row's runner, now or as last seen.
    fn is_seen(&self, record: &Record, row: &Manager) -> bool {
        self.seen.contains(&(record.id, &row.system_id)) || self.aside.contains(&row.system_id)
    }

    /// The row's runner would be on an engine that we see, and is not there.
    pub(super) fn is_gone(&self, record: &Record, row: &Manager) -> bool {
        let Some(rest) = self.prefixes.rest(&row.system_id) else { return false };
        let possible = self.possible.get(&record.variant);
        possible.is_some_and(|rests| rests.contains(rest))
            && !self.is_seen(record, row)
            && (rest == SystemId::rest_of_keeper(&record.variant)
                || self.held.contains(&row.system_id)
                || self.gone.contains(&row.system_id))
    }

    /// No host that was ever seen tells anything of the row's runner. An operator's own token may
    /// have runners that are none of ours.
    fn is_unaccounted(&self, record: &Record, row: &Manager) -> bool {
        let counts = match record.origin {
            Origin::Ours => true,
            Origin::Given | Origin::Untold => {
                self.is_ours(row) || !self.knows_all_prefixes && row.system_id.may_be_of_autogit()
            }
            Origin::Foreign => false,
        };
        counts && !self.is_seen(record, row) && !self.is_gone(record, row)
    }
}

/// Runners that are not there although they were asked for.
fn gone(look: &Look) -> BTreeSet<SystemId> {
    let states = look.hosts.values().filter_map(|host| host.state.known());
    // A name that nobody can ask for is that of no slot, so it is no row's of an engine.
    let missing = states.filter(|state| !state.hides_a_holder()).flat_map(|state| &state.missing);
    let gone = missing.filter(|(_, missing)| matches!(missing, Absence::Gone { .. }));
    gone.map(|(id, _)| id.clone()).collect()
}

/// What follows the prefix in the ids of the variant's slots on the engines that we see now, and in
/// that of AutoGit itself, which is no runner.
fn rests_of_known_engines(look: &Look, variant: &Variant) -> BTreeSet<String> {
    let engines = look.hosts.values().filter_map(|host| Some(&host.state.known()?.engine));
    let slots = || (0..SLOTS_MAX).map(Slot);
    let rests =
        engines.flat_map(|engine| slots().map(|slot| SystemId::rest(&engine.id, variant, slot)));
    rests.chain([SystemId::rest_of_keeper(variant)]).collect()
}

impl Look {
    /// The system ids of the first `count` slots of a variant on that engine.
    pub(super) fn slot_ids(
        &self,
        engine: &EngineInfo,
        variant: &Variant,
        count: u32,
    ) -> Vec<SystemId> {
        (0..count.min(SLOTS_MAX))
            .map(|slot| SystemId::new(&self.spec.instance, &engine.id, variant, Slot(slot)))
            .collect()
    }

    /// Rows of `records` that no declared host accounts for, now or as last seen, and that were in
    /// contact within a day. While a host is unknown, they may be runners there. Else somebody uses
    /// a record's token elsewhere, or an image's runner makes a system id of its own.
    pub fn unplaced_managers<'a>(
        &'a self,
        records: &'a [Record],
    ) -> Vec<(&'a Record, &'a Manager)> {
        let accounts = Accounts::of(self, records);
        let mut unplaced = Vec::new();
        for record in records {
            let rows = record.managers.known().into_iter().flatten();
            let rows = rows.filter(|row| accounts.is_unaccounted(record, row));
            unplaced.extend(rows.filter(|row| !is_silent(self, row)).map(|row| (record, row)));
        }
        unplaced
    }

    /// A row that no host accounts for counts against `max`: a runner may be behind it, on a host
    /// that cannot be seen. With every host seen there is no such place, and who has the row is no
    /// runner of ours; one without contact for longer than GitLab's column may lag runs nowhere.
    pub fn counts_unseen(&self, row: &Manager) -> bool {
        let ago = row.contacted_at.map(|at| self.now.duration_since(at));
        !self.all_hosts_known() && ago.is_none_or(|ago| ago < SILENT_AFTER)
    }

    /// How many runners may be on hosts that cannot be seen, as GitLab's rows tell.
    pub fn unaccounted_managers(&self) -> BTreeMap<Variant, u32> {
        let mut counts = BTreeMap::new();
        if self.all_hosts_known() {
            return counts;
        }
        let records = self.records.known().map(Vec::as_slice).unwrap_or_default();
        let unplaced = self.unplaced_managers(records).into_iter();
        for (record, _) in unplaced.filter(|(_, row)| self.counts_unseen(row)) {
            let count = counts.entry(record.variant.clone()).or_insert(0_u32);
            *count = count.saturating_add(1);
        }
        counts
    }
}
