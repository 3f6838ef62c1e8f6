//! The phase of a runner: derived at every look, stored nowhere.

use jiff::{SignedDuration, Timestamp};

use super::{ContainerState, JobId, Manager, Record, Runner, World};
use crate::spec::HostName;

/// How long the runner's log alone says that it has a job: from pick-up to the first container.
const PICK_UP_MAX: SignedDuration = SignedDuration::from_secs(120);

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
struct Work {
    job: Option<JobId>,
}

/// All runners with their phases, by host and name.
pub fn phases(world: &World) -> Vec<RunnerView<'_>> {
    let mut views = Vec::new();
    for (name, host) in &world.hosts {
        let seen = host.state.known().is_some();
        let Some(state) = host.state.last() else { continue };
        for runner in &state.runners {
            let job = state
                .jobs
                .containers
                .iter()
                .filter(|container| container.running && container.system_id == runner.system_id)
                .map(|container| Work { job: container.job })
                .max_by_key(|work| work.job);
            views.push(RunnerView { host: name, runner, phase: phase(world, runner, job), seen });
        }
    }
    views
}

/// The phase of one runner; `on_engine` is the job whose live container the engine shows.
fn phase(world: &World, runner: &Runner, on_engine: Option<Work>) -> Phase {
    let started_at = match runner.state {
        ContainerState::Created => return Phase::Created,
        ContainerState::Exited { code, finished_at, .. } => {
            return Phase::Exited { code, at: finished_at };
        }
        ContainerState::Running { started_at } => started_at,
    };
    let contact = Contact::of(world, runner, started_at);
    let job = on_engine.or_else(|| contact.job()).or_else(|| picked_up(runner, world.now));
    if let Some(&since) = world.memory.draining.get(&runner.id) {
        return Phase::Draining { since, busy: job.is_some() };
    }
    if let Some(Work { job }) = job {
        return Phase::Busy { job };
    }
    let idle = Phase::Idle { since: idle_since(runner, started_at) };
    let timeout = world.spec.pool(&runner.variant.pool).map(|pool| pool.startup_timeout);
    let late = timeout
        .is_some_and(|timeout| world.now.duration_since(started_at).unsigned_abs() > timeout);
    match contact {
        Contact::Made(_) => idle,
        Contact::None if late => Phase::Failed { since: started_at },
        Contact::None | Contact::Unknown => Phase::Starting { since: started_at, late },
    }
}

/// What is known of a runner's contact with GitLab.
enum Contact<'a> {
    Made(Option<&'a Manager>),
    None,
    Unknown,
}

impl<'a> Contact<'a> {
    fn of(world: &'a World, runner: &Runner, started_at: Timestamp) -> Self {
        let managers = world
            .records
            .known()
            .and_then(|records| records.iter().find(|record: &&Record| record.id == runner.record))
            .and_then(|record| record.managers.known());
        let row =
            managers.and_then(|rows| rows.iter().find(|row| row.system_id == runner.system_id));
        let since_start = row.filter(|row| row.contacted_at.is_some_and(|at| at >= started_at));
        let worked = runner.log.as_ref().is_some_and(|log| log.received.is_some());
        if since_start.is_some() || worked || world.memory.contacted.contains(&runner.id) {
            Self::Made(row)
        } else if managers.is_some() {
            Self::None
        } else {
            Self::Unknown
        }
    }

    /// The job that GitLab says the runner has. A row from before this container's start speaks
    /// of its predecessor in the slot.
    fn job(&self) -> Option<Work> {
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
