//! What is ours and has no runner any more. Pure: one look proposes, and only what two looks in a
//! row propose is swept.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::accounts::Accounts;
use super::spent_images::spent_images;
use crate::spec::{Cache, HostName};
use crate::world::{
    Absence, HostState, JobContainer, JobVolume, Leftover, Look, Manager, Origin, Record, RecordId,
    SystemId, Token, Variant, VolumeKind,
};

/// GitLab forgets a manager after seven days; one day without contact is beyond any drain.
const SILENT_MANAGER: SignedDuration = SignedDuration::from_hours(24);

/// How long an engine must have said that a runner is gone, before what its job still runs is
/// stopped: longer than an engine takes to start, or a proxy in front of it to come to itself.
pub(crate) const GONE_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Everything that this look finds left over.
pub fn leftovers(look: &Look) -> BTreeSet<Leftover> {
    let mut found = BTreeSet::new();
    for (name, host) in &look.hosts {
        if let Some(state) = host.state.known() {
            job_leftovers(look, name, state, &mut found);
            network_leftover(look, name, state, &mut found);
        }
    }
    record_leftovers(look, &mut found);
    found.extend(spent_images(look));
    found
}

/// Whether that is left over cannot be told by this look: it stays as it was found.
pub(super) fn cannot_be_seen(look: &Look, leftover: &Leftover) -> bool {
    match leftover {
        Leftover::JobContainer(host, _)
        | Leftover::JobVolume(host, _)
        | Leftover::JobNetwork(host, _)
        | Leftover::Network(host, _)
        | Leftover::KeptImage(host, _) => {
            look.hosts.get(host).is_some_and(|host| host.state.known().is_none())
        }
        Leftover::Manager(..) | Leftover::Record(_) => {
            look.records.known().is_none() || !look.all_hosts_known()
        }
    }
}

/// What jobs of ours made on a host where no container has their runner's slot, as far as it is
/// proved that there is none. While the runner's container exists, even exited, its reap takes care
/// of them.
fn job_leftovers(look: &Look, name: &HostName, state: &HostState, found: &mut BTreeSet<Leftover>) {
    if state.hides_a_holder() {
        return;
    }
    for (owner, objects) in job_objects(look, name, state) {
        if has_no_runner(state, &owner) && may_stop_all(look, name, state, &owner) {
            found.extend(objects);
        }
    }
}

/// The list of the host lacks that runner, and so does the engine when it is asked for it, where
/// that can be done.
pub(super) fn has_no_runner(state: &HostState, owner: &SystemId) -> bool {
    match state.missing.get(owner) {
        Some(Absence::Gone { .. } | Absence::Nameless) => true,
        Some(Absence::Unsaid(_)) | None => false,
    }
}

fn may_stop_all(look: &Look, host: &HostName, state: &HostState, owner: &SystemId) -> bool {
    let its = state.jobs.containers.iter().filter(|container| container.system_id == *owner);
    its.filter(|container| container.running).all(|container| may_stop(look, host, container))
}

/// Whether a job's container that still runs may be stopped: its runner was seen to have ended,
/// GitLab says that its job is over, or its runner is known to be gone for a while. What a list
/// lacks proves nothing, however often it lacks it.
pub fn may_stop(look: &Look, host: &HostName, container: &JobContainer) -> bool {
    let owner = (host.clone(), container.system_id.clone());
    let memory = &look.memory;
    let gone = memory.gone.get(&owner);
    memory.ended.contains(&owner)
        || container.job.is_some_and(|job| memory.over.contains(&job))
        || gone.is_some_and(|since| look.now.duration_since(*since) >= GONE_FOR)
}

/// Containers of our jobs that still run without a runner, and that are not stopped: by host, with
/// what is known of the runner.
pub fn lingering(look: &Look) -> Vec<(&HostName, &JobContainer, String)> {
    let mut lingering = Vec::new();
    for (name, host) in &look.hosts {
        let Some(state) = host.state.known() else { continue };
        let running = state.jobs.containers.iter().filter(|container| container.running);
        for container in running.filter(|container| !may_stop(look, name, container)) {
            let why = match state.missing.get(&container.system_id) {
                None => continue,
                Some(Absence::Gone { name }) => format!("its runner `{name}` is not there"),
                Some(Absence::Nameless) => "nobody knows its runner's name".to_owned(),
                Some(Absence::Unsaid(error)) => format!("its runner cannot be asked for: {error}"),
            };
            lingering.push((name, container, why));
        }
    }
    lingering
}

/// What jobs of ours made on a host that lists no runner of theirs, by the runner; less the caches
/// that are kept.
pub(super) fn job_objects(
    look: &Look,
    name: &HostName,
    state: &HostState,
) -> BTreeMap<SystemId, Vec<Leftover>> {
    let prefixes = look.prefixes();
    let held: BTreeSet<&SystemId> = state.holders().collect();
    let ours = |id: &SystemId| prefixes.has(id) && !held.contains(id);
    let jobs = &state.jobs;
    let is_cache = |volume: &JobVolume| volume.kind == VolumeKind::Reusable;
    let caches = jobs.volumes.iter().any(|volume| is_cache(volume) && ours(&volume.system_id));
    // No runner comes to a host that the spec does not have any more.
    let kept = if caches && look.spec.hosts.contains_key(name) {
        kept_slots(look, state)
    } else {
        BTreeSet::new()
    };
    let containers = jobs.containers.iter().map(|container| {
        (&container.system_id, Leftover::JobContainer(name.clone(), container.id.clone()))
    });
    let volumes = jobs
        .volumes
        .iter()
        .filter(|volume| volume.kind.goes(kept.contains(&volume.system_id)))
        .map(|volume| (&volume.system_id, Leftover::JobVolume(name.clone(), volume.name.clone())));
    let networks = jobs.networks.iter().map(|network| {
        (&network.system_id, Leftover::JobNetwork(name.clone(), network.id.clone()))
    });
    let mut objects: BTreeMap<SystemId, Vec<Leftover>> = BTreeMap::new();
    let all = containers.chain(volumes).chain(networks);
    for (owner, leftover) in all.filter(|(owner, _)| ours(owner)) {
        objects.entry(owner.clone()).or_default().push(leftover);
    }
    objects
}

/// System ids of slots that may be filled again, so that their cache is of use: those of a declared
/// variant that keeps its cache.
fn kept_slots(look: &Look, state: &HostState) -> BTreeSet<SystemId> {
    let kept = look.variants().into_iter().filter(|(_, pool)| pool.cache == Cache::Keep);
    kept.flat_map(|(variant, pool)| look.slot_ids(&state.engine, &variant, pool.slots())).collect()
}

/// The network, if we made it, no enabled pool needs it, nothing is on it, and no runner of ours is
/// there; those of former names, as soon as nothing is on them.
fn network_leftover(
    look: &Look,
    name: &HostName,
    state: &HostState,
    found: &mut BTreeSet<Leftover>,
) {
    let empty = state.old_networks.iter().filter(|network| network.containers == 0);
    found.extend(empty.map(|network| Leftover::Network(name.clone(), network.id.clone())));
    let Some(network) = &state.network else { return };
    if network.ours
        && network.containers == 0
        && !look.needs_network(name)
        && state.runners.is_empty()
        && state.aside.is_empty()
    {
        found.insert(Leftover::Network(name.clone(), network.id.clone()));
    }
}

/// Records that the spec does not ask for, and rows of runners that are known to be gone.
fn record_leftovers(look: &Look, found: &mut BTreeSet<Leftover>) {
    let Some(records) = look.records.known() else { return };
    if !look.all_hosts_known() {
        return;
    }
    let declared: BTreeMap<Variant, _> = look.variants().into_iter().collect();
    let accounts = Accounts::of(look, records);
    let in_use = look.records_in_use();
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
            if look.place(&pool.scope).is_err() {
                return true;
            }
            match look.current_record(&record.variant, pool) {
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
            && !look.hides_a_record()
            && !look.may_be_anothers(record)
            && others.iter().all(|row| is_silent(look, row))
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

impl Look {
    /// Records whose token a container of any state has, now or as last seen.
    pub fn records_in_use(&self) -> BTreeSet<RecordId> {
        let states: Vec<&HostState> =
            self.hosts.values().filter_map(|host| host.state.last()).collect();
        let runners = states.iter().flat_map(|state| &state.runners).map(|runner| runner.record);
        let aside = states.iter().flat_map(|state| &state.aside).filter_map(|it| it.record);
        runners.chain(aside).collect()
    }

    /// A container may have any record's token: what it is made with cannot be read.
    pub(crate) fn hides_a_record(&self) -> bool {
        let mut states = self.hosts.values().filter_map(|host| host.state.last());
        states.any(|state| state.aside.iter().any(|aside| aside.record.is_none()))
    }
}

/// The row made no contact for so long that no runner can be behind it.
pub(super) fn is_silent(look: &Look, row: &Manager) -> bool {
    row.contacted_at.is_some_and(|at| look.now.duration_since(at) > SILENT_MANAGER)
}
