//! The connections that are open: their bounded number, and which of them may go when another
//! client knocks.
//!
//! Clients that hold connections without asking anything, half-open ones among them, must not keep
//! out one that asks: where all places are taken, the one that has been idle for longest goes. One
//! with a request under way never does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::lock::locked;

/// All connections; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    places: Arc<Semaphore>,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    /// Counts what happens, to tell what was first.
    moments: u64,
    /// The ways to tell an idle connection to go, longest idle first.
    idle: BTreeMap<u64, watch::Sender<bool>>,
}

impl Connections {
    /// Room for `most` of them.
    pub(super) fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), open: Arc::default() }
    }

    /// A place, if one is free.
    pub(super) fn enter(&self) -> Option<Connection> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Connection::new(self, place))
    }

    /// The place of the one that has been idle for longest, once it left; `None`: none is idle.
    pub(super) async fn enter_for_idle(&self) -> Option<Connection> {
        let (_, leave) = self.with(|open| open.idle.pop_first())?;
        leave.send_replace(true);
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some(Connection::new(self, place))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Open) -> T) -> T {
        act(&mut locked(&self.open))
    }
}

/// One connection and its place, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    all: Connections,
    leave: watch::Sender<bool>,
    /// Since when it is idle; none while a request is under way.
    idle_since: Mutex<Option<u64>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(all: &Connections, place: OwnedSemaphorePermit) -> Self {
        let leave = watch::Sender::new(false);
        let connection =
            Self { all: all.clone(), leave, idle_since: Mutex::new(None), _place: place };
        connection.set_idle(true);
        connection
    }

    /// Waits until the place is needed for another client.
    pub(super) async fn told_to_leave(&self) {
        // The sender is this connection's own, so it is there for as long as this waits.
        let _ = self.leave.subscribe().wait_for(|leave| *leave).await;
    }

    /// A request is under way for as long as the answer lives.
    pub(super) fn ask(self: &Arc<Self>) -> Request {
        self.set_idle(false);
        Request(Arc::clone(self))
    }

    fn set_idle(&self, idle: bool) {
        let mut since = locked(&self.idle_since);
        self.all.with(|open| {
            if let Some(since) = since.take() {
                open.idle.remove(&since);
            }
            if idle {
                open.moments += 1;
                open.idle.insert(open.moments, self.leave.clone());
                *since = Some(open.moments);
            }
        });
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.set_idle(false);
    }
}

/// A request under way on a connection; HTTP/1.1 has one at a time.
#[derive(Debug)]
pub(super) struct Request(Arc<Connection>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.set_idle(true);
    }
}
