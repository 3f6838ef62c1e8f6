//! The proxy that runners and jobs get where the spec says nothing: that of AutoGit's own
//! environment, else that of Docker's own configuration on this machine, as Docker's command would
//! give it to a container. Neither asked for our runners: what has credentials, or leads nowhere
//! from a container, is left out and said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::environment::Environment;
use super::error::{LoadError, NamedFileError, Warning};
use super::file::{FileError, FileProblem};
use super::load::{Inputs, Noted};
use crate::spec::{Proxy, ProxyUrl, Spec};

/// Where Docker's command finds the engine unless told otherwise.
const DEFAULT_ENDPOINT: &str = "unix:///var/run/docker.sock";
/// A configuration has a few registries and plugins.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Fills in what `spec` does not say.
pub(super) fn fill(
    spec: &mut Spec,
    environment: &Environment,
    warnings: &mut Vec<Warning>,
    inputs: &mut Inputs,
    noted: &mut Noted,
) -> Result<(), LoadError> {
    if spec.proxies.declared.is_some() {
        return Ok(());
    }
    let own = of_environment(environment, warnings);
    if own.is_some() {
        spec.proxies.environment = own;
    } else if let Some(path) = config_path(environment) {
        let config = config(&path, noted)?;
        for (name, host) in &spec.hosts {
            let endpoint = host.docker.clone().or_else(|| environment.own("DOCKER_HOST"));
            let endpoint = endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT);
            let entry = config.proxies.get(endpoint).or_else(|| config.proxies.get("default"));
            let proxy = entry.and_then(|entry| entry.proxy(&path, warnings));
            spec.proxies.docker.extend(proxy.map(|proxy| (name.clone(), proxy)));
        }
    }
    inputs.add("proxy", format!("{:?}", spec.proxies).as_bytes());
    Ok(())
}

fn of_environment(environment: &Environment, warnings: &mut Vec<Warning>) -> Option<Proxy> {
    let value = |name: &str| {
        let spelt = [name.to_owned(), name.to_lowercase()];
        spelt.into_iter().find_map(|name| Some((environment.own(&name)?, name)))
    };
    let mut url = |name| {
        let (word, name) = value(name)?;
        usable(&word, &format!("`{name}` of AutoGit's environment"), warnings)
    };
    let proxy = Proxy {
        http: url("HTTP_PROXY"),
        https: url("HTTPS_PROXY"),
        no_proxy: value("NO_PROXY").map(|(list, _)| list),
    };
    (!proxy.is_none()).then_some(proxy)
}

/// What `config.json` has for containers.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    proxies: BTreeMap<String, Entry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    #[serde(rename = "httpProxy")]
    http: Option<String>,
    #[serde(rename = "httpsProxy")]
    https: Option<String>,
    #[serde(rename = "noProxy")]
    direct: Option<String>,
}

impl Entry {
    fn proxy(&self, path: &Path, warnings: &mut Vec<Warning>) -> Option<Proxy> {
        let mut url = |key: &str, word: &Option<String>| {
            let word = word.as_deref().filter(|word| !word.is_empty())?;
            usable(word, &format!("`{key}` of `{}`", path.display()), warnings)
        };
        let proxy = Proxy {
            http: url("httpProxy", &self.http),
            https: url("httpsProxy", &self.https),
            no_proxy: self.direct.clone().filter(|list| !list.is_empty()),
        };
        (!proxy.is_none()).then_some(proxy)
    }
}

/// Docker's configuration, where its command looks for it.
fn config_path(environment: &Environment) -> Option<PathBuf> {
    let folder = environment.own("DOCKER_CONFIG").map(PathBuf::from);
    let home = || environment.own("HOME").map(|home| PathBuf::from(home).join(".docker"));
    Some(folder.or_else(home)?.join("config.json"))
}

/// Nothing where there is none, or it is another user's. One that is written wrongly is not taken for
/// empty: runners would be replaced by ones without their proxy.
fn config(path: &Path, noted: &mut Noted) -> Result<Config, LoadError> {
    let Ok(bytes) = noted.bytes(path, CONFIG_BYTES_MAX) else { return Ok(Config::default()) };
    serde_json::from_slice(&bytes).map_err(|error| {
        let problem = FileProblem::NotJson { line: error.line(), column: error.column() };
        let error = FileError { path: path.to_owned(), problem };
        LoadError::Named(vec![NamedFileError { field: "proxy".to_owned(), error }])
    })
}

/// A URL that may go into any container.
fn usable(word: &str, whose: &str, warnings: &mut Vec<Warning>) -> Option<ProxyUrl> {
    let (shown, is) = match ProxyUrl::read(word) {
        None => (None, "is no proxy's URL"),
        Some(url) if url.has_credentials() => (Some(url), "has credentials"),
        Some(url) if url.is_local() => (Some(url), "leads a container to itself"),
        Some(url) => return Some(url),
    };
    let whose = match shown {
        Some(url) => format!("{whose}, {url},"),
        None => whose.to_owned(),
    };
    // Two hosts may have the same entry.
    let said =
        |warning: &Warning| matches!(warning, Warning::Proxy { whose: said, .. } if *said == whose);
    if !warnings.iter().any(said) {
        warnings.push(Warning::Proxy { whose, is });
    }
    None
}
