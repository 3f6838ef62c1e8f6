//! What an engine holds: our runners, and what their jobs made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    ContainerId, EngineId, GpusSeen, ImageState, JobId, JobVolume, KeptImage, Observed, ProjectId,
    RecordId, RunnerLog, RunnerName, Slot, SpecHash, SystemId, Variant, WorkloadId,
};
use crate::spec::{Arch, Cost, Cpus, Pool};

/// A declared host: an endpoint, and what answers there.
#[derive(Debug, Clone)]
pub struct Host {
    /// What it holds, or why that could not be read.
    pub state: Observed<HostState>,
}

impl Host {
    /// The engine, as now or last seen.
    pub fn engine(&self) -> Option<&EngineInfo> {
        self.state.last().map(|state| &state.engine)
    }

    /// The machine behind it, as now or last seen.
    pub fn node(&self) -> Option<&Node> {
        self.engine().map(|engine| &engine.node)
    }
}

/// What a host holds.
#[derive(Debug, Clone)]
pub struct HostState {
    /// The engine itself.
    pub engine: EngineInfo,
    /// What jobs of any gitlab-runner made there; read before the runners.
    pub jobs: JobObjects,
    /// Our runners there, by our instance label, sorted by name.
    pub runners: Vec<Runner>,
    /// Containers of ours that are there and cannot be read.
    pub aside: Vec<SetAside>,
    /// What the engine said of runners that its list lacks, when it was asked for each by itself.
    pub missing: BTreeMap<SystemId, Absence>,
    /// The runners' network, if it exists.
    pub network: Option<NetworkState>,
    /// Networks that we made under another name.
    pub old_networks: Vec<NetworkState>,
    /// The images that runners need there and those that are kept ready for jobs, each with the
    /// engine's words if it did not tell.
    pub images: BTreeMap<String, Result<ImageState, Arc<str>>>,
    /// What AutoGit pulled to keep it ready, if the engine told.
    pub kept_images: Option<Vec<KeptImage>>,
}

impl HostState {
    /// The managers' names that containers there have, those that cannot be read included.
    pub fn holders(&self) -> impl Iterator<Item = &SystemId> {
        let runners = self.runners.iter().map(|runner| &runner.system_id);
        runners.chain(self.aside.iter().filter_map(|aside| aside.system_id.as_ref()))
    }

    /// A container there may have any manager's name.
    pub fn hides_a_holder(&self) -> bool {
        self.aside.iter().any(|aside| aside.system_id.is_none())
    }
}

/// A container of our instance whose state or labels cannot be read. Set aside is not absent: it
/// keeps what it has, and nothing is done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Its container.
    pub id: WorkloadId,
    /// Its name.
    pub name: RunnerName,
    /// The variant that it was made for, where its labels tell.
    pub variant: Option<Variant>,
    /// The slot that it fills, where its labels tell.
    pub slot: Option<Slot>,
    /// Its manager's name at GitLab, where its labels tell.
    pub system_id: Option<SystemId>,
    /// The record whose token it has, where its labels tell.
    pub record: Option<RecordId>,
    /// What it was made with, where its labels tell.
    pub cost: Option<Cost>,
    /// What of it cannot be read.
    pub why: Arc<str>,
}

/// What is known of a runner that its engine's list lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// The engine has neither a container of the id that was remembered, if one was, nor one of the
    /// runner's name that is its.
    Gone {
        /// The name that it was asked for by.
        name: RunnerName,
    },
    /// Nobody knows what to ask for: no label tells its name, and no declared pool has its slot.
    Nameless,
    /// The engine did not say.
    Unsaid(Arc<str>),
}

/// A machine that runners run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Its architecture.
    pub arch: Arch,
    /// Its cpus.
    pub cpus: Cpus,
    /// Its memory in bytes.
    pub memory: u64,
}

/// An engine.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineInfo {
    /// Its id.
    pub id: EngineId,
    /// The machine that it runs on: an engine has one.
    pub node: Node,
    /// Other architectures that its kernel runs through QEMU, as far as AutoGit sees that.
    pub emulates: BTreeSet<Arch>,
    /// Its version, for the operator.
    pub version: String,
    /// The GPUs that it can hand to containers.
    pub gpus: GpusSeen,
    /// How far its clock is ahead of ours; observed times are corrected already.
    pub skew: SignedDuration,
}

/// The runners' network on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkState {
    /// The engine's id of it.
    pub id: String,
    /// We made it (our label), so we may remove it.
    pub ours: bool,
    /// Containers on it, running or not.
    pub containers: usize,
}

/// For how long a container that was made and not started may be started yet: as long as a call
/// that changes something may take.
const NEW_FOR: SignedDuration = SignedDuration::from_mins(1);

/// A runner container of our instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Its container.
    pub id: WorkloadId,
    /// Its name.
    pub name: RunnerName,
    /// The variant it was made for.
    pub variant: Variant,
    /// The slot it fills.
    pub slot: Slot,
    /// Its manager's name at GitLab.
    pub system_id: SystemId,
    /// The record whose token it has.
    pub record: RecordId,
    /// The hash of the spec it was made from.
    pub spec: SpecHash,
    /// What it was made with; `None`: by a version that did not say so.
    pub cost: Option<Cost>,
    /// When its container was created, by our clock.
    pub created_at: Timestamp,
    /// What its container does.
    pub state: ContainerState,
    /// Its container is frozen (`docker pause`), and goes on where it was once that ends.
    pub paused: bool,
    /// What its log told; `None`: not read (yet).
    pub log: Option<RunnerLog>,
}

impl Runner {
    /// Its container was made so lately that whoever made it may be about to start it.
    pub fn is_new(&self, now: Timestamp) -> bool {
        now.duration_since(self.created_at).abs() < NEW_FOR
    }

    /// It had as many jobs as a runner of `pool` may have.
    pub fn is_used_up(&self, pool: &Pool) -> bool {
        let ended = self.log.as_ref().map_or(0, |log| log.jobs_ended);
        pool.jobs_per_runner > 0 && ended >= pool.jobs_per_runner
    }
}

/// What a runner's container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// Never started.
    Created,
    /// Running, also where a person paused it.
    Running {
        /// Since when, by our clock.
        started_at: Timestamp,
    },
    /// Ended.
    Exited {
        /// With which code.
        code: i64,
        /// When, by our clock.
        finished_at: Timestamp,
        /// The kernel ended it for want of memory.
        oom_killed: bool,
    },
}

/// What jobs made on a host, by gitlab-runner's labels, whosever runner it was.
#[derive(Debug, Clone, Default)]
pub struct JobObjects {
    /// Containers of jobs and services.
    pub containers: Vec<JobContainer>,
    /// Volumes.
    pub volumes: Vec<JobVolume>,
    /// Per-job networks.
    pub networks: Vec<JobNetworkObject>,
    /// Jobs whose image was not executed, lately, as far as that was seen.
    pub refused: Vec<RefusedJob>,
}

/// A job whose image the kernel did not execute: its first process ended in `exec format error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedJob {
    /// The job.
    pub job: JobId,
    /// Its runner.
    pub system_id: SystemId,
    /// The architecture of the image, as the engine shows it.
    pub image: Arch,
}

/// A container that a job made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobContainer {
    /// Its id.
    pub id: ContainerId,
    /// The runner whose job it is.
    pub system_id: SystemId,
    /// The job.
    pub job: Option<JobId>,
    /// The job's page.
    pub job_url: Option<String>,
    /// The job's project.
    pub project: Option<ProjectId>,
    /// The name that its runner had when it was made, as AutoGit's own label tells.
    pub runner: Option<RunnerName>,
    /// `build`, `predefined`, `service`, `wait`, `cache`, `cache-init`.
    pub kind: String,
    /// It runs.
    pub running: bool,
}

/// A network that a job made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobNetworkObject {
    /// Its id.
    pub id: String,
    /// The runner whose job made it.
    pub system_id: SystemId,
}
