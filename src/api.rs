//! The HTTP API: shows the newest [`View`] and wakes the loop.
//!
//! It never touches a port and never makes the loop wait: it reads a snapshot that the loop left
//! behind, and what acts is a wake or a name that the loop finds at its next tick. Whatever a
//! client does, slow or many or hostile, is bounded here: bodies, header time, connections,
//! streams, and the time of a request.
//!
//! Closed by default: what changes something needs a bearer token and is not served without one,
//! and the webhook is not served without its secret. Tokens are those of the spec in force.

mod act;
mod bearer;
mod connections;
mod dashboard;
mod events;
mod extract;
mod health;
mod host;
mod look;
mod metrics;
mod openapi;
mod pages;
mod preview;
mod problem;
mod refusals;
mod routes;
mod serve;
mod webhook;

pub use act::AcceptedOutput;
pub use events::{EventMessage, LookMessage};
pub use health::HealthOutput;
pub use look::SpecOutput;
pub use openapi::document as openapi_document;
pub use preview::{CandidateFault, PreviewOutput, ValuelessOutput};
pub use problem::Problem;
pub use serve::{CONNECTIONS_MAX, serve};

use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::{OnceCell, Semaphore, mpsc};

use crate::clock::Clock;
use crate::reconcile::{LoopHandle, Wake};
use crate::spec::Spec;
use crate::view::View;

/// Answers that are worked out for one client alone at the same time. Each keeps a thread busy, and
/// the loop needs a processor, too.
const WORKERS: usize = 2;

/// What the handlers share; clones are cheap.
#[derive(Debug, Clone)]
pub struct Api {
    handle: LoopHandle,
    wakes: mpsc::Sender<Wake>,
    clock: Clock,
    started_at: Timestamp,
    pages: Arc<pages::Pages>,
    openapi: Arc<OnceCell<pages::Rendered>>,
    /// The place for a preview.
    previews: Arc<Semaphore>,
    preview_rate: Arc<preview::Rate>,
    /// Places for work that is done for one client alone: explaining and previewing.
    workers: Arc<Semaphore>,
    refusals: refusals::Refusals,
    /// Only this machine can connect, so only its own names are answered.
    on_loopback: bool,
    /// Places for event streams.
    streams: Arc<Semaphore>,
    /// The token of this user's own commands.
    beside: Option<SecretString>,
    /// The server ends; streams end with it.
    ending: serve::Ending,
}

impl Api {
    /// Shows what `handle` shows, and wakes the loop through `wakes`.
    pub fn new(handle: LoopHandle, wakes: mpsc::Sender<Wake>, clock: Clock) -> Self {
        Self {
            handle,
            wakes,
            started_at: clock.now(),
            clock,
            pages: Arc::default(),
            openapi: Arc::default(),
            previews: Arc::new(Semaphore::new(1)),
            preview_rate: Arc::default(),
            workers: Arc::new(Semaphore::new(WORKERS)),
            refusals: refusals::Refusals::default(),
            on_loopback: false,
            streams: Arc::new(Semaphore::new(events::STREAMS_MAX)),
            beside: None,
            ending: serve::Ending::never(),
        }
    }

    /// Lets `key` see and do what takes a token: that of the commands beside this process.
    #[must_use]
    pub fn with_key(self, key: SecretString) -> Self {
        Self { beside: Some(key), ..self }
    }

    /// Returns when the first look is over.
    pub async fn first_look(&self) {
        // Fails only when the loop is gone, and nobody waits for its looks then.
        let _ = self.handle.views.clone().wait_for(Option::is_some).await;
    }

    /// All routes, to be called in process.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    /// The spec in force, whose tokens and secrets count from the moment of its reload on.
    fn spec(&self) -> Arc<Spec> {
        Arc::clone(&self.handle.in_force.borrow().spec)
    }

    /// The newest view; none before the first look is over.
    fn view(&self) -> Option<Arc<View>> {
        self.handle.views.borrow().clone()
    }
}
