//! Read-only looks at the simulated engine: for the port, and for tests.

use std::sync::Arc;

use super::container::{Container, Hiding, Odd};
use super::labels::{self, RunnerLabels};
use super::state::State;
use crate::engine::{EngineError, RunnerList, Sighting};
use crate::sandbox::runner::Labels;
use crate::spec::InstanceName;
use crate::world::{
    ContainerId, ContainerState, ContainerUse, DiskUse, JobContainer, JobId, JobNetworkObject,
    JobObjects, JobVolume, NetworkState, RefusedJob, Runner, RunnerLog, RunnerName, SystemId,
    VolumeKind, VolumeUse, WorkloadId,
};

/// All that is on an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineView {
    /// Its containers, sorted by name.
    pub containers: Vec<ContainerView>,
    /// Its volumes, sorted by name.
    pub volumes: Vec<ObjectView>,
    /// Its networks, sorted by name.
    pub networks: Vec<ObjectView>,
    /// The jobs that its living runners have, sorted by id.
    pub running: Vec<RunningJob>,
}

impl EngineView {
    pub(super) fn of(state: &State) -> Self {
        Self {
            containers: containers(state),
            volumes: volumes(state),
            networks: networks(state),
            running: running_jobs(state),
        }
    }
}

/// A container, as a test sees it; times by the simulation's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerView {
    /// Its id; with Docker a runner goes by it.
    pub id: WorkloadId,
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its labels.
    pub labels: Labels,
    /// What it does.
    pub state: ContainerState,
    /// Something hides it from AutoGit.
    pub hidden: bool,
    /// The network it is on.
    pub network: Option<String>,
    /// The volumes it mounts.
    pub volumes: Vec<String>,
    /// The instance whose label it has.
    pub instance: Option<String>,
    /// What it is as a runner of that instance, with what its log tells.
    pub runner: Option<Runner>,
    /// What it is as a container that a job made.
    pub job: Option<JobContainer>,
}

/// A volume or a network, as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectView {
    /// Its name.
    pub name: String,
    /// Its labels; an anonymous volume has none.
    pub labels: Labels,
    /// The instance whose label it has.
    pub instance: Option<String>,
    /// The runner whose job made it.
    pub system_id: Option<SystemId>,
    /// What it is for, if it is a job's volume.
    pub kind: VolumeKind,
}

impl ObjectView {
    fn new(name: &str, labels: &Labels) -> Self {
        Self {
            name: name.to_owned(),
            labels: labels.clone(),
            instance: labels::instance(labels).map(str::to_owned),
            system_id: labels::job_system_id(labels),
            kind: labels::kind(name, labels),
        }
    }
}

/// A job that a living gitlab-runner has: from its pick-up until the runner reported its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunningJob {
    /// The job.
    pub job: JobId,
    /// The runner's name at GitLab.
    pub system_id: SystemId,
    /// The runner's container.
    pub runner: WorkloadId,
}

/// How much exists, whosever it is; the networks that every engine has do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Containers in any state.
    pub containers: usize,
    /// Volumes, anonymous ones too.
    pub volumes: usize,
    /// Networks.
    pub networks: usize,
}

pub(super) fn containers(state: &State) -> Vec<ContainerView> {
    let view = |(id, container): (&ContainerId, &Container)| ContainerView {
        id: id.clone().into(),
        name: container.name.clone(),
        image: container.image.clone(),
        labels: container.labels.clone(),
        state: state.corrected_state(&container.state),
        hidden: container.hiding != Hiding::None,
        network: container.network.clone(),
        volumes: container.volumes.clone(),
        instance: labels::instance(&container.labels).map(str::to_owned),
        runner: runner(state, id, container)
            .map(|runner| Runner { log: runner_log(state, id.as_str()).ok(), ..runner }),
        job: labels::job_container(id, container),
    };
    let mut views: Vec<_> = state.containers.iter().map(view).collect();
    views.sort_by(|a, b| a.name.cmp(&b.name));
    views
}

pub(super) fn running_jobs(state: &State) -> Vec<RunningJob> {
    let running = |(id, container): (&ContainerId, &Container)| {
        let process = container.process.as_ref()?;
        let system_id = process.system_id.clone();
        Some(RunningJob { job: process.job?, system_id, runner: id.clone().into() })
    };
    let mut jobs: Vec<_> = state.containers.iter().filter_map(running).collect();
    jobs.sort();
    jobs
}

/// All volumes, sorted by name.
pub(super) fn volumes(state: &State) -> Vec<ObjectView> {
    state.volumes.iter().map(|(name, volume)| ObjectView::new(name, &volume.labels)).collect()
}

/// All networks but those that every engine has, sorted by name.
pub(super) fn networks(state: &State) -> Vec<ObjectView> {
    let networks = state.networks.values();
    let mut views: Vec<ObjectView> =
        networks.map(|network| ObjectView::new(&network.name, &network.labels)).collect();
    views.sort_by(|a, b| a.name.cmp(&b.name));
    views
}

pub(super) fn runners(state: &State, instance: &InstanceName) -> RunnerList {
    let mut list = RunnerList::default();
    for (id, container) in &state.containers {
        let listed = container.hiding == Hiding::None;
        if listed && labels::instance(&container.labels) == Some(instance.as_str()) {
            list.add(sighting(state, id, container));
        }
    }
    list.runners.sort_by(|a, b| a.name.cmp(&b.name));
    list.aside.sort_by(|a, b| a.name.cmp(&b.name));
    list
}

/// The container of `instance` with that id or name.
pub(super) fn find(state: &State, instance: &InstanceName, key: &str) -> Option<Sighting> {
    let mut containers = state.containers.iter();
    let (id, container) =
        containers.find(|(id, container)| id.as_str() == key || container.name == key)?;
    let ours = labels::instance(&container.labels) == Some(instance.as_str());
    (ours && container.hiding != Hiding::Wholly).then(|| sighting(state, id, container))
}

fn sighting(state: &State, id: &ContainerId, container: &Container) -> Sighting {
    let why: Arc<str> = match (&container.odd, runner(state, id, container)) {
        (None, Some(runner)) => return Sighting::Runner(Box::new(runner)),
        (Some(Odd::State(word)), _) => {
            format!("its state is `{word}`, which AutoGit does not know").into()
        }
        (Some(Odd::Label(name)), _) => {
            format!("its label `io.autogit.{name}` cannot be read").into()
        }
        (None, None) => "its labels cannot be read".into(),
    };
    Sighting::Aside(labels::set_aside(id, container, why))
}

/// What a container's labels say of it as a runner.
fn runner(state: &State, id: &ContainerId, container: &Container) -> Option<Runner> {
    let read = RunnerLabels::read(&container.labels)?;
    Some(Runner {
        id: id.clone().into(),
        name: RunnerName::from_observed(&container.name),
        variant: read.variant,
        slot: read.slot,
        system_id: read.system_id,
        record: read.record,
        spec: read.spec,
        cost: read.cost,
        created_at: state.corrected(container.created_at),
        state: state.corrected_state(&container.state),
        paused: container.is_paused(),
        log: None,
    })
}

pub(super) fn runner_log(state: &State, id: &str) -> Result<RunnerLog, EngineError> {
    let process = state.container(id)?.process.as_ref();
    let log = process.map(|process| process.log.clone()).unwrap_or_default();
    Ok(log.by_clock(|at| state.corrected(at)))
}

pub(super) fn jobs(state: &State) -> JobObjects {
    let containers = state.containers.iter();
    let volume = |(name, volume): (&String, &super::state::Volume)| {
        Some(JobVolume {
            name: name.clone(),
            system_id: labels::job_system_id(&volume.labels)?,
            kind: labels::kind(name, &volume.labels),
        })
    };
    let network = |(id, network): (&String, &super::state::Network)| {
        let system_id = labels::job_system_id(&network.labels)?;
        Some(JobNetworkObject { id: id.clone(), system_id })
    };
    let job = |(id, it): (&ContainerId, &Container)| {
        let JobContainer { job, system_id, .. } = labels::job_container(id, it)?;
        Some(RefusedJob { job: job?, system_id, image: it.refused.filter(|_| it.exited())? })
    };
    JobObjects {
        refused: containers.clone().filter_map(job).collect(),
        containers: containers.filter_map(|(id, it)| labels::job_container(id, it)).collect(),
        volumes: state.volumes.iter().filter_map(volume).collect(),
        networks: state.networks.iter().filter_map(network).collect(),
    }
}

/// What each volume of a job takes.
pub(super) const VOLUME_BYTES: u64 = 1 << 30;
/// What is written into each container.
const CONTAINER_BYTES: u64 = 1 << 20;

/// What takes room there.
pub(super) fn disk(state: &State, instance: &InstanceName) -> DiskUse {
    let volumes = state.volumes.iter().filter_map(|(name, volume)| {
        labels::job_system_id(&volume.labels)?;
        let created_at = Some(state.corrected(volume.made_at));
        Some((name.clone(), VolumeUse { bytes: VOLUME_BYTES, created_at }))
    });
    let jobs = jobs(state).containers.into_iter().map(|it| (it.id.to_string(), it.system_id));
    let runners = runners(state, instance).runners.into_iter();
    let runners = runners.map(|runner| (runner.id.to_string(), runner.system_id));
    let containers = jobs
        .chain(runners)
        .map(|(id, system_id)| (id, ContainerUse { system_id, bytes: CONTAINER_BYTES }));
    DiskUse { volumes: volumes.collect(), containers: containers.collect(), free: None }
}

pub(super) fn network(state: &State, name: &str, instance: &InstanceName) -> Option<NetworkState> {
    let (id, network) = state.networks.iter().find(|(_, network)| network.name == name)?;
    let on_it = state.containers.values().filter(|it| it.network.as_deref() == Some(name));
    Some(NetworkState {
        id: id.clone(),
        ours: labels::instance(&network.labels) == Some(instance.as_str()),
        containers: on_it.count(),
    })
}

/// Networks of `instance` under another name.
pub(super) fn old_networks(
    state: &State,
    name: &str,
    instance: &InstanceName,
) -> Vec<NetworkState> {
    let names = state.networks.values().map(|network| network.name.as_str());
    let others = names.filter(|other| *other != name);
    let networks = others.filter_map(|other| network(state, other, instance));
    networks.filter(|network| network.ours).collect()
}
