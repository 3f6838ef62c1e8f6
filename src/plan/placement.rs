//! Where a new runner fits: which host, on which of its nodes, in which slot; as far as the pool's
//! maximum, the hosts' budgets and the starts per minute go.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::gpus;
use super::held_job::{JobHold, Lack};
use super::host_choice::{HostChoice, HostReason};
use super::images::without_image;
use super::ledger::{HostRoom, Ledger, NoRoom};
use super::slots::Slots;
use super::wanted::Wanted;
use crate::spec::{Cost, HostName, PoolName};
use crate::world::{
    DiskRoom, EngineInfo, Host, HostState, InDoubt, Node, Observed, Offer, RunnerName, RunnerView,
    SetAside, Slot, SystemId, Variant, World,
};

/// Where a runner goes.
#[derive(Debug)]
pub(super) struct Placement {
    /// The slot of its variant, unique over all hosts.
    pub(super) slot: Slot,
    /// The manager's name that it has there.
    pub(super) system_id: SystemId,
    /// What it gets of the host.
    pub(super) cost: Cost,
    /// The host, and why this one.
    pub(super) choice: HostChoice,
}

/// A runner of the variant can run there, its jobs emulated or not.
fn can_run(world: &World, host: &HostName, node: &Node, offer: &Offer<'_>) -> bool {
    let arch = offer.variant.arch;
    node.arch == arch || offer.pool.emulate && world.emulates(host, arch)
}

/// The room that is left, less what was taken from it.
#[derive(Debug)]
pub(super) struct Room<'a> {
    ledger: Ledger<'a>,
    /// Runners that only GitLab tells of; they count in the ledger, too.
    unseen: BTreeMap<&'a PoolName, u32>,
    slots: Slots<'a>,
    starts_left: u32,
    eligible: BTreeMap<Variant, Eligible<'a>>,
    /// The runners of each host without this plan, and how many it may have.
    at_first: BTreeMap<HostName, (u32, u32)>,
}

impl<'a> Room<'a> {
    pub(super) fn new(world: &'a World, runners: &[RunnerView<'a>], wanted: &Wanted) -> Self {
        let mut room = Self {
            ledger: Ledger::of(world),
            unseen: BTreeMap::new(),
            slots: Slots::of(world, runners),
            starts_left: starts_left(world),
            eligible: BTreeMap::new(),
            at_first: BTreeMap::new(),
        };
        for view in runners.iter().filter(|view| view.is_live()) {
            // Who had its last job costs its host until it is gone, and has a successor by then.
            let pool = Some(&view.runner.variant.pool);
            let pool = pool.filter(|_| !wanted.is_ending(world, view.runner));
            room.ledger.add(view.host, pool, &world.cost_of(view.runner));
        }
        for view in runners.iter().filter(|view| !view.is_live()) {
            // Its jobs' containers may still be there: they go before it does.
            room.ledger.add_gpus(view.host, &world.cost_of(view.runner).gpus);
        }
        for (host, aside, pool, cost) in set_aside(world) {
            room.ledger.add(host, pool, &cost);
            if aside.cost.is_none() {
                room.ledger.hide_gpus(host, &aside.name);
            }
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
        let rooms = room.ledger.rooms().iter();
        let counts = rooms.map(|(host, it)| (host.clone(), (it.used.runners, it.budget.runners)));
        room.at_first = counts.collect();
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
    pub(super) fn place(
        &mut self,
        world: &'a World,
        runners: &[RunnerView<'_>],
        offer: &Offer<'a>,
    ) -> Result<Placement, JobHold> {
        let pool = offer.pool;
        if self.ledger.is_full(pool) {
            let unseen = self.unseen.get(&pool.name).copied().unwrap_or(0);
            return Err(JobHold::PoolAtMax { pool: pool.name.clone(), max: pool.max, unseen });
        }
        let roomy = self.with_room(world, runners, offer)?;
        if self.starts_left == 0 {
            return Err(JobHold::StartRate { per_minute: world.spec.starts_per_minute });
        }
        let (chosen, slot, reason) = self.choose(world, offer, &roomy);
        self.starts_left -= 1;
        let (host, cost) = (chosen.host, chosen.cost.clone());
        self.ledger.add(host, Some(&pool.name), &cost);
        let system_id =
            SystemId::new(&world.spec.instance, &chosen.engine.id, &offer.variant, slot);
        let node = chosen.engine.node.arch;
        let emulated_on = (node != offer.variant.arch).then_some(node);
        let choice = HostChoice { host: host.clone(), reason, emulated_on };
        Ok(Placement { slot, system_id, cost, choice })
    }

    /// The hosts that can take one more runner of the variant now, with what it gets there.
    fn with_room(
        &mut self,
        world: &'a World,
        runners: &[RunnerView<'_>],
        offer: &Offer<'a>,
    ) -> Result<Roomy<'a>, JobHold> {
        let Eligible { hosts, hold } = self
            .eligible
            .entry(offer.variant.clone())
            .or_insert_with(|| Eligible::of(world, offer));
        let mut hold = hold.clone();
        let (mut found, mut most) = (Vec::new(), 0);
        for &(host, engine) in hosts.iter() {
            match self.ledger.room_for(host, offer.pool) {
                Ok(cost) => {
                    let more = self.ledger.how_many_more(host, offer.pool);
                    most = most.max(more);
                    found.push(Candidate { host, engine, cost, more });
                }
                Err(NoRoom::NeverSeen) => {}
                // An image on its way makes room soonest; a host that cannot be read says least.
                Err(_) if matches!(hold, Some(JobHold::ImagePull { .. })) => {}
                // Another host has them.
                Err(NoRoom::Lacks(lacks @ Lack::NoGpu(_))) => {
                    hold.get_or_insert(JobHold::HostBudget { host: host.clone(), lacks });
                }
                Err(NoRoom::Lacks(mut lacks)) => {
                    if let Lack::Gpus(busy) = &mut lacks {
                        busy.holders = gpus::holders(world, runners, host);
                    }
                    hold = Some(JobHold::HostBudget { host: host.clone(), lacks });
                }
            }
        }
        // Many times slower, and so only where no other host has room.
        let is_native = |one: &Candidate<'_>| one.engine.node.arch == offer.variant.arch;
        if found.iter().any(is_native) {
            found.retain(is_native);
        }
        let Some(first) = found.first().cloned() else {
            let any_host = world.hosts.keys().next();
            let lacks = if offer.pool.emulate { Lack::Qemu } else { Lack::Architecture };
            return Err(hold.unwrap_or_else(|| match any_host {
                Some(host) => JobHold::HostBudget { host: host.clone(), lacks },
                None => JobHold::Unseen { what: "no host is declared".into() },
            }));
        };
        let alone = hosts.len() == 1 && Self::others_may_not(world, offer);
        Ok(Roomy { first, found, alone })
    }

    /// No second host takes the variant, seen or not.
    fn others_may_not(world: &World, offer: &Offer<'_>) -> bool {
        let may = |(name, host): &(&HostName, &Host)| {
            let fits = host.node().is_none_or(|node| can_run(world, name, node, offer));
            world.serves(name, offer.pool) && fits
        };
        world.hosts.iter().filter(may).count() <= 1
    }

    /// Where the clone and caches of a free slot are, else where there is most room; by name where
    /// that is equal.
    fn choose(
        &mut self,
        world: &World,
        offer: &Offer<'a>,
        roomy: &Roomy<'a>,
    ) -> (Candidate<'a>, Slot, HostReason) {
        let mut best: Option<(u32, &Candidate<'a>, Slot)> = None;
        for candidate in &roomy.found {
            let Some(slot) = self.slots.with_caches(world, candidate.host, offer) else { continue };
            if best.as_ref().is_none_or(|(more, ..)| candidate.more > *more) {
                best = Some((candidate.more, candidate, slot));
            }
        }
        let only = |reason| match (roomy.alone, roomy.found.len()) {
            (true, _) => HostReason::OnlyHost,
            (false, 1) => HostReason::OnlyRoom,
            (false, _) => reason,
        };
        if let Some((_, candidate, slot)) = best {
            self.slots.fill(&offer.variant, slot);
            let reason = if roomy.alone { HostReason::OnlyHost } else { HostReason::Caches };
            return (candidate.clone(), slot, reason);
        }
        let mut chosen = &roomy.first;
        for candidate in &roomy.found {
            if candidate.more > chosen.more {
                chosen = candidate;
            }
        }
        let slot = self.slots.take(world, chosen.host, offer);
        let (runners, most) = self.at_first.get(chosen.host).copied().unwrap_or_default();
        (chosen.clone(), slot, only(HostReason::MostRoom { runners, most }))
    }
}

/// A host that can take one more runner.
#[derive(Debug, Clone)]
struct Candidate<'a> {
    host: &'a HostName,
    engine: &'a EngineInfo,
    /// What the runner gets there.
    cost: Cost,
    /// How many of these runners it has room for.
    more: u32,
}

/// The hosts that can take one more runner; at least one.
#[derive(Debug)]
struct Roomy<'a> {
    first: Candidate<'a>,
    found: Vec<Candidate<'a>>,
    /// No other host takes such runners at all.
    alone: bool,
}

/// The hosts on which runners of a variant can be started as far as room goes: nothing of that
/// changes while a plan is made.
#[derive(Debug)]
struct Eligible<'a> {
    hosts: Vec<(&'a HostName, &'a EngineInfo)>,
    /// Why another one that serves the variant is not among them.
    hold: Option<JobHold>,
}

impl<'a> Eligible<'a> {
    fn of(world: &'a World, offer: &Offer<'_>) -> Self {
        let (mut hosts, mut hold) = (Vec::new(), None);
        for (name, host) in &world.hosts {
            let fits = host.node().is_none_or(|node| can_run(world, name, node, offer));
            if !world.serves(name, offer.pool) || !fits {
                continue;
            }
            match Self::check(world, name, host, offer) {
                Ok(engine) => hosts.push((name, engine)),
                Err(why) => {
                    hold.get_or_insert(why);
                }
            }
        }
        Self { hosts, hold }
    }

    fn check(
        world: &World,
        name: &HostName,
        host: &'a Host,
        offer: &Offer<'_>,
    ) -> Result<&'a EngineInfo, JobHold> {
        if world.in_maintenance(name) {
            return Err(JobHold::Maintenance { host: name.clone() });
        }
        let engine = match &host.state {
            Observed::Known { value, .. } => &value.engine,
            Observed::Unknown { error, .. } => {
                let what = format!("host `{name}` could not be read: {error}").into();
                return Err(JobHold::Unseen { what });
            }
        };
        if let Some(missing) = without_image(world, name, &offer.variant, offer.pool) {
            return Err(missing);
        }
        if let Some((left, error)) = world.network_waits(name) {
            return Err(JobHold::NoNetwork { host: name.clone(), left, error });
        }
        if let Some(disk) = world.disk_room(name).filter(DiskRoom::is_full) {
            return Err(JobHold::DiskFull { host: name.clone(), disk });
        }
        Ok(engine)
    }
}

/// The hosts that are seen, serve the variant and are not in maintenance.
pub(super) fn hosts_of<'w>(world: &'w World, offer: &Offer<'_>) -> Vec<&'w HostName> {
    let serves = |(name, host): &(&HostName, &Host)| {
        let fits = |state: &HostState| can_run(world, name, &state.engine.node, offer);
        world.serves(name, offer.pool)
            && !world.in_maintenance(name)
            && host.state.known().is_some_and(fits)
    };
    world.hosts.iter().filter(serves).map(|(name, _)| name).collect()
}

/// The budgets of the hosts that were ever seen, with what all that may run there uses of them.
pub(crate) fn host_rooms(
    world: &World,
    runners: &[RunnerView<'_>],
) -> BTreeMap<HostName, HostRoom> {
    // Who counts against `max` is not asked.
    Room::new(world, runners, &Wanted::default()).ledger.rooms().clone()
}

/// Containers that cannot be read, each with its pool where anything tells, and what it costs: they
/// may all live.
fn set_aside(world: &World) -> Vec<(&HostName, &SetAside, Option<&PoolName>, Cost)> {
    let mut found = Vec::new();
    for (name, host) in &world.hosts {
        for aside in host.state.last().into_iter().flat_map(|state| &state.aside) {
            let told = aside.variant.as_ref().map(|variant| &variant.pool);
            let pool = told.or_else(|| pool_of(world, &aside.name));
            found.push((name, aside, pool, world.cost_of_aside(aside)));
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
