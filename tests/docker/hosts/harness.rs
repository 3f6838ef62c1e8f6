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
use autogit::spec::HostSpec;
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

const SPEC: &str = "autogit.yaml";

/// One test's instance: its GitLab, its AutoGit, its part of the engine.
pub(crate) struct Harness {
    pub(crate) gitlab: SimulatedGitlab,
    /// The engines, the first of which has the address of GitLab.
    dockers: Vec<Docker>,
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
        let dockers = vec![engine.docker()];
        Self { gitlab, dockers, instance, token, project, gate, url, images, folder }
    }

    /// On `engine`, too.
    pub(crate) fn join(&mut self, engine: &OwnEngine) {
        engine.load(&[&self.images.runner, &self.images.job]);
        self.dockers.push(engine.docker());
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
        let docker = settings.endpoint.as_deref().unwrap();
        self.save(&format!("local: {{docker: '{docker}', budget: {{{budget}}}}}"), pool);
        let settings = settings.clone();
        self.start(move |_| settings.clone())
    }

    /// Starts AutoGit with one pool, of these keys besides its tags, on these hosts.
    pub(crate) fn operator_of(&self, hosts: &str, pool: &str) -> Operator {
        self.save(hosts, pool);
        self.start(|host| DockerSettings::of(host, |_| None, Clock::system()))
    }

    fn start(
        &self,
        settings: impl Fn(&HostSpec) -> DockerSettings + Send + Sync + 'static,
    ) -> Operator {
        let token = self.token.expose_secret().to_owned();
        let variables = [("GITLAB_TOKEN".to_owned(), token)].into();
        let environment = Environment::new(variables, Vec::new());
        Operator::start(self.folder.file(SPEC).as_ref(), environment, settings)
    }

    /// Saves the spec, whole, as editors do.
    pub(crate) fn save(&self, hosts: &str, pool: &str) {
        let Self { instance, url, images: Images { runner, job, .. }, .. } = self;
        let spec = format!(
            "instance: {instance}
gitlab: {{url: '{url}', token: '${{GITLAB_TOKEN}}', poll_interval: 1s}}
hosts: {{{hosts}}}
defaults:
  cooldown: 1s
  cache: discard
  runner_image: {runner}
  pull_policy: never
  job: {{image: '{job}', pull_policy: [never]}}
pools: {{linux: {{tags: [docker], {pool}}}}}
"
        );
        let beside = self.folder.write("saving", &spec);
        std::fs::rename(beside, self.folder.file(SPEC)).unwrap();
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

    /// The ids of the instance's runners on the first engine.
    pub(crate) async fn runners(&self) -> Vec<String> {
        self.runners_on(&self.dockers[0]).await
    }

    /// The ids of the instance's runners on that engine.
    pub(crate) async fn runners_on(&self, docker: &Docker) -> Vec<String> {
        let label = format!("io.autogit.instance={}", self.instance);
        let options = ListContainersOptions {
            all: true,
            filters: Some([("label".to_owned(), vec![label])].into()),
            ..ListContainersOptions::default()
        };
        let found = docker.list_containers(Some(options)).await.unwrap();
        found.into_iter().filter_map(|container| container.id).collect()
    }

    /// Waits until there is nothing on the engines but the runners' network, and no runner at GitLab.
    pub(crate) async fn until_nothing_is_left(&self) {
        until("everything is removed", async || {
            if self.gitlab.records().iter().any(|record| !record.managers.is_empty()) {
                return None;
            }
            for docker in &self.dockers {
                if self.found(docker).await.iter().any(|name| *name != self.network()) {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }

    /// The network that its runners join.
    pub(crate) fn network(&self) -> String {
        format!("{}-network", self.instance)
    }

    /// All that is on the engine, but the networks that each engine has.
    pub(crate) async fn found(&self, docker: &Docker) -> Vec<String> {
        let all = ListContainersOptions { all: true, ..ListContainersOptions::default() };
        let containers = docker.list_containers(Some(all)).await.unwrap();
        let mut found: Vec<_> = containers.into_iter().filter_map(|one| one.id).collect();
        let volumes = docker.list_volumes(None::<ListVolumesOptions>).await.unwrap();
        found.extend(volumes.volumes.unwrap_or_default().into_iter().map(|volume| volume.name));
        let networks = docker.list_networks(None::<ListNetworksOptions>).await.unwrap();
        found.extend(networks.into_iter().filter_map(|network| network.name));
        found.retain(|name| !["bridge", "host", "none"].contains(&name.as_str()));
        found.sort();
        found
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
    fn start(
        path: &Path,
        environment: Environment,
        settings: impl Fn(&HostSpec) -> DockerSettings + Send + Sync + 'static,
    ) -> Self {
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
        self.until_unknown("local").await;
    }

    /// Waits until that host, and nothing else, is unknown to it.
    pub(crate) async fn until_unknown(&self, host: &str) {
        self.until(&format!("host {host} is unknown"), |view| {
            (view.unknown_sources() == [host]).then_some(())
        })
        .await;
    }

    /// Waits for looks that begin after this call, so that they see what is there now.
    pub(crate) async fn until_looked_again(&self) {
        let now = Clock::system().now();
        self.until("AutoGit looks again", |view| (view.world.now > now).then_some(())).await;
    }

    /// Waits until one of its notices has these words.
    pub(crate) async fn until_noticed(&self, words: &str) {
        self.until(&format!("AutoGit says `{words}`"), |view| {
            view.notices.iter().any(|notice| notice.contains(words)).then_some(())
        })
        .await;
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn connect(
    loaded: &Loaded,
    settings: &impl Fn(&HostSpec) -> DockerSettings,
) -> Result<Ports, String> {
    let (spec, clock) = (&loaded.spec, Clock::system());
    let transport =
        HttpTransport::new(&spec.gitlab.url, None).map_err(|error| error.to_string())?;
    let gitlab = HttpGitlab::new(GitlabSettings::of(spec), Arc::new(transport), clock);
    let mut engines: BTreeMap<_, Arc<dyn Engine>> = BTreeMap::new();
    for (name, host) in &spec.hosts {
        let engine = DockerEngine::connect(settings(host)).map_err(|error| error.to_string())?;
        engines.insert(name.clone(), Arc::new(engine));
    }
    Ok(Ports { gitlab: Arc::new(gitlab), engines })
}
