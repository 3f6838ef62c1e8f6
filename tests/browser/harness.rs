//! The real API on a real port, over views made by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use autogit::api::{Api, serve};
use autogit::clock::Clock;
use autogit::reconcile::{Drains, History, InForce, LoopHandle, Metrics, Trend, Wake};
use autogit::view::View;
use jiff::SignedDuration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::support::world::{Fixture, NOW};

/// The operator's token.
pub(crate) const TOKEN: &str = "s3cret-of-the-operator";

/// One process of AutoGit, as the browser sees it.
pub(crate) struct Harness {
    pub(crate) views: watch::Sender<Option<Arc<View>>>,
    pub(crate) wakes: mpsc::Receiver<Wake>,
    pub(crate) history: History,
    pub(crate) trend: Trend,
    pub(crate) drains: Drains,
    pub(crate) in_force: watch::Sender<InForce>,
    address: SocketAddr,
    end: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Harness {
    /// Listens on a free port; before the first look.
    pub(crate) async fn empty() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), 0).await
    }

    /// After the look at that fixture.
    pub(crate) async fn of(fixture: Fixture) -> Self {
        let harness = Self::empty().await;
        harness.show(fixture.view());
        harness
    }

    async fn at(address: SocketAddr, seconds: i64) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let views = watch::Sender::new(None);
        let in_force = watch::Sender::new(InForce::of(&Arc::new(Fixture::new().spec)));
        let (send, wakes) = mpsc::channel(4);
        let started = NOW + SignedDuration::from_secs(seconds);
        let (history, trend, drains) = (History::new(started), Trend::default(), Drains::default());
        let handle = LoopHandle {
            views: views.subscribe(),
            history: history.clone(),
            trend: trend.clone(),
            drains: drains.clone(),
            metrics: Metrics::default(),
            in_force: in_force.subscribe(),
        };
        let api = Api::new(handle, send, Clock::simulated(NOW, 1.0));
        let (end, ended) = oneshot::channel();
        let server = tokio::spawn(serve(listener, api, async { drop(ended.await) }));
        Self { views, wakes, history, trend, drains, in_force, address, end, server }
    }

    /// The page's address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The loop looked again.
    pub(crate) fn show(&self, view: View) {
        let before = self.views.borrow().clone();
        let view = Arc::new(view);
        self.in_force.send_replace(InForce::of(&view.world.spec));
        self.trend.add(&view);
        self.views.send_replace(Some(Arc::clone(&view)));
        self.history.add(view.world.now, view.events_since(before.as_deref()));
    }

    /// Ends the process; what listens on its port is gone then.
    pub(crate) async fn stop(self) -> SocketAddr {
        let _ = self.end.send(());
        self.server.await.unwrap();
        self.address
    }

    /// Another process of AutoGit, started that many seconds later at the same place.
    pub(crate) async fn restarted(address: SocketAddr, seconds: i64) -> Self {
        Self::at(address, seconds).await
    }
}
