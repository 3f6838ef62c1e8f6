//! A proxy before the engine's socket that knows the list of `examples/deploy/socket-proxy` and
//! passes on nothing else, as the one that the example names does: by method and path, with 405 or
//! 403 for the rest (wollomatic/socket-proxy 1.12).

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};

use crate::end_to_end::trap::SOCKET;

const COMPOSE: &str = include_str!("../../../examples/deploy/socket-proxy/compose.yaml");

/// The proxy; clones are one.
#[derive(Clone)]
pub(super) struct Filter {
    allowed: Arc<[Allowed]>,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Filter {
    /// Listens at `socket` from now on.
    pub(super) fn serve(socket: &Path) -> Self {
        let filter = Self { allowed: Allowed::list().into(), refused: Arc::default() };
        let router = Router::new().fallback(pass_on).with_state(filter.clone());
        let listener = UnixListener::bind(socket).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        filter
    }

    /// What was asked in vain.
    pub(super) fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass_on(State(filter): State<Filter>, request: Request) -> Response {
    let (method, path) = (request.method().as_str(), decoded(request.uri().path()));
    if !filter.allowed.iter().any(|allowed| allowed.takes(method, &path)) {
        let known = filter.allowed.iter().any(|allowed| allowed.method == method);
        let mut refused = filter.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.push(format!("{method} {path}"));
        let status = if known { StatusCode::FORBIDDEN } else { StatusCode::METHOD_NOT_ALLOWED };
        return status.into_response();
    }
    // One connection a request: the engine's own bookkeeping is not what is looked at here.
    let engine = UnixStream::connect(SOCKET).await.unwrap();
    let (mut way, connection) = handshake(TokioIo::new(engine)).await.unwrap();
    tokio::spawn(connection);
    match way.send_request(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// The list is about paths as they are meant, not as they are written.
fn decoded(path: &str) -> String {
    let mut bytes = path.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
            u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
        } else {
            byte
        });
    }
    String::from_utf8(decoded).unwrap()
}

/// One line of the list.
struct Allowed {
    method: String,
    pattern: String,
}

impl Allowed {
    fn list() -> Vec<Self> {
        let compose: serde_yaml::Value = serde_yaml::from_str(COMPOSE).unwrap();
        let arguments =
            compose["services"]["socket-proxy"]["command"].as_sequence().unwrap().clone();
        let words = arguments.iter().map(|word| word.as_str().unwrap());
        let pairs = words.filter_map(|word| word.strip_prefix("-allow")?.split_once('='));
        let calls =
            pairs.filter(|(method, _)| method.bytes().all(|byte| byte.is_ascii_uppercase()));
        calls
            .map(|(method, pattern)| Self { method: method.into(), pattern: pattern.into() })
            .collect()
    }

    /// The two pieces of Go's regular expressions that the list uses: a word, and any words.
    fn takes(&self, method: &str, path: &str) -> bool {
        if let Some((before, after)) = self.pattern.split_once(".+") {
            let rest = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            return self.method == method && rest.is_some_and(|rest| !rest.is_empty());
        }
        let pattern = self.pattern.replace("[^/]+", "*");
        let [steps, patterns] = [path, &pattern].map(|path| path.split('/').collect::<Vec<_>>());
        let fits = |(step, pattern): (&&str, &&str)| {
            step == pattern || (*pattern == "*" && !step.is_empty())
        };
        self.method == method
            && steps.len() == patterns.len()
            && steps.iter().zip(&patterns).all(fits)
    }
}
