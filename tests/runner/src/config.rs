//! `config.toml` and `.runner_system_id`, read the way gitlab-runner reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use tracing::warn;
use url::Url;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("reading config file {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("decoding config file {path}: {source}")]
    Decode { path: PathBuf, source: toml::de::Error },
    #[error("runner with name {0:?} not found")]
    UnknownRunner(String),
    #[error("executor {0:?} is not one that this runner has: it has docker")]
    Executor(String),
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    runners: Vec<Runner>,
}

/// One `[[runners]]` section.
#[derive(Deserialize)]
pub struct Runner {
    pub name: String,
    pub url: Url,
    pub token: String,
    executor: String,
    #[serde(default)]
    pub environment: Vec<String>,
    #[serde(default)]
    pub pre_build_script: String,
    #[serde(default)]
    feature_flags: BTreeMap<String, bool>,
    pub docker: Docker,
}

/// What of `[runners.docker]` reaches a job's containers; other keys are ignored.
#[derive(Deserialize)]
#[serde(default)]
pub struct Docker {
    pub host: String,
    pub image: String,
    #[serde(deserialize_with = "nano_cpus")]
    pub cpus: i64,
    #[serde(deserialize_with = "bytes")]
    pub memory: i64,
    #[serde(deserialize_with = "bytes")]
    pub memory_swap: i64,
    pub shm_size: i64,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub security_opt: Vec<String>,
    pub privileged: bool,
    pub userns_mode: String,
    pub cgroup_parent: String,
    pub network_mode: String,
    pub extra_hosts: Vec<String>,
    /// `/dev/node`, `/dev/node:/in/container` or with permissions behind that.
    pub devices: Vec<String>,
    pub gpus: String,
    pub ulimit: BTreeMap<String, String>,
    /// `/path` is a volume of the runner's own, `/from:/to` a bind.
    pub volumes: Vec<String>,
    pub disable_cache: bool,
    pub container_labels: BTreeMap<String, String>,
}

impl Default for Docker {
    fn default() -> Self {
        Self {
            host: "unix:///var/run/docker.sock".to_owned(),
            image: String::new(),
            cpus: 0,
            memory: 0,
            memory_swap: 0,
            shm_size: 0,
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            security_opt: Vec::new(),
            privileged: false,
            userns_mode: String::new(),
            cgroup_parent: String::new(),
            network_mode: String::new(),
            extra_hosts: Vec::new(),
            devices: Vec::new(),
            gpus: String::new(),
            ulimit: BTreeMap::new(),
            volumes: Vec::new(),
            disable_cache: false,
            container_labels: BTreeMap::new(),
        }
    }
}

impl Runner {
    pub fn load(path: &Path, name: &str) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let file: File = toml::from_str(&text)
            .map_err(|source| ConfigError::Decode { path: path.to_owned(), source })?;
        let runner = file
            .runners
            .into_iter()
            .find(|runner| runner.name == name)
            .ok_or_else(|| ConfigError::UnknownRunner(name.to_owned()))?;
        if runner.executor == "docker" {
            Ok(runner)
        } else {
            Err(ConfigError::Executor(runner.executor))
        }
    }

    pub fn network_per_build(&self) -> bool {
        self.feature_flags.get("FF_NETWORK_PER_BUILD").copied().unwrap_or(false)
    }

    /// What stands for the token in labels, names and logs.
    pub fn short_token(&self) -> String {
        let bare = self.token.strip_prefix("glrt-").unwrap_or(&self.token);
        bare.chars().take(9).collect()
    }
}

impl Docker {
    /// Where a job's volumes go; the two that gitlab-runner makes unasked are among them.
    pub fn volume_destinations(&self) -> BTreeSet<&str> {
        let asked = self.volumes.iter().map(String::as_str).filter(|entry| !entry.contains(':'));
        asked.chain(["/builds", "/cache"]).collect()
    }

    pub fn binds(&self) -> Vec<&str> {
        self.volumes.iter().map(String::as_str).filter(|entry| entry.contains(':')).collect()
    }
}

/// The id in the file beside the configuration, or a random one where the file holds none.
pub fn system_id(config: &Path) -> std::io::Result<String> {
    let found = std::fs::read_to_string(config.with_file_name(".runner_system_id"));
    if let Ok(id) = &found
        && is_system_id(id.trim())
    {
        return Ok(id.trim().to_owned());
    }
    warn!("no usable .runner_system_id beside the configuration: a random one is used");
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    let random: String = uuid.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    Ok(format!("r_{random}"))
}

fn is_system_id(text: &str) -> bool {
    let id = text.strip_prefix("r_").or_else(|| text.strip_prefix("s_"));
    id.is_some_and(|id| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// `"0.5"` to half a billion.
fn nano_cpus<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(0);
    }
    let cpus: f64 = text.parse().map_err(serde::de::Error::custom)?;
    Ok((cpus * 1e9).round() as i64)
}

/// Docker's sizes: a number and one of `b`, `k`, `m`, `g`, in any case.
fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let text = String::deserialize(from)?.to_ascii_lowercase();
    if text.is_empty() {
        return Ok(0);
    }
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        other => return Err(serde::de::Error::custom(format!("unknown size unit {other:?}"))),
    };
    let count: i64 = digits.parse().map_err(serde::de::Error::custom)?;
    Ok(count * unit)
}
