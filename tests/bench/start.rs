//! From a waiting job to its running container, a burst of jobs and a queue of them on few slots,
//! beside what the same engine takes for bare containers; and what AutoGit costs at rest. `cargo bench --bench start`; needs Docker and
//! `tests/runner/build-image`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and fails by panicking"
)]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use autogit::apply::Effect;
use autogit::clock::Clock;
use autogit::engine::docker::{DockerEngine, DockerSettings};
use autogit::gitlab::http::{GitlabSettings, HttpGitlab, HttpTransport};
use autogit::observe::Ports;
use autogit::reconcile::{Controller, Tick, loaded_info};
use autogit::sandbox::gitlab::{NewJob, SimulatedGitlab};
use autogit::source::{Environment, Origin, load};
use autogit::spec::HostSpec;
use autogit::world::{JobId, ProjectId};
use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

const ROUNDS: usize = 12;
const RUNNER: &str = "autogit-test-runner:latest";
const JOB: &str = "autogit-test-job:latest";
const NETWORK: &str = "autogit-bench-network";
/// How long AutoGit is watched at rest.
const REST: Duration = Duration::from_secs(30);
/// Of AutoGit's start to a bare `docker run`.
const RATIO_TARGET: f64 = 1.15;
/// How many jobs come at once.
const BURST: u32 = 8;
/// A queue on few slots.
const QUEUE: u32 = 6;
const SLOTS: u32 = 2;
const JOB_SECONDS: u32 = 3;
const MEMORY_TARGET_KIB: u64 = 15 * 1024;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Bench::new().await;
        bench.measure_starts().await;
        bench.measure_burst().await;
        bench.measure_queue().await;
        bench.save(1);
        bench.measure_rest().await;
    });
}

/// One AutoGit over the engine of this machine and a simulated GitLab.
struct Bench {
    gitlab: SimulatedGitlab,
    project: ProjectId,
    docker: Docker,
    folder: std::path::PathBuf,
    environment: Environment,
    variables: Vec<(&'static str, String)>,
}

impl Bench {
    async fn new() -> Self {
        let settings = DockerSettings::of(&HostSpec::default(), |_| None, Clock::system());
        let gateway = DockerEngine::connect(settings).unwrap().gateway().await.unwrap();
        let listener = TcpListener::bind((gateway, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let gitlab = SimulatedGitlab::new(Clock::system(), 1);
        let root = gitlab.add_administrator("root");
        let token = gitlab.new_token(root, &["api"], None).expose_secret().to_owned();
        let project = gitlab.add_project("team/app");
        tokio::spawn(gitlab.clone().serve(listener));
        let folder = std::env::temp_dir().join(format!("autogit-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let variables = vec![("BENCH_URL", url), ("BENCH_TOKEN", token)];
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let environment = Environment::new(owned.collect(), Vec::new());
        let docker = Docker::connect_with_unix_defaults().unwrap();
        let docker = docker.negotiate_version().await.unwrap();
        let bench = Self { gitlab, project, docker, folder, environment, variables };
        bench.save(1);
        bench
    }

    /// Writes the spec: one pool, each of whose runners has one job.
    fn save(&self, max: u32) {
        let text = format!(
            "instance: bench\nnetwork: {NETWORK}\nstarts_per_minute: 1000\n\
             gitlab: {{url: '${{BENCH_URL}}', token: '${{BENCH_TOKEN}}', poll_interval: 1s}}\n\
             hosts: {{local: {{docker: 'unix:///var/run/docker.sock', budget: {{runners: 100}}}}}}\n\
             pools: {{linux: {{tags: [bench], max: {max}, jobs_per_runner: 1, cache: discard, \
             runner_image: '{RUNNER}', job: {{image: '{JOB}', pull_policy: [never]}}}}}}\n"
        );
        std::fs::write(self.folder.join("autogit.yaml"), text).unwrap();
    }

    fn daemon(&self) -> Daemon {
        let daemon = Command::new(env!("CARGO_BIN_EXE_autogit"))
            .args(["run", "--config"])
            .arg(self.folder.join("autogit.yaml"))
            .envs(self.variables.iter().map(|(name, value)| (*name, value.as_str())))
            .stderr(Stdio::null())
            .spawn();
        Daemon(daemon.unwrap())
    }

    fn queue(&self, script: &str) -> JobId {
        let mut job = NewJob::new(self.project).tagged(&["bench"]);
        (job.image, job.script) = (Some(JOB.to_owned()), vec![script.to_owned()]);
        self.gitlab.add_job(job)
    }

    /// Until so many jobs with that script are done by a running AutoGit with so many slots.
    async fn jobs(&self, jobs: u32, script: &str, max: u32) -> Duration {
        self.save(max);
        let daemon = self.daemon();
        // It has its record, its network and its first look by then.
        Clock::system().sleep(REST / 10).await;
        let ((), took) = timed(async {
            let queued: Vec<JobId> = (0..jobs).map(|_| self.queue(script)).collect();
            let ended = |id: &JobId| self.gitlab.job(*id).unwrap().finished_at.is_some();
            while !queued.iter().all(ended) {
                Clock::system().sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        drop(daemon);
        let mut controller = self.controller().await;
        until_settled(&mut controller).await;
        took
    }

    async fn measure_burst(&self) {
        let ours = self.jobs(BURST, "true", BURST).await;
        let bare = run_bare(BURST, BURST, "true");
        println!("{BURST} jobs at once, each in a runner of its own");
        println!("  autogit, to the end of the last  {ours:>8.1?}");
        println!(
            "  docker run --rm                  {bare:>8.1?}   ratio {:.2}",
            ratio(ours, bare)
        );
    }

    async fn measure_queue(&self) {
        let script = format!("sleep {JOB_SECONDS}");
        let ours = self.jobs(QUEUE, &script, SLOTS).await;
        let bare = run_bare(QUEUE, SLOTS, &script);
        println!("{QUEUE} jobs of {JOB_SECONDS} s on {SLOTS} slots, one job a runner");
        println!("  autogit, to the end of the last  {ours:>8.1?}");
        println!(
            "  docker run --rm                  {bare:>8.1?}   ratio {:.2}",
            ratio(ours, bare)
        );
    }

    async fn controller(&self) -> Controller {
        let clock = Clock::system();
        let origin = Origin::File(self.folder.join("autogit.yaml"));
        let loaded = load(&origin, &self.environment, clock.now()).await.unwrap();
        let (url, spec) = (&loaded.spec.gitlab.url, &loaded.spec);
        let transport = Arc::new(HttpTransport::new(url, None).unwrap());
        let gitlab = HttpGitlab::new(GitlabSettings::of(spec), transport, clock.clone());
        let engines = spec.hosts.iter().map(|(name, host)| {
            let settings = DockerSettings::of(host, |_| None, clock.clone());
            let engine = DockerEngine::connect(settings).unwrap();
            (name.clone(), Arc::new(engine) as Arc<dyn autogit::engine::Engine>)
        });
        let ports = Ports { gitlab: Arc::new(gitlab), engines: engines.collect() };
        Controller::new(ports, clock, loaded_info(&loaded))
    }

    /// All three ways in turn, so that whatever else the machine does meets all alike.
    async fn measure_starts(&self) {
        docker(&["network", "create", NETWORK]);
        let mut controller = self.controller().await;
        until_settled(&mut controller).await;
        let (mut ours, mut bare, mut api) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(self.start_by_autogit(&mut controller).await);
            bare.push(run_by_docker());
            api.push(self.start_by_api().await);
        }
        docker(&["network", "rm", NETWORK]);
        let (ours, bare, api) = (median(ours), median(bare), median(api));
        println!("from a waiting job to its started container, median of {ROUNDS}");
        println!("  autogit, from wake to started    {ours:>8.1?}");
        let ratio = ratio(ours, bare);
        println!(
            "  docker run --detach              {bare:>8.1?}   ratio {ratio:.2}, target {RATIO_TARGET}"
        );
        let ratio = self::ratio(ours, api);
        println!("  create and start by the same API {api:>8.1?}   ratio {ratio:.2}");
    }

    async fn start_by_autogit(&self, controller: &mut Controller) -> Duration {
        self.queue("true");
        let (tick, took) = timed(controller.tick()).await;
        assert!(started(&tick), "{:?}", tick.outcomes);
        until_settled(controller).await;
        took
    }

    async fn start_by_api(&self) -> Duration {
        let name = "autogit-bench-api";
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
        let body = ContainerCreateBody { image: Some(RUNNER.to_owned()), ..Default::default() };
        let ((), took) = timed(async {
            let created = self.docker.create_container(Some(options), body).await.unwrap();
            let started = self.docker.start_container(&created.id, None::<StartContainerOptions>);
            started.await.unwrap();
        })
        .await;
        docker(&["rm", "--force", "--volumes", name]);
        took
    }

    /// Memory and processor time of the daemon with nothing to do, at its usual interval.
    async fn measure_rest(&self) {
        let daemon = self.daemon();
        Clock::system().sleep(REST / 3).await;
        let before = cpu_ticks(&daemon.0);
        Clock::system().sleep(REST).await;
        let spent = cpu_ticks(&daemon.0) - before;
        let resident = resident_kib(&daemon.0);
        drop(daemon);
        let of_target = ratio_of(resident, MEMORY_TARGET_KIB);
        println!("at rest, one host, polled every 10s, over {REST:?}");
        println!("  resident memory  {resident} KiB   {of_target:.2} of the target");
        // A tick of the kernel's clock is a hundredth of a second on Linux.
        let seconds = u32::try_from(REST.as_secs()).unwrap();
        println!("  processor        {:.2} %", f64::from(spent) / f64::from(seconds));
    }
}

/// An AutoGit that ends with it; its runners go on.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn until_settled(controller: &mut Controller) {
    loop {
        let tick = controller.tick().await;
        let mut hosts = tick.view.world.hosts.values();
        let empty = |host: &autogit::world::Host| host.state.last().unwrap().runners.is_empty();
        if tick.settled && hosts.all(empty) {
            return;
        }
        Clock::system().sleep(Duration::from_millis(100)).await;
    }
}

fn started(tick: &Tick) -> bool {
    tick.outcomes.iter().any(|outcome| matches!(outcome.result, Ok(Effect::Started(_))))
}

fn run_by_docker() -> Duration {
    let name = "autogit-bench-run";
    let ((), took) = timed_now(|| {
        docker(&["run", "--detach", "--network", NETWORK, "--name", name, RUNNER]);
    });
    docker(&["rm", "--force", "--volumes", name]);
    took
}

/// So many bare containers with that script, so many at a time.
fn run_bare(containers: u32, at_a_time: u32, script: &str) -> Duration {
    let ((), took) = timed_now(|| {
        std::thread::scope(|scope| {
            for _ in 0..at_a_time {
                scope.spawn(|| {
                    for _ in 0..containers / at_a_time {
                        docker(&["run", "--rm", "--entrypoint", "sh", JOB, "-c", script]);
                    }
                });
            }
        });
    });
    took
}

fn docker(arguments: &[&str]) {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the real clock")]
async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = std::time::Instant::now();
    let done = work.await;
    (done, start.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the real clock")]
fn timed_now<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    let done = work();
    (done, start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "KiB of a process are far below 2^52")]
fn ratio_of(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

fn resident_kib(daemon: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// User and system time of the process, in ticks of the kernel's clock.
fn cpu_ticks(daemon: &Child) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap()
}
