//! The simulated world at one time, read without any port.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Injected;
use autogit::sandbox::engine::{ContainerView, EngineView, SimulatedEngine};
use autogit::sandbox::gitlab::{JobView, RecordView, SimulatedGitlab};
use autogit::spec::{HostName, Spec};
use autogit::world::{ContainerState, RecordId, Runner, WorkloadId};

/// The simulated world at one time.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// When, by the simulation's clock.
    pub(crate) at: Timestamp,
    /// The spec in force.
    pub(crate) spec: Arc<Spec>,
    /// All jobs.
    pub(crate) jobs: Vec<JobView>,
    /// All records.
    pub(crate) records: Vec<RecordView>,
    /// What each host holds.
    pub(crate) hosts: BTreeMap<HostName, Arc<EngineView>>,
}

/// A snapshot, what the simulation did up to it, and what began since the snapshot before.
#[derive(Debug)]
pub(crate) struct Fixture<'a> {
    /// The snapshot.
    pub(crate) snapshot: &'a Snapshot,
    /// What the simulation did.
    pub(crate) injected: &'a Injected,
    /// Our runners that were not there a snapshot before.
    pub(crate) fresh: &'a [(HostName, Runner)],
    /// Our runners that were made within the last minute of the running AutoGit's life.
    pub(crate) made_lately: usize,
    /// The most records that one variant got within the last hour of it.
    pub(crate) records_made: usize,
}

impl Snapshot {
    /// The world as it is now.
    pub(crate) fn of(
        spec: &Arc<Spec>,
        gitlab: &SimulatedGitlab,
        engines: &BTreeMap<HostName, SimulatedEngine>,
    ) -> Self {
        let host = |(name, engine): (&HostName, &SimulatedEngine)| (name.clone(), engine.view());
        Self {
            at: gitlab.clock().now(),
            spec: Arc::clone(spec),
            jobs: gitlab.jobs_without_logs(),
            records: gitlab.records(),
            hosts: engines.iter().map(host).collect(),
        }
    }

    /// Our runners in any state, with their hosts.
    pub(crate) fn runners(&self) -> impl Iterator<Item = (&HostName, &Runner)> {
        let instance = self.spec.instance.as_str();
        self.hosts.iter().flat_map(move |(name, host)| {
            let ours =
                move |container: &&ContainerView| container.instance.as_deref() == Some(instance);
            let runners = host.containers.iter().filter(ours);
            runners.filter_map(move |container| Some((name, container.runner.as_ref()?)))
        })
    }

    /// Our runners that did not end.
    pub(crate) fn live_runners(&self) -> impl Iterator<Item = (&HostName, &Runner)> {
        self.runners().filter(|(_, runner)| !matches!(runner.state, ContainerState::Exited { .. }))
    }
}

/// Tells what is new from one snapshot to the next.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: BTreeSet<WorkloadId>,
    made: VecDeque<Timestamp>,
    newest_record: Option<RecordId>,
    /// Records of ours, by what they are for.
    records: BTreeMap<String, Vec<Timestamp>>,
}

impl Watch {
    /// Our runners in `snapshot` that were not there at any snapshot before, and how many were made
    /// within the last minute.
    pub(crate) fn fresh(&mut self, snapshot: &Snapshot) -> (Vec<(HostName, Runner)>, usize) {
        let new = snapshot.runners().filter(|(_, runner)| !self.seen.contains(&runner.id));
        let fresh: Vec<(HostName, Runner)> =
            new.map(|(host, runner)| (host.clone(), runner.clone())).collect();
        self.seen.extend(fresh.iter().map(|(_, runner)| runner.id.clone()));
        self.made.extend(fresh.iter().map(|_| snapshot.at));
        let minute = SignedDuration::from_mins(1);
        self.made.retain(|at| snapshot.at.duration_since(*at) < minute);
        (fresh, self.made.len())
    }

    /// The most records that one variant got within the last hour.
    pub(crate) fn records_made(&mut self, snapshot: &Snapshot) -> usize {
        let prefix = format!("autogit/{}/", snapshot.spec.instance);
        let before = self.newest_record;
        // Ids are given once, and ever higher.
        let new = snapshot.records.iter().filter(|record| Some(record.id) > before);
        for record in new {
            self.newest_record = self.newest_record.max(Some(record.id));
            if record.description.starts_with(&prefix) {
                self.records.entry(record.description.clone()).or_default().push(snapshot.at);
            }
        }
        let hour = SignedDuration::from_hours(1);
        for made in self.records.values_mut() {
            made.retain(|at| snapshot.at.duration_since(*at) < hour);
        }
        self.records.values().map(Vec::len).max().unwrap_or(0)
    }

    /// A new AutoGit does not know what the one before it started, nor which records it made.
    pub(crate) fn forget_starts(&mut self) {
        self.made.clear();
        self.records.clear();
    }
}
