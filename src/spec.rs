//! `autogit.yaml`: text to a typed, checked [`Spec`]. Pure: text and a variable lookup in,
//! a spec or all of its faults out. No file is read here; credential files are only named.

mod across;
mod bounds;
mod build;
mod context;
mod defaults;
mod diff;
mod fault;
mod hash;
mod hidden;
mod json;
mod keys;
mod names;
mod nearest;
mod node;
mod parse;
mod path;
mod proxy;
mod raw;
mod reader;
mod render;
mod report;
mod runner_config;
mod scalar;
mod schema;
mod secret;
mod shown;

mod validate;
mod values;
mod variables;
mod words;

pub use diff::diff;
pub use fault::{Code, Fault, Faults, Severity};
pub use hash::Digest;
pub(crate) use hidden::looks_secret;
pub(crate) use names::word_type;
pub use names::{Arch, HostName, InstanceName, PoolName};
pub use parse::{Parsed, Templated};
pub use proxy::{Proxies, Proxy, ProxyOrigin, ProxyUrl};
pub use runner_config::{ConfigFault, config_faults};
pub use schema::schema_json;
pub(crate) use secret::{STRONGER, signing_key};
pub use secret::{secret_in_file, weak_secret_in_file};
pub use shown::{shown, shown_changes};
pub(crate) use values::{RUNNER_VERSION_MIN, runner_version};
pub use variables::Missing;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// A checked spec: what the operator asks for, defaults filled in, variables replaced.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Scopes every label and record; `autogit` unless given.
    pub instance: InstanceName,
    /// How GitLab is reached.
    pub gitlab: GitlabSpec,
    /// The Docker hosts, by name.
    pub hosts: BTreeMap<HostName, HostSpec>,
    /// The bridge network that runners join.
    pub network: String,
    /// The proxies of runners and their jobs.
    pub proxies: Proxies,
    /// How many runners may be started in a minute, over the whole instance.
    pub starts_per_minute: u32,
    /// The pools, in file order.
    pub pools: Vec<Pool>,
    /// The status API.
    pub api: ApiSpec,
}

impl Spec {
    /// The pool of that name.
    pub fn pool(&self, name: &PoolName) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == *name)
    }
}

/// A secret, or the file that holds it. `source` replaces files by what they hold.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The secret itself.
    Value(SecretString),
    /// The file to read it from, at every load.
    File(PathBuf),
}

impl Credential {
    /// The secret, once it is read.
    pub fn value(&self) -> Option<&SecretString> {
        match self {
            Self::Value(secret) => Some(secret),
            Self::File(_) => None,
        }
    }
}

/// The `gitlab` section.
#[derive(Debug, Clone)]
pub struct GitlabSpec {
    /// Base URL, without a trailing slash.
    pub url: String,
    /// The API token.
    pub token: Credential,
    /// Legacy registration token, for servers that still take it.
    pub registration_token: Option<Credential>,
    /// Folder in which runner tokens are kept over restarts.
    pub token_cache: Option<PathBuf>,
    /// Time between two looks at the queue.
    pub poll_interval: Duration,
    /// How the queue is read.
    pub queue_source: QueueSource,
    /// What is said of jobs that no pool may take.
    pub unmatched: Unmatched,
    /// Full paths of groups to which the queue is limited; empty: no limit.
    pub groups: Vec<String>,
    /// Full paths of projects to which the queue is limited; empty: no limit.
    pub projects: Vec<String>,
    /// What runners use to reach GitLab (`url` unless given).
    pub runner_url: String,
    /// What jobs clone from (`None`: what GitLab says).
    pub clone_url: Option<String>,
    /// A certificate authority to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// What `ca_file` holds, as PEM, once it is read.
    pub ca: Option<String>,
    /// The webhook's secret.
    pub webhook_secret: Option<Credential>,
}

impl GitlabSpec {
    /// A page is one of this GitLab, by any of the addresses under which it is reached.
    pub fn has(&self, page: &str) -> bool {
        let addresses = [Some(&self.url), Some(&self.runner_url), self.clone_url.as_ref()];
        addresses.into_iter().flatten().any(|address| {
            let path = page.strip_prefix(address.trim_end_matches('/'));
            path.is_some_and(|path| path.starts_with('/'))
        })
    }
}

/// How the queue is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueSource {
    /// By GraphQL for an administrator's token, else by projects.
    Auto,
    /// The instance's queue by GraphQL; needs an administrator's token.
    Instance,
    /// Project by project.
    Projects,
}

/// What is said of jobs that no pool may take and no other runner is seen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unmatched {
    /// They are a fault of the file or of the jobs.
    #[default]
    Warn,
    /// They are for runners that AutoGit does not see.
    Ignore,
}

/// One Docker host.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostSpec {
    /// `unix://`, `tcp://` or `ssh://`; `None`: `DOCKER_HOST` or the usual sockets.
    pub docker: Option<String>,
    /// The client's certificates, for `tcp://`.
    pub tls: Option<TlsSpec>,
    /// The engine's socket as that host sees it, for mounting; `None`: found.
    pub socket: Option<PathBuf>,
    /// What runners may use of the host.
    pub budget: BudgetSpec,
    /// The pools that may run there; `None`: all.
    pub pools: Option<Vec<PoolName>>,
}

/// Client certificates of a `tcp://` host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSpec {
    /// The authority that signed the engine's certificate.
    pub ca: PathBuf,
    /// Our certificate.
    pub cert: PathBuf,
    /// Our key.
    pub key: PathBuf,
}

/// What runners may use of a host; what is `None` follows from the host itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BudgetSpec {
    /// Live runners; `None`: two per cpu of the host.
    pub runners: Option<u32>,
    /// Cpus; `None`: what the host has.
    pub cpus: Option<f64>,
    /// Memory in bytes; `None`: what the host has.
    pub memory: Option<u64>,
}

/// The `api` section.
#[derive(Debug, Clone)]
pub struct ApiSpec {
    /// Address of the status API.
    pub listen: std::net::SocketAddr,
    /// Where GitLab reaches the webhook.
    pub external_url: Option<String>,
    /// Bearer token for what changes something.
    pub token: Option<Credential>,
    /// Bearer token for what is only shown; `None`: it is shown to everybody.
    pub read_token: Option<Credential>,
    /// Bearer token that only previews plans.
    pub plan_token: Option<Credential>,
}

impl ApiSpec {
    /// Where the API listens unless told otherwise.
    pub const STANDARD_ADDRESS: std::net::SocketAddr =
        std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
}

/// One pool of runners.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Its name.
    pub name: PoolName,
    /// `false`: its runners are drained and its registration is kept.
    pub enabled: bool,
    /// The tags without the architecture, which each variant adds.
    pub tags: Vec<String>,
    /// The architectures; empty: the hosts'.
    pub architectures: Vec<Arch>,
    /// Takes jobs without tags (its first architecture only).
    pub run_untagged: bool,
    /// Takes only jobs on protected refs.
    pub protected: bool,
    /// Whose jobs it takes.
    pub scope: Scope,
    /// Live runners at most, over variants and hosts.
    pub max: u32,
    /// Idle runners kept beyond the demand.
    pub warm: Warm,
    /// How long a runner may be idle beyond the demand.
    pub cooldown: Duration,
    /// Jobs after which a runner ends; 0: no limit.
    pub jobs_per_runner: u32,
    /// How long a runner may take to make contact with GitLab.
    pub startup_timeout: Duration,
    /// Limit on a job's duration, set on the record.
    pub maximum_timeout: Option<Duration>,
    /// Higher is served first.
    pub priority: i32,
    /// The runner's image.
    pub runner_image: String,
    /// When the runner's image is pulled.
    pub pull_policy: PullPolicy,
    /// What a job and its services may use.
    pub resources: Option<Resources>,
    /// What happens to clone and cache volumes.
    pub cache: Cache,
    /// The operator's own runner token, instead of AutoGit registering.
    pub runner_token: Option<Credential>,
    /// What happens to a job whose runner died.
    pub lost_jobs: LostJobs,
    /// Its own proxy, instead of the file's.
    pub proxy: Option<Proxy>,
    /// The operator's own labels, for the containers of its runners and their jobs.
    pub labels: BTreeMap<String, String>,
    /// How jobs run.
    pub job: JobSpec,
    /// Further keys of gitlab-runner's `[[runners]]`, merged in last.
    pub runner_config: serde_json::Map<String, serde_json::Value>,
}

impl Pool {
    /// The variants' tags: the pool's and the architecture.
    pub fn tags_for(&self, arch: Arch) -> Vec<String> {
        let mut tags = self.tags.clone();
        if !tags.iter().any(|tag| tag == arch.as_str()) {
            tags.push(arch.as_str().to_owned());
        }
        tags
    }
}

/// Whose jobs a pool takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everyone's.
    Instance,
    /// Those of a group's projects; the group by its full path, in any letter case, or its id.
    /// What it is, GitLab tells: nothing follows from how it is written.
    Group(String),
    /// Those of one project, likewise.
    Project(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance => f.write_str("instance"),
            Self::Group(name) => write!(f, "group `{name}`"),
            Self::Project(name) => write!(f, "project `{name}`"),
        }
    }
}

/// Idle runners kept beyond the demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warm {
    /// That many of the first architecture.
    Count(u32),
    /// That many by architecture.
    PerArch(BTreeMap<Arch, u32>),
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PullPolicy {
    /// Before each start.
    Always,
    /// When the host lacks it.
    IfNotPresent,
    /// Never: it must be there.
    Never,
}

impl PullPolicy {
    /// The word of the spec and of gitlab-runner's `pull_policy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::IfNotPresent => "if-not-present",
            Self::Never => "never",
        }
    }
}

/// What a job and its services may use; their sum is what a slot costs the budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Resources {
    /// Cpus of a job.
    pub cpus: Option<f64>,
    /// Memory of a job in bytes.
    pub memory: Option<u64>,
    /// Limits of its services.
    pub services: Option<ServiceResources>,
}

/// Limits of a job's services.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceResources {
    /// Services a job may have.
    pub max: u32,
    /// Cpus of each.
    pub cpus: Option<f64>,
    /// Memory of each in bytes.
    pub memory: Option<u64>,
}

/// What happens to clone and cache volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// They survive in the slot.
    Keep,
    /// They are removed after each job.
    Discard,
}

/// What happens to a job whose runner died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostJobs {
    /// It is reported.
    Report,
    /// It is reported, cancelled and retried.
    Retry,
}

/// How jobs run.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSpec {
    /// The image of jobs that name none.
    pub image: String,
    /// The network of job containers.
    pub network: JobNetwork,
    /// Full access to the host.
    pub privileged: bool,
    /// Mounts the engine's socket into jobs.
    pub docker_socket: bool,
    /// Capabilities taken from jobs.
    pub cap_drop: Vec<String>,
    /// Capabilities given to jobs.
    pub cap_add: Vec<String>,
    /// When job images are pulled, in order of trying.
    pub pull_policy: Vec<PullPolicy>,
    /// Further volumes, as gitlab-runner writes them.
    pub volumes: Vec<String>,
    /// Image patterns that jobs may use; empty: all.
    pub allowed_images: Vec<String>,
    /// Image patterns that services may use; empty: all.
    pub allowed_services: Vec<String>,
    /// Further variables of jobs, in order of name.
    pub environment: BTreeMap<String, String>,
}

/// The network of job containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobNetwork {
    /// Per job, unless the clone host resolves only on the shared network.
    Auto,
    /// One per job.
    PerJob,
    /// The runners' own.
    Shared,
    /// The host's.
    Host,
}
