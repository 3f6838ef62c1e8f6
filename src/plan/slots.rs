//! Which slot a new runner gets.

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::HostName;
use crate::world::{
    Deed, JobVolume, Leftover, RunnerName, RunnerView, SetAside, Slot, SystemId, Variant,
    VolumeKind, World,
};

/// The slots that are in use or to be avoided.
#[derive(Debug)]
pub(super) struct Slots<'a> {
    taken: BTreeMap<&'a Variant, BTreeSet<Slot>>,
    /// Names of containers that are set aside, which say whose slot it is where no label does.
    names: BTreeSet<&'a RunnerName>,
    /// All below are taken or to be avoided, so a search need not begin with the first.
    next: BTreeMap<Variant, u32>,
    /// Slots with what the jobs of a dead runner left, by host. A new runner under that system id
    /// would share the build directory of a job that still runs, and look busy with it; and as long
    /// as it lives, what is left would pass for its own.
    haunted: BTreeMap<&'a HostName, BTreeSet<&'a SystemId>>,
}

impl<'a> Slots<'a> {
    pub(super) fn of(world: &'a World, runners: &[RunnerView<'a>]) -> Self {
        let mut taken: BTreeMap<&Variant, BTreeSet<Slot>> = BTreeMap::new();
        for view in runners {
            taken.entry(&view.runner.variant).or_default().insert(view.runner.slot);
        }
        let states = world.hosts.values().filter_map(|host| host.state.last());
        let aside: Vec<&SetAside> = states.flat_map(|state| &state.aside).collect();
        for aside in &aside {
            if let (Some(variant), Some(slot)) = (&aside.variant, aside.slot) {
                taken.entry(variant).or_default().insert(slot);
            }
        }
        for start in world.starts_under_way() {
            taken.entry(start.variant).or_default().insert(start.slot);
        }
        let names = aside.into_iter().map(|aside| &aside.name).collect();
        Self { taken, names, next: BTreeMap::new(), haunted: haunted(world) }
    }

    /// Takes the lowest free slot, so that the runner finds its clone and cache again.
    pub(super) fn take(&mut self, world: &World, host: &HostName, variant: &Variant) -> Slot {
        let taken = self.taken.get(variant);
        let haunted = self.haunted.get(host);
        let is_haunted = |slot| {
            let id = haunted.and_then(|_| world.system_id(host, variant, slot));
            id.is_some_and(|id| haunted.is_some_and(|ids| ids.contains(&id)))
        };
        let next = self.next.entry(variant.clone()).or_default();
        let free = (*next..u32::MAX).map(Slot).find(|slot| {
            !taken.is_some_and(|taken| taken.contains(slot))
                && !is_avoided(world, &self.names, variant, *slot)
                && !is_haunted(*slot)
        });
        let slot = free.unwrap_or(Slot(u32::MAX));
        *next = slot.0.saturating_add(1);
        slot
    }
}

/// A call about that slot got no answer, its name is not ours, or what has it cannot be read.
fn is_avoided(world: &World, names: &BTreeSet<&RunnerName>, variant: &Variant, slot: Slot) -> bool {
    let memory = &world.memory;
    if memory.in_doubt.is_empty() && memory.taken.is_empty() && names.is_empty() {
        return false;
    }
    let name = RunnerName::new(&world.spec.instance, variant, slot);
    names.contains(&name) || memory.in_doubt.contains_key(&name) || memory.taken.contains_key(&name)
}

/// System ids without a runner, with something of a job that no later job may use.
fn haunted(world: &World) -> BTreeMap<&HostName, BTreeSet<&SystemId>> {
    let mut haunted = BTreeMap::new();
    for (name, host) in &world.hosts {
        let Some(state) = host.state.known() else { continue };
        let held: BTreeSet<&SystemId> = state.holders().collect();
        let jobs = &state.jobs;
        let containers = jobs.containers.iter().map(|container| &container.system_id);
        let networks = jobs.networks.iter().map(|network| &network.system_id);
        let temporary = |volume: &&JobVolume| volume.kind == VolumeKind::Temporary;
        let volumes = jobs.volumes.iter().filter(temporary);
        let all = containers.chain(networks).chain(volumes.map(|volume| &volume.system_id));
        // What this process is removing is of no use to a new runner, and in its way.
        let going = |volume: &&JobVolume| {
            let leftover = Leftover::JobVolume(name.clone(), volume.name.clone());
            !world.memory.under_way.is_empty() && world.is_under_way(&Deed::Remove(leftover))
        };
        let going = jobs.volumes.iter().filter(going).map(|volume| &volume.system_id);
        let all = all.chain(going);
        let left: BTreeSet<&SystemId> = all.filter(|id| !held.contains(id)).collect();
        if !left.is_empty() {
            haunted.insert(name, left);
        }
    }
    haunted
}
