//! The ways to the outside, which main alone names.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use super::process::Process;
use crate::engine::own_log::OwnLog;
use crate::engine::setup::Survey;
use crate::engine::{self, Engine};
use crate::gitlab::scratch::ScratchGitlab;
use crate::gitlab::setup::{SetupGitlab, Way};
use crate::gitlab::user::UserGitlab;
use crate::gitlab::{self, Gitlab, Repository, Transport};
use crate::observe::Ports;
use crate::source::{Access, Loaded, NoOrigin, Origin, Remote};
use crate::spec::{HostName, HostSpec};

/// The ways to the outside. Errors: in words for the operator.
#[derive(Clone, Copy)]
pub struct Adapters {
    /// The GitLab of a spec.
    pub gitlab: fn(&Loaded, &Process) -> Connected<dyn Gitlab>,
    /// The same GitLab, for who examines it.
    pub gitlab_inspection: fn(&Loaded, &Process) -> Connected<dyn gitlab::inspection::Inspection>,
    /// GitLab, for who sets AutoGit up.
    pub setup_gitlab: fn(&Way, &Process) -> Connected<dyn SetupGitlab>,
    /// The repositories of the GitLab that has a spec.
    pub repository: fn(&Access, &Process) -> Connected<dyn Repository>,
    /// GitLab with a person's token, for commands.
    pub user_gitlab: fn(&Way, &Process) -> Connected<dyn UserGitlab>,
    /// The same, for who tries something there.
    pub scratch_gitlab: fn(&Way, &Process) -> Connected<dyn ScratchGitlab>,
    /// The engine of a host.
    pub engine: fn(&HostSpec, &Process) -> Connected<dyn Engine>,
    /// The same engine, for who examines it.
    pub engine_inspection: fn(&HostSpec, &Process) -> Connected<dyn engine::inspection::Inspection>,
    /// The same engine, for who sets AutoGit up.
    pub survey: fn(&HostSpec, &Process) -> Connected<dyn Survey>,
    /// The same engine, for who reads what a runner writes.
    pub own_log: fn(&HostSpec, &Process) -> Connected<dyn OwnLog>,
    /// The way to an AutoGit that serves its API at that address.
    pub api: fn(&str) -> Connected<dyn Transport>,
    /// This machine's address as containers of its engine see it.
    pub gateway: fn(&Process) -> GatewayAnswer,
}

impl Adapters {
    /// The place that a command names, with the way to it. Nothing is read yet.
    pub(crate) fn origin(
        self,
        config: &Path,
        env_files: &[PathBuf],
        process: &Process,
    ) -> Result<Origin, NoOrigin> {
        let (environment, process) = (process.environment(env_files), process.clone());
        let connect = Arc::new(move |access: &Access| (self.repository)(access, &process));
        Origin::named(config, |address| Remote::new(address, environment, connect))
    }

    /// The ports that a spec asks for. Nothing is sent yet.
    pub(crate) fn connect(self, loaded: &Loaded, process: &Process) -> Result<Ports, String> {
        let connect = |(name, host): (&HostName, &HostSpec)| -> Result<_, String> {
            let engine =
                (self.engine)(host, process).map_err(|error| format!("host `{name}`: {error}"));
            Ok((name.clone(), engine?))
        };
        Ok(Ports {
            gitlab: (self.gitlab)(loaded, process)?,
            engines: loaded.spec.hosts.iter().map(connect).collect::<Result<_, String>>()?,
        })
    }
}

/// A port, or in words why it cannot be used.
pub type Connected<P> = Result<Arc<P>, String>;

/// An address, or in words why there is none.
pub type GatewayAnswer = Pin<Box<dyn Future<Output = Result<IpAddr, String>>>>;

impl fmt::Debug for Adapters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapters").finish_non_exhaustive()
    }
}
