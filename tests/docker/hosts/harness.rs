//! AutoGit on an engine of the test's own, with a GitLab of its own and jobs that wait at a gate.
//! What it leaves goes with the engine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use autogit::clock::Clock;
use autogit::engine::Engine;
use autogit::engine::docker::{DockerEngine, DockerSettings};
use autogit::gitlab::http::{GitlabSettings, HttpGitlab, HttpTransport};
use autogit::observe::Ports;
use autogit::reconcile::{Daemon, Ending};
use autogit::sandbox::gitlab::{JobView, NewJob, SimulatedGitlab, Status};
use autogit::source::{Environment, Loaded, Origin, Pace, SpecSource, Watch};
use autogit::view::View;
use autogit::world::{JobId, ProjectId};
use axum::extract::State;
use axum::routing::get;
use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::hosts::own_engine::OwnEngine;
use crate::hosts::require::{Folder, until};
use crate::support::image::Images;
use crate::support::now::outcome_of;

/// One test's instance: its GitLab, its AutoGit, its part of the engine.
pub(crate) struct Harness {
    pub(crate) gitlab: SimulatedGitlab,
    docker: Docker,
    instance: String,
    token: SecretString,
    project: ProjectId,
    gate: Arc<watch::Sender<bool>>,
    url: String,
    images: Images,
    folder: Folder,
}

impl Harness {
    /// On `engine`, which is given the images.
    pub(crate) async fn new(engine: &OwnEngine, images: Images) -> Self {
        let _ = tracing_subscriber::fmt().with_test_writer().with_ansi(false).try_init();
        engine.load(&[&images.runner, &images.job]);
        let seed = u64::from(std::process::id());
        let gitlab = SimulatedGitlab::new(Clock::system(), seed);
        let root = gitlab.add_administrator("root");
        let token = gitlab.new_token(root, &["api"], None);
        let project = gitlab.add_project("team/app");
        let gate = Arc::new(watch::Sender::new(false));
        let listener = TcpListener::bind((engine.gateway.as_str(), 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let gates = axum::Router::new().route("/gate", get(pass)).with_state(Arc::clone(&gate));
        let router = gates.fallback_service(gitlab.router());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let instance = format!("hosts-{seed}");
        let folder = Folder::new();
        let docker = engine.docker();
        Self { gitlab, docker, instance, token, project, gate, url, images, folder }
    }

    /// Starts AutoGit with one pool, of these keys besides its tags.
    pub(crate) fn operator(&self, settings: &DockerSettings, pool: &str) -> Operator {
        self.operator_with("runners: 9", settings, pool)
    }

    /// As [`Harness::operator`], with these keys in the host's `budget`.
    pub(crate) fn operator_with(
        &self,
        budget: &str,
        settings: &DockerSettings,
        pool: &str,
    ) -> Operator {
        let Self { instance, url, images: Images { runner, job, .. }, .. } = self;
        let docker = settings.endpoint.as_deref().unwrap();
        let spec = format!(
            "instance: {instance}
gitlab: {{url: '{url}', token: '${{GITLAB_TOKEN}}', poll_interval: 1s}}
hosts: {{local: {{docker: '{docker}', budget: {{{budget}}}}}}}
defaults:
  cooldown: 1s
  cache: discard
  runner_image: {runner}
  pull_policy: never
  job: {{image: '{job}', pull_policy: [never]}}
pools: {{linux: {{tags: [docker], {pool}}}}}
"
        );
        let path = self.folder.write("autogit.yaml", &spec);
        let token = self.token.expose_secret().to_owned();
        let variables = [("GITLAB_TOKEN".to_owned(), token)].into();
        let environment = Environment::new(variables, Vec::new());
        Operator::start(path.as_ref(), environment, settings.clone())
    }

    /// Queues a job that says `begin`, waits until the gate is open, and says `end`.
    pub(crate) fn queue(&self) -> JobId {
        self.queue_after("true", &["docker"])
    }

    /// As [`Harness::queue`], after a line of its own.
    pub(crate) fn queue_after(&self, first: &str, tags: &[&str]) -> JobId {
        let mut job = NewJob::new(self.project).tagged(tags);
        job.image = None;
        let wait = format!("wget -q -O /dev/null {}/gate", self.url);
        job.script = [first, "echo begin", &wait, "echo end"].map(str::to_owned).to_vec();
        self.gitlab.add_job(job)
    }

    /// Lets all jobs go on that wait, or ever will.
    pub(crate) fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    fn job(&self, id: JobId) -> JobView {
        self.gitlab.job(id).unwrap()
    }

    /// Waits until the job's script runs, and so its container.
    pub(crate) async fn until_begun(&self, id: JobId) -> JobView {
        until(&format!("job {id} begins"), async || {
            Some(self.job(id)).filter(|job| job.trace.contains("begin\n"))
        })
        .await
    }

    pub(crate) async fn until_ended(&self, id: JobId) -> JobView {
        until(&format!("job {id} ends"), async || {
            Some(self.job(id)).filter(|job| job.finished_at.is_some())
        })
        .await
    }

    /// Waits until the job ended, as a success with nothing of its trace missing.
    pub(crate) async fn until_succeeded(&self, id: JobId) -> JobView {
        let job = self.until_ended(id).await;
        assert_eq!(job.status, Status::Success, "{job:?}");
        assert!(job.trace.ends_with("end\nJob succeeded\n"), "{job:?}");
        job
    }

    /// The ids of the instance's runners on the engine.
    pub(crate) async fn runners(&self) -> Vec<String> {
        let label = format!("io.autogit.instance={}", self.instance);
        let options = ListContainersOptions {
            all: true,
            filters: Some([("label".to_owned(), vec![label])].into()),
            ..ListContainersOptions::default()
        };
        let found = self.docker.list_containers(Some(options)).await.unwrap();
        found.into_iter().filter_map(|container| container.id).collect()
    }

    /// Waits until there is nothing on the engine but the runners' network, and no runner at GitLab.
    pub(crate) async fn until_nothing_is_left(&self) {
        until("everything is removed", async || {
            let managed = self.gitlab.records().iter().any(|record| !record.managers.is_empty());
            (!managed && self.left().await.is_empty()).then_some(())
        })
        .await;
    }

    /// All that is on the engine, but the networks that each engine has and the runners' own.
    async fn left(&self) -> Vec<String> {
        let all = ListContainersOptions { all: true, ..ListContainersOptions::default() };
        let containers = self.docker.list_containers(Some(all)).await.unwrap();
        let mut left: Vec<_> = containers.into_iter().filter_map(|one| one.id).collect();
        let volumes = self.docker.list_volumes(None::<ListVolumesOptions>).await.unwrap();
        left.extend(volumes.volumes.unwrap_or_default().into_iter().map(|volume| volume.name));
        let networks = self.docker.list_networks(None::<ListNetworksOptions>).await.unwrap();
        left.extend(networks.into_iter().filter_map(|network| network.name));
        let own = format!("{}-network", self.instance);
        left.retain(|name| !["bridge", "host", "none", &own].contains(&name.as_str()));
        left
    }
}

/// Answers when the gate is open.
async fn pass(State(gate): State<Arc<watch::Sender<bool>>>) -> &'static str {
    let mut open = gate.subscribe();
    // Fails only when the gate is gone, and the test with it.
    let _ = open.wait_for(|open| *open).await;
    "open"
}

/// A running AutoGit; dropping it ends it like a crash between two looks.
pub(crate) struct Operator {
    task: JoinHandle<()>,
    views: watch::Receiver<Option<Arc<View>>>,
}

impl Operator {
    fn start(path: &Path, environment: Environment, settings: DockerSettings) -> Self {
        let clock = Clock::system();
        let origin = Origin::File(path.to_owned());
        let watch = Watch::start(&origin, clock.clone(), Pace::default());
        let source = outcome_of(SpecSource::open(origin, environment, clock.clone())).unwrap();
        let connect = Box::new(move |loaded: &Loaded| connect(loaded, &settings));
        let mut daemon = Daemon::new(source, watch, connect, clock).unwrap();
        let views = daemon.controller().views();
        let task = tokio::spawn(async move {
            // Nobody wakes it, but nobody says either that nobody will.
            let (_wakes, mut woken) = mpsc::channel(1);
            daemon.run(&mut woken, Ending::Never).await;
        });
        Self { task, views }
    }

    /// The first view in which `look` finds something.
    pub(crate) async fn until<T>(&self, what: &str, look: impl Fn(&View) -> Option<T>) -> T {
        until(what, async || self.views.borrow().as_deref().and_then(&look)).await
    }

    /// Waits until it sees all its sources.
    pub(crate) async fn until_it_sees(&self) {
        self.until("AutoGit sees", |view| view.unknown_sources().is_empty().then_some(())).await;
    }

    /// Waits until the engine, and nothing else, is unknown to it.
    pub(crate) async fn until_host_is_unknown(&self) {
        self.until("the host is unknown", |view| {
            (view.unknown_sources() == ["local"]).then_some(())
        })
        .await;
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn connect(loaded: &Loaded, settings: &DockerSettings) -> Result<Ports, String> {
    let (spec, clock) = (&loaded.spec, Clock::system());
    let transport =
        HttpTransport::new(&spec.gitlab.url, None).map_err(|error| error.to_string())?;
    let gitlab = HttpGitlab::new(GitlabSettings::of(spec), Arc::new(transport), clock);
    let engine = DockerEngine::connect(settings.clone()).map_err(|error| error.to_string())?;
    let engine: Arc<dyn Engine> = Arc::new(engine);
    let engines: BTreeMap<_, _> =
        spec.hosts.keys().map(|name| (name.clone(), Arc::clone(&engine))).collect();
    Ok(Ports { gitlab: Arc::new(gitlab), engines })
}
