//! What a sandbox stands on: the simulated GitLab on its port, the engines, the spec's file.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::super::arguments::Sandbox;
use super::super::{Adapters, authority};
use crate::cli::failure::Failure;
use crate::cli::run;
use crate::cli::shell::Shell;
use crate::engine::Engine;
use crate::observe::Ports;
use crate::plan::RunnerHold;
use crate::reconcile::Daemon;
use crate::sandbox::demo::{Demo, SPEC};
use crate::sandbox::engine::{Latencies, SimulatedEngine, SimulatedEngineSettings};
use crate::sandbox::gitlab::{SimulatedGitlab, Status};
use crate::source::{Environment, InstanceLock, Loaded, Pace, SpecSource, Watch, file_named};
use crate::spec::{Arch, HostName};
use crate::view::View;
use crate::world::{EngineId, leftovers};

/// What simulated runners call the simulated GitLab; a name that exists nowhere else.
const SIMULATED_ADDRESS: &str = "http://gitlab.internal";

/// Everything but the show.
pub(super) struct Stage {
    pub(super) demo: Demo,
    shell: Shell,
    adapters: Adapters,
    spec: PathBuf,
    _folder: Folder,
    url: String,
    runner_url: String,
    /// The real images, where containers are real.
    images: Option<(String, String)>,
    seed: u64,
    server: JoinHandle<()>,
}

/// The sandbox's own folder; goes with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is one small file in the folder for temporary ones.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stage {
    /// Opens the port, starts GitLab, lays out the spec.
    pub(super) async fn build(
        arguments: &Sandbox,
        shell: &Shell,
        adapters: Adapters,
    ) -> Result<Self, Failure> {
        let address = address(arguments, shell, adapters).await?;
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::Failed(format!(
                "cannot listen on {address}: {error}\nhint: choose another address by `--listen`"
            ))
        })?;
        let address = listener.local_addr().unwrap_or(address);
        let gitlab = SimulatedGitlab::new(shell.clock().clone(), arguments.seed);
        let url = format!("http://{address}");
        gitlab.set_external_url(&url);
        let demo = Demo::new(gitlab.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = gitlab.serve(listener).await {
                tracing::error!("the simulated GitLab ended: {error}");
            }
        });
        let folder = Folder(folder(shell.temp_dir())?);
        let spec = match &arguments.config {
            Some(path) => file_named(path)?.to_owned(),
            None => written(&folder.0.join("autogit.yaml"))?,
        };
        let runner_url = if arguments.docker { url.clone() } else { SIMULATED_ADDRESS.to_owned() };
        let images = (arguments.runner_image.clone(), arguments.job_image.clone());
        let images = arguments.docker.then_some(images);
        let (shell, seed) = (shell.clone(), arguments.seed);
        Ok(Self {
            _folder: folder,
            demo,
            shell,
            adapters,
            spec,
            url,
            runner_url,
            images,
            seed,
            server,
        })
    }

    /// The controller with its spec, and the lock where others could be disturbed.
    pub(super) async fn daemon(&self) -> Result<(Daemon, Option<InstanceLock>), Failure> {
        let clock = self.shell.clock().clone();
        let watch = Watch::start(&self.spec, clock.clone(), Pace::default());
        let source = SpecSource::open(&self.spec, self.environment(), clock.clone())
            .map_err(|error| Failure::spec(&error))?;
        let lock = match self.images {
            Some(_) => Some(run::lock(&source.loaded().spec.instance, &self.shell).await?),
            None => None,
        };
        let daemon = Daemon::new(source, watch, self.connect(), clock).map_err(Failure::Failed)?;
        Ok((daemon, lock))
    }

    fn environment(&self) -> Environment {
        let token = self.demo.token.expose_secret().to_owned();
        let mut variables = vec![
            ("SANDBOX_URL", self.url.clone()),
            ("SANDBOX_RUNNER_URL", self.runner_url.clone()),
            ("SANDBOX_TOKEN", token),
        ];
        if let Some((runner, job)) = &self.images {
            variables.push(("SANDBOX_RUNNER_IMAGE", runner.clone()));
            variables.push(("SANDBOX_JOB_IMAGE", job.clone()));
        }
        self.shell.with_variables(variables).environment(&[])
    }

    fn connect(&self) -> Box<crate::reconcile::Connect> {
        let (adapters, shell) = (self.adapters, self.shell.clone());
        if self.images.is_some() {
            return Box::new(move |loaded| adapters.connect(loaded, &shell));
        }
        let engines: Mutex<BTreeMap<HostName, SimulatedEngine>> = Mutex::default();
        let (gitlab, seed) = (self.demo.gitlab.clone(), self.seed);
        Box::new(move |loaded: &Loaded| {
            let mut engines = engines.lock().unwrap_or_else(PoisonError::into_inner);
            let hosts = loaded.spec.hosts.keys().map(|name| {
                let engine = engines
                    .entry(name.clone())
                    .or_insert_with(|| simulated_engine(name, &gitlab, &shell, seed));
                for pool in &loaded.spec.pools {
                    engine.publish_image(&pool.runner_image);
                }
                (name.clone(), Arc::new(engine.clone()) as Arc<dyn Engine>)
            });
            let engines = hosts.collect();
            Ok(Ports { gitlab: (adapters.gitlab)(loaded, &shell)?, engines, ca: authority(loaded) })
        })
    }

    /// The image that demo jobs name.
    pub(super) fn job_image(&self) -> Option<&str> {
        self.images.as_ref().map(|(_, job)| job.as_str())
    }

    /// What is played and where, and how to join.
    pub(super) fn programme(&self, api: Option<SocketAddr>) -> String {
        let api = api.map(|address| format!("AutoGit  http://{address}/\n")).unwrap_or_default();
        let engine = match self.images {
            Some(_) => "the containers are real",
            None => "the containers are simulated, too",
        };
        format!(
            "GitLab   {} (simulated; {engine})\n{api}token    {} (for both)\nspec     {} (change it, and watch)\n\n",
            self.url,
            self.demo.token.expose_secret(),
            self.spec.display(),
        )
    }

    pub(super) fn tally(&self) -> Tally {
        let jobs = self.demo.gitlab.jobs();
        let count = |status: Status| jobs.iter().filter(|job| job.status == status).count();
        let as_scripted = jobs.iter().all(|job| match job.status {
            Status::Success => !job.fails,
            Status::Failed => job.fails,
            Status::Manual
            | Status::Pending
            | Status::Running
            | Status::Canceling
            | Status::Canceled => false,
        });
        let (succeeded, failed) = (count(Status::Success), count(Status::Failed));
        Tally { jobs: jobs.len(), succeeded, failed, as_scripted }
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What became of the jobs.
#[derive(Debug)]
pub(super) struct Tally {
    jobs: usize,
    succeeded: usize,
    failed: usize,
    /// Each job ended as its script says.
    pub(super) as_scripted: bool,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jobs, succeeded, failed, as_scripted } = self;
        write!(f, "{jobs} jobs: {succeeded} succeeded, {failed} failed")?;
        if *as_scripted && *failed > 0 { f.write_str(" as their scripts say") } else { Ok(()) }
    }
}

/// Nothing of ours is left but what the spec asks for without any job.
pub(super) fn nothing_is_left(view: &View) -> bool {
    let world = &view.world;
    let warm = view.plan.held_runners.iter().all(|held| held.hold == RunnerHold::Warm);
    let quiet = view.plan.is_empty() && warm && leftovers(world).is_empty();
    let gone = |host: &crate::world::Host| {
        let state = host.state.known();
        state.is_some_and(|state| !state.runners.is_empty() || state.network.is_none())
    };
    quiet && world.hosts.values().all(gone)
}

/// Loopback for simulated runners; for real ones an address that their containers reach.
async fn address(
    arguments: &Sandbox,
    shell: &Shell,
    adapters: Adapters,
) -> Result<SocketAddr, Failure> {
    match arguments.listen {
        Some(address) => Ok(address),
        None if arguments.docker => {
            let gateway = (adapters.gateway)(shell).await.map_err(Failure::Failed)?;
            Ok(SocketAddr::new(gateway, 0))
        }
        None => Ok(SocketAddr::from(([127, 0, 0, 1], 0))),
    }
}

fn simulated_engine(
    name: &HostName,
    gitlab: &SimulatedGitlab,
    shell: &Shell,
    seed: u64,
) -> SimulatedEngine {
    SimulatedEngine::new(SimulatedEngineSettings {
        id: EngineId::from_observed(name.as_str()),
        arch: Arch::Amd64,
        cpus: 4.0,
        memory: 16 << 30,
        clock: shell.clock().clone(),
        gitlab: Arc::new(gitlab.transport()),
        gitlab_url: SIMULATED_ADDRESS.to_owned(),
        seed,
        latencies: Latencies::default(),
    })
}

/// A folder of this process, which only this user may read: the spec beside it may hold secrets.
fn folder(temp_dir: &Path) -> Result<PathBuf, Failure> {
    use std::os::unix::fs::DirBuilderExt;
    let folder = temp_dir.join(format!("autogit-sandbox-{}", std::process::id()));
    let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(|error| cannot_write(&folder, &error))?;
    Ok(folder)
}

fn written(path: &Path) -> Result<PathBuf, Failure> {
    std::fs::write(path, SPEC).map_err(|error| cannot_write(path, &error))?;
    Ok(path.to_owned())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    Failure::Failed(format!("cannot write {path}: {error}\nhint: set `TMPDIR` to another folder"))
}
