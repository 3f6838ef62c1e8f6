//! Which slot a new runner gets.

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::{Cache, HostName};
use crate::world::{
    Deed, JobVolume, Leftover, Offer, RunnerName, RunnerView, SetAside, Slot, SystemId, Variant,
    VolumeKind, World,
};

/// Slots of one variant whose caches are looked for on each host: more are never of much use, and
/// each costs a hash.
const CACHED_MAX: u32 = 1_000;

/// The slots that are in use or to be avoided.
#[derive(Debug)]
pub(super) struct Slots<'a> {
    taken: BTreeMap<&'a Variant, BTreeSet<Slot>>,
    /// Names of containers that are set aside, which say whose slot it is where no label does.
    names: BTreeSet<&'a RunnerName>,
    /// Those that this plan fills.
    filled: BTreeMap<Variant, BTreeSet<Slot>>,
    /// All below are taken or filled, so a search need not begin with the first.
    next: BTreeMap<Variant, u32>,
    /// System ids without a runner that have a clone or caches, by host.
    caches: BTreeMap<&'a HostName, BTreeSet<&'a SystemId>>,
    /// The slots of each variant that was asked for whose caches are on a host.
    cached: BTreeMap<Variant, BTreeMap<&'a HostName, BTreeSet<Slot>>>,
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
        Self {
            taken,
            names,
            filled: BTreeMap::new(),
            next: BTreeMap::new(),
            caches: caches(world),
            cached: BTreeMap::new(),
            haunted: haunted(world),
        }
    }

    /// The lowest free slot of the variant whose clone and caches are on that host.
    pub(super) fn with_caches(
        &mut self,
        world: &World,
        host: &HostName,
        offer: &Offer<'_>,
    ) -> Option<Slot> {
        self.find_caches(world, offer);
        let cached = self.cached.get(&offer.variant)?.get(host)?;
        cached.iter().copied().find(|slot| self.is_free(world, host, &offer.variant, *slot))
    }

    /// Takes the lowest free slot, as far as possible one whose caches are on no other host, where
    /// the next runner in it would find them again.
    pub(super) fn take(&mut self, world: &World, host: &HostName, offer: &Offer<'_>) -> Slot {
        self.find_caches(world, offer);
        let variant = &offer.variant;
        let next = self.next.get(variant).copied().unwrap_or(0);
        let elsewhere = |slot: &Slot| {
            let cached = self.cached.get(variant).into_iter().flatten();
            cached.filter(|(on, _)| **on != host).any(|(_, slots)| slots.contains(slot))
        };
        let mut free =
            (next..u32::MAX).map(Slot).filter(|slot| self.is_free(world, host, variant, *slot));
        let lowest = free.next();
        // Slots beyond these keep no caches.
        let mut kept =
            lowest.into_iter().chain(free).take_while(|slot| slot.0 < offer.pool.slots());
        let slot = kept.find(|slot| !elsewhere(slot)).or(lowest).unwrap_or(Slot(u32::MAX));
        self.fill(variant, slot);
        slot
    }

    /// That slot is taken.
    pub(super) fn fill(&mut self, variant: &Variant, slot: Slot) {
        self.filled.entry(variant.clone()).or_default().insert(slot);
        let next = self.next.entry(variant.clone()).or_default();
        if *next == slot.0 {
            *next = slot.0.saturating_add(1);
        }
    }

    fn is_free(&self, world: &World, host: &HostName, variant: &Variant, slot: Slot) -> bool {
        let has = |slots: Option<&BTreeSet<Slot>>| slots.is_some_and(|slots| slots.contains(&slot));
        let is_haunted = || {
            let Some(ids) = self.haunted.get(host) else { return false };
            world.system_id(host, variant, slot).is_some_and(|id| ids.contains(&id))
        };
        !has(self.taken.get(variant))
            && !has(self.filled.get(variant))
            && !is_avoided(world, &self.names, variant, slot)
            && !is_haunted()
    }

    /// Finds out once where the caches of the variant's slots are.
    fn find_caches(&mut self, world: &World, offer: &Offer<'_>) {
        let (variant, pool) = (&offer.variant, offer.pool);
        if self.cached.contains_key(variant) {
            return;
        }
        let mut found: BTreeMap<&HostName, BTreeSet<Slot>> = BTreeMap::new();
        for (host, ids) in self.caches.iter().filter(|_| pool.cache == Cache::Keep) {
            let slots = (0..pool.slots().min(CACHED_MAX)).map(Slot).filter(|slot| {
                world.system_id(host, variant, *slot).is_some_and(|id| ids.contains(&id))
            });
            let slots: BTreeSet<Slot> = slots.collect();
            if !slots.is_empty() {
                found.insert(host, slots);
            }
        }
        self.cached.insert(variant.clone(), found);
    }
}

/// System ids without a runner that have a clone or caches, by host.
fn caches(world: &World) -> BTreeMap<&HostName, BTreeSet<&SystemId>> {
    let mut caches = BTreeMap::new();
    for (name, host) in &world.hosts {
        let Some(state) = host.state.known() else { continue };
        let held: BTreeSet<&SystemId> = state.holders().collect();
        let volumes = state.jobs.volumes.iter();
        let kept = volumes.filter(|volume| volume.kind == VolumeKind::Reusable);
        let ids: BTreeSet<&SystemId> =
            kept.map(|volume| &volume.system_id).filter(|id| !held.contains(id)).collect();
        if !ids.is_empty() {
            caches.insert(name, ids);
        }
    }
    caches
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
