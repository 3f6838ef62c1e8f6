//! Bugs in what an engine is told, and in what it is understood to tell.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autogit::engine::runner_config::token_of;
use autogit::engine::{Engine, EngineError, ImageRequest, NewRunner, RunnerList, Sighting, Wakes};
use autogit::sandbox::engine::SimulatedEngine;
use autogit::spec::{Arch, InstanceName};
use autogit::world::{
    ContainerState, DiskUse, EngineInfo, ImageState, JobContainer, JobNetworkObject, JobObjects,
    JobVolume, KeptImage, NetworkState, RunnerLog, SpecHash, SystemId, VolumeKind, WorkloadId,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineBug {
    RunnersBeforeJobs,
    NoClockCorrection,
    EveryInstance,
    ListIsAll,
    TokenInLabel,
    Terminates,
    NoRunnersOnSecondLook,
    LabelsAlone,
    ForgetsVolumes,
    ForgetsNetworks,
    ForgetsJobContainers,
    ForgetsContainers,
    ContainerFirst,
}

#[derive(Debug)]
pub(crate) struct MutantEngine {
    bug: EngineBug,
    side: Arc<dyn Engine>,
    engine: SimulatedEngine,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    skew: SignedDuration,
    runners: Option<RunnerList>,
    jobs_read: bool,
}

impl MutantEngine {
    pub(crate) fn new(bug: EngineBug, side: Arc<dyn Engine>, engine: SimulatedEngine) -> Self {
        Self { bug, side, engine, noted: Mutex::default() }
    }

    fn is(&self, bug: EngineBug) -> bool {
        self.bug == bug
    }

    fn uncorrected(&self, at: Timestamp) -> Timestamp {
        let skew = self.noted.lock().unwrap().skew;
        if self.is(EngineBug::NoClockCorrection) { at.saturating_add(skew).unwrap() } else { at }
    }

    fn state(&self, state: &ContainerState) -> ContainerState {
        if let ContainerState::Running { started_at } = *state {
            return ContainerState::Running { started_at: self.uncorrected(started_at) };
        }
        state.clone()
    }
}

#[async_trait]
impl Engine for MutantEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let info = self.side.info().await?;
        self.noted.lock().unwrap().skew = info.skew;
        Ok(info)
    }

    async fn jobs(&self) -> Result<JobObjects, EngineError> {
        if self.is(EngineBug::RunnersBeforeJobs) {
            let runners = self.side.runners(&InstanceName::standard()).await?;
            self.noted.lock().unwrap().runners = Some(runners);
        }
        self.noted.lock().unwrap().jobs_read = true;
        let mut jobs = self.side.jobs().await?;
        if self.is(EngineBug::LabelsAlone) {
            let labelled = self.engine.volumes();
            let labelled = |name: &str| {
                let mut volumes = labelled.iter().filter(|volume| volume.name == name);
                volumes.any(|volume| volume.labels.keys().any(|label| label.ends_with("reusable")))
            };
            let bare = jobs.volumes.iter_mut().filter(|volume| !labelled(&volume.name));
            bare.for_each(|volume| volume.kind = VolumeKind::Temporary);
        }
        Ok(jobs)
    }

    async fn disk(&self, instance: &InstanceName) -> Result<DiskUse, EngineError> {
        self.side.disk(instance).await
    }

    async fn runners(&self, instance: &InstanceName) -> Result<RunnerList, EngineError> {
        let noted = self.noted.lock().unwrap().runners.take();
        let first = std::mem::take(&mut self.noted.lock().unwrap().jobs_read);
        if let Some(runners) = noted {
            return Ok(runners);
        }
        if !first && self.is(EngineBug::NoRunnersOnSecondLook) {
            return Ok(RunnerList::default());
        }
        let mut list = self.side.runners(instance).await?;
        if self.is(EngineBug::EveryInstance) {
            let all = self.engine.containers().into_iter();
            list.runners = all.filter_map(|container| container.runner).collect();
        }
        for runner in &mut list.runners {
            runner.state = self.state(&runner.state);
        }
        Ok(list)
    }

    async fn find(
        &self,
        instance: &InstanceName,
        key: &str,
    ) -> Result<Option<Sighting>, EngineError> {
        if self.is(EngineBug::ListIsAll) {
            return Ok(None);
        }
        Ok(match self.side.find(instance, key).await? {
            Some(Sighting::Runner(mut runner)) => {
                runner.state = self.state(&runner.state);
                Some(Sighting::Runner(runner))
            }
            other => other,
        })
    }

    async fn runner_log(&self, id: &WorkloadId) -> Result<RunnerLog, EngineError> {
        let log = self.side.runner_log(id).await?;
        let received = log.received.map(|(job, at)| (job, self.uncorrected(at)));
        Ok(RunnerLog { received, ended: log.ended.map(|at| self.uncorrected(at)), ..log })
    }

    async fn log_tail(&self, id: &WorkloadId, lines: usize) -> Result<Vec<String>, EngineError> {
        self.side.log_tail(id, lines).await
    }

    async fn network(
        &self,
        name: &str,
        instance: &InstanceName,
    ) -> Result<Option<NetworkState>, EngineError> {
        self.side.network(name, instance).await
    }

    async fn old_networks(
        &self,
        name: &str,
        instance: &InstanceName,
    ) -> Result<Vec<NetworkState>, EngineError> {
        self.side.old_networks(name, instance).await
    }

    async fn create_network(&self, name: &str, instance: &InstanceName) -> Result<(), EngineError> {
        self.side.create_network(name, instance).await
    }

    async fn image(&self, image: &str, arch: Arch) -> Result<ImageState, EngineError> {
        self.side.image(image, arch).await
    }

    async fn ensure_image(&self, request: &ImageRequest) -> Result<(), EngineError> {
        self.side.ensure_image(request).await
    }

    async fn kept_images(&self, instance: &InstanceName) -> Result<Vec<KeptImage>, EngineError> {
        self.side.kept_images(instance).await
    }

    async fn keep_image(
        &self,
        instance: &InstanceName,
        image: &str,
        arch: Arch,
        at: Timestamp,
    ) -> Result<(), EngineError> {
        self.side.keep_image(instance, image, arch, at).await
    }

    async fn forget_reference(
        &self,
        instance: &InstanceName,
        mark: &KeptImage,
    ) -> Result<bool, EngineError> {
        self.side.forget_reference(instance, mark).await
    }

    async fn remove_mark(
        &self,
        instance: &InstanceName,
        mark: &KeptImage,
    ) -> Result<bool, EngineError> {
        self.side.remove_mark(instance, mark).await
    }

    async fn create_runner(&self, runner: &NewRunner) -> Result<WorkloadId, EngineError> {
        let mut runner = runner.clone();
        if self.is(EngineBug::TokenInLabel) {
            let token = token_of(&runner.config).unwrap();
            runner.spec = SpecHash::from_observed(token.expose_secret());
        }
        self.side.create_runner(&runner).await
    }

    async fn with_system_id(
        &self,
        instance: &InstanceName,
        system_id: &SystemId,
    ) -> Result<Vec<WorkloadId>, EngineError> {
        let holders = self.side.with_system_id(instance, system_id).await?;
        if self.is(EngineBug::ContainerFirst) && holders.is_empty() {
            let all = self.engine.containers().into_iter().filter_map(|it| it.runner);
            for runner in all.filter(|runner| runner.system_id == *system_id) {
                self.side.remove_container(&runner.id).await?;
            }
        }
        Ok(holders)
    }

    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError> {
        self.side.start(id).await
    }

    async fn drain(&self, id: &WorkloadId) -> Result<(), EngineError> {
        if self.is(EngineBug::Terminates) {
            return self.engine.kill_container(id, 143);
        }
        self.side.drain(id).await
    }

    async fn remove_container(&self, id: &WorkloadId) -> Result<(), EngineError> {
        if self.is(EngineBug::ForgetsContainers) {
            return Ok(());
        }
        self.side.remove_container(id).await
    }

    async fn remove_job_container(&self, container: &JobContainer) -> Result<(), EngineError> {
        if self.is(EngineBug::ForgetsJobContainers) {
            return Ok(());
        }
        self.side.remove_job_container(container).await
    }

    async fn remove_job_volume(&self, volume: &JobVolume) -> Result<(), EngineError> {
        if self.is(EngineBug::ForgetsVolumes) {
            return Ok(());
        }
        self.side.remove_job_volume(volume).await
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        self.side.remove_network(id).await
    }

    async fn remove_job_network(&self, network: &JobNetworkObject) -> Result<(), EngineError> {
        if self.is(EngineBug::ForgetsNetworks) {
            return Ok(());
        }
        self.side.remove_job_network(network).await
    }

    async fn read_config(&self, id: &WorkloadId) -> Result<SecretString, EngineError> {
        self.side.read_config(id).await
    }

    async fn watch(&self, wakes: Wakes) {
        self.side.watch(wakes).await;
    }

    async fn socket(&self) -> Result<PathBuf, EngineError> {
        self.side.socket().await
    }
}
