//! `GET /events`: server-sent events. Each stream reads the shared history at its own pace, so a
//! client that is slow costs a place among the streams and nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Api;
use super::problem::Problem;
use super::serve::{Ending, UnderWay};
use crate::reconcile::{Event, EventId, History};
use crate::view::{EventOutput, View, words};

/// Streams that are open at the same time: a dashboard is one, and a browser opens at most six to
/// one origin. More is a leak or an attack.
pub(super) const STREAMS_MAX: usize = 64;

/// Time between two signs of life: below the minute after which common proxies cut a silent
/// connection, and what lets a client that never reads fill its buffers and be noticed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// How soon a browser comes back after a stream ended.
const COME_BACK_AFTER: Duration = Duration::from_secs(2);

/// The data of an event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventMessage<'a> {
    /// When it was seen or done, in UTC.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub what: &'a EventOutput,
}

/// The data of `reset` and `look`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LookMessage {
    /// When the newest look was taken, in UTC; none before the first.
    pub at: Option<String>,
}

pub(super) async fn events(
    State(api): State<Api>,
    under_way: Option<Extension<UnderWay>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let place = Arc::clone(&api.streams).try_acquire_owned().map_err(|_| {
        Problem::unavailable("too-many-streams", format!("{STREAMS_MAX} streams are open already"))
    })?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let follower = Follower {
        history: api.handle.history.clone(),
        news: api.handle.history.news(),
        views: api.handle.views.clone(),
        ending: api.ending.clone(),
        last,
        pending: vec![Sent::default().retry(COME_BACK_AFTER).comment("autogit")],
        greeted: false,
        _place: place,
        _under_way: under_way.map(|Extension(under_way)| under_way),
    };
    let alive = KeepAlive::new().interval(SIGN_OF_LIFE);
    let mut response = Sse::new(follower.stream()).keep_alive(alive).into_response();
    // Without this nginx keeps events back until its buffer is full.
    let own = HeaderValue::from_static("no");
    response.headers_mut().insert("x-accel-buffering", own);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// One client and how far it is.
struct Follower {
    history: History,
    news: watch::Receiver<u64>,
    views: watch::Receiver<Option<Arc<View>>>,
    ending: Ending,
    last: Option<EventId>,
    /// What is sent next, last first.
    pending: Vec<Sent>,
    greeted: bool,
    _place: OwnedSemaphorePermit,
    /// Keeps the connection from being idle.
    _under_way: Option<UnderWay>,
}

impl Follower {
    fn stream(self) -> impl Stream<Item = Result<Sent, Infallible>> {
        unfold(self, |mut follower| async move {
            loop {
                if let Some(next) = follower.pending.pop() {
                    return Some((Ok(next), follower));
                }
                if !follower.greeted {
                    follower.greeted = true;
                    follower.catch_up();
                } else if !follower.wait().await {
                    return None;
                }
            }
        })
    }

    /// Waits for news; `false`: the server ends.
    async fn wait(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.ending.wait() => false,
            changed = self.news.changed() => {
                self.catch_up();
                changed.is_ok()
            }
            changed = self.views.changed() => {
                let look = self.look("look");
                self.pending.push(look);
                changed.is_ok()
            }
        }
    }

    /// Puts what the client has not seen among what is sent.
    fn catch_up(&mut self) {
        self.news.mark_unchanged();
        let missed = self.history.since(self.last);
        self.last = Some(missed.newest);
        self.pending.extend(missed.events.iter().rev().map(|event| message(event)));
        if missed.gap {
            // Last in, so first out: the client forgets before it learns.
            self.pending.push(self.look("reset"));
        }
    }

    fn look(&self, name: &str) -> Sent {
        let at = self.views.borrow().as_ref().map(|view| words::instant(view.world.now));
        Sent::default().event(name).data(json(&LookMessage { at }))
    }
}

fn message(event: &Event) -> Sent {
    let data = EventMessage { at: words::instant(event.at), what: &event.what };
    Sent::default().id(event.id.to_string()).event(event.what.kind()).data(json(&data))
}

/// Words and numbers always serialize.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
