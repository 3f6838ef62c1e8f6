//! The runners of one variant that can take a job, and the jobs that they are to have.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use super::RunnerIndex;
use crate::plan::JobHold;
use crate::world::{JobId, Offer};

/// One enabled variant and the runners that can take a job for it. Its draft alone changes it.
pub(in crate::plan) struct VariantSupply<'a> {
    offer: Offer<'a>,
    /// How many idle runners are kept beyond the demand now.
    warm: usize,
    /// Longest idle first.
    pub(super) idle: VecDeque<RunnerIndex>,
    /// Those that are not known to have made contact yet.
    unproven: Vec<Unproven>,
    /// How many of them are late: counted, because it is asked for each job.
    late: usize,
    /// The pending jobs that may go to the idle ones; never more than these.
    pub(super) idle_jobs: Vec<JobId>,
    /// How many of the starting ones a pending job needs.
    pub(super) starting_needed: usize,
    /// Runners that this plan starts.
    pub(super) started: usize,
    /// Why no runner of it can be started at all; `None`: one can.
    pub(super) blocked: Option<Arc<JobHold>>,
}

/// A runner that is not known to have made contact yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unproven {
    /// `None`: its start is under way, and its host does not show it.
    pub(super) runner: Option<RunnerIndex>,
    /// It should have made contact by now.
    pub(super) late: bool,
}

impl<'a> VariantSupply<'a> {
    pub(super) fn new(offer: Offer<'a>, now: Timestamp) -> Self {
        let (pool, arch) = (offer.pool, offer.variant.arch);
        let warm = pool.warm.of(arch, offer.first, now).min(pool.max) as usize;
        Self {
            offer,
            warm,
            idle: VecDeque::new(),
            unproven: Vec::new(),
            late: 0,
            idle_jobs: Vec::new(),
            starting_needed: 0,
            started: 0,
            blocked: None,
        }
    }

    /// What it offers to jobs.
    pub(in crate::plan) fn offer(&self) -> &Offer<'a> {
        &self.offer
    }

    /// The idle runners, longest idle first.
    pub(in crate::plan) fn idle(&self) -> impl DoubleEndedIterator<Item = RunnerIndex> {
        self.idle.iter().copied()
    }

    /// How many are idle.
    pub(in crate::plan) fn idle_count(&self) -> usize {
        self.idle.len()
    }

    /// How many of the idle ones a pending job needs.
    pub(in crate::plan) fn idle_needed(&self) -> usize {
        self.idle_jobs.len()
    }

    /// Idle runners that no pending job needs.
    pub(in crate::plan) fn idle_spare(&self) -> usize {
        self.idle.len().saturating_sub(self.idle_jobs.len())
    }

    /// Runners that are starting and not late.
    pub(in crate::plan) fn starting(&self) -> usize {
        self.unproven.len() - self.late
    }

    /// Starting runners that no pending job needs.
    pub(in crate::plan) fn starting_spare(&self) -> usize {
        self.starting().saturating_sub(self.starting_needed)
    }

    /// Runners that should have made contact by now, of which it is not known whether they did.
    pub(in crate::plan) fn late(&self) -> usize {
        self.late
    }

    /// Idle and starting runners that no pending job needs.
    pub(in crate::plan) fn spare(&self) -> usize {
        self.idle_spare() + self.starting_spare()
    }

    /// A runner of it is not known to have made contact yet, or will be started.
    pub(in crate::plan) fn is_unproven(&self) -> bool {
        !self.unproven.is_empty() || self.started > 0
    }

    /// No runner of it can be started at all.
    pub(in crate::plan) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// How many idle runners are kept beyond the demand.
    pub(in crate::plan) fn warm(&self) -> usize {
        self.warm
    }

    /// Those that are not known to have made contact yet, as far as their hosts show them.
    pub(super) fn unproven(&self) -> impl Iterator<Item = RunnerIndex> {
        self.unproven.iter().filter_map(|one| one.runner)
    }

    pub(super) fn add_unproven(&mut self, runner: Unproven) {
        self.late += usize::from(runner.late);
        self.unproven.push(runner);
    }

    /// It has that runner no more; `true`: a job that one was to have has none now.
    pub(super) fn lose(&mut self, runner: RunnerIndex) -> bool {
        if let Some(place) = self.unproven.iter().position(|one| one.runner == Some(runner)) {
            let lost = self.unproven.remove(place);
            self.late -= usize::from(lost.late);
        }
        if let Some(place) = self.idle.iter().position(|one| *one == runner) {
            self.idle.remove(place);
        }
        self.idle.len() < self.idle_jobs.len()
    }
}
