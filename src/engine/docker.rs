//! The [`Engine`] port by Docker's API, through bollard.
//!
//! Checked against Engine 20.10 (API 1.41); newer ones are spoken to as bollard knows them. It
//! never runs a command in a container, never kills a runner and never removes by force. Nothing
//! here decides: each method is one thing asked of the engine, with its own time limit.

mod archive;
mod client;
mod create;
mod disk;
mod endpoint;
mod events;
mod failure;
mod gpus;
mod images;
mod info;
mod inspect;
mod jobs;
mod kept_images;
mod labels;
mod lifecycle;
mod listed;
mod local;
mod log_line;
mod logs;
mod networks;
mod own_log;
mod raw;
mod refused;
mod registry;
mod runners;
mod setup;
mod socket;
mod ssh;
mod tls;
mod transport;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::mpsc::Sender;

use super::inspection::{Inspected, Inspection};
use super::own_log::{LogLine, LogPart, OwnLog};
use super::{Engine, EngineError, ImageRequest, NewRunner, RunnerList, Sighting, Wakes};
use crate::clock::Clock;
use crate::spec::{Arch, HostSpec, InstanceName, PullPolicy, TlsSpec};
use crate::world::{
    DiskUse, EngineInfo, ImageState, JobContainer, JobNetworkObject, JobObjects, JobVolume,
    KeptImage, NetworkState, RunnerLog, SystemId, WorkloadId,
};
use client::Client;
use endpoint::Endpoint;

/// How an engine is reached, and what of this machine that needs.
#[derive(Debug, Clone)]
pub struct DockerSettings {
    /// `hosts.<host>.docker`: `unix://`, `tcp://` or `ssh://`.
    pub endpoint: Option<String>,
    /// `DOCKER_HOST`, which counts where the spec names no endpoint.
    pub docker_host: Option<String>,
    /// The client's certificates, for `tcp://`.
    pub tls: Option<TlsSpec>,
    /// The engine's socket as that host sees it; `None`: found.
    pub socket: Option<PathBuf>,
    /// The user's home, where Docker Desktop's socket and Docker's own config are looked for.
    pub home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`, where sockets of engines without root are looked for.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// Docker's own `config.json`, for registry credentials; `None`: the one in `home`.
    pub docker_config: Option<PathBuf>,
    /// The `ssh` program, for `ssh://`.
    pub ssh: PathBuf,
    /// The source of time.
    pub clock: Clock,
}

impl DockerSettings {
    /// How the spec's `host` is reached from a process with these variables.
    pub fn of(host: &HostSpec, variable: impl Fn(&str) -> Option<String>, clock: Clock) -> Self {
        let path = |name: &str| variable(name).map(PathBuf::from);
        let docker_folder =
            path("DOCKER_CERT_PATH").or_else(|| path("HOME").map(|home| home.join(".docker")));
        // As docker's own client: certificates only where they are asked for.
        let of_client = || {
            let asked_for = host.docker.is_none() && variable("DOCKER_TLS_VERIFY").is_some();
            docker_folder.filter(|_| asked_for).map(|folder| TlsSpec {
                ca: folder.join("ca.pem"),
                cert: folder.join("cert.pem"),
                key: folder.join("key.pem"),
            })
        };
        Self {
            endpoint: host.docker.clone(),
            docker_host: variable("DOCKER_HOST"),
            tls: host.tls.clone().or_else(of_client),
            socket: host.socket.clone(),
            home: path("HOME"),
            xdg_runtime_dir: path("XDG_RUNTIME_DIR"),
            docker_config: path("DOCKER_CONFIG").map(|folder| folder.join("config.json")),
            ssh: "ssh".into(),
            clock,
        }
    }
}

/// A Docker Engine.
#[derive(Debug)]
pub struct DockerEngine {
    client: Arc<Client>,
    runners: runners::Inspected,
    logs: logs::Readers,
    pulls: images::Pulls,
    socket: socket::Found,
    refused: refused::Refused,
}

impl DockerEngine {
    /// The engine that `settings` name.
    ///
    /// Nothing is sent yet: an engine that is down is told by each call, and is used as soon as it
    /// is up. Errors: [`EngineError::Unreachable`] if the endpoint is none that AutoGit speaks.
    pub fn connect(settings: DockerSettings) -> Result<Self, EngineError> {
        let endpoint = Endpoint::resolve(&settings)?;
        let config = settings.docker_config.clone().or_else(|| {
            settings.home.as_ref().map(|home| home.join(".docker").join("config.json"))
        });
        Ok(Self {
            client: Arc::new(Client::new(endpoint, settings.clock)),
            runners: runners::Inspected::default(),
            logs: logs::Readers::default(),
            pulls: images::Pulls::new(config),
            socket: socket::Found::new(settings.socket),
            refused: refused::Refused::default(),
        })
    }

    /// The address of the engine's machine as containers on its standard network see it.
    pub async fn gateway(&self) -> Result<std::net::IpAddr, EngineError> {
        networks::gateway(&self.client).await
    }

    /// The endpoint, for the operator.
    pub fn endpoint(&self) -> String {
        self.client.endpoint().to_string()
    }
}

#[async_trait]
impl crate::engine::setup::Survey for DockerEngine {
    async fn survey(&self) -> Result<crate::engine::setup::Surveyed, EngineError> {
        setup::survey(&self.client).await
    }
}

#[async_trait]
impl OwnLog for DockerEngine {
    async fn own_log(
        &self,
        id: &WorkloadId,
        part: LogPart,
        into: Sender<LogLine>,
    ) -> Result<(), EngineError> {
        own_log::read(&self.client, id, part, &into).await
    }
}

#[async_trait]
impl Engine for DockerEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        info::info(&self.client).await
    }

    async fn jobs(&self) -> Result<JobObjects, EngineError> {
        let mut found = jobs::list(&self.client).await?;
        found.refused = self.refused.among(&self.client, &found.containers).await;
        Ok(found)
    }

    async fn runners(&self, instance: &InstanceName) -> Result<RunnerList, EngineError> {
        let list = runners::list(&self.client, &self.runners, instance).await?;
        self.logs.keep_only(&list.runners);
        Ok(list)
    }

    async fn find(
        &self,
        instance: &InstanceName,
        key: &str,
    ) -> Result<Option<Sighting>, EngineError> {
        runners::find(&self.client, instance, key).await
    }

    async fn runner_log(&self, id: &WorkloadId) -> Result<RunnerLog, EngineError> {
        self.logs.read(&self.client, id).await
    }

    async fn log_tail(&self, id: &WorkloadId, lines: usize) -> Result<Vec<String>, EngineError> {
        logs::tail(&self.client, id, lines).await
    }

    async fn network(
        &self,
        name: &str,
        instance: &InstanceName,
    ) -> Result<Option<NetworkState>, EngineError> {
        networks::find(&self.client, name, instance).await
    }

    async fn old_networks(
        &self,
        name: &str,
        instance: &InstanceName,
    ) -> Result<Vec<NetworkState>, EngineError> {
        networks::old(&self.client, name, instance).await
    }

    async fn create_network(&self, name: &str, instance: &InstanceName) -> Result<(), EngineError> {
        networks::create(&self.client, name, instance).await
    }

    async fn disk(&self, instance: &InstanceName) -> Result<DiskUse, EngineError> {
        disk::read(&self.client, instance).await
    }

    async fn image(&self, image: &str, arch: Arch) -> Result<ImageState, EngineError> {
        images::state(&self.client, image, arch).await
    }

    async fn ensure_image(&self, request: &ImageRequest) -> Result<(), EngineError> {
        self.pulls.ensure(&self.client, request).await
    }

    async fn kept_images(&self, instance: &InstanceName) -> Result<Vec<KeptImage>, EngineError> {
        kept_images::list(&self.client, instance).await
    }

    async fn keep_image(
        &self,
        instance: &InstanceName,
        image: &str,
        arch: Arch,
        at: Timestamp,
    ) -> Result<(), EngineError> {
        let (image, policy) = (image.to_owned(), PullPolicy::Always);
        let request = ImageRequest { image, arch, policy };
        kept_images::keep(&self.client, &self.pulls, instance, &request, at).await
    }

    async fn forget_reference(
        &self,
        instance: &InstanceName,
        mark: &KeptImage,
    ) -> Result<bool, EngineError> {
        kept_images::forget_reference(&self.client, instance, mark).await
    }

    async fn remove_mark(
        &self,
        instance: &InstanceName,
        mark: &KeptImage,
    ) -> Result<bool, EngineError> {
        kept_images::remove_mark(&self.client, instance, mark).await
    }

    async fn create_runner(&self, runner: &NewRunner) -> Result<WorkloadId, EngineError> {
        let socket = self.socket.path(&self.client).await?;
        create::create(&self.client, runner, &socket).await
    }

    async fn with_system_id(
        &self,
        instance: &InstanceName,
        system_id: &SystemId,
    ) -> Result<Vec<WorkloadId>, EngineError> {
        runners::with_system_id(&self.client, instance, system_id).await
    }

    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError> {
        lifecycle::start(&self.client, id).await
    }

    async fn drain(&self, id: &WorkloadId) -> Result<(), EngineError> {
        lifecycle::drain(&self.client, id).await
    }

    async fn remove_container(&self, id: &WorkloadId) -> Result<(), EngineError> {
        lifecycle::remove(&self.client, id.as_str()).await
    }

    async fn remove_job_container(&self, container: &JobContainer) -> Result<(), EngineError> {
        jobs::remove_container(&self.client, container).await
    }

    async fn remove_job_volume(&self, volume: &JobVolume) -> Result<(), EngineError> {
        jobs::remove_volume(&self.client, volume).await
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        networks::remove(&self.client, id).await
    }

    async fn remove_job_network(&self, network: &JobNetworkObject) -> Result<(), EngineError> {
        networks::remove_of_job(&self.client, network).await
    }

    async fn read_config(&self, id: &WorkloadId) -> Result<SecretString, EngineError> {
        archive::read_config(&self.client, id).await
    }

    async fn watch(&self, wakes: Wakes) {
        events::watch(&self.client, &self.refused, &wakes).await;
    }

    async fn socket(&self) -> Result<PathBuf, EngineError> {
        self.socket.path(&self.client).await
    }
}

#[async_trait]
impl Inspection for DockerEngine {
    async fn inspect(&self, images: &BTreeSet<String>) -> Result<Inspected, EngineError> {
        inspect::inspect(&self.client, images).await
    }
}
