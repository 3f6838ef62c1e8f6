//! What a job of the docker executor makes on its engine, with gitlab-runner's labels
//! (executors/docker/internal/labels/labels.go of 18.4 to 19.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::version::Version;
use crate::spec::Arch;
use crate::world::{JobId, SystemId};

/// What all of gitlab-runner's labels start with.
pub const PREFIX: &str = "com.gitlab.gitlab-runner.";

/// How long the container runs that clones.
const CLONING: Duration = Duration::from_millis(300);

/// Labels, by name.
pub type Labels = BTreeMap<String, String>;

/// Whose objects they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobIdentity {
    /// The job.
    pub job: JobId,
    /// Its page.
    pub url: String,
    /// Its commit.
    pub sha: String,
    /// Its branch or tag.
    pub ref_name: String,
    /// Its limit.
    pub timeout: Duration,
    /// Its project.
    pub project: u64,
    /// Its pipeline.
    pub pipeline: u64,
    /// The first nine characters of the runner's token.
    pub runner: String,
    /// The runner's system id.
    pub system_id: SystemId,
}

/// How the runner is configured, as far as it shows in the objects.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The runner's version.
    pub version: Version,
    /// The job gets a network of its own.
    pub network_per_job: bool,
    /// The network that jobs share otherwise.
    pub network: Option<String>,
    /// Clone and cache end with the job.
    pub disable_cache: bool,
    /// Labels for build, predefined and service containers.
    pub container_labels: Labels,
    /// How many services the job has.
    pub services: usize,
    /// The architecture of the job's image; `None`: its host's.
    pub image_arch: Option<Arch>,
}

/// A container to be run.
#[derive(Debug, Clone)]
pub struct NewContainer {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// The network it is on.
    pub network: Option<String>,
    /// The volumes it mounts.
    pub volumes: Vec<String>,
    /// After which time it ends by itself, and with which code; `None`: never.
    pub ends: Option<(Duration, i64)>,
    /// The architecture of its image; `None`: its host's.
    pub image_arch: Option<Arch>,
}

/// A volume to be made.
#[derive(Debug, Clone)]
pub struct NewVolume {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// A later job may use it, so it stays.
    pub reusable: bool,
}

/// All that one job makes, in the order of making.
#[derive(Debug, Clone)]
pub struct Footprint {
    /// Its own network.
    pub network: Option<(String, Labels)>,
    /// Clone and cache.
    pub volumes: Vec<NewVolume>,
    /// Its services, which run until they are removed.
    pub services: Vec<NewContainer>,
    /// The container that clones.
    pub predefined: NewContainer,
    /// The container that runs the job's script.
    pub build: NewContainer,
}

impl Footprint {
    /// What `job` makes, its script ending as `ends` says.
    pub fn of(job: &JobIdentity, around: &Surroundings, ends: (Duration, i64)) -> Self {
        let JobIdentity { runner, project, job: id, .. } = job;
        let stem = format!("runner-{runner}-project-{project}-concurrent-0-{id}");
        let volumes = volumes(job, around);
        let labels = labels(job, around.version);
        let network = around.network_per_job.then(|| (format!("{stem}-network"), labels.clone()));
        let on = network.as_ref().map(|(name, _)| name.clone()).or_else(|| around.network.clone());
        let container = |kind: &str, suffix: &str, ends| NewContainer {
            name: format!("{stem}-{suffix}"),
            labels: container_labels(&labels, around, kind),
            network: on.clone(),
            volumes: volumes.iter().map(|volume| volume.name.clone()).collect(),
            ends,
            image_arch: None,
        };
        let services =
            (0..around.services).map(|n| container("service", &format!("service-{n}"), None));
        Self {
            services: services.collect(),
            predefined: container("predefined", "predefined", Some((CLONING, 0))),
            build: NewContainer {
                image_arch: around.image_arch,
                ..container("build", "build", Some(ends))
            },
            network,
            volumes,
        }
    }
}

fn labels(job: &JobIdentity, version: Version) -> Labels {
    let label = |name: &str, value: String| (format!("{PREFIX}{name}"), value);
    let mut labels = Labels::from([
        label("managed", "true".to_owned()),
        label("job.id", job.job.to_string()),
        label("job.url", job.url.clone()),
        label("job.sha", job.sha.clone()),
        label("job.ref", job.ref_name.clone()),
        label("job.timeout", format!("{}s", job.timeout.as_secs())),
        label("project.id", job.project.to_string()),
        label("pipeline.id", job.pipeline.to_string()),
        label("runner.id", job.runner.clone()),
        label("runner.local_id", "0".to_owned()),
    ]);
    if version.labels_system_id() {
        labels.extend([label("runner.system_id", job.system_id.to_string())]);
    }
    labels
}

fn container_labels(labels: &Labels, around: &Surroundings, kind: &str) -> Labels {
    let mut labels = labels.clone();
    labels.insert(format!("{PREFIX}type"), kind.to_owned());
    labels.extend(around.container_labels.clone());
    labels
}

/// Reusable volumes are named by token, system id and project, so that the slot's next job of the
/// project finds them; without a cache they belong to the job, and their names say so
/// (executors/docker/internal/volumes/manager.go; seen with 18.6.2).
fn volumes(job: &JobIdentity, around: &Surroundings) -> Vec<NewVolume> {
    let reusable = !around.disable_cache;
    let JobIdentity { runner, system_id, .. } = job;
    let (project, id) = (job.project.to_string(), job.job.to_string());
    let hex = |parts: &[&str], digits| digest(parts).chars().take(digits).collect::<String>();
    let stem = if reusable {
        format!("runner-{}", hex(&[runner, system_id.as_str(), &project], 32))
    } else {
        let random = hex(&["temporary", system_id.as_str(), &id], 16);
        format!("runner-{runner}-project-{project}-concurrent-0-{random}")
    };
    let volume = |destination: &str| {
        let mut labels = labels(job, around.version);
        labels.insert(format!("{PREFIX}type"), "cache".to_owned());
        labels.insert(format!("{PREFIX}destination"), destination.to_owned());
        labels.insert(format!("{PREFIX}protected"), "false".to_owned());
        if around.version.labels_reusable() {
            labels.insert(format!("{PREFIX}reusable"), reusable.to_string());
        }
        NewVolume { name: format!("{stem}-cache-{}", hex(&[destination], 32)), labels, reusable }
    };
    vec![volume("/builds"), volume("/cache")]
}

/// 64 hexadecimal digits over `parts`, as an engine's ids look.
pub(in crate::sandbox) fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
