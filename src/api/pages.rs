//! Bodies that many clients poll: rendered once per view, off the loop's thread, and answered with
//! an entity tag, so that a dozen dashboards cost what one does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};

use super::problem::Problem;
use crate::view::View;

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
    newest: Mutex<Option<(Arc<View>, Arc<Set>)>>,
}

#[derive(Debug, Default)]
struct Set {
    status: OnceCell<Rendered>,
    runners: OnceCell<Rendered>,
    queue: OnceCell<Rendered>,
    plan: OnceCell<Rendered>,
    memory: OnceCell<Rendered>,
    /// By subject; at most [`EXPLAINED_MAX`].
    explained: Mutex<BTreeMap<String, Arc<OnceCell<Rendered>>>>,
}

/// Explanations that are kept for the other clients of a view. Who asks for thousands of different
/// ones is no dashboard.
const EXPLAINED_MAX: usize = 256;

impl Pages {
    /// `page` of `view`, rendered if nobody asked for it before.
    pub(super) async fn of(&self, view: &Arc<View>, page: Page) -> Result<Rendered, Problem> {
        let set = self.set(view);
        let cell = match page {
            Page::Status => &set.status,
            Page::Runners => &set.runners,
            Page::Queue => &set.queue,
            Page::Plan => &set.plan,
            Page::Memory => &set.memory,
        };
        let view = Arc::clone(view);
        let rendered = cell.get_or_try_init(|| aside(move || render(&view, page)));
        rendered.await.cloned()
    }

    /// What `work` makes of `subject` in `view`, worked out once a view and in one of few places.
    pub(super) async fn explained(
        &self,
        view: &Arc<View>,
        subject: String,
        workers: &Semaphore,
        work: impl FnOnce(&View) -> Result<Rendered, Problem> + Send + 'static,
    ) -> Result<Rendered, Problem> {
        let cell = self.set(view).explanation(subject);
        let view = Arc::clone(view);
        let rendered = cell.get_or_try_init(|| async move {
            let _place =
                workers.acquire().await.map_err(|error| Problem::ours(error.to_string()))?;
            aside(move || work(&view)).await
        });
        rendered.await.cloned()
    }

    fn set(&self, view: &Arc<View>) -> Arc<Set> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*newest {
            Some((of, set)) if Arc::ptr_eq(of, view) => Arc::clone(set),
            Some(_) | None => {
                let set = Arc::new(Set::default());
                *newest = Some((Arc::clone(view), Arc::clone(&set)));
                set
            }
        }
    }
}

impl Set {
    fn explanation(&self, subject: String) -> Arc<OnceCell<Rendered>> {
        let mut explained = self.explained.lock().unwrap_or_else(PoisonError::into_inner);
        if explained.len() >= EXPLAINED_MAX && !explained.contains_key(&subject) {
            explained.clear();
        }
        Arc::clone(explained.entry(subject).or_default())
    }
}

fn render(view: &View, page: Page) -> Result<Rendered, Problem> {
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
