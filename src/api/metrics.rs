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
    let text = api.handle.metrics.encode(api.clock.now(), exposition);
    let text = text.map_err(|error| Problem::ours(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::VARY, HeaderValue::from_static("accept")),
    ];
    Ok((headers, text).into_response())
}

/// Prometheus names what it reads with a weight each, and OpenMetrics first where it reads that at
/// all.
fn takes_open_metrics(headers: &HeaderMap) -> bool {
    let open_metrics = weight(headers, "application/openmetrics-text");
    open_metrics > 0.0 && open_metrics >= weight(headers, "text/plain")
}

/// The highest weight that the client gives to a media type; zero where it does not name it.
fn weight(headers: &HeaderMap, media: &str) -> f32 {
    let given = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let weights = given.flat_map(|value| value.split(',')).filter_map(|one| {
        let mut parts = one.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(media) {
            return None;
        }
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        // One that is none says that it is not wanted.
        Some(weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
    });
    weights.fold(0.0, f32::max)
}
