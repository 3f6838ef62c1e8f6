//! `autogit.yaml`: text to a typed, checked [`Spec`]. Pure: text and a variable lookup in,
//! a spec or all of its faults out. No file is read here; credential files are only named.

mod across;
mod bounds;
mod build;
mod choices;
mod context;
mod cost;
mod defaults;
mod diff;
mod fault;
mod gpu;
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
mod pushed;
mod reader;
mod render;
mod report;
mod runner_config;
mod scalar;
mod schedule;
mod schema;
mod secret;
mod section;
mod shown;
mod validate;
mod values;
mod variables;
mod words;

pub use choices::{Cache, JobNetwork, LostJobs, PullPolicy, QueueSource, Unmatched, Vendor};
pub use cost::{Cost, Cpus};
pub use diff::{diff, diff_without_secrets};
pub use fault::{Code, Fault, Faults, Severity};
pub use gpu::{Gpu, GpuBudget, GpuIds, GpuSpec, KFD, is_device, render_node};
pub use hash::Digest;
pub(crate) use hash::hex;
pub(crate) use hidden::looks_secret;
pub(crate) use names::word_type;
pub use names::{Arch, HostName, InstanceName, PoolName};
pub use parse::{Parsed, Templated};
pub use proxy::{Proxies, ProxyOrigin, ProxyUrl};
pub use pushed::{ALLOWED_KEYS, ALLOWED_VARIABLES, CREDENTIALS, Limits};
pub use runner_config::{ConfigFault, config_faults};
pub use schedule::{Days, Schedule, Scheduled};
pub use schema::schema_json;
pub(crate) use secret::{STRONGER, signing_key};
pub use secret::{secret_in_file, weak_secret_in_file};
pub(crate) use section::is_open;
pub use section::{ApiSpec, Capabilities, GitlabSpec, HostSpec, JobSpec, Pool, Proxy, Spec};
pub use shown::{shown, shown_changes};
pub(crate) use values::{RUNNER_VERSION_MIN, registry_in, runner_release, runner_version};
pub use variables::Missing;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use secrecy::SecretString;

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

/// The pools that a host serves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ServedPools {
    /// Each.
    #[default]
    All,
    /// These alone.
    These(Vec<PoolName>),
}

impl ServedPools {
    /// Whether that pool is one of them.
    pub fn has(&self, pool: &PoolName) -> bool {
        match self {
            Self::All => true,
            Self::These(pools) => pools.contains(pool),
        }
    }
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
    /// Bytes of its disk; `None`: no limit.
    pub disk: Option<u64>,
    /// Bytes that have to stay free on its disk; `None`: none.
    pub disk_free: Option<u64>,
    /// GPUs.
    pub gpus: GpuBudget,
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
    /// That many of the first architecture, by the time of the week.
    Scheduled(Schedule),
}

impl Warm {
    /// How many of that architecture are kept at that time; `first`: it is the pool's first one.
    pub fn of(&self, arch: Arch, first: bool, at: Timestamp) -> u32 {
        match self {
            Self::PerArch(counts) => counts.get(&arch).copied().unwrap_or(0),
            Self::Count(_) | Self::Scheduled(_) if !first => 0,
            Self::Count(count) => *count,
            Self::Scheduled(schedule) => schedule.number(at),
        }
    }

    /// How many are kept at that time, over all architectures.
    pub fn total(&self, at: Timestamp) -> u32 {
        match self {
            Self::Count(count) => *count,
            Self::PerArch(counts) => {
                counts.values().fold(0, |sum: u32, count| sum.saturating_add(*count))
            }
            Self::Scheduled(schedule) => schedule.number(at),
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
