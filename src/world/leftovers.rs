//! What is ours and has no runner any more. Pure: one look proposes, and only what two looks in a
//! row propose is swept.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::{
    HostState, Leftover, Manager, Origin, Record, RecordId, Slot, SystemId, Variant, World,
};
use crate::spec::{Cache, HostName};

/// GitLab forgets a manager after seven days; one day without contact is beyond any drain.
const SILENT_MANAGER: SignedDuration = SignedDuration::from_hours(24);

/// Slots of a variant that are looked through to tell which engine a manager's row belongs to:
/// the most runners that one record is meant for.
const SLOTS_MAX: u32 = 500;

/// Everything that this look finds left over.
pub fn leftovers(world: &World) -> BTreeSet<Leftover> {
    let mut found = BTreeSet::new();
    let Some(prefix) = system_id_prefix(world) else { return found };
    for (name, host) in &world.hosts {
        if let Some(state) = host.state.known() {
            job_leftovers(world, name, state, &prefix, &mut found);
            network_leftover(world, name, state, &mut found);
        }
    }
    record_leftovers(world, &mut found);
    found
}

/// What all system ids of this instance and installation start with, once the engine is known.
pub fn system_id_prefix(world: &World) -> Option<String> {
    Some(SystemId::prefix(&world.spec.instance, &world.installation()?))
}

/// What jobs of ours made on a host where no container has their runner's slot. While the runner's
/// container exists, even exited, its reap takes care of them.
fn job_leftovers(
    world: &World,
    name: &HostName,
    state: &HostState,
    prefix: &str,
    found: &mut BTreeSet<Leftover>,
) {
    let held: BTreeSet<&SystemId> = state.runners.iter().map(|runner| &runner.system_id).collect();
    let kept = kept_slots(world, state);
    let ours = |id: &SystemId| id.as_str().starts_with(prefix) && !held.contains(id);
    let jobs = &state.jobs;
    found.extend(
        jobs.containers
            .iter()
            .filter(|container| ours(&container.system_id))
            .map(|container| Leftover::JobContainer(name.clone(), container.id.clone())),
    );
    found.extend(
        jobs.volumes
            .iter()
            .filter(|volume| ours(&volume.system_id))
            .filter(|volume| !(volume.reusable && kept.contains(&volume.system_id)))
            .map(|volume| Leftover::JobVolume(name.clone(), volume.name.clone())),
    );
    found.extend(
        jobs.networks
            .iter()
            .filter(|network| ours(&network.system_id))
            .map(|network| Leftover::JobNetwork(name.clone(), network.id.clone())),
    );
}

/// System ids of slots that may be filled again, so that their cache is of use: those below `max`
/// of a declared variant that keeps its cache.
fn kept_slots(world: &World, state: &HostState) -> BTreeSet<SystemId> {
    let kept = world.variants().into_iter().filter(|(_, pool)| pool.cache == Cache::Keep);
    kept.flat_map(|(variant, pool)| slot_ids(world, state, &variant, pool.max)).collect()
}

/// The system ids of the first `count` slots of a variant on that engine.
fn slot_ids(world: &World, state: &HostState, variant: &Variant, count: u32) -> Vec<SystemId> {
    let Some(installation) = world.installation() else { return Vec::new() };
    let instance = &world.spec.instance;
    (0..count.min(SLOTS_MAX))
        .map(|slot| SystemId::new(instance, &installation, &state.engine.id, variant, Slot(slot)))
        .collect()
}

/// The network, if we made it, nothing is on it, and no runner of ours is there.
fn network_leftover(
    world: &World,
    name: &HostName,
    state: &HostState,
    found: &mut BTreeSet<Leftover>,
) {
    let Some(network) = &state.network else { return };
    if network.ours
        && network.containers == 0
        && state.runners.is_empty()
        && world.all_hosts_known()
    {
        found.insert(Leftover::Network(name.clone(), network.id.clone()));
    }
}

/// Records that the spec does not ask for, and rows of runners that are known to be gone.
fn record_leftovers(world: &World, found: &mut BTreeSet<Leftover>) {
    let Some(records) = world.records.known() else { return };
    if !world.all_hosts_known() {
        return;
    }
    let declared: BTreeMap<Variant, _> = world.variants().into_iter().collect();
    let gone = GoneRunners::of(world);
    for record in records.iter().filter(|record| record.origin != Origin::Foreign) {
        let Some(rows) = record.managers.known() else { continue };
        let (gone_rows, others): (Vec<&Manager>, Vec<&Manager>) =
            rows.iter().partition(|row| gone.holds(record, row));
        let asked_for = declared.get(&record.variant).is_some_and(|pool| {
            world
                .current_record(&record.variant, pool)
                .is_none_or(|current| current.id == record.id)
        });
        if asked_for || record.origin == Origin::Given {
            if record.has_token {
                let rows = gone_rows.into_iter();
                found.extend(rows.map(|row| Leftover::Manager(record.id, row.system_id.clone())));
            }
        } else if !GoneRunners::in_use(world, record)
            && others.iter().all(|row| is_silent(world, row))
        {
            found.insert(Leftover::Record(record.id));
        }
    }
}

/// The row made no contact for so long that no runner can be behind it.
fn is_silent(world: &World, row: &Manager) -> bool {
    row.contacted_at.is_some_and(|at| world.now.duration_since(at) > SILENT_MANAGER)
}

/// System ids that belong to a known engine, and the containers there, by record and system id: a
/// slot that was filled again with another record's token leaves the old record's row behind.
struct GoneRunners {
    present: BTreeSet<(RecordId, SystemId)>,
    possible: BTreeMap<Variant, BTreeSet<SystemId>>,
}

impl GoneRunners {
    fn of(world: &World) -> Self {
        let states: Vec<&HostState> =
            world.hosts.values().filter_map(|host| host.state.known()).collect();
        let runners = states.iter().flat_map(|state| &state.runners);
        let present: BTreeSet<(RecordId, SystemId)> =
            runners.map(|runner| (runner.record, runner.system_id.clone())).collect();
        let mut possible: BTreeMap<Variant, BTreeSet<SystemId>> = BTreeMap::new();
        for record in world.records.known().into_iter().flatten() {
            let mut rows = record.managers.known().into_iter().flatten();
            if rows.all(|row| present.contains(&(record.id, row.system_id.clone()))) {
                continue;
            }
            let ids = possible.entry(record.variant.clone()).or_default();
            if ids.is_empty() {
                let of_engine =
                    |state: &&HostState| slot_ids(world, state, &record.variant, SLOTS_MAX);
                ids.extend(states.iter().flat_map(of_engine));
                ids.extend(world.installation().map(|installation| {
                    SystemId::keeper(&world.spec.instance, &installation, &record.variant)
                }));
            }
        }
        Self { present, possible }
    }

    /// The row's runner would be on an engine that we see, and is not there.
    fn holds(&self, record: &Record, row: &Manager) -> bool {
        let possible = self.possible.get(&record.variant);
        possible.is_some_and(|ids| ids.contains(&row.system_id)) && !self.is_present(record, row)
    }

    /// A container has the row's system id and the record's token.
    fn is_present(&self, record: &Record, row: &Manager) -> bool {
        self.present.contains(&(record.id, row.system_id.clone()))
    }

    /// A container of any state still has the record's token.
    fn in_use(world: &World, record: &Record) -> bool {
        let states = world.hosts.values().filter_map(|host| host.state.known());
        states
            .flat_map(|state| &state.runners)
            .any(|runner| runner.record == record.id && runner.variant == record.variant)
    }
}

impl World {
    /// Rows of runners that no declared host accounts for: they run on a host that cannot be seen,
    /// so they count against `max`.
    pub fn unaccounted_managers(&self) -> BTreeMap<Variant, u32> {
        let gone = GoneRunners::of(self);
        let mut counts = BTreeMap::new();
        for record in self.records.known().into_iter().flatten() {
            let rows = record.managers.known().into_iter().flatten();
            let unaccounted = rows
                .filter(|row| !gone.is_present(record, row) && !gone.holds(record, row))
                .filter(|row| record.origin == Origin::Ours && !is_silent(self, row))
                .count();
            if unaccounted > 0 {
                let count = counts.entry(record.variant.clone()).or_insert(0_u32);
                *count = count.saturating_add(u32::try_from(unaccounted).unwrap_or(u32::MAX));
            }
        }
        counts
    }
}
