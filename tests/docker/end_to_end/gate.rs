//! Gates that jobs wait at, so that a test decides when a job goes on. Jobs reach them over HTTP
//! beside GitLab, also while GitLab itself is down.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tokio::sync::watch;

/// The gates of one test; all are closed at first.
#[derive(Clone)]
pub(crate) struct Gates(Arc<watch::Sender<BTreeSet<String>>>);

impl Gates {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeSet::new())))
    }

    /// Lets all jobs that wait there, or ever will, go on.
    pub(crate) fn open(&self, name: &str) {
        self.0.send_modify(|open| {
            open.insert(name.to_owned());
        });
    }

    pub(crate) fn routes(&self) -> Router {
        Router::new().route("/gate/{name}", get(pass)).with_state(self.clone())
    }
}

/// Answers when the gate is open.
async fn pass(State(gates): State<Gates>, Path(name): Path<String>) -> &'static str {
    let mut open = gates.0.subscribe();
    // Fails only when the gates are gone, and the test with them.
    let _ = open.wait_for(|open| open.contains(&name)).await;
    "open"
}
