//! What a sandbox stands on: the simulated GitLab on its port, the engines, the spec's file.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::super::arguments::Sandbox;
use crate::cli::shell::Shell;
use crate::engine::{Engine, EngineError, ImageRequest};
use crate::lock::locked;
use crate::observe::Ports;
use crate::operate::{Adapters, Failure, lock, presence};
use crate::plan::RunnerHold;
use crate::reconcile::Daemon;
use crate::sandbox::demo::{Demo, SPEC};
use crate::sandbox::engine::{Latencies, SimulatedEngine, SimulatedEngineSettings};
use crate::sandbox::gitlab::{SimulatedGitlab, Status};
use crate::source::{
    Condition, Environment, InstanceLock, Loaded, Origin, Pace, Presence, SpecSource, Watch,
};
use crate::spec::{Arch, HostName, PullPolicy, Spec};
use crate::view::View;
use crate::world::EngineId;

/// What simulated runners call the simulated GitLab; a name that exists nowhere else.
const SIMULATED_ADDRESS: &str = "http://gitlab.internal";

/// Everything but the show.
pub(super) struct Setup {
    pub(super) demo: Demo,
    shell: Shell,
    adapters: Adapters,
    spec: Origin,
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

impl Drop for Setup {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Setup {
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
        let spec = match arguments.own_spec() {
            Some(path) => match adapters.origin(path, &[], shell)? {
                file @ Origin::File(_) => file,
                Origin::Gitlab(_) => {
                    let words = "error: the sandbox asks no real GitLab\nhint: name a file";
                    return Err(Failure::Usage(words.to_owned()));
                }
            },
            None => Origin::File(written(&folder.0.join("autogit.yaml"))?),
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

    /// The controller with its spec, and the lock of its instance.
    pub(super) async fn daemon(&self) -> Result<(Daemon, InstanceLock), Failure> {
        let clock = self.shell.clock().clone();
        let watch = Watch::start(&self.spec, clock.clone(), Pace::default());
        let source = SpecSource::open(self.spec.clone(), self.environment(), clock.clone())
            .await
            .map_err(|error| Failure::spec(&error))?;
        let source = source.only_if(self.condition());
        let source = source.map_err(|refusal| Failure::Usage(format!("error: {refusal}")))?;
        let lock = lock(&source.loaded().spec.instance, &self.shell).await?;
        let daemon = Daemon::new(source, watch, self.connect(), clock).map_err(Failure::Failed)?;
        self.require_images(&daemon).await?;
        Ok((daemon, lock))
    }

    /// A spec of this sandbox reaches nothing real but this machine's Docker, at a reload neither.
    fn condition(&self) -> Box<Condition> {
        let own = [self.url.clone(), self.runner_url.clone()];
        let real_containers = self.images.is_some();
        Box::new(move |spec| {
            refuse_what_is_real(spec, &own)?;
            if real_containers { refuse_other_machines(spec) } else { Ok(()) }
        })
    }

    /// What the sandbox needs lies on this machine: its images are built, not pulled.
    async fn require_images(&self, daemon: &Daemon) -> Result<(), Failure> {
        let Some((runner, job)) = &self.images else { return Ok(()) };
        for engine in daemon.controller().ports().engines.values() {
            let failed = |error: EngineError| Failure::Failed(error.to_string());
            let arch = engine.info().await.map_err(failed)?.node.arch;
            for image in [runner, job] {
                let policy = PullPolicy::Never;
                let request = ImageRequest { image: image.clone(), arch, policy };
                match engine.ensure_image(&request).await {
                    Ok(()) => {}
                    Err(EngineError::NoImage { .. }) => return Err(no_image(image, arch)),
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        Ok(())
    }

    /// What is written beside the lock, so that the other commands find this one.
    pub(super) fn presence(
        &self,
        daemon: &Daemon,
        api: Option<SocketAddr>,
    ) -> Result<Presence, Failure> {
        let instance = daemon.source().loaded().spec.instance.to_string();
        presence(&instance, api, &self.spec)
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
            let mut engines = locked(&engines);
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
            Ok(Ports { gitlab: (adapters.gitlab)(loaded, &shell)?, engines })
        })
    }

    /// The image that demo jobs name.
    pub(super) fn job_image(&self) -> Option<&str> {
        self.images.as_ref().map(|(_, job)| job.as_str())
    }

    /// What is played and where, and how to join.
    pub(super) fn programme(&self, api: Option<SocketAddr>) -> String {
        let api = api.map(|address| {
            format!(
                "AutoGit  http://{address}/\n\
                 look     autogit status --server {address}   (also runners, queue, plan, explain JOB)\n"
            )
        });
        let api = api.unwrap_or_default();
        let engine = match self.images {
            Some(_) => "the containers are real",
            None => "the containers are simulated, too",
        };
        format!(
            "GitLab   {} (simulated; {engine})\n{api}token    {} (for both)\nspec     {} (change it, and watch)\n\n",
            self.url,
            self.demo.token.expose_secret(),
            self.spec,
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

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("url", &self.url).finish_non_exhaustive()
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
    let quiet = view.plan.is_empty() && warm && world.leftovers().is_empty();
    quiet && world.all_hosts_known()
}

/// A sandbox talks to the simulated GitLab and to no other, and neither do its runners and jobs.
/// `own` are the two addresses of the simulated one.
fn refuse_what_is_real(spec: &Spec, own: &[String; 2]) -> Result<(), String> {
    let gitlab = &spec.gitlab;
    let named = [
        ("url", Some(&gitlab.url)),
        ("runner_url", Some(&gitlab.runner_url)),
        ("clone_url", gitlab.clone_url.as_ref()),
    ];
    let is_own =
        |url: &str| own.iter().any(|own| own.trim_end_matches('/') == url.trim_end_matches('/'));
    for (field, url) in named {
        if url.is_none_or(|url| is_own(url)) {
            continue;
        }
        return Err(format!(
            "`gitlab.{field}` is that of another GitLab, and a sandbox uses only its own\n\
             hint: write `gitlab: {{url: ${{SANDBOX_URL}}, runner_url: ${{SANDBOX_RUNNER_URL}}, \
             token: ${{SANDBOX_TOKEN}}}}`"
        ));
    }
    if gitlab.token_cache.is_some() {
        return Err(
            "`gitlab.token_cache` may keep the tokens of real runners, and a sandbox would \
                    write its own over them\nhint: leave it out"
                .to_owned(),
        );
    }
    Ok(())
}

/// With real containers a sandbox uses this machine's engine alone.
fn refuse_other_machines(spec: &Spec) -> Result<(), String> {
    let other = spec.hosts.iter().find_map(|(name, host)| {
        let address = host.docker.as_ref()?;
        (!address.starts_with("unix://")).then_some(name)
    });
    other.map_or(Ok(()), |name| {
        Err(format!(
            "host `{name}` is another machine, and a sandbox uses the Docker of this one alone\n\
             hint: leave `docker` of that host out"
        ))
    })
}

fn no_image(image: &str, arch: Arch) -> Failure {
    Failure::Failed(format!(
        "image `{image}` is not on this machine for {arch}\n\
         hint: `tests/runner/build-image` builds the default ones; `--runner-image` and \
         `--job-image` name others"
    ))
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
        emulates: std::collections::BTreeSet::new(),
        id: EngineId::from_observed(name.as_str()),
        arch: Arch::Amd64,
        cpus: 4.0,
        memory: 16 << 30,
        gpus: crate::world::GpusSeen::default(),
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
