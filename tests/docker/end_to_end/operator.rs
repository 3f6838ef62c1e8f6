//! AutoGit itself, as `autogit run` puts it together, within the test.

use std::collections::BTreeMap;
use std::sync::Arc;

use autogit::clock::Clock;
use autogit::engine::Engine;
use autogit::engine::docker::{DockerEngine, DockerSettings};
use autogit::gitlab::http::{GitlabSettings, HttpGitlab, HttpTransport};
use autogit::observe::Ports;
use autogit::reconcile::{Daemon, Ending, Wake};
use autogit::source::{Environment, Loaded, Origin, Pace, SpecSource, Watch};
use autogit::view::View;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::end_to_end::harness::{Harness, until};
use crate::support::now::outcome_of;

/// A running AutoGit; dropping it ends it like a crash between two looks.
pub(crate) struct Operator {
    task: JoinHandle<()>,
    views: watch::Receiver<Option<Arc<View>>>,
    wakes: mpsc::Sender<Wake>,
}

impl Operator {
    /// Starts one with the harness's spec.
    pub(crate) fn start(harness: &Harness) -> Self {
        let (clock, path) = (Clock::system(), harness.spec_file());
        let origin = Origin::File(path);
        let watch = Watch::start(&origin, clock.clone(), Pace::default());
        let environment = Environment::new(harness.variables().into(), Vec::new());
        let source = outcome_of(SpecSource::open(origin, environment, clock.clone())).unwrap();
        let mut daemon = Daemon::new(source, watch, Box::new(connect), clock).unwrap();
        let views = daemon.controller().views();
        let (wakes, mut woken) = mpsc::channel(4);
        let task = tokio::spawn(async move {
            daemon.run(&mut woken, Ending::Never).await;
        });
        Self { task, views, wakes }
    }

    /// Asks for a look now.
    pub(crate) fn wake(&self) {
        let _ = self.wakes.try_send(Wake::Reconcile);
    }

    /// The first view in which `look` finds something.
    pub(crate) async fn until<T>(&self, what: &str, look: impl Fn(&View) -> Option<T>) -> T {
        until(what, async || self.views.borrow().as_deref().and_then(&look)).await
    }

    /// Waits for looks that begin after this call, so that they see what is there now.
    pub(crate) async fn until_looked_again(&self) {
        let now = Clock::system().now();
        self.until("AutoGit looks again", |view| (view.world.now > now).then_some(())).await;
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn connect(loaded: &Loaded) -> Result<Ports, String> {
    let (spec, clock) = (&loaded.spec, Clock::system());
    let transport =
        HttpTransport::new(&spec.gitlab.url, None).map_err(|error| error.to_string())?;
    let settings = GitlabSettings::of(spec);
    let gitlab = Arc::new(HttpGitlab::new(settings, Arc::new(transport), clock.clone()));
    let mut engines: BTreeMap<_, Arc<dyn Engine>> = BTreeMap::new();
    for (name, host) in &spec.hosts {
        let settings = DockerSettings::of(host, |_| None, clock.clone());
        let engine = DockerEngine::connect(settings).map_err(|error| error.to_string())?;
        engines.insert(name.clone(), Arc::new(engine));
    }
    Ok(Ports { gitlab, engines })
}
