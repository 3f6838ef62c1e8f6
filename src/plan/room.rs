//! Where a new runner fits: the least of the pool's maximum, the hosts' budgets and the starts per
//! minute.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::held_job::{JobHold, Lack};
use super::slots::Slots;
use crate::spec::{BudgetSpec, HostName, Pool, PoolName};
use crate::world::{EngineInfo, Host, HostState, Offer, RunnerName, RunnerView, Slot, World};

/// Runners per cpu where the budget does not say: a job waits for network and disk half its time.
const RUNNERS_PER_CPU: f64 = 2.0;

/// The room that is left, less what was taken from it.
#[derive(Debug)]
pub(super) struct Room<'a> {
    live: BTreeMap<&'a PoolName, u32>,
    /// Runners that only GitLab tells of.
    unseen: BTreeMap<PoolName, u32>,
    slots: Slots<'a>,
    hosts: BTreeMap<HostName, HostRoom>,
    starts_left: u32,
}

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
    fn new(budget: &BudgetSpec, engine: &EngineInfo) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, and a count of cpus is small and positive"
        )]
        let by_cpu = (engine.cpus * RUNNERS_PER_CPU).ceil() as u32;
        let runners_most = budget.runners.unwrap_or(by_cpu.max(1));
        Self {
            runners: runners_most.into(),
            kept: false,
            runners_most,
            cpus: budget.cpus.unwrap_or(engine.cpus),
            memory: budget.memory.unwrap_or(engine.memory).into(),
        }
    }

    pub(super) fn spend(&mut self, cost: Cost) {
        self.runners -= 1;
        self.cpus -= cost.cpus;
        self.memory -= i128::from(cost.memory);
    }

    /// A runner that was counted is gone.
    pub(super) fn give_back(&mut self, cost: Cost) {
        self.runners += 1;
        self.cpus += cost.cpus;
        self.memory += i128::from(cost.memory);
    }

    pub(super) fn fits(&self, cost: Cost) -> bool {
        self.lacks(cost).is_none()
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

impl<'a> Room<'a> {
    pub(super) fn new(world: &'a World, runners: &[RunnerView<'a>]) -> Self {
        let mut room = Self {
            live: BTreeMap::new(),
            unseen: BTreeMap::new(),
            slots: Slots::of(world, runners),
            hosts: host_rooms(world),
            starts_left: starts_left(world),
        };
        let pools = world.spec.pools.iter().map(|pool| (&pool.name, Cost::of(pool)));
        let costs: BTreeMap<&PoolName, Cost> = pools.collect();
        for view in runners {
            let variant = &view.runner.variant;
            if view.is_live() {
                *room.live.entry(&variant.pool).or_default() += 1;
                if let Some(host) = room.hosts.get_mut(view.host) {
                    host.spend(costs.get(&variant.pool).copied().unwrap_or_default());
                }
            }
        }
        for (host, pool) in set_aside(world) {
            if let Some(pool) = pool {
                *room.live.entry(&pool.name).or_default() += 1;
            }
            if let Some(host) = room.hosts.get_mut(host) {
                host.spend(pool.map(Cost::of).unwrap_or_default());
            }
        }
        for (variant, &count) in world.unaccounted() {
            let unseen = room.unseen.entry(variant.pool.clone()).or_default();
            *unseen = unseen.saturating_add(count);
        }
        for (pool, host) in in_doubt(world, runners) {
            *room.unseen.entry(pool.name.clone()).or_default() += 1;
            if let Some(host) = room.hosts.get_mut(host) {
                host.spend(Cost::of(pool));
            }
        }
        for start in world.starts_unseen() {
            let Some(pool) = world.spec.pool(&start.variant.pool) else { continue };
            *room.live.entry(&pool.name).or_default() += 1;
            if let Some(host) = room.hosts.get_mut(start.host) {
                host.spend(Cost::of(pool));
            }
        }
        room
    }

    /// What is left of each host's budget.
    pub(super) fn hosts(&self) -> &BTreeMap<HostName, HostRoom> {
        &self.hosts
    }

    /// Runners that count against the pool's maximum.
    pub(super) fn count(&self, pool: &PoolName) -> u32 {
        let unseen = self.unseen.get(pool).copied().unwrap_or(0);
        self.live(pool).saturating_add(unseen)
    }

    /// Live runners of the pool on the hosts, those of this plan included.
    pub(super) fn live(&self, pool: &PoolName) -> u32 {
        self.live.get(pool).copied().unwrap_or(0)
    }

    /// Keeps the next room for one more runner of that variant, though there is none yet: on the
    /// first host that is seen and has room for it when nothing else runs there.
    pub(super) fn keep_next(&mut self, world: &World, offer: &Offer<'a>) -> Option<HostName> {
        let cost = Cost::of(offer.pool);
        let whole = host_rooms(world);
        let fits = |name: &&HostName| whole.get(*name).is_some_and(|room| room.fits(cost));
        let host = hosts_of(world, offer).into_iter().find(fits)?;
        let room = self.hosts.get_mut(host)?;
        room.spend(cost);
        room.kept = true;
        *self.live.entry(&offer.pool.name).or_default() += 1;
        Some(host.clone())
    }

    /// Takes the room for one more runner of that variant, or says what there is none of.
    pub(super) fn take(
        &mut self,
        world: &World,
        offer: &Offer<'a>,
    ) -> Result<(HostName, Slot), JobHold> {
        let pool = offer.pool;
        if self.count(&pool.name) >= pool.max {
            let unseen = self.unseen.get(&pool.name).copied().unwrap_or(0);
            return Err(JobHold::PoolAtMax { pool: pool.name.clone(), max: pool.max, unseen });
        }
        let host = self.host_for(world, offer)?;
        if self.starts_left == 0 {
            return Err(JobHold::StartRate { per_minute: world.spec.starts_per_minute });
        }
        self.starts_left -= 1;
        let slot = self.slots.take(world, &host, &offer.variant);
        *self.live.entry(&pool.name).or_default() += 1;
        if let Some(room) = self.hosts.get_mut(&host) {
            room.spend(Cost::of(pool));
        }
        Ok((host, slot))
    }

    /// The first host that serves the variant and has room for it.
    fn host_for(&self, world: &World, offer: &Offer<'_>) -> Result<HostName, JobHold> {
        let mut hold = None;
        for (name, host) in &world.hosts {
            let right_arch = host.engine().is_none_or(|engine| engine.arch == offer.variant.arch);
            if !world.serves(name, offer.pool) || !right_arch {
                continue;
            }
            if let crate::world::Observed::Unknown { error, .. } = &host.state {
                let what = format!("host `{name}` could not be read: {error}").into();
                hold.get_or_insert(JobHold::Unseen { what });
                continue;
            }
            if world.memory.pulling.contains(&(name.clone(), offer.pool.runner_image.clone())) {
                let image = offer.pool.runner_image.clone();
                hold.get_or_insert(JobHold::ImagePull { host: name.clone(), image });
                continue;
            }
            if let Some((left, error)) = world.network_waits(name) {
                hold.get_or_insert(JobHold::NoNetwork { host: name.clone(), left, error });
                continue;
            }
            let Some(room) = self.hosts.get(name) else { continue };
            match room.lacks(Cost::of(offer.pool)) {
                None => return Ok(name.clone()),
                // An image on its way makes room soonest; a host that cannot be read says least.
                Some(_) if matches!(hold, Some(JobHold::ImagePull { .. })) => {}
                Some(lacks) => hold = Some(JobHold::HostBudget { host: name.clone(), lacks }),
            }
        }
        let any_host = world.hosts.keys().next();
        Err(hold.unwrap_or_else(|| match any_host {
            Some(host) => JobHold::HostBudget { host: host.clone(), lacks: Lack::Architecture },
            None => JobHold::Unseen { what: "no host is declared".into() },
        }))
    }
}

/// The hosts that are seen and serve the variant.
pub(super) fn hosts_of<'w>(world: &'w World, offer: &Offer<'_>) -> Vec<&'w HostName> {
    let serves = |(name, host): &(&HostName, &Host)| {
        let right_arch = |state: &HostState| state.engine.arch == offer.variant.arch;
        world.serves(name, offer.pool) && host.state.known().is_some_and(right_arch)
    };
    world.hosts.iter().filter(serves).map(|(name, _)| name).collect()
}

/// The whole budget of each host that was ever seen.
pub(crate) fn host_rooms(world: &World) -> BTreeMap<HostName, HostRoom> {
    let rooms = world.hosts.iter().filter_map(|(name, host)| {
        let budget = &world.spec.hosts.get(name)?.budget;
        Some((name.clone(), HostRoom::new(budget, host.engine()?)))
    });
    rooms.collect()
}

/// Containers that cannot be read, each with its pool where anything tells: they may all live.
fn set_aside(world: &World) -> Vec<(&HostName, Option<&Pool>)> {
    let mut found = Vec::new();
    for (name, host) in &world.hosts {
        for aside in host.state.last().into_iter().flat_map(|state| &state.aside) {
            let told = aside.variant.as_ref().map(|variant| &variant.pool);
            let by_label = told.and_then(|pool| world.spec.pool(pool));
            found.push((name, by_label.or_else(|| pool_of(world, &aside.name))));
        }
    }
    found
}

/// Runners whose start got no answer and whose host was not seen since: they may be there.
fn in_doubt<'w>(world: &'w World, runners: &[RunnerView<'_>]) -> Vec<(&'w Pool, &'w HostName)> {
    // The same slot may be filled on another host, too.
    let seen = |name: &RunnerName, host: &HostName| {
        runners.iter().any(|view| view.runner.name == *name && view.host == host)
    };
    // What is still under way counts as such.
    let doubts = world
        .memory
        .in_doubt
        .iter()
        .filter(|(name, (host, _))| !seen(name, host) && !world.is_being_started(host, name));
    doubts.filter_map(|(name, (host, _))| Some((pool_of(world, name)?, host))).collect()
}

/// The pool whose runner has that name, also at an architecture that the spec declares no more: the
/// pool's maximum counts its runners of all architectures.
fn pool_of<'w>(world: &'w World, name: &RunnerName) -> Option<&'w Pool> {
    let (variant, _) = name.of_slot(&world.spec.instance)?;
    world.spec.pool(&variant.pool)
}

/// Starts that the minute before now leaves, and those that are under way.
fn starts_left(world: &World) -> u32 {
    let minute = SignedDuration::from_mins(1);
    let memory = &world.memory;
    let all = memory.starts_of_the_minute();
    let recent = all.filter(|at| world.now.duration_since(*at) < minute);
    // One that ended is among those that were made, or failed.
    let under_way = world.starts_unseen().into_iter();
    let under_way = under_way.filter(|start| !memory.in_doubt.contains_key(start.runner));
    let recent = recent.count().saturating_add(under_way.count());
    let recent = u32::try_from(recent).unwrap_or(u32::MAX);
    world.spec.starts_per_minute.saturating_sub(recent)
}
