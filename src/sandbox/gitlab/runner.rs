//! The runner's side: asking for jobs, telling how they go, sending their logs.

mod payload;
mod poll;
mod report;

use axum::Router;
use axum::routing::{MethodFilter, on};
use serde_json::json;

use super::SimulatedGitlab;
use super::answer::{Answer, Outcome};
use super::call::{Call, Route, add};
use super::entities::Show;
use super::state::{ManagerInfo, State};
use crate::world::RecordId;

const ROUTES: &[Route] = &[
    (MethodFilter::POST, "/runners/verify", verify),
    (MethodFilter::GET, "/runners/router/discovery", discovery),
    (MethodFilter::PUT, "/jobs/{id}", report::update),
    (MethodFilter::PATCH, "/jobs/{id}/trace", report::trace),
    (MethodFilter::POST, "/jobs/{id}/artifacts", report::artifacts),
];

/// The name of the manager of a runner that gives none.
const LEGACY: &str = "<legacy>";

/// Adds the runner's side.
pub(crate) fn routes(
    router: Router<SimulatedGitlab>,
    gitlab: &SimulatedGitlab,
) -> Router<SimulatedGitlab> {
    let shared = gitlab.clone();
    let request = move |call: Call| poll::request(shared.clone(), call);
    add(router, gitlab, ROUTES).route("/api/v4/jobs/request", on(MethodFilter::POST, request))
}

/// The record behind the call's token, whose runner thereby made contact.
fn authenticate(call: &Call, state: &mut State) -> Result<(RecordId, String), Answer> {
    let token = call.params.required("token")?;
    let id = state.record_by_token(&token).ok_or_else(Answer::forbidden)?;
    let system_id = call.params.text("system_id").unwrap_or_else(|| LEGACY.to_owned());
    state.contact(id, &system_id, info(call));
    Ok((id, system_id))
}

fn info(call: &Call) -> Option<ManagerInfo> {
    let info = call.params.value("info")?;
    let text = |name: &str| info.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let features = info.get("features");
    let graceful = features.and_then(|features| features.get("cancel_gracefully"));
    Some(ManagerInfo {
        version: text("version"),
        revision: text("revision"),
        platform: text("platform"),
        architecture: text("architecture"),
        cancel_gracefully: graceful.and_then(serde_json::Value::as_bool).unwrap_or(false),
    })
}

fn verify(call: &Call, state: &mut State) -> Outcome {
    let (id, _) = authenticate(call, state)?;
    let record = state.records.get(&id).ok_or_else(Answer::forbidden)?;
    Ok(Answer::ok(Show::new(state, call.base(state)).registered(record)))
}

/// The job router is a feature of newer servers that is off here.
fn discovery(_: &Call, _: &mut State) -> Outcome {
    Err(Answer::json(501, json!({ "message": "501 Not Implemented" })))
}
