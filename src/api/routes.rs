//! The table of routes, and what all answers have in common.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::problem::Problem;
use super::{
    Api, act, bearer, dashboard, events, health, host, look, metrics, openapi, preview, webhook,
};

/// Bytes of a body that is read whole: as many as a spec may have.
const BODY_BYTES_MAX: usize = 1 << 20;

/// How long a request may take, its body included. The slowest answer, the plan for a candidate
/// spec, takes a second; GitLab gives up on a webhook after ten.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// All routes.
pub(super) fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(dashboard::dashboard))
        .route("/health", get(health::health))
        .route("/status", get(look::status))
        .route("/runners", get(look::runners))
        .route("/runners/{name}", get(look::runner))
        .route("/queue", get(look::queue))
        .route("/plan", get(look::plan).post(preview::preview))
        .route("/trend", get(look::trend))
        .route("/spec", get(look::spec))
        .route("/explain/{name}", get(look::explain))
        .route("/explain/jobs/{id}", get(look::job))
        .route("/memory", get(look::memory))
        .route("/events", get(events::events))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::openapi))
        .route("/reconcile", post(act::reconcile))
        .route("/reload", post(act::reload))
        .route("/runners/{name}/drain", post(act::drain))
        .route(webhook::PATH, post(webhook::gitlab))
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(api.clone(), bearer::admit_reader))
        .layer(from_fn_with_state(api.clone(), host::answer_to_own_names))
        .layer(from_fn(in_time))
        .layer(from_fn(closed))
        .with_state(api)
}

async fn unknown_route(uri: Uri) -> Problem {
    Problem::not_found(format!("nothing is at `{}`", uri.path()))
        .hint("`GET /openapi.json` says what there is")
}

async fn unknown_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("`{}` does not accept {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

/// Ends a request that takes too long: its client is slow, for no handler waits for the loop.
async fn in_time(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(REQUEST_MAX, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let detail = format!("the request did not finish within {}s", REQUEST_MAX.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", detail).into_response()
    })
}

/// Headers that keep a browser from doing more with an answer than showing it; a handler's own win.
/// There is none for other origins: scripts of other sites get nothing.
const CLOSED: &[(&str, &str)] = &[
    ("cache-control", "no-cache"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

async fn closed(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in CLOSED {
        let name = HeaderName::from_static(name);
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
