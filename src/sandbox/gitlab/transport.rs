//! The Router as a transport: requests are answered in process, with no socket and no thread.

use std::fmt;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{Request, Response};
use tower::ServiceExt;

use super::switches::Down;
use super::{BODY_BYTES_MAX, SimulatedGitlab};
use crate::gitlab::{Transport, TransportError};

/// Sends each request to the simulated GitLab's Router.
#[derive(Clone)]
pub struct RouterTransport {
    gitlab: SimulatedGitlab,
    router: axum::Router,
}

impl RouterTransport {
    pub(crate) fn new(gitlab: SimulatedGitlab) -> Self {
        let router = gitlab.router();
        Self { gitlab, router }
    }
}

impl fmt::Debug for RouterTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterTransport").finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for RouterTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if self.gitlab.down() == Down::Unreachable {
            return Err(TransportError::Unreachable("connection refused".to_owned()));
        }
        let Ok(response) = self.router.clone().oneshot(request.map(Body::from)).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, BODY_BYTES_MAX).await;
        let body = body.map_err(|_| TransportError::TooLong(BODY_BYTES_MAX))?;
        Ok(Response::from_parts(parts, body))
    }
}
