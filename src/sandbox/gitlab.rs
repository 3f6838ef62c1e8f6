//! The simulated GitLab: one axum [`Router`] with both sides of GitLab's API, the operator's
//! (REST and GraphQL) and the runner's (poll, trace, update), over one seeded state.
//!
//! It is called in process through [`RouterTransport`], with no socket and no thread, or served
//! over HTTP by [`SimulatedGitlab::serve`]. Time comes from the [`Clock`], order from counted ids,
//! tokens from the seed: the same calls in the same order give the same bytes.
//!
//! It answers as GitLab 18.6 does. Knowingly different: there is no git behind it (jobs carry
//! `GIT_STRATEGY=none`), and a repository is its refs and the files of its commits; a long poll that is woken answers with the job itself, where GitLab's
//! front often answers 204 first and gives the job at the next poll; and stuck jobs are dropped
//! when somebody looks, not by an hourly worker.

mod access;
mod answer;
mod build;
mod call;
mod entities;
mod forms;
mod graphql;
mod inspect;
mod lifecycle;
mod matching;
mod middleware;
mod moves;
mod paging;
mod params;
mod repository;
mod rest;
mod runner;
mod state;
mod switches;
mod transport;

pub use access::AccessLevel;
pub use build::{NewJob, NewRecord, ProjectSettings, WaitsFor};
pub use inspect::{JobView, ManagerView, RecordView};
pub use state::{GroupId, Status, UserId};
pub use switches::{Down, Limit, Registration};
pub use transport::RouterTransport;

use std::fmt;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::lock::locked;
use state::State;

/// The longest body that is read; a trace or an artifact of a demo job stays far below.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A GitLab that exists only in memory; clones share it.
#[derive(Clone)]
pub struct SimulatedGitlab {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    state: Mutex<State>,
    changes: Notify,
}

impl SimulatedGitlab {
    /// An empty GitLab whose tokens follow from `seed`.
    pub fn new(clock: Clock, seed: u64) -> Self {
        let state = Mutex::new(State::new(seed, clock.now()));
        Self { shared: Arc::new(Shared { clock, state, changes: Notify::new() }) }
    }

    /// Both sides of the API.
    pub fn router(&self) -> Router {
        let router = Router::new();
        let router = rest::routes(router, self);
        let router = runner::routes(router, self);
        let router = graphql::routes(router, self);
        router
            .fallback(middleware::unknown_route)
            .method_not_allowed_fallback(middleware::unknown_method)
            .layer(axum::middleware::from_fn_with_state(self.clone(), middleware::middleware))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(self.clone())
    }

    /// The Router as a [`crate::gitlab::Transport`], in process.
    pub fn transport(&self) -> RouterTransport {
        RouterTransport::new(self.clone())
    }

    /// Serves the Router over HTTP until this future is dropped.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, self.router()).await
    }

    /// Wakes waiters, in the order in which they came, whenever a job, a record or a switch
    /// changed. To miss nothing: make the `notified()` future, then look, then await it.
    pub fn changes(&self) -> &Notify {
        &self.shared.changes
    }

    /// Waits for the next change after this call.
    pub async fn wait_for_change(&self) {
        self.shared.changes.notified().await;
    }

    /// The clock it lives by.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Looks at the state or changes it, after what time alone has changed was settled; tells
    /// those who wait. The lock is held for that long only.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = locked(&self.shared.state);
        let before = state.revision;
        state.now = self.shared.clock.now();
        state.settle();
        let outcome = act(&mut state);
        let changed = state.revision != before;
        drop(state);
        if changed {
            self.shared.changes.notify_waiters();
        }
        outcome
    }
}

impl fmt::Debug for SimulatedGitlab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedGitlab").finish_non_exhaustive()
    }
}
