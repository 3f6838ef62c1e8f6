//! The few calls of the Docker Engine API that a job needs, over its unix socket.
//!
//! Paths carry no version, so that the engine answers in its own: old and new ones alike.

use std::path::PathBuf;

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;

#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    #[error("cannot connect to the Docker daemon at {path}: {source}")]
    Connect { path: PathBuf, source: std::io::Error },
    #[error("talking to the Docker daemon: {0}")]
    Http(#[from] hyper::Error),
    #[error("building a request to the Docker daemon: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("reading the Docker daemon's answer: {0}")]
    Json(#[from] serde_json::Error),
    #[error("error response from daemon: {status}: {message}")]
    Refused { status: StatusCode, message: String },
}

pub struct Docker {
    socket: PathBuf,
}

impl Docker {
    pub fn at(host: &str) -> Self {
        Self { socket: PathBuf::from(host.strip_prefix("unix://").unwrap_or(host)) }
    }

    pub async fn create_container(&self, name: &str, spec: &Value) -> Result<(), DockerError> {
        let path = format!("/containers/create?name={name}");
        self.call(Method::POST, &path, Some(spec)).await.map(drop)
    }

    /// Reads what a container writes; to be called before its start, so that nothing is missed.
    pub async fn attach(&self, name: &str) -> Result<Output, DockerError> {
        let path = format!("/containers/{name}/attach?stream=1&stdout=1&stderr=1");
        let body = self.send(Method::POST, &path, None).await?.into_body();
        Ok(Output { body, unread: BytesMut::new() })
    }

    pub async fn start(&self, name: &str) -> Result<(), DockerError> {
        self.call(Method::POST, &format!("/containers/{name}/start"), None).await.map(drop)
    }

    /// Waits for the end and returns the exit code.
    pub async fn wait(&self, name: &str) -> Result<i64, DockerError> {
        let answer = self.call(Method::POST, &format!("/containers/{name}/wait"), None).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer["StatusCode"].as_i64().unwrap_or(-1))
    }

    /// Removes a container, running or not; one that is gone already counts as removed.
    pub async fn remove_container(&self, name: &str) -> Result<(), DockerError> {
        self.remove(&format!("/containers/{name}?force=true&v=true")).await
    }

    /// Makes sure of a volume; an engine that has it keeps its labels and content.
    pub async fn create_volume(&self, name: &str, labels: &Value) -> Result<(), DockerError> {
        let spec = json!({"Name": name, "Labels": labels});
        self.call(Method::POST, "/volumes/create", Some(&spec)).await.map(drop)
    }

    pub async fn remove_volume(&self, name: &str) -> Result<(), DockerError> {
        self.remove(&format!("/volumes/{name}")).await
    }

    pub async fn create_network(&self, name: &str, labels: &Value) -> Result<(), DockerError> {
        let spec = json!({"Name": name, "CheckDuplicate": true, "Labels": labels});
        self.call(Method::POST, "/networks/create", Some(&spec)).await.map(drop)
    }

    pub async fn remove_network(&self, name: &str) -> Result<(), DockerError> {
        self.remove(&format!("/networks/{name}")).await
    }

    async fn remove(&self, path: &str) -> Result<(), DockerError> {
        match self.call(Method::DELETE, path, None).await {
            Err(DockerError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Bytes, DockerError> {
        let response = self.send(method, path, body).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, DockerError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|source| DockerError::Connect { path: self.socket.clone(), source })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its faults reach the caller through the request or the body.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "docker")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::<Bytes>::new(body.map(Value::to_string).unwrap_or_default().into()))?;
        let response: Response<Incoming> = sender.send_request(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.into_body().collect().await?.to_bytes();
        let answer: Value = serde_json::from_slice(&text).unwrap_or_default();
        let message = answer["message"].as_str().unwrap_or("no message").to_owned();
        Err(DockerError::Refused { status, message })
    }
}

/// A container's stdout and stderr, in the order in which the engine passed them on.
pub struct Output {
    body: Incoming,
    unread: BytesMut,
}

impl Output {
    /// The next piece, or nothing when the container ended.
    pub async fn next(&mut self) -> Result<Option<Bytes>, DockerError> {
        loop {
            if let Some(piece) = take_frame(&mut self.unread) {
                return Ok(Some(piece));
            }
            match self.body.frame().await.transpose()? {
                Some(frame) => {
                    self.unread.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()))
                }
                None => return Ok(None),
            }
        }
    }
}

/// Takes one frame: a byte for the stream, three of padding, four of length, the payload.
fn take_frame(unread: &mut BytesMut) -> Option<Bytes> {
    const HEADER: usize = 8;
    let length = u32::from_be_bytes(unread.get(4..HEADER)?.try_into().ok()?) as usize;
    if unread.len() < HEADER + length {
        return None;
    }
    unread.advance(HEADER);
    Some(unread.split_to(length).freeze())
}
