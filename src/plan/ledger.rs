//! What the hosts have left, and how many runners count for each pool: one book for what is there
//! now and for what will be there once runners are gone.
//!
//! A further dimension of the budget is a field of [`Cost`] (what one runner has), of [`Budget`]
//! (what there is), a line in `HostRoom::room_for`, and a [`Lack`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gpus::{GpuBusy, NoGpu};
use super::held_job::Lack;
use crate::spec::{BudgetSpec, Cost, Cpus, Gpu, GpuIds, GpuSpec, HostName, Pool, PoolName, Vendor};
use crate::world::{GpusOffered, Node, RunnerName, World};

/// Runners per cpu where the budget does not say: a job waits for network and disk half its time.
const RUNNERS_PER_CPU: u32 = 2;

/// What is left of the hosts, and of the pools' `max`.
#[derive(Debug, Clone)]
pub(super) struct Ledger<'a> {
    hosts: BTreeMap<HostName, HostRoom>,
    /// Runners that count against each pool's `max`.
    runners: BTreeMap<&'a PoolName, u32>,
}

/// Why there is no room for one more runner.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NoRoom {
    /// Nothing of the host is known.
    NeverSeen,
    /// It lacks something.
    Lacks(Lack),
}

impl<'a> Ledger<'a> {
    /// Of hosts on which nothing runs.
    pub(super) fn of(world: &World) -> Self {
        let hosts = world.hosts.iter().filter_map(|(name, host)| {
            let budget = match world.spec.hosts.get(name) {
                Some(declared) => Budget::of(&declared.budget, host.node()?, &world.gpus_of(name)),
                None => Budget::default(),
            };
            Some((name.clone(), HostRoom::new(budget)))
        });
        Self { hosts: hosts.collect(), runners: BTreeMap::new() }
    }

    /// Runners that count against the pool's `max`.
    pub(super) fn count(&self, pool: &PoolName) -> u32 {
        self.runners.get(pool).copied().unwrap_or(0)
    }

    /// The pool may have no more.
    pub(super) fn is_full(&self, pool: &Pool) -> bool {
        self.count(&pool.name) >= pool.max
    }

    /// What one more runner of the pool gets there, as far as the host's budget goes.
    ///
    /// Errors: the host has no room for it.
    pub(super) fn room_for(&self, host: &HostName, pool: &Pool) -> Result<Cost, NoRoom> {
        let room = self.hosts.get(host).ok_or(NoRoom::NeverSeen)?;
        room.room_for(pool).map_err(NoRoom::Lacks)
    }

    /// How many more runners of the pool the host has room for.
    pub(super) fn how_many_more(&self, host: &HostName, pool: &Pool) -> u32 {
        self.hosts.get(host).map_or(0, |room| room.how_many_more(pool))
    }

    /// So many more runners of the pool count, wherever they are.
    pub(super) fn add_anywhere(&mut self, pool: &'a PoolName, runners: u32) {
        let count = self.runners.entry(pool).or_default();
        *count = count.saturating_add(runners);
    }

    /// One more runner with that is on the host; nobody may know of which pool.
    pub(super) fn add(&mut self, host: &HostName, pool: Option<&'a PoolName>, cost: &Cost) {
        if let Some(pool) = pool {
            self.add_anywhere(pool, 1);
        }
        if let Some(room) = self.hosts.get_mut(host) {
            room.used.runners = room.used.runners.saturating_add(1);
            room.used.cost = room.used.cost.plus(cost);
        }
    }

    /// Somebody on the host has these GPUs, and nothing else of it.
    pub(super) fn add_gpus(&mut self, host: &HostName, gpus: &GpuIds) {
        if let Some(room) = self.hosts.get_mut(host).filter(|_| !gpus.is_empty()) {
            room.used.cost.gpus = room.used.cost.gpus.plus(gpus);
        }
    }

    /// Nobody has these GPUs of the host any more.
    pub(super) fn remove_gpus(&mut self, host: &HostName, gpus: &GpuIds) {
        if let Some(room) = self.hosts.get_mut(host).filter(|_| !gpus.is_empty()) {
            room.used.cost.gpus = room.used.cost.gpus.less(gpus);
        }
    }

    /// That container may have any GPU of the host.
    pub(super) fn hide_gpus(&mut self, host: &HostName, by: &RunnerName) {
        if let Some(room) = self.hosts.get_mut(host) {
            room.gpus_hidden_by.get_or_insert_with(|| by.clone());
        }
    }

    /// A runner that was counted is gone from the host.
    pub(super) fn remove(&mut self, host: &HostName, pool: Option<&PoolName>, cost: &Cost) {
        if let Some(count) = pool.and_then(|pool| self.runners.get_mut(pool)) {
            *count = count.saturating_sub(1);
        }
        if let Some(room) = self.hosts.get_mut(host) {
            room.used.runners = room.used.runners.saturating_sub(1);
            room.used.cost = room.used.cost.less(cost);
        }
    }

    /// Takes the room for one more runner on that host, if there is some: what it gets.
    pub(super) fn take(&mut self, host: &HostName, pool: &'a Pool) -> Option<Cost> {
        let cost = self.room_for(host, pool).ok().filter(|_| !self.is_full(pool))?;
        self.add(host, Some(&pool.name), &cost);
        Some(cost)
    }

    /// The next room on that host is for one more runner of the pool, though there is none yet.
    pub(super) fn keep_next(&mut self, host: &HostName, pool: &'a Pool) {
        self.add(host, Some(&pool.name), &Cost::of(pool));
        if let Some(room) = self.hosts.get_mut(host) {
            room.kept = true;
            room.kept_gpus.extend(pool.gpu);
        }
    }

    /// What was kept by [`Self::keep_next`] is there for whom it was kept.
    pub(super) fn give_kept(&mut self, host: &HostName, pool: &Pool) {
        self.remove(host, Some(&pool.name), &Cost::of(pool));
        if let Some(room) = self.hosts.get_mut(host) {
            let kept = room.kept_gpus.iter().position(|kept| Some(*kept) == pool.gpu);
            kept.map(|index| room.kept_gpus.remove(index));
        }
    }

    /// The budgets of the hosts that were ever seen, with what is used of them.
    pub(super) fn rooms(&self) -> &BTreeMap<HostName, HostRoom> {
        &self.hosts
    }
}

/// What a host may spend on runners, and what of it is used.
#[derive(Debug, Clone)]
pub(crate) struct HostRoom {
    /// What it may spend.
    pub(crate) budget: Budget,
    /// What is spent; more than the budget where that was lowered since.
    pub(crate) used: Used,
    /// Its next room is for a job that GitLab would drop.
    kept: bool,
    /// GPUs of that room.
    kept_gpus: Vec<GpuSpec>,
    /// A container that may have any of its GPUs.
    gpus_hidden_by: Option<RunnerName>,
}

/// What a host may spend on runners; nothing where the spec does not have it any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budget {
    /// How many there may be.
    pub(crate) runners: u32,
    /// Cpus for all of them.
    pub(crate) cpus: Cpus,
    /// Memory for all of them, in bytes.
    pub(crate) memory: u64,
    /// GPUs, in the order in which they are given.
    pub(crate) gpus: Vec<Gpu>,
    /// How many of them at a time.
    pub(crate) gpus_most: u32,
    /// The limit on that, where the spec has one.
    gpus_limit: Option<u32>,
    /// Why there are none of a vendor's, or not all.
    no_gpus: BTreeMap<Vendor, Arc<str>>,
}

/// What a host spends on runners.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    /// How many there are.
    pub(crate) runners: u32,
    /// What they cost.
    pub(crate) cost: Cost,
}

impl Budget {
    fn of(spec: &BudgetSpec, node: &Node, gpus: &GpusOffered<'_>) -> Self {
        let count = u32::try_from(gpus.seen.gpus.len()).unwrap_or(u32::MAX);
        let by_cpu = node.cpus.times(RUNNERS_PER_CPU).thousandths().div_ceil(1000).max(1);
        Self {
            runners: spec.runners.unwrap_or(u32::try_from(by_cpu).unwrap_or(u32::MAX)),
            cpus: spec.cpus.map_or(node.cpus, Cpus::at_most),
            memory: spec.memory.unwrap_or(node.memory),
            gpus: gpus.seen.gpus.clone(),
            gpus_most: gpus.most.map_or(count, |most| most.min(count)),
            gpus_limit: gpus.most,
            no_gpus: gpus.seen.missing.clone(),
        }
    }
}

impl HostRoom {
    fn new(budget: Budget) -> Self {
        Self {
            budget,
            used: Used::default(),
            kept: false,
            kept_gpus: Vec::new(),
            gpus_hidden_by: None,
        }
    }

    /// What one more runner of the pool gets, or what there is too little of. A pool that asks for
    /// nothing needs nothing of what is used up.
    pub(crate) fn room_for(&self, pool: &Pool) -> Result<Cost, Lack> {
        let Self { budget, used, .. } = self;
        let gpus = pool.gpu.map(|gpu| self.free_gpus(gpu)).transpose();
        if let Err(lack @ Lack::NoGpu(_)) = gpus {
            return Err(lack);
        }
        let cost = Cost::of(pool);
        let cpus = budget.cpus.less(used.cost.cpus);
        let memory = budget.memory.saturating_sub(used.cost.memory);
        let lack = if used.runners >= budget.runners {
            Lack::Runners(budget.runners)
        } else if cost.cpus > cpus {
            Lack::Cpus(cpus)
        } else if cost.memory > memory {
            Lack::Memory(memory)
        } else {
            match gpus {
                Ok(gpus) => return Ok(Cost { gpus: gpus.unwrap_or_default(), ..cost }),
                Err(lack) => lack,
            }
        };
        Err(if self.kept { Lack::Kept } else { lack })
    }

    /// How many more runners of the pool there is room for.
    pub(crate) fn how_many_more(&self, pool: &Pool) -> u32 {
        let Self { budget, used, .. } = self;
        let cost = Cost::of(pool);
        let fit = |left: u64, each: u64| left.checked_div(each).unwrap_or(u64::MAX);
        let cpus = budget.cpus.less(used.cost.cpus).thousandths();
        let memory = budget.memory.saturating_sub(used.cost.memory);
        let by_cost = fit(cpus, cost.cpus.thousandths()).min(fit(memory, cost.memory));
        let by_gpus = pool.gpu.map_or(usize::MAX, |needs| {
            let each = usize::try_from(needs.count).unwrap_or(usize::MAX);
            self.unheld_gpus(needs).count().checked_div(each).unwrap_or(usize::MAX)
        });
        let by_cost = by_cost.min(u64::try_from(by_gpus).unwrap_or(u64::MAX));
        let by_count = budget.runners.saturating_sub(used.runners);
        by_count.min(u32::try_from(by_cost).unwrap_or(u32::MAX))
    }

    /// GPUs of that vendor that nobody has. An id that is none of the host's may be of any GPU whose
    /// id is of another kind: what the host calls its GPUs was changed.
    fn unheld_gpus(&self, needs: GpuSpec) -> impl Iterator<Item = &Gpu> {
        let (all, held) = (&self.budget.gpus, &self.used.cost.gpus);
        let is_known = |id: &str| all.iter().any(|gpu| gpu.id == id);
        let strange: Vec<&str> = held.iter().filter(|id| !is_known(id)).collect();
        all.iter().filter(move |gpu| {
            let is_held = held.iter().any(|id| id == gpu.id);
            gpu.vendor == needs.vendor && !is_held && !strange.iter().any(|id| gpu.may_be(id))
        })
    }

    /// The first GPUs that nobody has.
    fn free_gpus(&self, needs: GpuSpec) -> Result<GpuIds, Lack> {
        let Self { budget, used, .. } = self;
        let held = &used.cost.gpus;
        let its: Vec<&Gpu> = budget.gpus.iter().filter(|gpu| gpu.vendor == needs.vendor).collect();
        let has = u32::try_from(its.len()).unwrap_or(u32::MAX).min(budget.gpus_most);
        if has < needs.count {
            let why = budget.no_gpus.get(&needs.vendor).cloned();
            return Err(Lack::NoGpu(NoGpu { needs, has, why }));
        }
        let mut free: Vec<String> = self.unheld_gpus(needs).map(|gpu| gpu.id.clone()).collect();
        let kept = |of: &GpuSpec| of.count;
        let kept_of_vendor = self.kept_gpus.iter().filter(|gpu| gpu.vendor == needs.vendor);
        let kept_of_vendor: u32 = kept_of_vendor.map(kept).sum();
        let kept_of_all: u32 = self.kept_gpus.iter().map(kept).sum();
        let of_vendor = u32::try_from(free.len()).unwrap_or(u32::MAX);
        let of_vendor = of_vendor.saturating_sub(kept_of_vendor);
        // A GPU that is there no more counts where their number is limited, and nowhere else.
        let spent = held.count().saturating_add(kept_of_all);
        let of_all = budget.gpus_limit.map(|most| most.saturating_sub(spent));
        let left = of_all.map_or(of_vendor, |of_all| of_vendor.min(of_all));
        let hidden_by = self.gpus_hidden_by.clone();
        if left < needs.count || hidden_by.is_some() {
            let busy = GpuBusy { needs, free: left, hidden_by, holders: [].into() };
            return Err(Lack::Gpus(busy));
        }
        free.truncate(usize::try_from(needs.count).unwrap_or(usize::MAX));
        Ok(GpuIds::of(free))
    }
}
