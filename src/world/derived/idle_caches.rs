//! Caches that may go where a host's disk is nearly full. Pure: one look proposes, and only what two
//! looks in a row propose goes.

use std::collections::BTreeSet;

use super::leftovers::has_no_runner;
use super::marks::Prefixes;
use crate::spec::HostName;
use crate::world::{HostState, JobVolume, Leftover, Look, SystemId, VolumeKind};

/// Caches of slots that are known to have no runner and to get none just now, on hosts whose disk is
/// nearly full.
pub(super) fn idle_caches(look: &Look) -> BTreeSet<Leftover> {
    let mut found = BTreeSet::new();
    for (name, host) in &look.hosts {
        let Some(state) = host.state.known() else { continue };
        let candidates = candidates(look, name, state);
        if candidates.is_empty() {
            continue;
        }
        let coming = coming(look, name);
        let fits = |volume: &&JobVolume| {
            has_no_runner(state, &volume.system_id) && !coming.contains(&volume.system_id)
        };
        let idle = candidates.into_iter().filter(fits);
        found.extend(idle.map(|it| Leftover::JobVolume(name.clone(), it.name.clone())));
    }
    found
}

/// Whose runners are to be asked for, before anything follows from their absence.
pub(super) fn owners(look: &Look, name: &HostName, state: &HostState) -> BTreeSet<SystemId> {
    let candidates = candidates(look, name, state).into_iter();
    candidates.map(|volume| volume.system_id.clone()).collect()
}

/// Caches of ours without a container that has their slot, where room is wanting.
fn candidates<'a>(look: &Look, name: &HostName, state: &'a HostState) -> Vec<&'a JobVolume> {
    let is_wanting = look.disk_room(name).is_some_and(|room| room.wanting() > 0);
    if !is_wanting || state.hides_a_holder() {
        return Vec::new();
    }
    let prefixes: Prefixes = look.prefixes();
    let jobs = state.jobs.containers.iter().map(|container| &container.system_id);
    let held: BTreeSet<&SystemId> = state.holders().chain(jobs).collect();
    let is_idle = |volume: &&JobVolume| {
        volume.kind == VolumeKind::Reusable
            && prefixes.has(&volume.system_id)
            && !held.contains(&volume.system_id)
    };
    state.jobs.volumes.iter().filter(is_idle).collect()
}

/// Slots whose runner is being started there, or may be there.
fn coming(look: &Look, host: &HostName) -> BTreeSet<SystemId> {
    let starts = look.starts_under_way().filter(|start| start.host == host);
    let starts = starts.filter_map(|it| look.system_id(host, it.variant, it.slot));
    let doubts = look.memory.in_doubt.iter().filter(|(_, doubt)| doubt.host == *host);
    let doubts = doubts.filter_map(|(name, _)| {
        let (variant, slot) = name.of_slot(&look.spec.instance)?;
        look.system_id(host, &variant, slot)
    });
    starts.chain(doubts).collect()
}
