//! What this process does at the moment. It is never decided again meanwhile, and counts as what it
//! will become.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Deed, Look, Runner, RunnerName, Slot, Variant, WorkloadId};
use crate::spec::{Cost, HostName};

/// A runner that is being started.
#[derive(Debug, Clone, Copy)]
pub struct StartUnderWay<'a> {
    /// The host on which it will run.
    pub host: &'a HostName,
    /// Of which variant.
    pub variant: &'a Variant,
    /// In which slot.
    pub slot: Slot,
    /// Its name.
    pub runner: &'a RunnerName,
    /// What it is made with.
    pub cost: &'a Cost,
    /// When the start was begun.
    pub since: Timestamp,
}

impl Look {
    /// This process is doing that.
    pub fn is_under_way(&self, deed: &Deed) -> bool {
        self.memory.under_way.contains_key(deed)
    }

    /// The runners that this process is starting.
    pub fn starts_under_way(&self) -> impl Iterator<Item = StartUnderWay<'_>> {
        self.memory.under_way.iter().filter_map(|(deed, &since)| {
            let Deed::Start { host, variant, slot, runner, cost } = deed else { return None };
            Some(StartUnderWay { host, variant, slot: *slot, runner, cost, since })
        })
    }

    /// The runners that this process is starting and that their hosts do not show yet.
    pub fn starts_unseen(&self) -> Vec<StartUnderWay<'_>> {
        if self.memory.under_way.is_empty() {
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        for (name, host) in &self.hosts {
            let runners = host.state.last().into_iter().flat_map(|state| &state.runners);
            seen.extend(runners.map(|runner| (name, &runner.name)));
        }
        self.starts_under_way().filter(|it| !seen.contains(&(it.host, it.runner))).collect()
    }

    /// The runner's container was made and never started, and whoever made it may be about to start
    /// it: it is new, or this process is at it.
    pub fn is_about_to_start(&self, host: &HostName, runner: &Runner) -> bool {
        runner.is_new(self.now) || self.is_being_started(host, &runner.name)
    }

    /// This process is about to start the runner of that name there.
    pub fn is_being_started(&self, host: &HostName, runner: &RunnerName) -> bool {
        self.starts_under_way().any(|start| start.host == host && start.runner == runner)
    }

    /// When this process asked the runner to exit, or began to.
    pub fn asked_to_exit(&self, id: &WorkloadId) -> Option<Timestamp> {
        let memory = &self.memory;
        let asked = memory.runners.get(id).and_then(|runner| runner.draining);
        asked.or_else(|| memory.under_way.get(&Deed::Drain(id.clone())).copied())
    }

    /// This process is asking that runner to exit, or cleaning up after it.
    pub fn is_acted_on(&self, id: &WorkloadId) -> bool {
        self.is_under_way(&Deed::Drain(id.clone())) || self.is_being_reaped(id)
    }

    /// This process is cleaning up after that runner.
    pub fn is_being_reaped(&self, id: &WorkloadId) -> bool {
        self.is_under_way(&Deed::Reap(id.clone()))
    }
}
