//! What is polled: the newest view as JSON.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::bearer::Right;
use super::extract::Checked;
use super::pages::{Page, Rendered};
use super::problem::Problem;
use crate::reconcile::InForce;
use crate::source::Pending;
use crate::spec::shown;
use crate::view::{AsOf, Subject, UnknownSubject, View};
use crate::world::JobId;

pub(super) async fn status(state: State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    page(state, headers, Page::Status).await
}

pub(super) async fn runners(state: State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    page(state, headers, Page::Runners).await
}

pub(super) async fn queue(state: State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    page(state, headers, Page::Queue).await
}

/// The last hour; written anew for each client, since it is small.
pub(super) async fn trend(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    Ok(Rendered::json(&api.handle.trend.output())?.answer(&headers))
}

/// Another time for the schedules of the pools.
#[derive(Debug, Deserialize)]
pub(super) struct At {
    pub(super) at: Option<Timestamp>,
}

pub(super) async fn plan(
    state: State<Api>,
    Checked(Query(At { at })): Checked<Query<At>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(at) = at else { return page(state, headers, Page::Plan).await };
    let view = state.view().ok_or_else(Problem::no_view)?;
    let work = move |view: AsOf<'_>| Rendered::json(&view.plan_output_at(at));
    worked_out(&state, &view, (format!("plan at {at}"), work), &headers).await
}

/// What the loop remembers, for a look beside it.
pub(super) async fn memory(state: State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    page(state, headers, Page::Memory).await
}

async fn page(State(api): State<Api>, headers: HeaderMap, page: Page) -> Result<Response, Problem> {
    let view = api.view().ok_or_else(Problem::no_view)?;
    Ok(api.pages.of((&view, api.clock.now()), page).await?.answer(&headers))
}

/// The spec in force as it is written, its secrets aside.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SpecOutput {
    /// The file as it was named.
    pub source: String,
    /// A short hash of it.
    pub hash: String,
    /// Its keys and values, without comments; `***` stands for what may be a secret.
    pub text: String,
    /// What the file as it is now says otherwise, by path, where it was refused. What may be a secret
    /// is not compared.
    pub pending: Vec<String>,
    /// Fields whose present value waits for a restart.
    pub after_restart: Vec<&'static str>,
}

/// The spec in force. Nobody sees it without a token, whatever else is shown.
pub(super) async fn spec(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    api.admit(&headers, Right::Read)?;
    let view = api.view().ok_or_else(Problem::no_view)?;
    let InForce { written, pending, .. } = api.handle.in_force.borrow().clone();
    let text = written.and_then(|written| shown(written.text()));
    let text = text.ok_or_else(|| Problem::not_found("the spec in force is in no file"))?;
    let (source, hash) = (view.spec.source.clone(), view.spec.hash.clone());
    let Pending { changes: pending, after_restart } = Pending::clone(&pending);
    Ok(Rendered::json(&SpecOutput { source, hash, text, pending, after_restart })?.answer(&headers))
}

/// A runner with why it is still there.
pub(super) async fn runner(
    State(api): State<Api>,
    Checked(Path(name)): Checked<Path<String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = api.view().ok_or_else(Problem::no_view)?;
    let subject = runner_named(&view, &name)?;
    explained(&api, &view, subject, &headers).await
}

/// Why a job waits, or how it stands.
pub(super) async fn job(
    State(api): State<Api>,
    Checked(Path(id)): Checked<Path<String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let no_id = |_| Problem::bad_request(format!("`{id}` is no job's id: that is a number"));
    let id: u64 = id.parse().map_err(no_id)?;
    let view = api.view().ok_or_else(Problem::no_view)?;
    explained(&api, &view, Subject::Job(JobId(id)), &headers).await
}

/// Whatever a word means: a job, a pool or a runner.
pub(super) async fn explain(
    State(api): State<Api>,
    Checked(Path(word)): Checked<Path<String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = api.view().ok_or_else(Problem::no_view)?;
    let subject = view.subject(&word).map_err(|unknown| unknown_subject(&unknown))?;
    let name = format!("any {subject:?}");
    let answer = move |view: AsOf<'_>| {
        let gone = || Problem::not_found("it is gone");
        Rendered::json(&view.explain(&subject, None).ok_or_else(gone)?)
    };
    worked_out(&api, &view, (name, answer), &headers).await
}

fn unknown_subject(unknown: &UnknownSubject) -> Problem {
    let words = unknown.to_string();
    match words.split_once("\nhint: ") {
        Some((detail, hint)) => Problem::not_found(detail).hint(hint),
        None => Problem::not_found(words),
    }
}

/// The runner of that name, which a client may have misspelt.
pub(super) fn runner_named(view: &View, name: &str) -> Result<Subject, Problem> {
    let runners = view.runner_views();
    let found = runners.get(name).map(|found| Subject::Runner(found.runner.name.clone()));
    found.ok_or_else(|| {
        Problem::not_found(format!("no runner is called `{name}`"))
            .hint("`GET /runners` lists those that there are")
    })
}

async fn explained(
    api: &Api,
    view: &Arc<View>,
    subject: Subject,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let name = format!("{subject:?}");
    let work = move |view: AsOf<'_>| {
        let gone = || Problem::not_found("it is gone");
        match view.explain(&subject, None).ok_or_else(gone)? {
            crate::view::ExplainOutput::Job(job) => Rendered::json(&job),
            crate::view::ExplainOutput::Pool(pool) => Rendered::json(&pool),
            crate::view::ExplainOutput::Runner(runner) => Rendered::json(&runner),
        }
    };
    worked_out(api, view, (name, work), headers).await
}

/// What `work` makes of the view under that name.
async fn worked_out(
    api: &Api,
    view: &Arc<View>,
    (name, work): (String, impl FnOnce(AsOf<'_>) -> Result<Rendered, Problem> + Send + 'static),
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let told = (view, api.clock.now());
    Ok(api.pages.explained(told, name, &api.workers, work).await?.answer(headers))
}
