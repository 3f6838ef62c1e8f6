//! The adapters that stand behind the ports, named here and nowhere else.

use std::sync::Arc;

use crate::engine::docker::{DockerEngine, DockerSettings};
use crate::gitlab::http::{
    GitlabSettings, HttpGitlab, HttpRepository, HttpSetupGitlab, HttpTransport, HttpUserGitlab,
};
use crate::gitlab::setup::{SetupGitlab, Way};
use crate::gitlab::{Repository, Transport};
use crate::operate::{Adapters, Connected, GatewayAnswer, Process};
use crate::source::{Access, Loaded};
use crate::spec::HostSpec;

/// The ways to real servers and engines.
pub const ADAPTERS: Adapters = Adapters {
    gitlab: |loaded, process| Ok(gitlab(loaded, process)?),
    gitlab_inspection: |loaded, process| Ok(gitlab(loaded, process)?),
    setup_gitlab,
    repository,
    user_gitlab: |way, process| Ok(user_gitlab(way, process)?),
    scratch_gitlab: |way, process| Ok(user_gitlab(way, process)?),
    engine: |host, process| Ok(docker(host, process)?),
    engine_inspection: |host, process| Ok(docker(host, process)?),
    survey: |host, process| Ok(docker(host, process)?),
    own_log: |host, process| Ok(docker(host, process)?),
    api,
    gateway,
};

fn gitlab(loaded: &Loaded, process: &Process) -> Result<Arc<HttpGitlab>, String> {
    let spec = &loaded.spec;
    let transport = transport(&spec.gitlab.url, loaded.ca.as_deref())?;
    let settings = GitlabSettings::of(spec);
    Ok(Arc::new(HttpGitlab::new(settings, transport, process.clock().clone())))
}

fn setup_gitlab(way: &Way, process: &Process) -> Connected<dyn SetupGitlab> {
    let transport = transport(&way.url, way.ca.as_deref())?;
    Ok(Arc::new(HttpSetupGitlab::new(way, transport, process.clock().clone())))
}

fn user_gitlab(way: &Way, process: &Process) -> Result<Arc<HttpUserGitlab>, String> {
    let transport = transport(&way.url, way.ca.as_deref())?;
    Ok(Arc::new(HttpUserGitlab::new(way, transport, process.clock().clone())))
}

fn transport(url: &str, ca: Option<&[u8]>) -> Result<Arc<HttpTransport>, String> {
    let transport = HttpTransport::new(url, ca);
    Ok(Arc::new(transport.map_err(|error| format!("gitlab: {error}"))?))
}

fn repository(access: &Access, process: &Process) -> Connected<dyn Repository> {
    let Access { url, token, ca } = access;
    let transport = HttpTransport::new(url, ca.as_deref());
    let transport = Arc::new(transport.map_err(|error| format!("`GITLAB_URL`: {error}"))?);
    Ok(Arc::new(HttpRepository::new(url, token.clone(), transport, process.clock().clone())))
}

fn api(url: &str) -> Connected<dyn Transport> {
    let secure = url.starts_with("https://");
    let way = if secure { HttpTransport::new(url, None) } else { HttpTransport::direct() };
    Ok(Arc::new(way.map_err(|error| error.to_string())?))
}

fn gateway(process: &Process) -> GatewayAnswer {
    let docker = docker(&HostSpec::default(), process);
    Box::pin(async { docker?.gateway().await.map_err(|error| error.to_string()) })
}

fn docker(host: &HostSpec, process: &Process) -> Result<Arc<DockerEngine>, String> {
    let variable = |name: &str| process.variable(name);
    let settings = DockerSettings::of(host, variable, process.clock().clone());
    DockerEngine::connect(settings).map(Arc::new).map_err(|error| error.to_string())
}
