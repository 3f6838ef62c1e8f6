//! The API before a loop that runs, on a simulated GitLab and engine, in simulated time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use autogit::api::{Api, CONNECTIONS_MAX, serve};
use autogit::clock::Clock;
use autogit::engine::Engine;
use autogit::gitlab::http::{GitlabSettings, HttpGitlab};
use autogit::observe::Ports;
use autogit::reconcile::{Daemon, Ending, Exposition, LoopHandle, Wake};
use autogit::sandbox::demo::Demo;
use autogit::sandbox::engine::{Latencies, SimulatedEngine, SimulatedEngineSettings};
use autogit::sandbox::gitlab::{NewJob, SimulatedGitlab};
use autogit::source::{Environment, Loaded, Origin, Pace, SpecSource, Watch};
use autogit::spec::Arch;
use autogit::view::{EventOutput, View};
use autogit::world::EngineId;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::source::folder::Folder;
use crate::support::now::outcome_of;
use crate::support::world::NOW;

const URL: &str = "http://gitlab.internal";

fn spec(token: &str, poll: &str) -> String {
    format!(
        "gitlab:\n  url: {URL}\n  token: {token}\n  poll_interval: {poll}\n  webhook_secret: hook\n\
         api: {{ token: operator }}\n\
         pools:\n  linux: {{ tags: [docker], cooldown: 1h }}\n"
    )
}

struct Live {
    demo: Demo,
    daemon: Daemon,
    handle: LoopHandle,
    wakes: mpsc::Receiver<Wake>,
    api: Api,
    router: Router,
    clock: Clock,
    _folder: Folder,
}

impl Live {
    fn new(poll: &str) -> Self {
        let clock = Clock::simulated(NOW, 1.0);
        let gitlab = SimulatedGitlab::new(clock.clone(), 7);
        gitlab.set_external_url(URL);
        let demo = Demo::new(gitlab.clone());
        let folder = Folder::new();
        let path = folder.write("autogit.yaml", &spec(demo.token.expose_secret(), poll));
        let origin = Origin::File(path);
        let watch = Watch::start(&origin, clock.clone(), Pace::default());
        let environment = Environment::new(BTreeMap::new(), Vec::new());
        let source = outcome_of(SpecSource::open(origin, environment, clock.clone())).unwrap();
        let connect = connect(gitlab, clock.clone());
        let daemon = Daemon::new(source, watch, connect, clock.clone()).unwrap();
        let (send, wakes) = mpsc::channel(16);
        let handle = daemon.controller().handle();
        let api = Api::new(handle.clone(), send, clock.clone());
        let router = api.router();
        Self { demo, daemon, handle, wakes, api, router, clock, _folder: folder }
    }

    /// Lets the loop run while `script` is played.
    async fn play<T>(&mut self, script: impl Future<Output = T>) -> T {
        let clock = self.clock.clone();
        tokio::select! {
            biased;
            _ = self.daemon.run(&mut self.wakes, Ending::Never) => panic!("the loop ended"),
            played = script => played,
            () = clock.sleep(Duration::from_mins(10)) => panic!("nothing came of it"),
        }
    }
}

pub(super) fn connect(gitlab: SimulatedGitlab, clock: Clock) -> Box<autogit::reconcile::Connect> {
    let engine = SimulatedEngine::new(SimulatedEngineSettings {
        emulates: std::collections::BTreeSet::new(),
        id: EngineId::from_observed("ENGINE"),
        arch: Arch::Amd64,
        cpus: 8.0,
        memory: 16 << 30,
        gpus: autogit::world::GpusSeen::default(),
        clock: clock.clone(),
        gitlab: Arc::new(gitlab.transport()),
        gitlab_url: URL.to_owned(),
        seed: 7,
        latencies: Latencies::default(),
    });
    Box::new(move |loaded: &Loaded| {
        for pool in &loaded.spec.pools {
            engine.add_image(&pool.runner_image);
        }
        let hosts = loaded.spec.hosts.keys();
        let engines =
            hosts.map(|name| (name.clone(), Arc::new(engine.clone()) as Arc<dyn Engine>)).collect();
        let settings = GitlabSettings::of(&loaded.spec);
        let gitlab = HttpGitlab::new(settings, Arc::new(gitlab.transport()), clock.clone());
        Ok(Ports { gitlab: Arc::new(gitlab), engines })
    })
}

async fn push(router: &Router) {
    push_with(router, "hook").await;
}

/// A webhook that tells of a push.
pub(super) async fn push_with(router: &Router, secret: &str) {
    let request = Request::post("/webhook/gitlab")
        .header("x-gitlab-event", "Push Hook")
        .header("x-gitlab-token", secret);
    let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 204);
}

async fn post(router: &Router, path: &str) {
    let request = Request::post(path).header("authorization", "Bearer operator");
    let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 202);
}

/// Waits for a look that is as wanted.
async fn until(handle: &mut LoopHandle, wanted: impl Fn(&View) -> bool) -> Arc<View> {
    let found = handle.views.wait_for(|view| view.as_ref().is_some_and(|view| wanted(view))).await;
    found.unwrap().clone().unwrap()
}

/// The moments of the looks of the next seconds, in milliseconds from now.
async fn looks(handle: &mut LoopHandle, clock: &Clock, seconds: u64) -> Vec<i64> {
    let began = clock.now();
    let end = clock.sleep(Duration::from_secs(seconds));
    tokio::pin!(end);
    let mut moments = Vec::new();
    handle.views.mark_unchanged();
    loop {
        tokio::select! {
            biased;
            () = &mut end => return moments,
            _ = handle.views.changed() => moments.push(since(began, clock.now())),
        }
    }
}

fn since(began: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(began).as_millis().try_into().unwrap()
}

fn is_settled(view: &View) -> bool {
    view.plan.is_empty() && view.world.queue.known().is_some()
}

#[tokio::test(start_paused = true)]
async fn a_push_is_followed_at_once_and_after_1_2_and_4_seconds() {
    let mut live = Live::new("5m");
    let (mut handle, clock, router) =
        (live.handle.clone(), live.clock.clone(), live.router.clone());
    let moments = live.play(async {
        until(&mut handle, is_settled).await;
        clock.sleep(Duration::from_secs(20)).await;
        push(&router).await;
        looks(&mut handle, &clock, 20).await
    });
    let moments = moments.await;
    let seconds: Vec<i64> = moments.iter().map(|at| at / 100).collect();
    assert_eq!(seconds, [0, 10, 20, 40], "{moments:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_appears_after_its_push_does_not_wait_for_the_poll() {
    let mut live = Live::new("5m");
    let (mut handle, clock, router) =
        (live.handle.clone(), live.clock.clone(), live.router.clone());
    let demo = live.demo.clone();
    let busy = |view: &View| view.as_seen().status_output().busy_runners == 1;
    let waited = live.play(async {
        until(&mut handle, is_settled).await;
        let began = clock.now();
        push(&router).await;
        clock.sleep(Duration::from_millis(1500)).await;
        let mut job = NewJob::new(demo.gitlab.add_project("team/live")).tagged(&["docker"]);
        job.duration = Duration::from_mins(10);
        demo.queue(job);
        until(&mut handle, busy).await;
        since(began, clock.now())
    });
    let waited = waited.await;
    assert!(waited < 10_000, "{waited} ms, with a poll interval of five minutes");
    let text = live.handle.metrics.encode(live.clock.now(), Exposition::OpenMetrics).unwrap();
    for series in ["autogit_job_wait_seconds_count", "autogit_runner_start_seconds_count"] {
        assert!(text.contains(&format!("{series}{{pool=\"linux\"}} 1")), "{text}");
    }
    assert!(text.contains("autogit_decisions_total{rule=\"serve-demand\"} 1"), "{text}");
    assert!(text.contains("endpoint=") && text.contains("status=\"200\""), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_wakes_is_a_few_looks() {
    let mut live = Live::new("5m");
    let (mut handle, clock, router) =
        (live.handle.clone(), live.clock.clone(), live.router.clone());
    let storm = async {
        for _ in 0..1000 {
            push(&router).await;
            clock.sleep(Duration::from_millis(1)).await;
        }
    };
    let moments = live.play(async {
        until(&mut handle, is_settled).await;
        clock.sleep(Duration::from_secs(20)).await;
        tokio::join!(looks(&mut handle, &clock, 2), storm).0
    });
    let moments = moments.await;
    assert!((3..=8).contains(&moments.len()), "{moments:?}");
}

#[tokio::test(start_paused = true)]
async fn an_operators_drain_lets_a_busy_runner_finish_its_job() {
    let mut live = Live::new("1s");
    let (mut handle, router, demo) = (live.handle.clone(), live.router.clone(), live.demo.clone());
    let history = live.handle.history.clone();
    let name = "autogit-runner-linux-amd64-0";
    let busy = |view: &View| view.as_seen().status_output().busy_runners == 1;
    let draining =
        |view: &View| view.as_seen().runners_output().iter().any(|one| one.phase == "draining");
    let gone = |view: &View| view.as_seen().runners_output().is_empty();
    let job = live.play(async {
        let mut job = NewJob::new(demo.gitlab.add_project("team/live")).tagged(&["docker"]);
        job.duration = Duration::from_mins(1);
        let job = demo.queue(job);
        until(&mut handle, busy).await;
        post(&router, &format!("/runners/{name}/drain")).await;
        until(&mut handle, draining).await;
        assert_eq!(demo.gitlab.job(job).unwrap().status.as_str(), "running");
        until(&mut handle, gone).await;
        job
    });
    let job = job.await;
    assert_eq!(live.demo.gitlab.job(job).unwrap().status.as_str(), "success");
    assert!(live.handle.drains.asked().is_empty());
    let events = history.since(None).events;
    let phases = events.iter().filter_map(|event| {
        let EventOutput::Phase(phase) = &event.what else { return None };
        Some(phase.to)
    });
    let phases: Vec<&str> = phases.collect();
    let end = phases.iter().position(|phase| *phase == "draining").unwrap();
    assert_eq!(phases.last(), Some(&"gone"), "{phases:?}");
    assert!(phases[..end].contains(&"busy"), "{phases:?}");
}

#[tokio::test]
async fn the_loop_goes_on_while_all_clients_hang() {
    let mut live = Live::new("5m");
    let (mut handle, api) = (live.handle.clone(), live.api.clone());
    let router = live.router.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, api, std::future::pending()));
    let mut hanging = Vec::new();
    for number in 0..CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let whole = b"GET /events HTTP/1.1\r\nhost: autogit\r\n\r\n";
        let sent = if number < 64 { &whole[..] } else { &whole[..30] };
        stream.write_all(sent).await.unwrap();
        hanging.push(stream);
    }
    let looks = live.play(async {
        until(&mut handle, is_settled).await;
        for _ in 0..3 {
            handle.views.mark_unchanged();
            post(&router, "/reconcile").await;
            handle.views.changed().await.unwrap();
        }
    });
    looks.await;
    server.abort();
    drop(hanging);
}
