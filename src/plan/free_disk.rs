//! `free-disk`: where a host's disk is nearly full, caches of slots without a runner go, those first
//! that were not used for longest, until there is room again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::draft::Draft;
use super::{Action, Facts, Rule};
use crate::spec::HostName;
use crate::world::{Deed, DiskRoom, JobVolume, Leftover, SystemId, World};

pub(super) fn free_disk(draft: &mut Draft<'_>) {
    let world = draft.world();
    if world.idle_caches().is_empty() {
        return;
    }
    for (host, state) in &world.hosts {
        let Some(room) = world.disk_room(host) else { continue };
        let Some(state) = state.state.known() else { continue };
        let started: BTreeSet<SystemId> =
            draft.starts().filter(|(on, _)| *on == host).map(|(_, id)| id.clone()).collect();
        let mut caches: Vec<Cache<'_>> = Vec::new();
        let mut wanting = room.wanting();
        for volume in &state.jobs.volumes {
            let leftover = Leftover::JobVolume(host.clone(), volume.name.clone());
            let bytes = world.volume_use(host, &volume.name).map_or(0, |volume| volume.bytes);
            if world.leftovers().contains(&leftover)
                || world.is_under_way(&Deed::Remove(leftover.clone()))
            {
                // It goes anyway.
                wanting = wanting.saturating_sub(bytes);
            } else if world.idle_caches().contains(&leftover)
                && world.memory.leftovers.contains(&leftover)
                && !world.removing_waits(&leftover)
                && !started.contains(&volume.system_id)
                && bytes > 0
            {
                let used_at = last_use(world, host, volume);
                caches.push(Cache { used_at, bytes, volume, leftover });
            }
        }
        caches.sort_by(|one, other| one.order().cmp(&other.order()));
        for cache in caches {
            if wanting == 0 {
                break;
            }
            wanting = wanting.saturating_sub(cache.bytes);
            let facts = cache.facts(world.now, room);
            draft.decide(Action::Sweep { leftover: cache.leftover }, Rule::FreeDisk, facts);
        }
    }
}

/// A cache that may go.
struct Cache<'a> {
    /// When its slot was used last; `None`: nobody knows.
    used_at: Option<Timestamp>,
    bytes: u64,
    volume: &'a JobVolume,
    leftover: Leftover,
}

impl Cache<'_> {
    /// Slot by slot, the one that was not used for longest first; of one slot the largest first.
    fn order(&self) -> (Option<Timestamp>, &SystemId, std::cmp::Reverse<u64>, &str) {
        let Self { used_at, bytes, volume, .. } = self;
        (*used_at, &volume.system_id, std::cmp::Reverse(*bytes), &volume.name)
    }

    fn facts(&self, now: Timestamp, disk: DiskRoom) -> Facts {
        let unused = |at| now.duration_since(at).max(SignedDuration::ZERO);
        Facts::DiskRoom {
            volume: self.volume.name.clone(),
            bytes: self.bytes,
            unused: self.used_at.map(unused),
            disk,
        }
    }
}

/// As this process saw it, else when the youngest volume of the slot was made: a runner was there
/// then.
fn last_use(world: &World, host: &HostName, volume: &JobVolume) -> Option<Timestamp> {
    let slot = (host.clone(), volume.system_id.clone());
    let state = world.hosts.get(host).and_then(|host| host.state.known());
    let its = state.into_iter().flat_map(|state| &state.jobs.volumes);
    let its = its.filter(|one| one.system_id == volume.system_id);
    let made = its.filter_map(|one| world.volume_use(host, &one.name)?.created_at).max();
    world.memory.slots_used.get(&slot).copied().max(made)
}
