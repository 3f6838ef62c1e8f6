//! One question to the engine whose answer is taken as it is.
//!
//! bollard reads a whole list into its own types, and refuses all of it for one word that it does
//! not know, as Podman's `stopped` is one: what is listed is read here item by item.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bollard::BollardRequest;
use bollard::errors::Error;
use bytes::Bytes;
use http::Response;
use hyper::body::{Body as _, Incoming};
use serde_json::Value;

pub(super) type Answered = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Error>> + Send>>;

/// The way to an engine for requests that are none of bollard's.
#[derive(Clone)]
pub(super) struct Wire {
    send: Arc<dyn Fn(BollardRequest) -> Answered + Send + Sync>,
    base: String,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.base)
    }
}

impl Wire {
    /// The way that `send` goes, on which the engine is called `base`.
    pub(super) fn new<F>(
        base: String,
        send: impl Fn(BollardRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response<Incoming>, Error>> + Send + 'static,
    {
        Self { send: Arc::new(move |request| Box::pin(send(request))), base }
    }

    /// Sends a request as it is.
    pub(super) fn send(&self, request: BollardRequest) -> Answered {
        (self.send)(request)
    }

    /// The answer to `GET path`, as JSON.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Error> {
        let uri = format!("{}{path}", self.base);
        let request = BollardRequest::new(bollard::body_full(Bytes::new()));
        let (mut parts, body) = request.into_parts();
        parts.uri = uri.parse().map_err(|error| Error::from(http::Error::from(error)))?;
        let answer = self.send(BollardRequest::from_parts(parts, body)).await?;
        let status = answer.status();
        let body = whole(answer.into_body()).await?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&body)?);
        }
        let told = serde_json::from_slice::<Value>(&body).ok();
        let message = told.as_ref().and_then(|told| told.get("message")?.as_str());
        let message = message.map_or_else(|| String::from_utf8_lossy(&body).into(), str::to_owned);
        Err(Error::DockerResponseServerError { status_code: status.as_u16(), message })
    }
}

async fn whole(mut body: Incoming) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// A query that takes only what has all these labels.
pub(super) fn labelled(labels: &[String]) -> String {
    filtered("label", labels)
}

/// A query that takes only what has one of these values, or, of labels, all.
pub(super) fn filtered(by: &str, values: &[String]) -> String {
    let filters = serde_json::json!({ by: values }).to_string();
    format!("filters={}", escaped(&filters))
}

/// A word as a part of a path or of a query.
pub(super) fn escaped(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
