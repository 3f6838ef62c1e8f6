//! `GET /metrics`: OpenMetrics where the client asks for it, else Prometheus' own older text, which
//! every scraper reads.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::problem::Problem;
use crate::reconcile::Exposition;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (exposition, media) = if takes_open_metrics(&headers) {
        (Exposition::OpenMetrics, OPEN_METRICS)
    } else {
        (Exposition::Prometheus, PROMETHEUS)
    };
    let text = api.window.metrics.encode(api.clock.now(), exposition);
    let text = text.map_err(|error| Problem::ours(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::VARY, HeaderValue::from_static("accept")),
    ];
    Ok((headers, text).into_response())
}

/// Prometheus names what it reads with a weight each, and OpenMetrics first where it reads that at
/// all; a weight of zero says that it does not.
fn takes_open_metrics(headers: &HeaderMap) -> bool {
    let given = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next() == Some("application/openmetrics-text");
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0"))
    })
}
