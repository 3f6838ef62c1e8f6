//! What one process remembers of one runner.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{AtWork, Memory, WorkloadId};
use crate::spec::Cost;

/// What is seen of a runner at look after look, without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// It has no job.
    Idle,
    /// GitLab did not hear of it yet.
    Unheard,
    /// GitLab alone says that it is busy.
    BusyAlone,
    /// GitLab has not heard of it for long.
    Silent,
    /// Its container is paused.
    Paused,
    /// It has no job, was asked to exit and could.
    Leaving,
}

/// What one process remembers of one runner, its container's past included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunnerMemory {
    /// When its container was made, within the last minute and by whomever.
    pub made: Option<Timestamp>,
    /// It made contact with GitLab at some time.
    pub contacted: bool,
    /// When this process asked it to exit.
    pub draining: Option<Timestamp>,
    /// Since when each condition is seen.
    pub since: BTreeMap<Condition, Timestamp>,
    /// The most that its pool asked for, where its container does not say what it was made with.
    pub cost: Option<Cost>,
    /// The runner as it was last seen with a job.
    pub at_work: Option<AtWork>,
}

impl RunnerMemory {
    /// All times in it.
    pub(super) fn times_mut(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        let gone_since = self.at_work.as_mut().and_then(|work| work.gone_since.as_mut());
        self.made
            .iter_mut()
            .chain(&mut self.draining)
            .chain(self.since.values_mut())
            .chain(gone_since)
    }
}

impl Memory {
    /// What is remembered of that runner, to be added to.
    pub fn runner_mut(&mut self, id: &WorkloadId) -> &mut RunnerMemory {
        self.runners.entry(id.clone()).or_default()
    }

    /// The runner made contact with GitLab at some time.
    pub fn has_contacted(&self, id: &WorkloadId) -> bool {
        self.runners.get(id).is_some_and(|runner| runner.contacted)
    }

    /// Since when that is seen of the runner.
    pub fn since(&self, id: &WorkloadId, condition: Condition) -> Option<Timestamp> {
        self.runners.get(id)?.since.get(&condition).copied()
    }

    /// Remembers since when each of `now_so` is so.
    pub(super) fn keep_since(
        &mut self,
        condition: Condition,
        now_so: BTreeSet<WorkloadId>,
        now: Timestamp,
    ) {
        for (id, runner) in &mut self.runners {
            if !now_so.contains(id) {
                runner.since.remove(&condition);
            }
        }
        for id in now_so {
            self.runner_mut(&id).since.entry(condition).or_insert(now);
        }
    }

    /// The runners as they were last seen with a job.
    pub fn at_work(&self) -> impl Iterator<Item = &AtWork> {
        self.runners.values().filter_map(|runner| runner.at_work.as_ref())
    }

    /// Of those runners whose work is not to be kept, nothing is known any more.
    pub(super) fn retain_work(&mut self, keep: impl Fn(&AtWork) -> bool) {
        for runner in self.runners.values_mut() {
            runner.at_work.take_if(|work| !keep(work));
        }
    }
}
