//! The port: what AutoGit may ask of a simulated engine.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::broadcast::error::RecvError;

use super::container::{Container, Hiding};
use super::faults::Operation;
use super::objects::short;
use super::state::State;
use super::{SimulatedEngine, labels, process, view};
use crate::engine::inspection::{Cgroups, ImageSeen, Inspected, Inspection, NetworkSeen};
use crate::engine::{Engine, EngineError, ImageRequest, NewRunner, RunnerList, Sighting, Wakes};
use crate::sandbox::runner::Labels;
use crate::spec::{Arch, Cpus, InstanceName, PullPolicy};
use crate::world::{
    DiskUse, EngineInfo, ImageKey, ImageState, JobContainer, JobObjects, JobVolume, KeptImage,
    NetworkState, Node, RunnerLog, SystemId, WorkloadId,
};

/// Of calls that answer at once.
const NO_TIME: Duration = Duration::ZERO;
/// What it says of itself.
const VERSION: &str = "28.0.0 (simulated)";

#[async_trait]
impl Engine for SimulatedEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let settings = &self.inner.settings;
        self.call(Operation::Info, "", NO_TIME, |state| {
            Ok(EngineInfo {
                id: settings.id.clone(),
                node: Node {
                    arch: settings.arch,
                    cpus: Cpus::at_most(settings.cpus),
                    memory: settings.memory,
                },
                emulates: settings.emulates.clone(),
                version: VERSION.to_owned(),
                gpus: settings.gpus.clone(),
                skew: state.skew,
            })
        })
        .await
    }

    async fn jobs(&self) -> Result<JobObjects, EngineError> {
        self.call(Operation::Jobs, "", NO_TIME, |state| Ok(view::jobs(state))).await
    }

    async fn runners(&self, instance: &InstanceName) -> Result<RunnerList, EngineError> {
        self.call(Operation::Runners, instance.as_str(), NO_TIME, |state| {
            Ok(view::runners(state, instance))
        })
        .await
    }

    async fn find(
        &self,
        instance: &InstanceName,
        key: &str,
    ) -> Result<Option<Sighting>, EngineError> {
        self.call(Operation::Find, key, NO_TIME, |state| Ok(view::find(state, instance, key))).await
    }

    async fn runner_log(&self, id: &WorkloadId) -> Result<RunnerLog, EngineError> {
        self.call(Operation::RunnerLog, short(id.as_str()), NO_TIME, |state| {
            view::runner_log(state, id.as_str())
        })
        .await
    }

    async fn log_tail(&self, id: &WorkloadId, lines: usize) -> Result<Vec<String>, EngineError> {
        self.call(Operation::LogTail, short(id.as_str()), NO_TIME, |state| {
            let process = state.container(id.as_str())?.process.as_ref();
            let all = process.map(|process| &process.lines).into_iter().flatten();
            let skipped = process.map_or(0, |process| process.lines.len().saturating_sub(lines));
            Ok(all.skip(skipped).cloned().collect())
        })
        .await
    }

    async fn network(
        &self,
        name: &str,
        instance: &InstanceName,
    ) -> Result<Option<NetworkState>, EngineError> {
        self.call(Operation::Network, name, NO_TIME, |state| {
            Ok(view::network(state, name, instance))
        })
        .await
    }

    async fn old_networks(
        &self,
        name: &str,
        instance: &InstanceName,
    ) -> Result<Vec<NetworkState>, EngineError> {
        self.call(Operation::Network, name, NO_TIME, |state| {
            Ok(view::old_networks(state, name, instance))
        })
        .await
    }

    async fn create_network(&self, name: &str, instance: &InstanceName) -> Result<(), EngineError> {
        self.call(Operation::CreateNetwork, name, NO_TIME, |state| {
            state.add_network(name, labels::of_instance(instance));
            Ok(())
        })
        .await
    }

    async fn disk(&self, instance: &InstanceName) -> Result<DiskUse, EngineError> {
        self.call(Operation::Disk, "", NO_TIME, |state| Ok(view::disk(state, instance))).await
    }

    async fn image(&self, image: &str, _: Arch) -> Result<ImageState, EngineError> {
        self.call(Operation::Image, image, NO_TIME, |state| {
            let here = state.images.contains(image);
            Ok(if here { ImageState::Here } else { ImageState::Absent })
        })
        .await
    }

    async fn ensure_image(&self, request: &ImageRequest) -> Result<(), EngineError> {
        let image = &request.image;
        let here = self.state().images.contains(image);
        let pulls = match request.policy {
            PullPolicy::Always => true,
            PullPolicy::IfNotPresent => !here,
            PullPolicy::Never => false,
        };
        let latency = if pulls { self.inner.settings.latencies.pull } else { NO_TIME };
        self.call(Operation::EnsureImage, image, latency, |state| {
            if pulls { pull(state, image) } else { expect_image(state, image) }
        })
        .await
    }

    async fn kept_images(&self, instance: &InstanceName) -> Result<Vec<KeptImage>, EngineError> {
        self.call(Operation::KeptImages, instance.as_str(), NO_TIME, |state| {
            let its = state.marks.iter().filter(|(of, _)| of == instance);
            Ok(its.map(|(_, mark)| mark.clone()).collect())
        })
        .await
    }

    async fn keep_image(
        &self,
        instance: &InstanceName,
        image: &str,
        _: Arch,
        at: Timestamp,
    ) -> Result<(), EngineError> {
        let latency = self.inner.settings.latencies.pull;
        self.call(Operation::KeepImage, image, latency, |state| {
            let key = ImageKey::of(image);
            let its = state.marks.iter().filter(|(of, mark)| of == instance && mark.image == key);
            let marked = its.map(|(_, mark)| mark.found).next_back();
            let found = state.images.contains(image) && marked.unwrap_or(true);
            pull(state, image)?;
            let mark = KeptImage { image: key, pulled_at: in_seconds(at), found };
            state.marks.insert((instance.clone(), mark));
            Ok(())
        })
        .await
    }

    async fn forget_reference(
        &self,
        instance: &InstanceName,
        mark: &KeptImage,
    ) -> Result<bool, EngineError> {
        self.call(Operation::RemoveImage, instance.as_str(), NO_TIME, |state| {
            let anothers = |(of, other): &(InstanceName, KeptImage)| {
                of != instance && other.image == mark.image
            };
            if state.marks.iter().any(anothers) {
                return Ok(false);
            }
            let before = state.images.len();
            state.images.retain(|image| ImageKey::of(image) != mark.image);
            Ok(state.images.len() < before)
        })
        .await
    }

    async fn remove_mark(
        &self,
        instance: &InstanceName,
        mark: &KeptImage,
    ) -> Result<bool, EngineError> {
        self.call(Operation::RemoveImage, instance.as_str(), NO_TIME, |state| {
            state.marks.remove(&(instance.clone(), mark.clone()));
            Ok(true)
        })
        .await
    }

    async fn create_runner(&self, runner: &NewRunner) -> Result<WorkloadId, EngineError> {
        let latency = self.inner.settings.latencies.create;
        self.call(Operation::CreateRunner, runner.name.as_str(), latency, |state| {
            expect_image(state, &runner.image)?;
            let anonymous = state.fresh_id();
            let version = state.version_in(&runner.image);
            let container = Container::of_runner(runner, version, &anonymous, state.now());
            let id = state.create(container)?;
            state.add_volume(&anonymous, Labels::new());
            Ok(id.into())
        })
        .await
    }

    async fn with_system_id(
        &self,
        instance: &InstanceName,
        system_id: &SystemId,
    ) -> Result<Vec<WorkloadId>, EngineError> {
        self.call(Operation::WithSystemId, system_id.as_str(), NO_TIME, |state| {
            let fits = |container: &Container| {
                !container.exited()
                    && container.hiding == Hiding::None
                    && labels::instance(&container.labels) == Some(instance.as_str())
                    && labels::our_system_id(&container.labels) == Some(system_id.as_str())
            };
            let fitting = state.containers.iter().filter(|(_, container)| fits(container));
            Ok(fitting.map(|(id, _)| id.clone().into()).collect())
        })
        .await
    }

    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError> {
        let settings = &self.inner.settings;
        let engine = Arc::downgrade(&self.inner);
        self.call(Operation::Start, short(id.as_str()), settings.latencies.start, |state| {
            process::start(state, id.as_str(), settings, &engine)
        })
        .await
    }

    async fn drain(&self, id: &WorkloadId) -> Result<(), EngineError> {
        self.call(Operation::Drain, short(id.as_str()), NO_TIME, |state| {
            let running = state.containers.get(id.as_str()).filter(|container| container.runs());
            let process = running.and_then(|container| container.process.as_ref());
            if let Some(process) = process.filter(|process| !process.deaf) {
                process.quit.send();
            }
            Ok(())
        })
        .await
    }

    async fn remove_container(&self, id: &WorkloadId) -> Result<(), EngineError> {
        self.call(Operation::RemoveContainer, short(id.as_str()), NO_TIME, |state| {
            if state.containers.get(id.as_str()).is_some_and(Container::runs) {
                return Err(EngineError::Running { id: id.to_string() });
            }
            state.remove(id.as_str());
            Ok(())
        })
        .await
    }

    async fn remove_job_container(&self, container: &JobContainer) -> Result<(), EngineError> {
        let id = &container.id;
        self.call(Operation::RemoveJobContainer, short(id.as_str()), NO_TIME, |state| {
            state.remove(id.as_str());
            Ok(())
        })
        .await
    }

    async fn remove_job_volume(&self, volume: &JobVolume) -> Result<(), EngineError> {
        self.call(Operation::RemoveJobVolume, &volume.name, NO_TIME, |state| {
            state.remove_volume(&volume.name)
        })
        .await
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        self.call(Operation::RemoveNetwork, id.get(..12).unwrap_or(id), NO_TIME, |state| {
            state.remove_network(id)
        })
        .await
    }

    async fn read_config(&self, id: &WorkloadId) -> Result<SecretString, EngineError> {
        self.call(Operation::ReadConfig, short(id.as_str()), NO_TIME, |state| {
            let process = state.container(id.as_str())?.process.as_ref();
            process.map(|process| process.config.clone()).ok_or_else(|| EngineError::NotFound {
                object: format!("config.toml in container {id}"),
            })
        })
        .await
    }

    async fn watch(&self, wakes: Wakes) {
        let mut events = self.state().events.subscribe();
        loop {
            let event = tokio::select! {
                biased;
                () = wakes.closed() => return,
                event = events.recv() => event,
            };
            match event {
                Ok(labels) => {
                    wakes.runner_changed(labels::instance(&labels));
                    if let Some(system_id) = labels::job_system_id(&labels) {
                        wakes.job_changed(system_id.as_str());
                    }
                }
                Err(RecvError::Lagged(_)) => wakes.missed(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn socket(&self) -> Result<PathBuf, EngineError> {
        let path = || PathBuf::from("/var/run/docker.sock");
        self.call(Operation::Socket, "", NO_TIME, |_| Ok(path())).await
    }
}

/// Facts are those of a usual Engine 28 with root.
#[async_trait]
impl Inspection for SimulatedEngine {
    async fn inspect(&self, images: &BTreeSet<String>) -> Result<Inspected, EngineError> {
        let settings = &self.inner.settings;
        self.call(Operation::Info, "", NO_TIME, |state| {
            let networks = state.networks.values();
            let seen = |image: &String| {
                let seen = ImageSeen { arch: Some(settings.arch), version: None };
                (image.clone(), Ok(state.images.contains(image).then_some(seen)))
            };
            Ok(Inspected {
                endpoint: format!("simulated://{}", settings.id),
                version: VERSION.to_owned(),
                api_version: Some("1.48".to_owned()),
                arch: Some(settings.arch),
                cgroups: Cgroups {
                    version: Some("2".to_owned()),
                    driver: Some("systemd".to_owned()),
                    memory: Some(true),
                    cpus: Some(true),
                },
                runtimes: ["runc".to_owned()].into(),
                clock_ahead: Some(state.skew),
                networks: networks
                    .map(|network| NetworkSeen { name: network.name.clone(), subnets: vec![] })
                    .collect(),
                images: images.iter().map(seen).collect(),
                ..Inspected::default()
            })
        })
        .await
    }
}

/// As a tag tells it.
fn in_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn expect_image(state: &State, image: &str) -> Result<(), EngineError> {
    if state.images.contains(image) {
        return Ok(());
    }
    Err(EngineError::NoImage { image: image.to_owned(), problem: "no such image".to_owned() })
}

fn pull(state: &mut State, image: &str) -> Result<(), EngineError> {
    if !state.published.contains(image) {
        let problem = "manifest unknown".to_owned();
        return Err(EngineError::NoImage { image: image.to_owned(), problem });
    }
    if state.disk_full {
        return Err(EngineError::Refused {
            attempt: format!("pull {image}"),
            problem: "no space left on device".to_owned(),
        });
    }
    state.images.insert(image.to_owned());
    Ok(())
}
