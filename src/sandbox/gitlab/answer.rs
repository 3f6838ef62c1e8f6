//! An answer of the API, and GitLab's ways of refusing.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::{Value, json};

/// What a handler gives back: both are answers, and `?` refuses.
pub(crate) type Outcome = Result<Answer, Answer>;

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Content,
}

#[derive(Debug)]
enum Content {
    Nothing,
    Json(Value),
    Raw(&'static str, Bytes),
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::json(201, body)
    }

    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Content::Json(body) }
    }

    pub(crate) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Content::Nothing }
    }

    pub(crate) fn raw(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: Content::Raw(content_type, body.into()) }
    }

    /// `{"message": "<status> <text>"}`, GitLab's usual refusal.
    pub(crate) fn refused(status: u16, text: &str) -> Self {
        Self::json(status, json!({ "message": format!("{status} {text}") }))
    }

    pub(crate) fn unauthorized() -> Self {
        Self::refused(401, "Unauthorized").header("WWW-Authenticate", "Bearer realm=\"The API\"")
    }

    pub(crate) fn forbidden() -> Self {
        Self::refused(403, "Forbidden")
    }

    pub(crate) fn forbidden_because(reason: &str) -> Self {
        Self::refused(403, &format!("Forbidden - {reason}"))
    }

    pub(crate) fn not_found(what: &str) -> Self {
        let text =
            if what.is_empty() { "Not found".to_owned() } else { format!("{what} Not Found") };
        Self::refused(404, &text)
    }

    pub(crate) fn bad_request(reason: &str) -> Self {
        Self::refused(400, &format!("Bad request - {reason}"))
    }

    /// A parameter that the route's declaration refuses.
    pub(crate) fn bad_parameter(problem: &str) -> Self {
        Self::json(400, json!({ "error": problem }))
    }

    pub(crate) fn invalid_token(description: &str) -> Self {
        let body = json!({ "error": "invalid_token", "error_description": description });
        Self::json(401, body)
            .header("WWW-Authenticate", "Bearer realm=\"The API\", error=\"invalid_token\"")
    }

    pub(crate) fn insufficient_scope(scopes: &[&str]) -> Self {
        let description =
            "The request requires higher privileges than provided by the access token.";
        Self::json(
            403,
            json!({
                "error": "insufficient_scope",
                "error_description": description,
                "scope": scopes.join(" "),
            }),
        )
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response<Body> {
        let (content_type, body) = match self.body {
            Content::Nothing => (None, Body::empty()),
            Content::Json(value) => (Some("application/json"), Body::from(value.to_string())),
            Content::Raw(content_type, bytes) => (Some(content_type), Body::from(bytes)),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = content_type.map(|value| ("content-type", value.to_owned()));
        for (name, value) in content_type.into_iter().chain(self.headers) {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
