//! Where a new runner fits: which host, on which of its nodes, in which slot; as far as the pool's
//! maximum, the hosts' budgets and the starts per minute go.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::held_job::{JobHold, Lack};
use super::images::without_image;
use super::ledger::{HostRoom, Ledger, NoRoom};
use super::slots::Slots;
use super::wanted::Wanted;
use crate::spec::{Cost, HostName, PoolName};
use crate::world::{
    DiskRoom, EngineInfo, Host, HostState, InDoubt, Node, Observed, Offer, RunnerName, RunnerView,
    Slot, SystemId, Variant, World,
};

/// Where a runner goes.
#[derive(Debug)]
pub(super) struct Placement {
    /// The host.
    pub(super) host: HostName,
    /// The slot of its variant, unique over all hosts.
    pub(super) slot: Slot,
    /// The manager's name that it has there.
    pub(super) system_id: SystemId,
    /// What it gets of the host.
    pub(super) cost: Cost,
}

/// A runner of the variant can run there.
fn can_run(node: &Node, variant: &Variant) -> bool {
    node.arch == variant.arch
}

/// The room that is left, less what was taken from it.
#[derive(Debug)]
pub(super) struct Room<'a> {
    ledger: Ledger<'a>,
    /// Runners that only GitLab tells of; they count in the ledger, too.
    unseen: BTreeMap<&'a PoolName, u32>,
    slots: Slots<'a>,
    starts_left: u32,
}

impl<'a> Room<'a> {
    pub(super) fn new(world: &'a World, runners: &[RunnerView<'a>], wanted: &Wanted) -> Self {
        let mut room = Self {
            ledger: Ledger::of(world),
            unseen: BTreeMap::new(),
            slots: Slots::of(world, runners),
            starts_left: starts_left(world),
        };
        for view in runners.iter().filter(|view| view.is_live()) {
            // Who had its last job costs its host until it is gone, and has a successor by then.
            let pool = Some(&view.runner.variant.pool);
            let pool = pool.filter(|_| !wanted.is_ending(world, view.runner));
            room.ledger.add(view.host, pool, &world.cost_of(view.runner));
        }
        for (host, pool, cost) in set_aside(world) {
            room.ledger.add(host, pool, &cost);
        }
        for (variant, &count) in world.unaccounted() {
            room.add_unseen(&variant.pool, count);
        }
        for (name, InDoubt { host, cost, .. }) in in_doubt(world, runners) {
            let pool = pool_of(world, name);
            room.ledger.add(host, pool, cost);
            if let Some(pool) = pool {
                *room.unseen.entry(pool).or_default() += 1;
            }
        }
        for start in world.starts_unseen() {
            room.ledger.add(start.host, Some(&start.variant.pool), start.cost);
        }
        room
    }

    fn add_unseen(&mut self, pool: &'a PoolName, count: u32) {
        self.ledger.add_anywhere(pool, count);
        let unseen = self.unseen.entry(pool).or_default();
        *unseen = unseen.saturating_add(count);
    }

    /// What is left now.
    pub(super) fn ledger(&self) -> &Ledger<'a> {
        &self.ledger
    }

    /// Keeps the next room for one more runner of that variant, though there is none yet: on the
    /// first host that is seen and has room for it when nothing else runs there.
    pub(super) fn keep_next(&mut self, world: &World, offer: &Offer<'a>) -> Option<HostName> {
        let whole = Ledger::of(world);
        let fits = |name: &&HostName| whole.room_for(name, offer.pool).is_ok();
        let host = hosts_of(world, offer).into_iter().find(fits)?;
        self.ledger.keep_next(host, offer.pool);
        Some(host.clone())
    }

    /// Takes the room for one more runner of that variant, or says what there is none of.
    pub(super) fn place(&mut self, world: &World, offer: &Offer<'a>) -> Result<Placement, JobHold> {
        let pool = offer.pool;
        if self.ledger.is_full(pool) {
            let unseen = self.unseen.get(&pool.name).copied().unwrap_or(0);
            return Err(JobHold::PoolAtMax { pool: pool.name.clone(), max: pool.max, unseen });
        }
        let (host, engine, cost) = self.host_for(world, offer)?;
        if self.starts_left == 0 {
            return Err(JobHold::StartRate { per_minute: world.spec.starts_per_minute });
        }
        self.starts_left -= 1;
        self.ledger.add(host, Some(&pool.name), &cost);
        let slot = self.slots.take(world, host, &offer.variant);
        let system_id = SystemId::new(&world.spec.instance, &engine.id, &offer.variant, slot);
        Ok(Placement { host: host.clone(), slot, system_id, cost })
    }

    /// The first host that serves the variant and has room for it.
    fn host_for<'w>(
        &self,
        world: &'w World,
        offer: &Offer<'_>,
    ) -> Result<(&'w HostName, &'w EngineInfo, Cost), JobHold> {
        let mut hold = None;
        for (name, host) in &world.hosts {
            let fits = host.node().is_none_or(|node| can_run(node, &offer.variant));
            if !world.serves(name, offer.pool) || !fits {
                continue;
            }
            let engine = match &host.state {
                Observed::Known { value, .. } => &value.engine,
                Observed::Unknown { error, .. } => {
                    let what = format!("host `{name}` could not be read: {error}").into();
                    hold.get_or_insert(JobHold::Unseen { what });
                    continue;
                }
            };
            if let Some(missing) = without_image(world, name, &offer.variant, offer.pool) {
                hold.get_or_insert(missing);
                continue;
            }
            if let Some((left, error)) = world.network_waits(name) {
                hold.get_or_insert(JobHold::NoNetwork { host: name.clone(), left, error });
                continue;
            }
            if let Some(disk) = world.disk_room(name).filter(DiskRoom::is_full) {
                hold.get_or_insert(JobHold::DiskFull { host: name.clone(), disk });
                continue;
            }
            match self.ledger.room_for(name, offer.pool) {
                Ok(cost) => return Ok((name, engine, cost)),
                Err(NoRoom::NeverSeen) => {}
                // An image on its way makes room soonest; a host that cannot be read says least.
                Err(_) if matches!(hold, Some(JobHold::ImagePull { .. })) => {}
                Err(NoRoom::Lacks(lacks)) => {
                    hold = Some(JobHold::HostBudget { host: name.clone(), lacks });
                }
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
        let fits = |state: &HostState| can_run(&state.engine.node, &offer.variant);
        world.serves(name, offer.pool) && host.state.known().is_some_and(fits)
    };
    world.hosts.iter().filter(serves).map(|(name, _)| name).collect()
}

/// The budgets of the hosts that were ever seen, with what all that may run there uses of them.
pub(crate) fn host_rooms(
    world: &World,
    runners: &[RunnerView<'_>],
) -> BTreeMap<HostName, HostRoom> {
    // Who counts against `max` is not asked.
    Room::new(world, runners, &Wanted::default()).ledger.into_rooms()
}

/// Containers that cannot be read, each with its pool where anything tells, and what it costs: they
/// may all live.
fn set_aside(world: &World) -> Vec<(&HostName, Option<&PoolName>, Cost)> {
    let mut found = Vec::new();
    for (name, host) in &world.hosts {
        for aside in host.state.last().into_iter().flat_map(|state| &state.aside) {
            let told = aside.variant.as_ref().map(|variant| &variant.pool);
            let pool = told.or_else(|| pool_of(world, &aside.name));
            found.push((name, pool, world.cost_of_aside(aside)));
        }
    }
    found
}

/// Runners whose start got no answer and whose host was not seen since: they may be there.
fn in_doubt<'w>(
    world: &'w World,
    runners: &[RunnerView<'_>],
) -> Vec<(&'w RunnerName, &'w InDoubt)> {
    // The same slot may be filled on another host, too.
    let seen = |name: &RunnerName, host: &HostName| {
        runners.iter().any(|view| view.runner.name == *name && view.host == host)
    };
    // What is still under way counts as such.
    let doubts = world.memory.in_doubt.iter();
    doubts
        .filter(|(name, it)| !seen(name, &it.host) && !world.is_being_started(&it.host, name))
        .collect()
}

/// The pool whose runner has that name, also at an architecture that the spec declares no more: the
/// pool's maximum counts its runners of all architectures.
fn pool_of<'w>(world: &'w World, name: &RunnerName) -> Option<&'w PoolName> {
    let (variant, _) = name.of_slot(&world.spec.instance)?;
    Some(&world.spec.pool(&variant.pool)?.name)
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
