//! The port to a Docker Engine: everything that AutoGit asks of it or does to it.
//!
//! There is no kill of a runner and no forced removal in this port: a runner is asked to drain
//! ([`Engine::drain`], SIGQUIT) and removed after it exited. Facts are from Engine 20.10 (API 1.41)
//! and newer.

pub mod docker;
pub mod inspection;
pub mod own_log;
pub mod setup;
mod wakes;

pub use crate::world::runner_config;
pub use wakes::Wakes;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::spec::{Arch, Cost, InstanceName, PullPolicy};
use crate::world::{
    DiskUse, EngineInfo, ImageState, JobContainer, JobNetworkObject, JobObjects, JobVolume,
    KeptImage, NetworkState, RecordId, Runner, RunnerLog, RunnerName, SetAside, Slot, SpecHash,
    SystemId, Variant, WorkloadId,
};

/// A runner container to be made: all that differs between two runners. How it is hardened is the
/// adapter's constant.
#[derive(Debug, Clone)]
pub struct NewRunner {
    /// Its name, which is the lock of its slot.
    pub name: RunnerName,
    /// The instance that owns it.
    pub instance: InstanceName,
    /// Its variant: the architecture of its jobs.
    pub variant: Variant,
    /// Its own architecture, which is its host's.
    pub arch: Arch,
    /// Its slot.
    pub slot: Slot,
    /// Its manager's name at GitLab.
    pub system_id: SystemId,
    /// The record whose token is in `config`.
    pub record: RecordId,
    /// The hash of the spec it is made from.
    pub spec: SpecHash,
    /// What it is made with.
    pub cost: Cost,
    /// Its image; must be on the host.
    pub image: String,
    /// The network it joins.
    pub network: String,
    /// Jobs after which it ends; 0: no limit.
    pub jobs_max: u32,
    /// The `config.toml`; holds the token.
    pub config: SecretString,
    /// Variables of its container's environment, which anybody at the engine can read: no secret.
    pub environment: BTreeMap<String, String>,
    /// The operator's own labels.
    pub labels: BTreeMap<String, String>,
    /// The authority that signed GitLab's certificate, as PEM; put at [`runner_config::CA_PATH`].
    pub ca: Option<String>,
}

/// How an image comes to a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageRequest {
    /// The image.
    pub image: String,
    /// For which architecture.
    pub arch: Arch,
    /// When it is pulled.
    pub policy: PullPolicy,
}

/// What an engine lists of an instance's runners.
#[derive(Debug, Clone, Default)]
pub struct RunnerList {
    /// Those that can be read.
    pub runners: Vec<Runner>,
    /// Those that cannot.
    pub aside: Vec<SetAside>,
}

impl RunnerList {
    /// Adds what was seen of one container.
    pub fn add(&mut self, sighting: Sighting) {
        match sighting {
            Sighting::Runner(runner) => self.runners.push(*runner),
            Sighting::Aside(aside) => self.aside.push(aside),
        }
    }
}

/// One container of an instance.
#[derive(Debug, Clone)]
pub enum Sighting {
    /// A runner.
    Runner(Box<Runner>),
    /// One that cannot be read.
    Aside(SetAside),
}

impl Sighting {
    /// Its manager's name at GitLab, where that can be read.
    pub fn system_id(&self) -> Option<&SystemId> {
        match self {
            Self::Runner(runner) => Some(&runner.system_id),
            Self::Aside(aside) => aside.system_id.as_ref(),
        }
    }
}

/// A Docker Engine, as the rest of AutoGit sees it.
///
/// All methods: answer within their own time limit; act on ids; are safe to repeat, an object
/// that is gone already being no error; correct times by the engine's clock.
#[async_trait]
pub trait Engine: Debug + Send + Sync {
    /// The engine itself.
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// What jobs of any gitlab-runner made there, by gitlab-runner's labels.
    async fn jobs(&self) -> Result<JobObjects, EngineError>;

    /// The runners of `instance`, by label, in any state; a container whose labels or state cannot
    /// be read is set aside.
    ///
    /// Assumes nothing of what it lacks: what stands in front of an engine may leave things out.
    async fn runners(&self, instance: &InstanceName) -> Result<RunnerList, EngineError>;

    /// The container of `instance` with that id or name, asked for by itself.
    ///
    /// Guarantees: `None` only if the engine itself says that there is no such container, or that
    /// it is not of `instance`.
    async fn find(
        &self,
        instance: &InstanceName,
        key: &str,
    ) -> Result<Option<Sighting>, EngineError>;

    /// What the runner's log tells about jobs. The whole log is read once per container and only
    /// its growth after that.
    async fn runner_log(&self, id: &WorkloadId) -> Result<RunnerLog, EngineError>;

    /// The last lines of the runner's log, for the operator.
    async fn log_tail(&self, id: &WorkloadId, lines: usize) -> Result<Vec<String>, EngineError>;

    /// The network of that name.
    async fn network(
        &self,
        name: &str,
        instance: &InstanceName,
    ) -> Result<Option<NetworkState>, EngineError>;

    /// The networks with our label that have another name: it was changed in the spec.
    async fn old_networks(
        &self,
        name: &str,
        instance: &InstanceName,
    ) -> Result<Vec<NetworkState>, EngineError>;

    /// Makes the network with our label; one that exists is no error.
    async fn create_network(&self, name: &str, instance: &InstanceName) -> Result<(), EngineError>;

    /// What jobs' volumes and containers, of any gitlab-runner, and the runners of `instance` take of
    /// its disk. May take minutes.
    async fn disk(&self, instance: &InstanceName) -> Result<DiskUse, EngineError>;

    /// Whether the image is there for that architecture; pulls nothing.
    async fn image(&self, image: &str, arch: Arch) -> Result<ImageState, EngineError>;

    /// Sees to it that the image is there, by pulling it as its policy says.
    async fn ensure_image(&self, request: &ImageRequest) -> Result<(), EngineError>;

    /// The marks of the images that were pulled for `instance` to be kept ready.
    async fn kept_images(&self, instance: &InstanceName) -> Result<Vec<KeptImage>, EngineError>;

    /// Pulls the image and puts a mark on it that tells when this was decided, `at` by our clock; its
    /// older marks stay.
    async fn keep_image(
        &self,
        instance: &InstanceName,
        image: &str,
        arch: Arch,
        at: Timestamp,
    ) -> Result<(), EngineError>;

    /// Takes the reference that the mark is of from its image, which stays under the mark: whether
    /// there was one to take. One that another instance keeps ready stays.
    async fn forget_reference(
        &self,
        instance: &InstanceName,
        mark: &KeptImage,
    ) -> Result<bool, EngineError>;

    /// Takes the mark from its image, and with the last name the image itself: whether that could be
    /// done. It stays while a container has the image and no other name tells of it.
    async fn remove_mark(
        &self,
        instance: &InstanceName,
        mark: &KeptImage,
    ) -> Result<bool, EngineError>;

    /// Creates the runner's container and puts its files in; does not start it.
    ///
    /// Guarantees: a container whose files could not be put in is removed again.
    /// Errors: [`EngineError::NameTaken`] if the slot's name is in use.
    async fn create_runner(&self, runner: &NewRunner) -> Result<WorkloadId, EngineError>;

    /// Containers of `instance`, not exited, that carry this system id.
    async fn with_system_id(
        &self,
        instance: &InstanceName,
        system_id: &SystemId,
    ) -> Result<Vec<WorkloadId>, EngineError>;

    /// Starts a created container.
    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError>;

    /// Asks a runner to finish what it has and exit: SIGQUIT. Harmless when repeated.
    async fn drain(&self, id: &WorkloadId) -> Result<(), EngineError>;

    /// Removes a container that does not run, with its anonymous volumes.
    ///
    /// Errors: [`EngineError::Running`] if it runs, [`EngineError::BeingRemoved`] while the engine is
    /// at it, which may take long or fail.
    async fn remove_container(&self, id: &WorkloadId) -> Result<(), EngineError>;

    /// Stops and removes a container that a job made. Assumes: no living runner has its slot.
    async fn remove_job_container(&self, container: &JobContainer) -> Result<(), EngineError>;

    /// Removes a volume that a job made.
    async fn remove_job_volume(&self, volume: &JobVolume) -> Result<(), EngineError>;

    /// Removes a network: a per-job one, or ours.
    async fn remove_network(&self, id: &str) -> Result<(), EngineError>;

    /// As [`Engine::remove_network`], for one that a job made.
    async fn remove_job_network(&self, network: &JobNetworkObject) -> Result<(), EngineError> {
        self.remove_network(&network.id).await
    }

    /// The `config.toml` of a runner's container, running or not; for finding its token again.
    async fn read_config(&self, id: &WorkloadId) -> Result<SecretString, EngineError>;

    /// Wakes whenever a container of the instance, or of a job of its runners, was created, started,
    /// died, was renamed or destroyed; reconnects by itself; ends when nobody listens any more.
    async fn watch(&self, wakes: Wakes);

    /// The engine's socket as that host sees it, as far as it was found.
    async fn socket(&self) -> Result<PathBuf, EngineError>;
}

/// Why an engine did not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// No answer.
    #[error("Docker at {endpoint} cannot be reached: {problem}")]
    Unreachable {
        /// The address asked.
        endpoint: String,
        /// Why, and the next step on a line of its own.
        problem: String,
    },
    /// No answer in time: the effect may have come about.
    #[error("Docker did not {attempt} within {}s", limit.as_secs())]
    TimedOut {
        /// What was attempted.
        attempt: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The name is in use on that engine.
    #[error("the container name `{name}` is in use")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The container runs.
    #[error("container {id} runs, so it is not removed")]
    Running {
        /// The container.
        id: String,
    },
    /// The engine removes it already.
    #[error("container {id} is being removed already")]
    BeingRemoved {
        /// The container.
        id: String,
    },
    /// The image is not on the host and cannot be pulled.
    #[error(
        "image `{image}` is not available: {problem}\nhint: correct its name in the file, or pull it on the host"
    )]
    NoImage {
        /// Its reference, as the file names it.
        image: String,
        /// What the engine or its registry says.
        problem: String,
    },
    /// The object does not exist (any more).
    #[error("Docker knows no {object}")]
    NotFound {
        /// The object.
        object: String,
    },
    /// Docker refuses.
    #[error("Docker does not {attempt}: {problem}")]
    Refused {
        /// What was attempted.
        attempt: String,
        /// What Docker says.
        problem: String,
    },
}
