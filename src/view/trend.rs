//! The last hour in numbers, for a picture of it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{View, words};
use crate::world::Phase;

/// Jobs and runners at one moment, or the most of them over a short time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Pending jobs; none where the queue was unknown.
    pub queued: Option<usize>,
    /// Runners that are not in contact yet.
    pub starting: usize,
    /// Runners without a job.
    pub idle: usize,
    /// Runners with a job.
    pub busy: usize,
}

impl Load {
    /// The more of both: what lasted a second is not lost among quiet ones. Runners are taken from
    /// one moment, the one that had more of them, for one that started, waited and worked within a
    /// step is one and not three.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        let runners = |load: &Self| (load.starting + load.idle + load.busy, load.busy, load.idle);
        let fuller = if runners(&other) > runners(&self) { other } else { self };
        Self { queued: self.queued.max(other.queued), ..fuller }
    }
}

/// The last hour, step by step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TrendOutput {
    /// Seconds that one point stands for.
    pub step_secs: i64,
    /// The points, oldest first. Where AutoGit did not run or did not look there is none.
    pub points: Vec<TrendPointOutput>,
}

/// The most jobs and runners that were seen during one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TrendPointOutput {
    /// The step's begin, in UTC.
    pub at: String,
    /// Pending jobs; none where the queue was unknown.
    pub queued: Option<usize>,
    /// Runners that were not in contact yet.
    pub starting: usize,
    /// Runners without a job.
    pub idle: usize,
    /// Runners with a job.
    pub busy: usize,
}

impl TrendPointOutput {
    /// `load` during the step that began at `at`.
    pub fn new(at: Timestamp, load: Load) -> Self {
        let Load { queued, starting, idle, busy } = load;
        Self { at: words::instant(at), queued, starting, idle, busy }
    }
}

impl View {
    /// Jobs and runners as this look saw them.
    pub fn load(&self) -> Load {
        let queued = self.world.queue.known().map(|queue| queue.jobs.len());
        let mut load = Load { queued, ..Load::default() };
        for view in self.world.runners() {
            match view.phase {
                Phase::Starting { .. } => load.starting += 1,
                Phase::Idle { .. } => load.idle += 1,
                Phase::Busy { .. } | Phase::Draining { busy: true, .. } => load.busy += 1,
                Phase::Created
                | Phase::Draining { busy: false, .. }
                | Phase::Exited { .. }
                | Phase::Failed { .. } => {}
            }
        }
        load
    }
}
