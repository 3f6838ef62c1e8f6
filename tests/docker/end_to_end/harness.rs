//! One test's own instance: its GitLab, its spec file, its part of the engine.

use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use autogit::clock::Clock;
use autogit::sandbox::gitlab::{JobView, NewJob, SimulatedGitlab, Status};
use autogit::spec::InstanceName;
use autogit::world::{JobId, ProjectId, RecordId};
use axum::middleware::from_fn_with_state;
use futures_util::FutureExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;

use crate::end_to_end::engine::{Found, OwnEngine};
use crate::end_to_end::gate::Gates;
use crate::end_to_end::trap::{Trap, before_gitlab};
use crate::support::image::{self, Images};
use crate::wait;

/// Far longer than anything here takes on a busy machine; what takes longer does not come. The
/// longest are the two minutes for which GitLab alone may say that a runner is busy.
const PATIENCE: Duration = Duration::from_mins(4);

const TRAPPED_SOCKET: &str = "docker.sock";

/// One test's own instance.
pub(crate) struct Harness {
    pub(crate) instance: InstanceName,
    pub(crate) gitlab: SimulatedGitlab,
    pub(crate) token: SecretString,
    pub(crate) engine: OwnEngine,
    pub(crate) gates: Gates,
    pub(crate) trap: Trap,
    pub(crate) images: Images,
    /// Where containers and this process reach GitLab and the gates.
    pub(crate) url: String,
    /// The spec's own folder.
    pub(crate) folder: PathBuf,
    project: ProjectId,
}

/// Runs `test` with the oldest runner and with the newest, each time on an instance of its own, and
/// removes all of it, also when the test fails.
pub(crate) async fn with_harness<F: Future<Output = ()>>(test: impl Fn(Arc<Harness>) -> F) {
    let Some(images) = image::ensure() else { return };
    let subscriber = tracing_subscriber::fmt().with_test_writer().with_ansi(false);
    let _ = subscriber.try_init();
    for runner in [&images.oldest, &images.runner] {
        with_harness_with(Images { runner: runner.clone(), ..images.clone() }, &test).await;
    }
}

async fn with_harness_with<F: Future<Output = ()>>(
    images: Images,
    test: impl Fn(Arc<Harness>) -> F,
) {
    tracing::info!(runner = images.runner, "the harness is set");
    let harness = Arc::new(Harness::new(images).await);
    let outcome = AssertUnwindSafe(test(Arc::clone(&harness))).catch_unwind().await;
    if outcome.is_err() {
        tracing::info!(found = ?harness.engine.found().await, jobs = ?harness.gitlab.jobs(), "left");
        for log in harness.logs() {
            tracing::info!("a process logged:\n{log}");
        }
    }
    harness.engine.clean_up().await;
    harness.remove_locks();
    fs::remove_dir_all(&harness.folder).unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// Looks until there is something, and returns it.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    wait::until(PATIENCE, what, look).await
}

impl Harness {
    async fn new(images: Images) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("e2e-{}-{number}", std::process::id());
        let instance = InstanceName::new(&name).unwrap();
        let engine = OwnEngine::new(&instance).await;
        // The same tokens and job ids would give the same names to what jobs make.
        let seed = u64::from(std::process::id()) << 32 | u64::from(number);
        let gitlab = SimulatedGitlab::new(Clock::system(), seed);
        let root = gitlab.add_administrator("root");
        let token = gitlab.new_token(root, &["api"], None);
        let project = gitlab.add_project("team/app");
        let gates = Gates::new();
        let listener = TcpListener::bind((own_address(), 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let trap = Trap::new();
        let trapped = from_fn_with_state(trap.clone(), before_gitlab);
        let router = gates.routes().fallback_service(gitlab.router().layer(trapped));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = std::env::temp_dir().join(format!("autogit-{name}"));
        fs::create_dir_all(&folder).unwrap();
        trap.serve(&folder.join(TRAPPED_SOCKET));
        Self { instance, gitlab, token, engine, gates, trap, images, url, folder, project }
    }

    /// The engine's socket, behind the trap.
    pub(crate) fn trapped_socket(&self) -> PathBuf {
        self.folder.join(TRAPPED_SOCKET)
    }

    /// A file for the log of a further process.
    pub(crate) fn new_log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.logs().len()))
    }

    /// What its processes logged, in the order of their start.
    pub(crate) fn logs(&self) -> Vec<String> {
        let log = |number| fs::read_to_string(self.folder.join(format!("{number}.log"))).ok();
        (0..).map_while(log).collect()
    }

    /// Removes the traces of locks, which AutoGit leaves as they hold nothing.
    fn remove_locks(&self) {
        let locks = fs::read_dir("/run/lock").into_iter().flatten().flatten();
        for folder in locks {
            let _ = fs::remove_file(folder.path().join(format!("{}.lock", self.instance)));
        }
    }

    pub(crate) fn spec_file(&self) -> PathBuf {
        self.folder.join("autogit.yaml")
    }

    /// Saves the spec, whole, as editors do. `pools` is YAML, not indented.
    pub(crate) fn save(&self, pools: &str) {
        self.save_with("poll_interval: 1s", pools);
    }

    /// As [`Harness::save`], with other keys in the section `gitlab`.
    pub(crate) fn save_with(&self, gitlab: &str, pools: &str) {
        self.write_spec("runners: 50", gitlab, pools);
    }

    /// As [`Harness::save`], with these keys in the host's `budget`.
    pub(crate) fn save_with_budget(&self, budget: &str, pools: &str) {
        self.write_spec(budget, "poll_interval: 1s", pools);
    }

    fn write_spec(&self, budget: &str, gitlab: &str, pools: &str) {
        let Self { instance, url, images, .. } = self;
        let Images { runner, job, .. } = images;
        let (gitlab, pools) = (indented(gitlab), indented(pools));
        let text = format!(
            "instance: {instance}
api: {{listen: '127.0.0.1:0'}}
gitlab:
  url: {url}
  token: ${{GITLAB_TOKEN}}
{gitlab}
hosts:
  local:
    docker: ${{DOCKER:-unix:///var/run/docker.sock}}
    socket: /var/run/docker.sock
    budget: {{{budget}}}
defaults:
  cooldown: 1s
  cache: discard
  runner_image: {runner}
  pull_policy: never
  job: {{image: '{job}', pull_policy: [never]}}
pools:
{pools}
"
        );
        let beside = self.folder.join("saving");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.spec_file()).unwrap();
    }

    /// The variables that the spec names.
    pub(crate) fn variables(&self) -> [(String, String); 1] {
        [("GITLAB_TOKEN".to_owned(), self.token.expose_secret().to_owned())]
    }

    /// Queues a job that runs `script`.
    pub(crate) fn queue(&self, tags: &[&str], script: &[&str]) -> JobId {
        let mut job = NewJob::new(self.project).tagged(tags);
        job.image = None;
        job.script = script.iter().map(|&line| line.to_owned()).collect();
        self.gitlab.add_job(job)
    }

    /// Queues a job that says `begin`, waits at the gate, and says `end`.
    pub(crate) fn queue_gated(&self, tags: &[&str], gate: &str) -> JobId {
        self.queue_gated_after("true", tags, gate)
    }

    /// As [`Harness::queue_gated`], after a line of its own.
    pub(crate) fn queue_gated_after(&self, first: &str, tags: &[&str], gate: &str) -> JobId {
        let wait = format!("wget -q -O /dev/null {}/gate/{gate}", self.url);
        self.queue(tags, &[first, "echo begin", &wait, "echo end"])
    }

    pub(crate) fn job(&self, id: JobId) -> JobView {
        self.gitlab.job(id).unwrap()
    }

    /// Waits until the job's script runs, and so its container.
    pub(crate) async fn until_begun(&self, id: JobId) -> JobView {
        until(&format!("job {id} begins"), async || {
            Some(self.job(id)).filter(|job| job.trace.contains("begin\n"))
        })
        .await
    }

    /// Waits until the job ended, as a success with nothing of its trace missing.
    pub(crate) async fn until_succeeded(&self, id: JobId) -> JobView {
        let job = until(&format!("job {id} ends"), async || {
            Some(self.job(id)).filter(|job| job.finished_at.is_some())
        })
        .await;
        assert_eq!(job.status, Status::Success, "{job:?}");
        assert!(job.trace.ends_with("Job succeeded\n"), "{job:?}");
        job
    }

    /// Waits until the instance has nothing on the engine but the network that runners would join,
    /// and no runner at GitLab.
    pub(crate) async fn until_nothing_is_left(&self) {
        self.until_left(&[self.network()]).await;
    }

    /// Waits until the instance has nothing on the engine, and no runner at GitLab.
    pub(crate) async fn until_not_even_the_network_is_left(&self) {
        self.until_left(&[]).await;
    }

    async fn until_left(&self, networks: &[String]) {
        let expected = Found { networks: networks.to_vec(), ..Found::default() };
        until("everything is removed", async || {
            let found = self.engine.found().await;
            (found == expected && self.managers().is_empty()).then_some(())
        })
        .await;
    }

    /// The network that its runners join.
    pub(crate) fn network(&self) -> String {
        format!("{}-network", self.instance)
    }

    /// The ids of all records at GitLab.
    pub(crate) fn record_ids(&self) -> Vec<RecordId> {
        self.gitlab.records().into_iter().map(|record| record.id).collect()
    }

    /// Waits for two looks at GitLab that begin after this call.
    pub(crate) async fn until_asked_twice(&self) {
        // Each look asks for the queue and for the managers; one may be under way.
        let asked = || self.gitlab.requests().get("POST /api/graphql").copied().unwrap_or(0);
        let wanted = asked() + 6;
        until("AutoGit looks twice", async || (asked() >= wanted).then_some(())).await;
    }

    /// The system ids of all managers at GitLab.
    pub(crate) fn managers(&self) -> Vec<String> {
        let records = self.gitlab.records().into_iter();
        records
            .flat_map(|record| record.managers)
            .map(|manager| manager.system_id.to_string())
            .collect()
    }
}

/// An address of this machine that containers on any of its bridges reach, and none beyond it has
/// to: the one that it would use for a neighbour's (RFC 5737). Nothing is sent.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("198.51.100.1:9").unwrap();
    socket.local_addr().unwrap().ip()
}

fn indented(yaml: &str) -> String {
    let lines: Vec<String> = yaml.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
