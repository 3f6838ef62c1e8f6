//! The page over the real loop, with a simulated GitLab and engine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use autogit::api::{Api, serve};
use autogit::clock::Clock;
use autogit::engine::Engine;
use autogit::gitlab::http::{GitlabSettings, HttpGitlab};
use autogit::observe::Ports;
use autogit::reconcile::{Daemon, Ending};
use autogit::sandbox::demo::{Demo, SPEC};
use autogit::sandbox::engine::{Latencies, SimulatedEngine, SimulatedEngineSettings};
use autogit::sandbox::gitlab::SimulatedGitlab;
use autogit::source::{Environment, Loaded, Origin, Pace, SpecSource, Watch};
use autogit::spec::Arch;
use autogit::world::EngineId;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::browser::Browser;
use crate::support::now::outcome_of;
use crate::support::world::NOW;

const GITLAB: &str = "http://gitlab.internal";

/// Times as fast as real.
const SPEED: f64 = 3.0;

/// A spec file that goes with the test.
struct SpecFile(PathBuf);

impl SpecFile {
    fn new(text: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("autogit-page-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = Self(folder.join("autogit.yaml"));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }
}

impl Drop for SpecFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.parent().unwrap());
    }
}

fn engine(gitlab: &SimulatedGitlab, clock: &Clock) -> SimulatedEngine {
    SimulatedEngine::new(SimulatedEngineSettings {
        emulates: std::collections::BTreeSet::new(),
        id: EngineId::from_observed("local"),
        arch: Arch::Amd64,
        cpus: 4.0,
        memory: 16 << 30,
        gpus: autogit::world::GpusSeen::default(),
        clock: clock.clone(),
        gitlab: Arc::new(gitlab.transport()),
        gitlab_url: GITLAB.to_owned(),
        seed: 1,
        latencies: Latencies::default(),
    })
}

fn daemon(file: &SpecFile, demo: &Demo, clock: &Clock) -> Daemon {
    let variables = [
        ("SANDBOX_URL", GITLAB.to_owned()),
        ("SANDBOX_RUNNER_URL", GITLAB.to_owned()),
        ("SANDBOX_TOKEN", demo.token.expose_secret().to_owned()),
    ];
    let variables: BTreeMap<String, String> =
        variables.map(|(name, value)| (name.to_owned(), value)).into();
    let environment = Environment::new(variables, Vec::new());
    let origin = Origin::File(file.0.clone());
    let watch = Watch::start(&origin, clock.clone(), Pace::default());
    let source = outcome_of(SpecSource::open(origin, environment, clock.clone())).unwrap();
    let (engine, gitlab, for_ports) =
        (engine(&demo.gitlab, clock), demo.gitlab.clone(), clock.clone());
    let connect = move |loaded: &Loaded| {
        for pool in &loaded.spec.pools {
            engine.publish_image(&pool.runner_image);
        }
        let hosts = loaded.spec.hosts.keys();
        let engine = Arc::new(engine.clone()) as Arc<dyn Engine>;
        let engines = hosts.map(|name| (name.clone(), Arc::clone(&engine))).collect();
        let transport = Arc::new(gitlab.transport());
        let settings = GitlabSettings::of(&loaded.spec);
        let gitlab = Arc::new(HttpGitlab::new(settings, transport, for_ports.clone()));
        Ok(Ports { gitlab, engines })
    };
    Daemon::new(source, watch, Box::new(connect), clock.clone()).unwrap()
}

#[tokio::test]
async fn a_sandbox_is_followed_from_the_first_job_to_zero_runners() {
    let Some(browser) = Browser::open().await else { return };
    let clock = Clock::simulated(NOW, SPEED);
    let demo = Demo::new(SimulatedGitlab::new(clock.clone(), 1));
    let file = SpecFile::new(SPEC);
    let mut daemon = daemon(&file, &demo, &clock);
    let (wake, mut wakes) = mpsc::channel(4);
    let api = Api::new(daemon.controller().handle(), wake, clock.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let looks = async {
        browser.visit(&url).await;
        browser.says("#headline", "Everything runs as asked").await;
        for arrival in demo.load(1, None) {
            demo.queue(arrival.job);
        }
        browser.says("#health", "is at its max of").await;
        browser.says("#activity", "serve-demand").await;
        browser.says("#running", "slot 0").await;
        file.write(&SPEC.replace("max: 3", "max: many"));
        browser.says("#fault", "takes a whole number").await;
        browser.says("#fault", "pools.linux.max").await;
        file.write(SPEC);
        browser.until("document.querySelector('#fault').hidden").await;
        browser.says("#headline", "Everything runs as asked").await;
        browser.says("#activity", "drain-surplus").await;
        browser.until("!document.querySelector('[data-runner]')").await;
        browser.says("#hour-words", "runners were busy").await;
        browser.is_clean(&url).await;
    };
    tokio::select! {
        () = looks => {}
        _ = daemon.run(&mut wakes, Ending::Never) => panic!("the loop ended"),
        () = serve(listener, api, std::future::pending()) => panic!("the server ended"),
    }
}
