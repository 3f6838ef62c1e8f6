//! The API over a view made by hand, without a loop.

use std::collections::BTreeMap;
use std::sync::Arc;

use autogit::api::Api;
use autogit::clock::Clock;
use autogit::reconcile::{Drains, History, InForce, LoopHandle, Metrics, Trend, Wake};
use autogit::source::Written;
use autogit::spec::{Credential, Spec};
use autogit::view::View;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tower::ServiceExt;

use crate::support::world::{Doing, Fixture, NOW};

/// The operator's token of every fixture that has one.
pub(crate) const TOKEN: &str = "s3cret-of-the-operator";

/// How each fixture's spec is written, as far as anybody asks.
const WRITTEN: &str = "gitlab: {url: https://gitlab.example.com, token: hunter2}\npools:\n  linux: {tags: [docker]}\n";

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// That this is a problem of that status and code.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["code"], code);
        assert_eq!(problem["type"], "about:blank");
        problem
    }
}

pub(crate) struct Harness {
    pub(crate) views: watch::Sender<Option<Arc<View>>>,
    pub(crate) wakes: mpsc::Receiver<Wake>,
    pub(crate) history: History,
    pub(crate) trend: Trend,
    pub(crate) drains: Drains,
    pub(crate) metrics: Metrics,
    pub(crate) in_force: watch::Sender<InForce>,
    pub(crate) clock: Clock,
    pub(crate) api: Api,
    pub(crate) router: Router,
}

impl Harness {
    /// Before the first look.
    pub(crate) fn empty() -> Self {
        Self::before_a_look(Fixture::new())
    }

    /// Before the first look, with that fixture's spec.
    pub(crate) fn before_a_look(fixture: Fixture) -> Self {
        let views = watch::Sender::new(None);
        let in_force = watch::Sender::new(InForce::of(&Arc::new(fixture.spec)));
        let (send, wakes) = mpsc::channel(4);
        let clock = Clock::simulated(NOW, 1.0);
        let (history, drains, metrics) = (History::new(NOW), Drains::default(), Metrics::default());
        let trend = Trend::default();
        let handle = LoopHandle {
            views: views.subscribe(),
            history: history.clone(),
            trend: trend.clone(),
            drains: drains.clone(),
            metrics: metrics.clone(),
            in_force: in_force.subscribe(),
        };
        let api = Api::new(handle, send, clock.clone());
        let router = api.router();
        Self { views, wakes, history, trend, drains, metrics, in_force, clock, api, router }
    }

    /// After the look at that fixture.
    pub(crate) fn of(fixture: Fixture) -> Self {
        let harness = Self::empty();
        harness.show(fixture);
        harness
    }

    /// A small installation whose operator has a token.
    pub(crate) fn small() -> Self {
        Self::of(small().with(|spec| spec.api.token = Some(secret(TOKEN))))
    }

    /// The loop looked again.
    pub(crate) fn show(&self, fixture: Fixture) {
        let view = fixture.view();
        let written = Written::new(WRITTEN.to_owned(), BTreeMap::new(), BTreeMap::new());
        let written = Some(Arc::new(written));
        self.in_force.send_replace(InForce { written, ..InForce::of(&view.world.spec) });
        self.trend.add(&view);
        self.views.send_replace(Some(Arc::new(view)));
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// A post with that bearer token, if any.
    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: &str) -> Answer {
        let mut request = Request::post(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }
}

/// One pool, a busy and an idle runner, a job that fits and one that does not.
pub(crate) fn small() -> Fixture {
    Fixture::new()
        .pool("linux", "docker", |_| {})
        .runner("linux", 0, "local", Doing::Busy(40, 75))
        .runner("linux", 1, "local", Doing::Idle(30))
        .job(41, "team/app", &["cuda"], 133)
        .job(42, "team/app", &["docker"], 5)
}

pub(crate) fn secret(text: &str) -> Credential {
    Credential::Value(text.to_owned().into())
}

/// Changes a fixture's spec.
pub(crate) trait With {
    fn with(self, change: impl FnOnce(&mut Spec)) -> Self;
}

impl With for Fixture {
    fn with(mut self, change: impl FnOnce(&mut Spec)) -> Self {
        change(&mut self.spec);
        self
    }
}
