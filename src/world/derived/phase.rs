//! The phase of a runner.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::duration::signed;
use crate::spec::{HostName, PoolName};
use crate::world::{
    Condition, ContainerState, HostState, JobId, Look, Manager, Record, RecordId, Runner,
    RunnerLog, SystemId, WorkloadId,
};

/// How long the runner's log alone says that it has a job: from pick-up to the first container.
const PICK_UP_MAX: SignedDuration = SignedDuration::from_secs(120);

/// How long GitLab alone may say that a runner is busy, while its log and its engine know of no
/// job. After that it is the job of a predecessor in the slot, which GitLab shows as running for up
/// to an hour after its runner died. SIGQUIT would end no job if this were wrong.
const BUSY_ALONE_MAX: SignedDuration = PICK_UP_MAX;

/// After how long without contact a runner counts as silent. GitLab tells the last contact from a
/// cache; where that is lost, it tells what it wrote down, which is up to 55 minutes old.
pub(super) const SILENT_AFTER: SignedDuration = SignedDuration::from_mins(65);
/// The same while jobs stay pending that an idle runner should have taken: gitlab-runner's longest
/// pauses between two polls are the five minutes after a refusal and the 50 s of a long poll.
const SILENT_AFTER_UNCLAIMED: SignedDuration = SignedDuration::from_mins(6);
/// For how long it must be seen to be silent, and GitLab to be there, before want of contact is the
/// runner's fault: when GitLab was away, each runner comes back within seconds, and AutoGit must not
/// be faster.
const SILENT_FOR: SignedDuration = SignedDuration::from_mins(1);

/// How far a corrected time may be off: GitLab tells its own to the second.
pub(super) const CLOCK_ERROR: SignedDuration = SignedDuration::from_secs(3);

/// What a runner does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        /// When its last job ended, or it started.
        since: Timestamp,
    },
    /// It has a job.
    Busy {
        /// Which, where that is known.
        job: Option<JobId>,
    },
    /// This process asked it to exit.
    Draining {
        /// When it was asked.
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
    /// It runs, and is known to have made no contact in time, or none any more.
    Failed {
        /// Since when it runs, or made no contact any more.
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

/// All runners by host and name, and whether their host could be observed just now.
pub(super) fn runners(look: &Look) -> impl Iterator<Item = (&HostName, &Runner, bool)> {
    look.hosts.iter().flat_map(|(name, host)| {
        let seen = host.state.known().is_some();
        let runners = host.state.last().into_iter().flat_map(|state| &state.runners);
        runners.map(move |runner| (name, runner, seen))
    })
}

/// Those runners with their phases, in the same order.
pub(super) fn phases(look: &Look) -> Vec<RunnerView<'_>> {
    let managers = Managers::of(look);
    let timeouts = timeouts(look);
    let working =
        look.hosts.iter().filter_map(|(name, it)| Some((name, working(it.state.last()?))));
    let working: BTreeMap<&HostName, _> = working.collect();
    let views = runners(look).map(|(host, runner, seen)| {
        let on_engine = working.get(host).and_then(|working| working.get(&runner.system_id));
        let timeout = timeouts.get(&runner.variant.pool).copied();
        let phase = phase(look, &managers, runner, on_engine.copied(), timeout);
        RunnerView { host, runner, phase, seen }
    });
    views.collect()
}

/// How long a runner of each pool may take to make contact.
fn timeouts(look: &Look) -> BTreeMap<&PoolName, SignedDuration> {
    let timeouts = look.spec.pools.iter().map(|pool| (&pool.name, signed(pool.startup_timeout)));
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
    look: &Look,
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
    let contact = managers.contact(look, runner, started_at);
    let told = picked_up(runner, look.now, managers.are_read(look, runner));
    let at_gitlab = || contact.work().filter(|_| !is_busy_no_more(look, runner));
    let seen = on_engine.or_else(at_gitlab);
    // GitLab may say that it works before an engine or GitLab can say at what.
    let work = seen.map(|work| Work { job: work.job.or(told.and_then(|told| told.job)) }).or(told);
    // What was asked of a process says nothing of the next one, which a person started.
    let asked = look.asked_to_exit(&runner.id);
    if let Some(since) = asked.filter(|at| started_at.duration_since(*at) <= CLOCK_ERROR) {
        return Phase::Draining { since, busy: work.is_some() };
    }
    if let Some(Work { job }) = work {
        return Phase::Busy { job };
    }
    let unheard_since = unless_ahead(look, runner, started_at, Condition::Unheard);
    // One that is paused cannot make contact, and that is no failure of its image or network.
    let is_late = |at: Timestamp| {
        let waited = at.duration_since(unheard_since);
        !runner.paused && timeout.is_some_and(|timeout| waited > timeout)
    };
    let late = is_late(look.now);
    if let Some(last) = contact.silent_since(look)
        && is_seen_silent(look, runner)
        && !was_away(look)
        && !runner.paused
    {
        return Phase::Failed { since: last };
    }
    match contact {
        Contact::Made(_) => Phase::Idle { since: idle_since(look, runner, started_at) },
        Contact::None if is_late(look.records_told_at()) && !was_away(look) => {
            Phase::Failed { since: unheard_since }
        }
        Contact::None | Contact::Unknown => Phase::Starting { since: unheard_since, late },
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
    fn of(look: &'a Look) -> Self {
        let records = look.records.known().map(Vec::as_slice).unwrap_or_default();
        let known = records.iter().filter_map(|record| Some((record.id, record.managers.known()?)));
        let by_system_id =
            |rows: &'a Vec<Manager>| rows.iter().map(|row| (&row.system_id, row)).collect();
        Self { rows: known.map(|(id, rows)| (id, by_system_id(rows))).collect() }
    }

    /// What rows the runner's record has is known; one that is gone has none.
    fn are_read(&self, look: &Look, runner: &Runner) -> bool {
        let listed = |records: &Vec<Record>| records.iter().any(|it| it.id == runner.record);
        self.rows.contains_key(&runner.record) || look.records.known().is_some_and(|it| !listed(it))
    }

    /// A row from before this container's start speaks of its predecessor in the slot; but of one
    /// that is known to have made contact it speaks, and the start looks later than it was: a clock
    /// was set.
    fn contact(&self, look: &Look, runner: &Runner, started_at: Timestamp) -> Contact<'a> {
        let rows = self.rows.get(&runner.record);
        let worked = runner.log.as_ref().is_some_and(|log| log.received.is_some());
        let made = worked || look.memory.has_contacted(&runner.id);
        let row = rows.and_then(|rows| rows.get(&runner.system_id).copied()).filter(|row| {
            let since_start = |at| started_at.duration_since(at) <= CLOCK_ERROR;
            made || row.contacted_at.is_some_and(since_start)
        });
        if row.is_some() || made {
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

    /// The last contact, if it was long ago.
    fn silent_since(&self, look: &Look) -> Option<Timestamp> {
        let Self::Made(Some(row)) = self else { return None };
        let suspect = !look.memory.overlooked.is_empty();
        let limit = if suspect { SILENT_AFTER_UNCLAIMED } else { SILENT_AFTER };
        row.contacted_at.filter(|at| look.records_told_at().duration_since(*at) > limit)
    }
}

fn is_seen_silent(look: &Look, runner: &Runner) -> bool {
    let since = look.memory.since(&runner.id, Condition::Silent);
    since.is_some_and(|since| look.now.duration_since(since) >= SILENT_FOR)
}

/// GitLab was away a moment ago, for its runners as well by all we know.
fn was_away(look: &Look) -> bool {
    let failed_at = look.memory.gitlab_failed_at;
    failed_at.is_some_and(|at| look.records_told_at().duration_since(at) < SILENT_FOR)
}

/// Running runners that GitLab has not heard of for long.
pub(crate) fn silent(look: &Look) -> BTreeSet<WorkloadId> {
    let managers = Managers::of(look);
    let states = look.hosts.values().filter_map(|host| host.state.known());
    let runs = |runner: &&Runner| {
        let ContainerState::Running { started_at } = runner.state else { return false };
        // Once it goes on, it has the usual time to make contact.
        !runner.paused && managers.contact(look, runner, started_at).silent_since(look).is_some()
    };
    let silent = states.flat_map(|state| &state.runners).filter(runs);
    silent.map(|runner| runner.id.clone()).collect()
}

/// GitLab alone has said for too long that the runner is busy.
fn is_busy_no_more(look: &Look, runner: &Runner) -> bool {
    let since = look.memory.since(&runner.id, Condition::BusyAlone);
    runner.log.is_some()
        && since.is_some_and(|since| look.now.duration_since(since) > BUSY_ALONE_MAX)
}

/// Running runners of which GitLab alone says that they are busy.
pub(crate) fn busy_alone(look: &Look) -> BTreeSet<WorkloadId> {
    let managers = Managers::of(look);
    let mut alone = BTreeSet::new();
    for state in look.hosts.values().filter_map(|host| host.state.known()) {
        let working = working(state);
        for runner in &state.runners {
            let ContainerState::Running { started_at } = runner.state else { continue };
            // A job that was received may be pulling its image: no container for many minutes.
            let received = runner.log.as_ref().and_then(RunnerLog::unfinished).is_some();
            let elsewhere = working.contains_key(&runner.system_id) || received;
            if !elsewhere && managers.contact(look, runner, started_at).work().is_some() {
                alone.insert(runner.id.clone());
            }
        }
    }
    alone
}

/// The job that the runner's log says was picked up and has no container yet. Not every end leaves a
/// line, so after a while GitLab's word counts more, where it is known.
fn picked_up(runner: &Runner, now: Timestamp, gitlab_knows: bool) -> Option<Work> {
    let (job, at) = runner.log.as_ref()?.unfinished()?;
    let lately = now.duration_since(at) < PICK_UP_MAX;
    (lately || !gitlab_knows).then_some(Work { job: Some(job) })
}

/// The latest of the container's start and its last job's receipt and end, for not every end leaves
/// a line.
fn idle_since(look: &Look, runner: &Runner, started_at: Timestamp) -> Timestamp {
    let log = runner.log.as_ref();
    let received = log.and_then(|log| Some(log.received?.1));
    let ended = log.and_then(|log| log.ended);
    let since = received.into_iter().chain(ended).fold(started_at, Timestamp::max);
    unless_ahead(look, runner, since, Condition::Idle)
}

/// A time of the engine's. Where that is yet to come, its clock was set back since, and what was
/// seen counts.
fn unless_ahead(look: &Look, runner: &Runner, at: Timestamp, seen: Condition) -> Timestamp {
    if at.duration_since(look.now) <= CLOCK_ERROR {
        return at;
    }
    look.memory.since(&runner.id, seen).unwrap_or(at)
}

/// Runners that GitLab did not hear of yet.
pub(crate) fn unheard(views: &[RunnerView<'_>]) -> BTreeSet<WorkloadId> {
    let unheard = |phase: &Phase| matches!(phase, Phase::Starting { .. } | Phase::Failed { .. });
    let unheard = views.iter().filter(|view| unheard(&view.phase));
    unheard.map(|view| view.runner.id.clone()).collect()
}

/// Runners that have no job.
pub(crate) fn idle(views: &[RunnerView<'_>]) -> BTreeSet<WorkloadId> {
    let idle = views.iter().filter(|view| matches!(view.phase, Phase::Idle { .. }));
    idle.map(|view| view.runner.id.clone()).collect()
}
