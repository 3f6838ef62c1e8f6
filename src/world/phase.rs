//! The phase of a runner: derived at every look, stored nowhere.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{ContainerState, HostState, JobId, Manager, RecordId, Runner, SystemId, World};
use crate::spec::{HostName, PoolName};

/// How long the runner's log alone says that it has a job: from pick-up to the first container.
const PICK_UP_MAX: SignedDuration = SignedDuration::from_secs(120);

/// How far a corrected time may be off: GitLab tells its own to the second.
const CLOCK_ERROR: SignedDuration = SignedDuration::from_secs(3);

/// What a runner does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Its container was never started.
    Created,
    /// It runs and made no contact with GitLab yet.
    Starting {
        /// Since when it runs.
        since: Timestamp,
        /// Longer than its pool's `startup_timeout`, but whether it made contact is not known.
        late: bool,
    },
    /// It runs and has no job.
    Idle {
        /// Since when.
        since: Timestamp,
    },
    /// It has a job.
    Busy {
        /// Which, where that is known.
        job: Option<JobId>,
    },
    /// This process asked it to exit.
    Draining {
        /// Since when.
        since: Timestamp,
        /// It still has a job.
        busy: bool,
    },
    /// It ended.
    Exited {
        /// With which code.
        code: i64,
        /// When.
        at: Timestamp,
    },
    /// It runs, and is known to have made no contact in time.
    Failed {
        /// Since when it runs.
        since: Timestamp,
    },
}

impl Phase {
    /// The word for it in output and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting { .. } => "starting",
            Self::Idle { .. } => "idle",
            Self::Busy { .. } => "busy",
            Self::Draining { .. } => "draining",
            Self::Exited { .. } => "exited",
            Self::Failed { .. } => "failed",
        }
    }
}

/// A runner with its phase.
#[derive(Debug, Clone)]
pub struct RunnerView<'a> {
    /// Where it is.
    pub host: &'a HostName,
    /// Its container.
    pub runner: &'a Runner,
    /// Its phase.
    pub phase: Phase,
    /// Its host could be observed just now; else nothing there is touched.
    pub seen: bool,
}

impl RunnerView<'_> {
    /// It uses its slot, and its share of the budget.
    pub fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Exited { .. })
    }
}

/// A runner has a job; which one is not always told.
#[derive(Debug, Clone, Copy)]
struct Work {
    job: Option<JobId>,
}

/// All runners with their phases, by host and name.
pub fn phases(world: &World) -> Vec<RunnerView<'_>> {
    let managers = Managers::of(world);
    let timeouts = timeouts(world);
    let mut views = Vec::new();
    for (name, host) in &world.hosts {
        let seen = host.state.known().is_some();
        let Some(state) = host.state.last() else { continue };
        let working = working(state);
        for runner in &state.runners {
            let on_engine = working.get(&runner.system_id).copied();
            let timeout = timeouts.get(&runner.variant.pool).copied();
            let phase = phase(world, &managers, runner, on_engine, timeout);
            views.push(RunnerView { host: name, runner, phase, seen });
        }
    }
    views
}

/// How long a runner of each pool may take to make contact.
fn timeouts(world: &World) -> BTreeMap<&PoolName, SignedDuration> {
    let timeouts = world.spec.pools.iter().map(|pool| {
        let timeout = SignedDuration::try_from(pool.startup_timeout);
        (&pool.name, timeout.unwrap_or(SignedDuration::MAX))
    });
    timeouts.collect()
}

/// The runners that have a live job container.
fn working(state: &HostState) -> BTreeMap<&SystemId, Work> {
    let mut working: BTreeMap<&SystemId, Work> = BTreeMap::new();
    for container in state.jobs.containers.iter().filter(|container| container.running) {
        let work = working.entry(&container.system_id).or_insert(Work { job: None });
        work.job = work.job.max(container.job);
    }
    working
}

fn phase(
    world: &World,
    managers: &Managers<'_>,
    runner: &Runner,
    on_engine: Option<Work>,
    timeout: Option<SignedDuration>,
) -> Phase {
    let started_at = match runner.state {
        ContainerState::Created => return Phase::Created,
        ContainerState::Exited { code, finished_at, .. } => {
            return Phase::Exited { code, at: finished_at };
        }
        ContainerState::Running { started_at } => started_at,
    };
    let contact = managers.contact(world, runner, started_at);
    let told = picked_up(runner, world.now);
    let seen = on_engine.or_else(|| contact.work());
    // GitLab may say that it works before an engine or GitLab can say at what.
    let work = seen.map(|work| Work { job: work.job.or(told.and_then(|told| told.job)) }).or(told);
    // What was asked of a process says nothing of the next one, which a person started.
    let asked = world.memory.draining.get(&runner.id);
    if let Some(&since) = asked.filter(|at| started_at.duration_since(**at) <= CLOCK_ERROR) {
        return Phase::Draining { since, busy: work.is_some() };
    }
    if let Some(Work { job }) = work {
        return Phase::Busy { job };
    }
    let late = timeout.is_some_and(|timeout| world.now.duration_since(started_at) > timeout);
    match contact {
        Contact::Made(_) => Phase::Idle { since: idle_since(runner, started_at) },
        Contact::None if late => Phase::Failed { since: started_at },
        Contact::None | Contact::Unknown => Phase::Starting { since: started_at, late },
    }
}

/// GitLab's rows of our runners, by record and system id; a record whose rows are unknown is absent.
struct Managers<'a> {
    rows: BTreeMap<RecordId, BTreeMap<&'a SystemId, &'a Manager>>,
}

/// What is known of a runner's contact with GitLab.
enum Contact<'a> {
    Made(Option<&'a Manager>),
    None,
    Unknown,
}

impl<'a> Managers<'a> {
    fn of(world: &'a World) -> Self {
        let records = world.records.known().map(Vec::as_slice).unwrap_or_default();
        let known = records.iter().filter_map(|record| Some((record.id, record.managers.known()?)));
        let by_system_id =
            |rows: &'a Vec<Manager>| rows.iter().map(|row| (&row.system_id, row)).collect();
        Self { rows: known.map(|(id, rows)| (id, by_system_id(rows))).collect() }
    }

    /// A row from before this container's start speaks of its predecessor in the slot.
    fn contact(&self, world: &World, runner: &Runner, started_at: Timestamp) -> Contact<'a> {
        let rows = self.rows.get(&runner.record);
        let row = rows.and_then(|rows| rows.get(&runner.system_id).copied()).filter(|row| {
            row.contacted_at.is_some_and(|at| started_at.duration_since(at) <= CLOCK_ERROR)
        });
        let worked = runner.log.as_ref().is_some_and(|log| log.received.is_some());
        if row.is_some() || worked || world.memory.contacted.contains(&runner.id) {
            Contact::Made(row)
        } else if rows.is_some() {
            Contact::None
        } else {
            Contact::Unknown
        }
    }
}

impl Contact<'_> {
    fn work(&self) -> Option<Work> {
        match self {
            Self::Made(Some(row)) if row.busy => Some(Work { job: row.job }),
            Self::Made(_) | Self::None | Self::Unknown => None,
        }
    }
}

/// The job that the runner's log says was picked up and has no container yet.
fn picked_up(runner: &Runner, now: Timestamp) -> Option<Work> {
    let log = runner.log.as_ref()?;
    let (job, at) = log.received?;
    let over = log.ended.is_some_and(|ended| ended >= at);
    (!over && now.duration_since(at) < PICK_UP_MAX).then_some(Work { job: Some(job) })
}

/// The later of the container's start and its last job's end.
fn idle_since(runner: &Runner, started_at: Timestamp) -> Timestamp {
    let ended = runner.log.as_ref().and_then(|log| log.ended);
    ended.map_or(started_at, |ended| ended.max(started_at))
}
