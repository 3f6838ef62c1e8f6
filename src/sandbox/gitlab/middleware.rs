//! What stands before the API: outages, the request throttle, and the headers on every answer.

use std::future::{Ready, ready};

use axum::extract::{Request, State as Shared};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::SimulatedGitlab;
use super::answer::Answer;
use super::state::State;
use super::switches::{Down, Throttle};
use crate::duration::signed;

/// How long an application limit refuses.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
    <body><h1>Sign in</h1><form action=\"/login\"></form></body></html>\n";

/// Answers in GitLab's place while it is down or limits, and stamps what it answers.
pub(crate) async fn middleware(
    Shared(gitlab): Shared<SimulatedGitlab>,
    request: Request,
    next: Next,
) -> Response {
    let runner_side = is_runner_side(request.uri().path());
    let (down, throttled) = gitlab.with(|state| {
        let down = instead(state.switches.down);
        let throttled = if runner_side || down.is_some() { Ok(None) } else { state.throttle() };
        (down, throttled)
    });
    let mut response = match (down, &throttled) {
        (Some(answer), _) => answer.into_response(),
        (None, Err(throttle)) => too_many(throttle, &gitlab).into_response(),
        (None, Ok(_)) => next.run(request).await,
    };
    if let Ok(Some(throttle)) | Err(throttle) = &throttled
        && throttle.limit.headers
    {
        let observed = gitlab.with(|state| budget(throttle, state));
        stamp(&mut response, &observed);
    }
    let date = gitlab.with(|state| state.skewed(state.now));
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    stamp(&mut response, &[("date", date), ("x-content-type-options", "nosniff".to_owned())]);
    response
}

/// GitLab's answer to a route it does not have.
pub(crate) fn unknown_route() -> Ready<Response> {
    ready(Answer::json(404, json!({ "error": "404 Not Found" })).into_response())
}

/// GitLab's answer to a method that the route does not have.
pub(crate) fn unknown_method() -> Ready<Response> {
    ready(Answer::json(405, json!({ "error": "405 Not Allowed" })).into_response())
}

/// The throttle is for the operator's side: GitLab counts polls and traces apart.
fn is_runner_side(path: &str) -> bool {
    let path = path.strip_prefix("/api/v4").unwrap_or(path);
    path.starts_with("/jobs/")
        || path.starts_with("/runners/verify")
        || path.starts_with("/runners/router")
}

fn instead(down: Down) -> Option<Answer> {
    match down {
        Down::None => None,
        Down::Unreachable => Some(Answer::raw(502, "text/html", "<h1>502 Bad Gateway</h1>")),
        Down::Html => Some(Answer::raw(200, "text/html; charset=utf-8", LOGIN_PAGE)),
        Down::EmptyBody => Some(Answer::raw(200, "application/json", "")),
        Down::Status(status) => Some(Answer::raw(
            status,
            "text/html",
            format!("<h1>{status} GitLab is not responding</h1>"),
        )),
    }
}

impl State {
    /// Counts one request against the throttle: `Err` if it is refused.
    fn throttle(&mut self) -> Result<Option<Throttle>, Throttle> {
        let now = self.now;
        let Some(throttle) = &mut self.switches.throttle else { return Ok(None) };
        if throttle.refuses_until.is_some_and(|until| until <= now) {
            (throttle.refuses_until, throttle.used) = (None, 0);
        }
        if throttle.used < throttle.limit.after {
            throttle.used = throttle.used.saturating_add(1);
            return Ok(Some(*throttle));
        }
        let until = now.saturating_add(window(throttle)).unwrap_or(Timestamp::MAX);
        throttle.refuses_until.get_or_insert(until);
        Err(*throttle)
    }
}

fn window(throttle: &Throttle) -> SignedDuration {
    throttle.limit.retry_after.map_or(WINDOW, signed)
}

fn too_many(throttle: &Throttle, gitlab: &SimulatedGitlab) -> Answer {
    let text = "This endpoint has been requested too many times. Try again later.";
    let answer = if throttle.limit.headers {
        Answer::raw(429, "text/plain", "Retry later\n")
    } else {
        Answer::json(429, json!({ "message": { "error": text } }))
    };
    match throttle.limit.retry_after {
        Some(_) => {
            answer.header("Retry-After", gitlab.with(|state| left(throttle, state)).to_string())
        }
        None => answer,
    }
}

/// Whole seconds until requests are answered again, rounded up.
fn left(throttle: &Throttle, state: &State) -> i64 {
    let until = throttle.refuses_until.unwrap_or(state.now);
    let left = until.duration_since(state.now).as_millis().max(0);
    i64::try_from(left.saturating_add(999) / 1000).unwrap_or(i64::MAX)
}

fn budget(throttle: &Throttle, state: &State) -> [(&'static str, String); 4] {
    let remaining = throttle.limit.after.saturating_sub(throttle.used);
    let ends = throttle
        .refuses_until
        .unwrap_or(state.now.saturating_add(window(throttle)).unwrap_or(state.now));
    [
        ("ratelimit-limit", throttle.limit.after.to_string()),
        ("ratelimit-observed", throttle.used.to_string()),
        ("ratelimit-remaining", remaining.to_string()),
        ("ratelimit-reset", state.skewed(ends).as_second().to_string()),
    ]
}

fn stamp(response: &mut Response, headers: &[(&'static str, String)]) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}
