//! `POST /plan`: the plan that a candidate spec would lead to, on the last look.
//!
//! The candidate is a stranger's: a merge request's, handed in by a pipeline whose author may be
//! anybody. It must not become a way to read what the operator's process knows. So:
//!
//! - no file that it names is read, no address that it names is asked: `gitlab`, `hosts` and `api`
//!   are compared with those in force, which stay in the plan;
//! - a variable has a value only where the same variable stands at the same place in the spec in
//!   force, and only in fields whose values AutoGit shows anyway (`spec::is_open`). Everywhere else it
//!   has none, on both sides of the comparison, so that no message, hint, hash or decision depends
//!   on it;
//! - what goes into containers is never hashed with a candidate's values: a pool whose hidden part
//!   is written otherwise is changed, right guess or wrong, and previews are few ([`rate`]);
//! - secrets are never compared, not even for being equal: whoever may ask as often as they like
//!   could guess.
//!
//! What is written in the file in force as plain text is no secret from those who send candidates
//! for it: that something differs from it is told.

mod candidate;
mod output;
mod rate;

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use jiff::SignedDuration;
use tokio::sync::AcquireError;

use super::Api;
use super::bearer::Right;
use super::extract::Checked;
use super::look::At;
use super::pages::aside;
use super::problem::Problem;
pub use output::{CandidateFault, PreviewOutput, ValuelessOutput};
pub(super) use rate::Rate;

/// What a spec may be sent as: YAML under its names, and what curl calls a body by itself.
const MEDIA_TYPES: &[&str] = &[
    "application/json",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "application/x-yaml",
    "application/yaml",
    "text/plain",
    "text/x-yaml",
    "text/yaml",
];

pub(super) async fn preview(
    State(api): State<Api>,
    Checked(Query(At { at })): Checked<Query<At>>,
    request: Request,
) -> Result<Json<PreviewOutput>, Problem> {
    api.admit(request.headers(), Right::Preview)?;
    let view = api.view().ok_or_else(Problem::no_view)?;
    check_media_type(request.headers())?;
    api.preview_rate.take(api.clock.now()).map_err(too_often)?;
    // One at a time, its body included: a megabyte each of those that wait would be held. A client
    // that gives up does not end the work, so the places go with it.
    let closed = |error: AcquireError| Problem::ours(error.to_string());
    let turn = Arc::clone(&api.previews).acquire_owned().await.map_err(closed)?;
    let Checked(text) = Checked::<String>::from_request(request, &()).await?;
    let place = Arc::clone(&api.workers).acquire_owned().await.map_err(closed)?;
    let written = api.handle.in_force.borrow().written.clone();
    let output = aside(move || {
        let output = candidate::plan(&view, written.as_deref(), &text, at);
        drop((turn, place));
        output
    });
    output.await.map(Json)
}

fn too_often(wait: SignedDuration) -> Problem {
    let detail = "too many previews were requested";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-previews", detail);
    problem.retry_after(u8::try_from(wait.as_secs()).unwrap_or(u8::MAX).max(1))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let given = given.to_str().unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if MEDIA_TYPES.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let problem = Problem::new(status, "unsupported-media-type", "a spec is YAML");
    Err(problem.hint("send the file as it is, as `application/yaml`"))
}
