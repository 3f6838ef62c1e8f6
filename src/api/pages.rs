//! Bodies that many clients poll: rendered once per view and second, off the loop's thread, and
//! answered with an entity tag, so that a dozen dashboards cost what one does. The ages in them are
//! counted by AutoGit's clock, so that a client needs none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};

use super::problem::Problem;
use crate::lock::locked;
use crate::view::{AsOf, View};

/// What can be polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Status,
    Runners,
    Queue,
    Plan,
    Memory,
}

/// A body with its media type and its tag.
#[derive(Debug, Clone)]
pub(super) struct Rendered {
    media: HeaderValue,
    body: Bytes,
    tag: HeaderValue,
}

impl Rendered {
    /// A value as JSON.
    pub(super) fn json(value: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(value).map_err(|error| Problem::ours(error.to_string()))?;
        Self::new("application/json", body)
    }

    /// A body of that media type.
    pub(super) fn new(media: &'static str, body: impl Into<Bytes>) -> Result<Self, Problem> {
        let body = body.into();
        let digest = Sha256::digest(&body);
        // Two bodies have the same eight bytes once in 2^64 pairs.
        let start = digest.first_chunk().copied().map_or(0, u64::from_be_bytes);
        let tag = HeaderValue::try_from(format!("\"{start:016x}\""))
            .map_err(|error| Problem::ours(error.to_string()))?;
        Ok(Self { media: HeaderValue::from_static(media), body, tag })
    }

    /// The body, or 304 to a client that has it.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let mut response = if self.is_known(headers) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, self.media.clone())], self.body.clone()).into_response()
        };
        response.headers_mut().insert(header::ETAG, self.tag.clone());
        response
    }

    /// `If-None-Match` compares weakly (RFC 9110, 13.1.2).
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let given = headers.get_all(header::IF_NONE_MATCH).iter();
        let mut tags = given.filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(','));
        tags.any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == self.tag.as_bytes()
        })
    }
}

/// The pages of the newest view that was asked for.
#[derive(Debug, Default)]
pub(super) struct Pages {
    newest: Mutex<Option<Arc<Set>>>,
}

/// For how long a page is handed out: its ages are that much too small at most.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

#[derive(Debug)]
struct Set {
    view: Arc<View>,
    /// The moment of the ages.
    at: Timestamp,
    status: OnceCell<Rendered>,
    runners: OnceCell<Rendered>,
    queue: OnceCell<Rendered>,
    plan: OnceCell<Rendered>,
    memory: OnceCell<Rendered>,
    /// By subject; at most [`EXPLAINED_MAX`].
    explained: Mutex<BTreeMap<String, Arc<OnceCell<Rendered>>>>,
}

/// Explanations that are kept for the other clients of a second. Who asks for thousands of different
/// ones is no dashboard.
const EXPLAINED_MAX: usize = 256;

impl Pages {
    /// `page` of the view as it is told now, rendered if nobody asked for it just before.
    pub(super) async fn of(
        &self,
        (view, now): (&Arc<View>, Timestamp),
        page: Page,
    ) -> Result<Rendered, Problem> {
        let set = self.set(view, now);
        let cell = match page {
            Page::Status => &set.status,
            Page::Runners => &set.runners,
            Page::Queue => &set.queue,
            Page::Plan => &set.plan,
            Page::Memory => &set.memory,
        };
        let rendered = cell.get_or_try_init(|| {
            let set = Arc::clone(&set);
            aside(move || render(set.told(), page))
        });
        rendered.await.cloned()
    }

    /// What `work` makes of `subject` in the view as it is told now, in one of few places.
    pub(super) async fn explained(
        &self,
        (view, now): (&Arc<View>, Timestamp),
        subject: String,
        workers: &Semaphore,
        work: impl FnOnce(AsOf<'_>) -> Result<Rendered, Problem> + Send + 'static,
    ) -> Result<Rendered, Problem> {
        let set = self.set(view, now);
        let cell = set.explanation(subject);
        let rendered = cell.get_or_try_init(|| async move {
            let _place =
                workers.acquire().await.map_err(|error| Problem::ours(error.to_string()))?;
            aside(move || work(set.told())).await
        });
        rendered.await.cloned()
    }

    fn set(&self, view: &Arc<View>, now: Timestamp) -> Arc<Set> {
        let mut newest = locked(&self.newest);
        match &*newest {
            Some(set) if set.is_of(view, now) => Arc::clone(set),
            Some(_) | None => {
                let set = Arc::new(Set::new(Arc::clone(view), now));
                *newest = Some(Arc::clone(&set));
                set
            }
        }
    }
}

impl Set {
    fn new(view: Arc<View>, at: Timestamp) -> Self {
        Self {
            view,
            at,
            status: OnceCell::new(),
            runners: OnceCell::new(),
            queue: OnceCell::new(),
            plan: OnceCell::new(),
            memory: OnceCell::new(),
            explained: Mutex::default(),
        }
    }

    /// The clock may have been set back since.
    fn is_of(&self, view: &Arc<View>, now: Timestamp) -> bool {
        Arc::ptr_eq(&self.view, view) && now.duration_since(self.at).abs() < FRESH
    }

    fn told(&self) -> AsOf<'_> {
        self.view.as_of(self.at)
    }

    fn explanation(&self, subject: String) -> Arc<OnceCell<Rendered>> {
        let mut explained = locked(&self.explained);
        if explained.len() >= EXPLAINED_MAX && !explained.contains_key(&subject) {
            explained.clear();
        }
        Arc::clone(explained.entry(subject).or_default())
    }
}

fn render(view: AsOf<'_>, page: Page) -> Result<Rendered, Problem> {
    match page {
        Page::Status => Rendered::json(&view.status_output()),
        Page::Runners => Rendered::json(&view.runners_output()),
        Page::Queue => Rendered::json(&view.queue_output()),
        Page::Plan => Rendered::json(&view.plan_output()),
        Page::Memory => Rendered::json(&view.memory_output()),
    }
}

/// Runs `work` on a thread of its own: a queue of ten thousand jobs takes milliseconds to write,
/// which the loop must not lose.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::ours(format!("rendering failed: {error}"))))
}
