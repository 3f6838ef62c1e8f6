//! A router used in process as transport, with a log of what was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use autogit::clock::Clock;
use autogit::gitlab::http::{GitlabSettings, HttpGitlab};
use autogit::gitlab::{Claims, Transport, TransportError};
use autogit::spec::{InstanceName, QueueSource};
use autogit::world::{Mark, RecordId, Variant};
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const TOKEN: &str = "glpat-very-secret";
pub(crate) const REGISTRATION_TOKEN: &str = "GR1348941-very-secret";
pub(crate) const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

/// What was asked, as `GET /api/v4/user`, with its body.
pub(crate) type Log = Arc<Mutex<Vec<(String, Value)>>>;

/// A router as transport.
#[derive(Debug, Clone)]
pub(crate) struct InProcess {
    pub(crate) router: Router,
    pub(crate) log: Log,
    /// How many answers to `POST /user/runners` still get lost on their way.
    pub(crate) lost: Arc<AtomicU32>,
}

#[async_trait]
impl Transport for InProcess {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let uri = request.uri();
        assert_eq!(uri.host(), Some("gitlab.test"), "the token left its origin: {uri}");
        let asked = format!("{} {}", request.method(), uri.path_and_query().unwrap());
        let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        let signed = request.headers().get("authorization");
        let by_runner =
            ["/runners/managers", "/runners/verify"].iter().any(|end| asked.ends_with(end));
        let expected = format!("Bearer {TOKEN}");
        if !by_runner && !asked.ends_with("POST /api/v4/runners") {
            assert_eq!(signed.unwrap(), expected.as_str(), "{asked}");
        }
        let loses = asked == "POST /api/v4/user/runners" && self.lost.load(Ordering::SeqCst) > 0;
        self.log.lock().unwrap().push((asked, body));
        let answer = self.router.clone().oneshot(request.map(Body::from)).await.unwrap();
        if loses {
            self.lost.fetch_sub(1, Ordering::SeqCst);
            return Err(TransportError::TimedOut(Duration::from_secs(30)));
        }
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Ok(http::Response::from_parts(parts, body))
    }
}

/// The adapter over a router.
pub(crate) struct Fixture {
    pub(crate) gitlab: HttpGitlab,
    pub(crate) transport: InProcess,
    pub(crate) clock: Clock,
}

impl Fixture {
    /// What was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked_with_bodies().into_iter().map(|(asked, _)| asked).collect()
    }

    pub(crate) fn asked_with_bodies(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.transport.log.lock().unwrap())
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.jump(jiff::SignedDuration::from_secs(seconds));
    }
}

pub(crate) fn settings() -> GitlabSettings {
    GitlabSettings {
        url: "http://gitlab.test".to_owned(),
        token: SecretString::from(TOKEN),
        registration_token: None,
        instance: InstanceName::standard(),
        queue_source: QueueSource::Auto,
        limits: BTreeSet::new(),
        needs_protection: false,
        instance_records: false,
        makes_records: false,
    }
}

pub(crate) fn over(router: Router, settings: GitlabSettings) -> Fixture {
    let transport = InProcess { router, log: Log::default(), lost: Arc::new(AtomicU32::new(0)) };
    // A speed that makes real time pass unseen: only jumps move this clock.
    let clock = Clock::simulated(NOW, 1e-9);
    let gitlab = HttpGitlab::new(settings, Arc::new(transport.clone()), clock.clone());
    Fixture { gitlab, transport, clock }
}

/// The routes of the probes.
pub(crate) fn server(administrator: bool) -> Router {
    let token = json!({ "scopes": ["api"], "expires_at": "2024-01-31" });
    let mut user = json!({ "id": 1, "username": "ann" });
    if administrator {
        user["is_admin"] = json!(true);
    }
    let metadata = json!({ "version": "18.6.0-ee", "enterprise": true });
    Router::new()
        .fallback(|| async { (StatusCode::NOT_FOUND, Json(json!({ "error": "404 Not Found" }))) })
        .route("/api/v4/personal_access_tokens/self", get(|| async { Json(token) }))
        .route("/api/v4/user", get(|| async { Json(user) }))
        .route("/api/v4/metadata", get(|| async { Json(metadata) }))
}

/// The mark of the one host that is reached.
pub(crate) fn home() -> Mark {
    Mark::from_observed("home")
}

pub(crate) fn claims() -> Claims {
    claims_naming(&BTreeMap::new())
}

/// Ours, of which containers have the tokens of `named`.
pub(crate) fn claims_naming(named: &BTreeMap<RecordId, Variant>) -> Claims {
    Claims {
        marks: BTreeSet::from([home()]),
        unmarked_host: None,
        held: BTreeSet::new(),
        named: named.clone(),
    }
}
