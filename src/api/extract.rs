//! Extractors whose refusals are problem details.

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// What `T` takes from a request; what it refuses becomes a problem.
#[derive(Debug)]
pub(super) struct Checked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Checked<Path<T>> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(Self).map_err(|refused: PathRejection| Problem::bad_request(refused.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Checked<Query<T>> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(Self).map_err(|refused: QueryRejection| Problem::bad_request(refused.body_text()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Checked<String> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(
            |refused: BytesRejection| {
                let code = match refused.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => "body-too-large",
                    _ => "bad-request",
                };
                Problem::new(refused.status(), code, refused.body_text())
            },
        )?;
        let text = String::from_utf8(bytes.into());
        text.map(Self).map_err(|_| Problem::bad_request("the body is not UTF-8"))
    }
}
