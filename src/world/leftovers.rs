//! What is ours and has no runner any more. Pure: one look proposes, and only what two looks in a
//! row propose is swept.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::accounts::Accounts;
use super::{
    HostState, Leftover, Manager, Origin, Record, RecordId, SystemId, Token, Variant, World,
};
use crate::spec::{Cache, HostName};

/// GitLab forgets a manager after seven days; one day without contact is beyond any drain.
const SILENT_MANAGER: SignedDuration = SignedDuration::from_hours(24);

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
    let ours = |id: &SystemId| id.as_str().starts_with(prefix) && !held.contains(id);
    let jobs = &state.jobs;
    let caches = jobs.volumes.iter().any(|volume| volume.reusable && ours(&volume.system_id));
    let kept = if caches { kept_slots(world, state) } else { BTreeSet::new() };
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
    kept.flat_map(|(variant, pool)| world.slot_ids(&state.engine, &variant, pool.max)).collect()
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
    let accounts = Accounts::of(world, records);
    let in_use = world.records_in_use();
    // Beside a record that is not seen, nothing shows which one of the variant is not needed.
    let unseen: BTreeSet<&Variant> =
        records.iter().filter(|one| one.unseen.is_some()).map(|one| &one.variant).collect();
    let known = |record: &&Record| matches!(record.origin, Origin::Ours | Origin::Given);
    for record in records.iter().filter(known) {
        let Some(rows) = record.managers.known() else { continue };
        let (gone_rows, others): (Vec<&Manager>, Vec<&Manager>) =
            rows.iter().partition(|row| accounts.is_gone(record, row));
        let asked_for = declared.get(&record.variant).is_some_and(|pool| {
            // Which of them the pool asks for follows from what its scope is.
            if world.place(&pool.scope).is_err() {
                return true;
            }
            match world.current_record(&record.variant, pool) {
                Some(current) => current.id == record.id,
                // Nobody makes a new record for a disabled pool. It keeps the newest it has, unless
                // rows are left that without its token can only go with it.
                None => pool.enabled || gone_rows.is_empty() && is_newest(records, record),
            }
        });
        if asked_for || record.origin == Origin::Given {
            if record.token == Token::AtHand {
                let rows = gone_rows.into_iter();
                found.extend(rows.map(|row| Leftover::Manager(record.id, row.system_id.clone())));
            }
        } else if !in_use.contains(&record.id)
            && !unseen.contains(&record.variant)
            && others.iter().all(|row| is_silent(world, row))
        {
            found.insert(Leftover::Record(record.id));
        }
    }
}

/// No record of the variant that is ours came after it.
fn is_newest(records: &[Record], record: &Record) -> bool {
    let ours = |one: &&Record| one.variant == record.variant && one.origin == Origin::Ours;
    records.iter().filter(ours).all(|one| one.id <= record.id)
}

impl World {
    /// Records whose token a container of any state has, now or as last seen.
    pub fn records_in_use(&self) -> BTreeSet<RecordId> {
        let states = self.hosts.values().filter_map(|host| host.state.last());
        states.flat_map(|state| &state.runners).map(|runner| runner.record).collect()
    }
}

/// The row made no contact for so long that no runner can be behind it.
pub(super) fn is_silent(world: &World, row: &Manager) -> bool {
    row.contacted_at.is_some_and(|at| world.now.duration_since(at) > SILENT_MANAGER)
}
