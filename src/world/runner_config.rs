//! gitlab-runner's `config.toml` for one runner: a pool's wishes in gitlab-runner's words.
//!
//! Pure. The file is written from typed values by a TOML writer, never by joining strings, so no
//! image, variable or volume can add structure. Keys are those of gitlab-runner 18.4 to 19.4;
//! `run-single` honours no section but `[[runners]]`.

mod guard;
mod network;
mod overrides;

#[cfg(test)]
mod tests;

pub use network::{ResolvedNetwork, host_of, job_network};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use toml::{Table, Value};

use crate::spec::{Arch, Cache, Gpu, Pool, Proxy, PullPolicy, Resources, Spec};
use crate::world::RunnerName;

/// Where the authority of [`RunnerConfig::private_ca`] lies in the runner's container.
pub const CA_PATH: &str = "/etc/gitlab-runner/ca.crt";

/// The label on job containers that says whose they are.
pub(crate) const RUNNER_LABEL: &str = "io.autogit.runner";

/// All that a runner's `config.toml` follows from.
#[derive(Debug)]
pub struct RunnerConfig<'a> {
    /// Its pool.
    pub pool: &'a Pool,
    /// Its name, by which `run-single` finds its section.
    pub name: &'a RunnerName,
    /// What it uses to reach GitLab.
    pub runner_url: &'a str,
    /// What its jobs clone from; `None`: what GitLab says.
    pub clone_url: Option<&'a str>,
    /// The token of its record.
    pub token: &'a SecretString,
    /// The runners' network.
    pub network: &'a str,
    /// The network of its jobs.
    pub job_network: ResolvedNetwork,
    /// The engine's socket as that host sees it.
    pub socket: &'a Path,
    /// The proxy of its jobs.
    pub proxy: Option<&'a Proxy>,
    /// The GPUs of its jobs.
    pub gpus: &'a [Gpu],
    /// GitLab's certificate is signed by an authority that is put at [`CA_PATH`].
    pub private_ca: bool,
    /// The architecture that its jobs must have; `None`: nobody sees to it.
    pub guarded: Option<Arch>,
}

impl<'a> RunnerConfig<'a> {
    /// What a runner of `pool` gets by `spec`, at whatever architecture and without GPUs.
    pub fn of(
        spec: &'a Spec,
        pool: &'a Pool,
        name: &'a RunnerName,
        token: &'a SecretString,
        socket: &'a Path,
        proxy: Option<&'a Proxy>,
    ) -> Self {
        let gitlab = &spec.gitlab;
        let clone_from = gitlab.clone_url.as_deref().unwrap_or(&gitlab.runner_url);
        let clone_host = host_of(clone_from).unwrap_or_default();
        Self {
            pool,
            name,
            runner_url: &gitlab.runner_url,
            clone_url: gitlab.clone_url.as_deref(),
            token,
            network: &spec.network,
            job_network: job_network(pool, &clone_host),
            socket,
            proxy,
            gpus: &[],
            private_ca: gitlab.ca.is_some(),
            guarded: None,
        }
    }
}

/// Why there is no `config.toml` for a pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunnerConfigError {
    /// `runner_config` says what it may not.
    #[error("`runner_config.{key}` {what}\nhint: {hint}")]
    Refused {
        /// The key, in dotted form.
        key: String,
        /// What is wrong with it.
        what: &'static str,
        /// What to do about it.
        hint: String,
    },
    /// The token would be taken for a variable.
    #[error(
        "the runner token holds a `$`, which gitlab-runner takes for a variable\nhint: no token of GitLab has one; check `runner_token`"
    )]
    DollarInToken,
    /// The TOML writer refuses; its own words.
    #[error("`config.toml` cannot be written: {0}")]
    Unwritable(String),
}

/// The `config.toml` of one runner. It holds the token.
pub fn render(input: &RunnerConfig<'_>) -> Result<SecretString, RunnerConfigError> {
    let mut runner = runner(input)?;
    overrides::merge(&mut runner, &input.pool.runner_config)?;
    if let Some(arch) = input.guarded {
        guard::add(&mut runner, arch);
    }
    let mut file = Table::new();
    put(&mut file, "runners", vec![Value::Table(runner)]);
    let text =
        toml::to_string(&file).map_err(|error| RunnerConfigError::Unwritable(error.to_string()))?;
    Ok(text.into())
}

/// The token in a `config.toml` that [`render`] wrote.
pub fn token_of(config: &SecretString) -> Option<SecretString> {
    let file: Table = config.expose_secret().parse().ok()?;
    let runner = file.get("runners")?.as_array()?.first()?;
    let token = runner.get("token")?.as_str()?;
    (!token.is_empty()).then(|| token.into())
}

/// One `[[runners]]` section.
fn runner(input: &RunnerConfig<'_>) -> Result<Table, RunnerConfigError> {
    let token = input.token.expose_secret();
    if token.contains('$') {
        return Err(RunnerConfigError::DollarInToken);
    }
    let mut table = Table::new();
    put(&mut table, "name", input.name.as_str());
    put(&mut table, "url", without_dollar(input.runner_url));
    put(&mut table, "token", token);
    put(&mut table, "executor", "docker");
    if let Some(url) = input.clone_url {
        put(&mut table, "clone_url", url);
    }
    if input.private_ca {
        put(&mut table, "tls-ca-file", CA_PATH);
    }
    let environment = environment(input);
    if !environment.is_empty() {
        let lines = environment.iter().map(|(name, value)| format!("{name}={value}"));
        put(&mut table, "environment", lines.map(Value::from).collect::<Vec<_>>());
    }
    let mut flags = Table::new();
    put(&mut flags, "FF_NETWORK_PER_BUILD", input.job_network == ResolvedNetwork::PerJob);
    put(&mut table, "feature_flags", flags);
    put(&mut table, "docker", docker(input));
    Ok(table)
}

/// The variables of jobs. The pool's own win over those of its proxy, in either spelling.
fn environment(input: &RunnerConfig<'_>) -> BTreeMap<String, String> {
    let own = &input.pool.job.environment;
    let mut all = input.proxy.map(Proxy::of_jobs).unwrap_or_default();
    all.retain(|name, _| !own.keys().any(|key| key.eq_ignore_ascii_case(name)));
    for url in all.values_mut() {
        *url = without_dollar(url);
    }
    all.extend(own.clone());
    all
}

/// `[runners.docker]`: how job containers are made.
fn docker(input: &RunnerConfig<'_>) -> Table {
    let pool = input.pool;
    let job = &pool.job;
    let mut table = Table::new();
    put(&mut table, "image", job.image.as_str());
    put(&mut table, "privileged", job.privileged);
    put(&mut table, "cap_drop", words(&job.capabilities.drop));
    put(&mut table, "cap_add", words(&job.capabilities.add));
    // A privileged job is there to gain privileges, for one by a setuid program.
    if !job.privileged {
        put(&mut table, "security_opt", vec![Value::from("no-new-privileges")]);
    }
    put(&mut table, "disable_cache", pool.cache == Cache::Discard);
    put(&mut table, "volumes", volumes(input));
    put(&mut table, "pull_policy", policies(&job.pull_policy));
    match input.job_network {
        ResolvedNetwork::PerJob => {}
        ResolvedNetwork::Shared => put(&mut table, "network_mode", input.network),
        ResolvedNetwork::Host => put(&mut table, "network_mode", "host"),
    }
    for (key, list) in
        [("allowed_images", &job.allowed_images), ("allowed_services", &job.allowed_services)]
    {
        if !list.is_empty() {
            put(&mut table, key, words(list));
        }
    }
    if let Some(resources) = &pool.resources {
        limits(&mut table, resources);
    }
    gpus(&mut table, input.gpus);
    let mut labels = Table::new();
    for (name, text) in &pool.labels {
        // gitlab-runner expands variables in a label; `$$` is its `$`.
        put(&mut labels, name, text.replace('$', "$$"));
    }
    put(&mut labels, RUNNER_LABEL, input.name.as_str());
    put(&mut table, "container_labels", labels);
    table
}

/// What the engine hands out by id, and what is device nodes. Services get none of either.
fn gpus(table: &mut Table, gpus: &[Gpu]) {
    let (by_id, by_devices): (Vec<&Gpu>, _) = gpus.iter().partition(|gpu| gpu.devices.is_empty());
    if !by_id.is_empty() {
        let ids: Vec<&str> = by_id.iter().map(|gpu| gpu.id.as_str()).collect();
        // Docker's options are CSV: several ids are one field in quotes.
        put(table, "gpus", format!("\"device={}\"", ids.join(",")));
    }
    let devices: BTreeSet<&str> =
        by_devices.iter().flat_map(|gpu| &gpu.devices).map(String::as_str).collect();
    if !devices.is_empty() {
        put(table, "devices", devices.into_iter().map(Value::from).collect::<Vec<_>>());
    }
}

/// What a job and its services may use. gitlab-runner takes both cpus and bytes as strings.
fn limits(table: &mut Table, resources: &Resources) {
    let services = resources.services.as_ref();
    let cpus =
        [("cpus", resources.cpus), ("service_cpus", services.and_then(|services| services.cpus))];
    for (key, limit) in cpus {
        if let Some(limit) = limit {
            put(table, key, limit.to_string());
        }
    }
    let memory = [
        ("memory", resources.memory),
        ("service_memory", services.and_then(|services| services.memory)),
    ];
    for (key, limit) in memory {
        if let Some(limit) = limit {
            put(table, key, limit.to_string());
        }
    }
    if let Some(services) = services {
        put(table, "services_limit", i64::from(services.max));
    }
}

/// `/cache` is what gitlab-runner's own `register` writes; without it a job has no cache.
fn volumes(input: &RunnerConfig<'_>) -> Vec<Value> {
    let job = &input.pool.job;
    let mut volumes = vec![Value::from("/cache")];
    if job.docker_socket {
        volumes.push(format!("{}:/var/run/docker.sock", input.socket.display()).into());
    }
    volumes.extend(job.volumes.iter().map(|volume| Value::from(volume.as_str())));
    volumes
}

fn policies(policies: &[PullPolicy]) -> Vec<Value> {
    policies.iter().map(|policy| policy.as_str().into()).collect()
}

fn words(words: &[String]) -> Vec<Value> {
    words.iter().map(|word| word.as_str().into()).collect()
}

/// Newer runners expand variables in a URL, older ones do not, and neither has an escape that the
/// other one understands. In a URL the sign can be written as its number.
fn without_dollar(url: &str) -> String {
    url.replace('$', "%24")
}

fn put(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}
