//! What keeps a job from the GPUs that it needs.

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;

use super::facts::brief;
use crate::spec::{GpuIds, GpuSpec, HostName};
use crate::world::{JobId, Phase, RunnerName, RunnerView, World};

/// How many of those who have GPUs are named.
const NAMED: usize = 4;

/// Others have the GPUs that a runner needs.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuBusy {
    /// What it needs.
    pub needs: GpuSpec,
    /// How many of these are free.
    pub free: u32,
    /// A container there may have any of them: it cannot be read.
    pub hidden_by: Option<RunnerName>,
    /// Who has GPUs there.
    pub holders: Arc<[GpuHolder]>,
}

/// A host has not as many GPUs as a runner needs, whoever has them.
#[derive(Debug, Clone, PartialEq)]
pub struct NoGpu {
    /// What it needs.
    pub needs: GpuSpec,
    /// How many of these there are.
    pub has: u32,
    /// Why, where that is known, with what to do.
    pub why: Option<Arc<str>>,
}

/// A runner that has GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuHolder {
    /// The runner.
    pub runner: RunnerName,
    /// Which it has.
    pub gpus: GpuIds,
    /// What it does with them.
    pub does: &'static str,
    /// Its job, where that is known.
    pub job: Option<JobId>,
    /// For how long it has the job, where that is known.
    pub lasting: Option<SignedDuration>,
}

impl GpuBusy {
    /// The same, `by` later.
    pub(super) fn later(&self, by: SignedDuration) -> Self {
        let later = |holder: &GpuHolder| GpuHolder {
            lasting: holder.lasting.map(|lasting| lasting + by),
            ..holder.clone()
        };
        Self { holders: self.holders.iter().map(later).collect(), ..self.clone() }
    }
}

/// Who has GPUs on that host: every container of ours that is there, in any state, and every runner
/// that may come to be there.
pub(super) fn holders(
    world: &World,
    runners: &[RunnerView<'_>],
    host: &HostName,
) -> Arc<[GpuHolder]> {
    let there = runners.iter().filter(|view| view.host == host);
    let there = there.map(|view| holder(world, view));
    let starting = world.starts_unseen().into_iter().filter(|start| start.host == host);
    let starting = starting.map(|start| GpuHolder {
        runner: start.runner.clone(),
        gpus: start.cost.gpus.clone(),
        does: "is starting",
        job: None,
        lasting: None,
    });
    let doubts = world.memory.in_doubt.iter().filter(|(_, doubt)| doubt.host == *host);
    let doubts = doubts.map(|(name, doubt)| GpuHolder {
        runner: name.clone(),
        gpus: doubt.cost.gpus.clone(),
        does: "may have started",
        job: None,
        lasting: None,
    });
    let mut all: Vec<GpuHolder> = Vec::new();
    for one in there.chain(starting).chain(doubts).filter(|one| !one.gpus.is_empty()) {
        if !all.iter().any(|other| other.runner == one.runner) {
            all.push(one);
        }
    }
    all.into()
}

fn holder(world: &World, view: &RunnerView<'_>) -> GpuHolder {
    let log = view.runner.log.as_ref();
    let received = log.and_then(|log| log.received);
    let (does, job) = match view.phase {
        Phase::Created => ("was made and not started", None),
        Phase::Starting { .. } => ("is starting", None),
        Phase::Idle { .. } => ("is idle", None),
        Phase::Busy { job } => ("runs a job", job),
        Phase::Draining { busy: true, .. } => ("finishes its job", received.map(|(job, _)| job)),
        Phase::Draining { busy: false, .. } => ("is about to exit", None),
        Phase::Exited { .. } => ("exited and is not removed yet", None),
        Phase::Failed { .. } => ("failed", None),
    };
    let since = job.and_then(|job| {
        let by_log = received.filter(|(last, _)| *last == job).map(|(_, at)| at);
        by_log.or_else(|| world.memory.job_facts.get(&job)?.started_at)
    });
    GpuHolder {
        runner: view.runner.name.clone(),
        gpus: world.cost_of(view.runner).gpus,
        does,
        job,
        lasting: since.map(|at| world.now.duration_since(at)),
    }
}

impl fmt::Display for GpuBusy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needs, free, hidden_by, holders } = self;
        if let Some(name) = hidden_by {
            return write!(
                f,
                "container `{name}` cannot be read and may have any of its GPUs; hint: remove it, if \
                 nothing runs in it"
            );
        }
        let are = if *free == 1 { "is" } else { "are" };
        write!(f, "of {needs} that a job needs, {free} {are} free")?;
        for (index, holder) in holders.iter().take(NAMED).enumerate() {
            write!(f, "{} {holder}", if index == 0 { ":" } else { "," })?;
        }
        match holders.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

impl fmt::Display for GpuHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runner, gpus, does, job, lasting } = self;
        write!(f, "runner `{runner}`, which has {gpus}, {does}")?;
        if let Some(job) = job {
            write!(f, " #{job}")?;
        }
        lasting.map_or(Ok(()), |lasting| write!(f, " for {}", brief(lasting)))
    }
}

impl fmt::Display for NoGpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needs, has, why } = self;
        write!(f, "a job needs {needs}, and it has {has} that jobs could get")?;
        match why {
            Some(why) => write!(f, ": {why}"),
            None => {
                f.write_str("; hint: declare those that AutoGit does not see, by `budget.gpus`")
            }
        }
    }
}
