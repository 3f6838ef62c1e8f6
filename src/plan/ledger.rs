//! What the hosts have left, and how many runners count for each pool: one book for what is there
//! now and for what will be there once runners are gone.

use std::collections::BTreeMap;

use super::held_job::Lack;
use crate::spec::{BudgetSpec, HostName, Pool, PoolName};
use crate::world::{Node, World};

/// Runners per cpu where the budget does not say: a job waits for network and disk half its time.
const RUNNERS_PER_CPU: f64 = 2.0;

/// What is left of the hosts, and of the pools' `max`.
#[derive(Debug, Clone)]
pub(super) struct Ledger<'a> {
    hosts: BTreeMap<HostName, HostRoom>,
    /// Runners that count against each pool's `max`.
    runners: BTreeMap<&'a PoolName, u32>,
}

impl<'a> Ledger<'a> {
    /// Of hosts on which nothing runs.
    pub(super) fn of(world: &World) -> Self {
        Self { hosts: host_rooms(world), runners: BTreeMap::new() }
    }

    /// Runners that count against the pool's `max`.
    pub(super) fn count(&self, pool: &PoolName) -> u32 {
        self.runners.get(pool).copied().unwrap_or(0)
    }

    /// The pool may have no more.
    pub(super) fn is_full(&self, pool: &Pool) -> bool {
        self.count(&pool.name) >= pool.max
    }

    /// What the host lacks for one more runner of the pool; `None`: nothing.
    ///
    /// Errors: it was never seen.
    pub(super) fn lack(&self, host: &HostName, pool: &Pool) -> Result<Option<Lack>, NeverSeen> {
        let room = self.hosts.get(host).ok_or(NeverSeen)?;
        Ok(room.lacks(Cost::of(pool)))
    }

    /// One more runner of the pool counts, wherever it is.
    pub(super) fn add_anywhere(&mut self, pool: &'a PoolName, runners: u32) {
        let count = self.runners.entry(pool).or_default();
        *count = count.saturating_add(runners);
    }

    /// One more runner is on the host; nobody may know of which pool.
    pub(super) fn add(&mut self, host: &HostName, pool: Option<&'a Pool>) {
        if let Some(pool) = pool {
            self.add_anywhere(&pool.name, 1);
        }
        if let Some(room) = self.hosts.get_mut(host) {
            room.spend(pool.map(Cost::of).unwrap_or_default());
        }
    }

    /// A runner that was counted is gone from the host.
    pub(super) fn remove(&mut self, host: &HostName, name: &PoolName, pool: Option<&Pool>) {
        if let Some(count) = self.runners.get_mut(name) {
            *count = count.saturating_sub(1);
        }
        if let Some(room) = self.hosts.get_mut(host) {
            room.give_back(pool.map(Cost::of).unwrap_or_default());
        }
    }

    /// Takes the room for one more runner on that host, if there is some.
    pub(super) fn take(&mut self, host: &HostName, pool: &'a Pool) -> bool {
        if self.is_full(pool) || !matches!(self.lack(host, pool), Ok(None)) {
            return false;
        }
        self.add(host, Some(pool));
        true
    }

    /// The next room on that host is for one more runner of the pool, though there is none yet.
    pub(super) fn keep_next(&mut self, host: &HostName, pool: &'a Pool) {
        self.add(host, Some(pool));
        if let Some(room) = self.hosts.get_mut(host) {
            room.kept = true;
        }
    }
}

/// Nothing of the host is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NeverSeen;

/// What is left of a host's budget.
#[derive(Debug, Clone)]
pub(crate) struct HostRoom {
    runners: i64,
    /// Its next room is for a job that GitLab would drop.
    kept: bool,
    pub(crate) runners_most: u32,
    pub(crate) cpus: f64,
    pub(crate) memory: i128,
}

/// What one slot of a pool costs a host.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) cpus: f64,
    pub(crate) memory: u64,
}

impl Cost {
    /// The job's share and its services'; a pool without `resources` costs a runner only.
    pub(crate) fn of(pool: &Pool) -> Self {
        let Some(resources) = &pool.resources else { return Self::default() };
        let services = resources.services.as_ref();
        let count = services.map_or(0, |services| services.max);
        let service_cpus = services.and_then(|services| services.cpus).unwrap_or(0.0);
        let service_memory = services.and_then(|services| services.memory).unwrap_or(0);
        Self {
            cpus: resources.cpus.unwrap_or(0.0) + service_cpus * f64::from(count),
            memory: resources
                .memory
                .unwrap_or(0)
                .saturating_add(service_memory.saturating_mul(count.into())),
        }
    }
}

impl HostRoom {
    fn new(budget: &BudgetSpec, node: &Node) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, and a count of cpus is small and positive"
        )]
        let by_cpu = (node.cpus * RUNNERS_PER_CPU).ceil() as u32;
        let runners_most = budget.runners.unwrap_or(by_cpu.max(1));
        Self {
            runners: runners_most.into(),
            kept: false,
            runners_most,
            cpus: budget.cpus.unwrap_or(node.cpus),
            memory: budget.memory.unwrap_or(node.memory).into(),
        }
    }

    fn spend(&mut self, cost: Cost) {
        self.runners -= 1;
        self.cpus -= cost.cpus;
        self.memory -= i128::from(cost.memory);
    }

    /// A runner that was counted is gone.
    fn give_back(&mut self, cost: Cost) {
        self.runners += 1;
        self.cpus += cost.cpus;
        self.memory += i128::from(cost.memory);
    }

    fn lacks(&self, cost: Cost) -> Option<Lack> {
        // Sums of decimals such as 0.1 are not exact: a millionth of a cpu is no reason.
        let lack = if self.runners < 1 {
            Some(Lack::Runners(self.runners_most))
        } else if cost.cpus > self.cpus + 1e-6 {
            Some(Lack::Cpus(self.cpus.max(0.0)))
        } else if i128::from(cost.memory) > self.memory {
            Some(Lack::Memory(u64::try_from(self.memory).unwrap_or(0)))
        } else {
            None
        };
        lack.map(|lack| if self.kept { Lack::Kept } else { lack })
    }
}

/// The whole budget of each host that was ever seen.
pub(crate) fn host_rooms(world: &World) -> BTreeMap<HostName, HostRoom> {
    let rooms = world.hosts.iter().filter_map(|(name, host)| {
        let budget = &world.spec.hosts.get(name)?.budget;
        Some((name.clone(), HostRoom::new(budget, host.node()?)))
    });
    rooms.collect()
}
