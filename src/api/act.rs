//! What an operator may ask of the loop. Each is taken at once and done at the next tick.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;

use super::Api;
use super::bearer::Right;
use super::extract::Checked;
use super::look::runner_named;
use super::problem::Problem;
use crate::reconcile::Wake;
use crate::view::Subject;

/// What was taken and is done at the next tick.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AcceptedOutput {
    /// `reconcile`, `reload` or `drain`.
    pub accepted: &'static str,
    /// The runner it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
}

impl IntoResponse for AcceptedOutput {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self)).into_response()
    }
}

/// Looks now.
pub(super) async fn reconcile(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<AcceptedOutput, Problem> {
    api.admit(&headers, Right::Act)?;
    api.wake(Wake::Reconcile)?;
    Ok(AcceptedOutput { accepted: "reconcile", runner: None })
}

/// Reads the spec again; what came of it stands in `/status`.
pub(super) async fn reload(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<AcceptedOutput, Problem> {
    api.admit(&headers, Right::Act)?;
    api.wake(Wake::Reload)?;
    Ok(AcceptedOutput { accepted: "reload", runner: None })
}

/// Drains a runner: it finishes the job it has and exits.
pub(super) async fn drain(
    State(api): State<Api>,
    Checked(Path(name)): Checked<Path<String>>,
    headers: HeaderMap,
) -> Result<AcceptedOutput, Problem> {
    api.admit(&headers, Right::Act)?;
    let view = api.view().ok_or_else(Problem::no_view)?;
    if let Subject::Runner(runner) = runner_named(&view, &name)? {
        api.handle.drains.ask(&runner);
    }
    api.wake(Wake::Reconcile)?;
    Ok(AcceptedOutput { accepted: "drain", runner: Some(name) })
}

impl Api {
    /// Wakes the loop without waiting for it. Where wakes wait already, another look is about to
    /// be taken anyway; a reload must not be lost among them.
    pub(super) fn wake(&self, wake: Wake) -> Result<(), Problem> {
        match self.wakes.try_send(wake) {
            Err(TrySendError::Full(Wake::Reload)) => {
                Err(Problem::unavailable("busy", "the loop is busy; try again"))
            }
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
            Err(TrySendError::Closed(_)) => {
                Err(Problem::unavailable("ending", "AutoGit is shutting down"))
            }
        }
    }
}
