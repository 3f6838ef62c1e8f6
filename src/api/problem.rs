//! Errors as problem details (RFC 9457): one shape for whoever reads them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::preview::CandidateFault;

/// The media type of an error.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not served.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells problems apart.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Which problem, as one word of a closed set.
    code: &'static str,
    /// What is wrong with this request.
    detail: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Seconds until another try is worth it, for the header of that name.
    #[serde(skip)]
    retry_after: Option<u8>,
    /// Boxed, for it is rare.
    #[serde(flatten)]
    refused: Option<Box<RefusedSpec>>,
}

/// What is wrong with a spec that was sent.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct RefusedSpec {
    /// All faults, in file order.
    faults: Vec<CandidateFault>,
    /// The same for people: each with its line, column, path and hint.
    text: String,
}

impl Problem {
    /// A problem of that status.
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            hint: None,
            retry_after: None,
            refused: None,
        }
    }

    /// The same, with the next step.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, with all that is wrong with a spec.
    pub(super) fn with_faults(mut self, faults: Vec<CandidateFault>, text: String) -> Self {
        self.refused = Some(Box::new(RefusedSpec { faults, text }));
        self
    }

    /// The same, worth another try after so many seconds.
    pub(super) fn retry_after(mut self, seconds: u8) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Nothing is there.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// The request itself is wrong.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// It cannot be served now; worth another try.
    pub(super) fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }

    /// The loop has not looked at anything yet.
    pub(super) fn no_view() -> Self {
        Self::unavailable("starting", "the first look at GitLab and the hosts is not over yet")
    }

    /// Our fault.
    pub(super) fn ours(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A struct of words and numbers always serializes.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let soon = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        if let Some(seconds) = self.retry_after.or(soon) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(u16::from(seconds)));
        }
        response
    }
}
