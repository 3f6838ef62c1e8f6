//! What the process reads of its `config.toml` and `.runner_system_id`.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::world::RunnerName;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    runners: Vec<Section>,
}

/// One `[[runners]]`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) token: SecretString,
    executor: String,
    #[serde(default)]
    pub(super) docker: Docker,
    #[serde(default)]
    feature_flags: BTreeMap<String, bool>,
}

/// `[runners.docker]`
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Docker {
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    pub(super) disable_cache: bool,
    #[serde(default)]
    pub(super) network_mode: Option<String>,
    #[serde(default)]
    pub(super) container_labels: BTreeMap<String, String>,
}

impl Section {
    /// Jobs get a network each.
    pub(super) fn network_per_build(&self) -> bool {
        self.feature_flags.get("FF_NETWORK_PER_BUILD").copied().unwrap_or_default()
    }

    /// The part of the token that names the runner in labels and objects.
    pub(super) fn short_token(&self) -> String {
        let token = self.token.expose_secret();
        token.strip_prefix("glrt-").unwrap_or(token).chars().take(9).collect()
    }
}

/// The first `[[runners]]` of that name.
///
/// Errors: what gitlab-runner refuses to start with. Only the parser's message is kept, for its
/// excerpt of the file could show the token.
pub(super) fn section(config: &SecretString, name: &RunnerName) -> Result<Section, String> {
    let file: File =
        toml::from_str(config.expose_secret()).map_err(|error| error.message().to_owned())?;
    let named = file.runners.into_iter().find(|section| section.name == name.as_str());
    let section = named.ok_or_else(|| format!("runner `{name}` is not in the config"))?;
    if section.executor != "docker" {
        return Err(format!("executor `{}` is not simulated", section.executor));
    }
    if section.docker.image.is_none() {
        return Err("the docker executor needs an image".to_owned());
    }
    Ok(section)
}
