//! Sends calls: signs them, counts them, keeps within the server's limits, and turns each answer
//! into what was asked for or a typed error.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::Call;
use super::limit::{self, Gate};
use super::paging;
use super::refusal;
use super::shared::Shared;
use super::skew::Skew;
use crate::clock::Clock;
use crate::gitlab::{GitlabError, Transport, TransportError};

/// Redirects followed within GitLab's own origin: a renamed project answers with one.
const REDIRECTS_MAX: usize = 2;

/// An answer.
pub(super) type Answer = Response<Bytes>;

/// One page of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Items that could not be read; they are none of `items`.
    pub(super) odd: usize,
    /// The query of the next page.
    pub(super) next: Option<String>,
}

/// The items of a paged list.
pub(super) struct Pages<T> {
    pub(super) items: Vec<T>,
    /// Reading stopped at its bound.
    pub(super) more: bool,
    /// Items that could not be read; they are none of `items`.
    pub(super) odd: usize,
}

/// The way to one server.
pub(super) struct Wire {
    url: String,
    token: SecretString,
    secrets: Vec<SecretString>,
    transport: Arc<dyn Transport>,
    clock: Clock,
    gate: Shared<Gate>,
    skew: Shared<Skew>,
    sent: AtomicU64,
    counts: Shared<BTreeMap<(&'static str, u16), u64>>,
}

impl Wire {
    /// A way to the server at `url`; `secrets` are never echoed in an error, beside the token.
    pub(super) fn new(
        url: &str,
        token: SecretString,
        secrets: Vec<SecretString>,
        transport: Arc<dyn Transport>,
        clock: Clock,
    ) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            token,
            secrets,
            transport,
            clock,
            gate: Shared::default(),
            skew: Shared::default(),
            sent: AtomicU64::new(0),
            counts: Shared::default(),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A time of the server by our clock.
    pub(super) fn ours(&self, theirs: Timestamp) -> Timestamp {
        self.skew.with(|skew| skew.ours(theirs))
    }

    /// Our time by the server's clock.
    pub(super) fn theirs(&self, ours: Timestamp) -> Timestamp {
        self.skew.with(|skew| skew.theirs(ours))
    }

    /// How far the server's clock is ahead of ours, where an answer told.
    pub(super) fn clock_ahead(&self) -> Option<SignedDuration> {
        self.skew.with(|skew| skew.told())
    }

    pub(super) fn requests(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn requests_by(&self) -> BTreeMap<(&'static str, u16), u64> {
        self.counts.with(|counts| counts.clone())
    }

    /// The answer to `call`, if it is a success.
    pub(super) async fn answer(&self, call: &Call) -> Result<Answer, GitlabError> {
        let mut target = call.target(&self.url);
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.send(call, &target).await?;
            if !answer.status().is_redirection() {
                return self.checked(call, answer);
            }
            target = refusal::redirect(call, &self.url, answer.headers())?;
        }
        Err(refusal::not_gitlab(call, "it redirects again and again"))
    }

    /// Has `call` done, which changes something.
    ///
    /// GitLab answers with the object or with 204. A proxy that lets nothing through may answer
    /// 200 with a page of its own, or with nothing: then nothing was done.
    pub(super) async fn done(&self, call: &Call) -> Result<(), GitlabError> {
        let answer = self.answer(call).await?;
        let body = answer.body().trim_ascii();
        if answer.status() == StatusCode::OK && body.is_empty() {
            return Err(refusal::not_gitlab(call, "it is empty"));
        }
        if refusal::is_web_page(body) {
            return Err(refusal::not_gitlab(call, "it is a web page"));
        }
        Ok(())
    }

    /// What `call` asks for.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, GitlabError> {
        parse(call, &self.answer(call).await?)
    }

    /// A list that comes in pages, at most `pages_max` of them.
    ///
    /// Only the query of the next page is taken from an answer, on our own address and path: GitLab
    /// writes its configured host into links, which may not be the one it is reached by, and the
    /// token must never go to an address that an answer names.
    pub(super) async fn pages<T: DeserializeOwned>(
        &self,
        mut call: Call,
        pages_max: usize,
    ) -> Result<Pages<T>, GitlabError> {
        let mut pages = Pages { items: Vec::new(), more: true, odd: 0 };
        for _ in 0..pages_max {
            let Page { items, odd, next } = self.page(&call).await?;
            pages.items.extend(items);
            pages.odd += odd;
            let Some(query) = next else {
                pages.more = false;
                break;
            };
            call.query = query;
        }
        Ok(pages)
    }

    /// One page of a list. An item that cannot be read is counted and does not hide the others.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<Page<T>, GitlabError> {
        let answer = self.answer(call).await?;
        let (items, odd) = readable(parse(call, &answer)?);
        if items.is_empty() && odd > 0 {
            return Err(refusal::not_gitlab(call, "its items have another shape"));
        }
        let next = paging::next(&call.query, answer.headers(), items.len() + odd);
        Ok(Page { items, odd, next })
    }

    async fn send(&self, call: &Call, target: &str) -> Result<Answer, GitlabError> {
        let sent_at = self.clock.now();
        if let Some(retry_after) = self.gate.with(|gate| gate.wait(sent_at)) {
            return Err(GitlabError::Limited { retry_after });
        }
        let request = self.request(call, target)?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        let answer = self.transport.send(request).await;
        let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        tracing::debug!(endpoint = call.endpoint, status, "asked GitLab");
        self.counts.with(|counts| *counts.entry((call.endpoint, status)).or_default() += 1);
        let answer = answer.map_err(|source| self.unreachable(source))?;
        if let Some(date) = text(answer.headers(), "date").and_then(limit::http_date) {
            let answered_at = self.clock.now();
            self.skew.with(|skew| skew.sample(date, sent_at, answered_at));
        }
        Ok(answer)
    }

    fn request(&self, call: &Call, target: &str) -> Result<Request<Bytes>, GitlabError> {
        let wrong = |problem: String| self.unreachable(TransportError::Unreachable(problem));
        let uri: Uri = target.parse().map_err(|error| wrong(format!("`gitlab.url`: {error}")))?;
        let body = call.body.as_ref().map_or_else(Bytes::new, |body| body.to_string().into());
        let mut request = Request::new(body);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if call.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if call.signed {
            let bearer = format!("Bearer {}", self.token.expose_secret());
            let mut bearer = HeaderValue::try_from(bearer)
                .map_err(|_| wrong("`gitlab.token` holds a character no token has".to_owned()))?;
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        Ok(request)
    }

    fn unreachable(&self, source: TransportError) -> GitlabError {
        GitlabError::Unreachable { url: self.url.clone(), source }
    }

    /// The answer, if it is a success; its meaning otherwise.
    fn checked(&self, call: &Call, answer: Answer) -> Result<Answer, GitlabError> {
        let status = answer.status().as_u16();
        if answer.status().is_success() {
            return Ok(answer);
        }
        if status == 429 {
            let retry_after = limit::after_429(answer.headers(), self.server_now());
            self.hold(retry_after);
            return Err(GitlabError::Limited { retry_after });
        }
        if status == 503
            && let Some(wait) = limit::told(answer.headers(), self.server_now())
        {
            self.hold(wait);
        }
        let secrets = self.secrets.iter().chain([&self.token]).chain(&call.secret);
        Err(refusal::meaning(call, status, answer.body(), secrets))
    }

    fn hold(&self, wait: Duration) {
        let now = self.clock.now();
        self.gate.with(|gate| gate.close(now, wait));
    }

    fn server_now(&self) -> Timestamp {
        let now = self.clock.now();
        self.skew.with(|skew| skew.theirs(now))
    }
}

/// What the body of a success holds.
///
/// The parser's own words are left out of the error: they may quote the body, and so a token.
pub(super) fn parse<T: DeserializeOwned>(call: &Call, answer: &Answer) -> Result<T, GitlabError> {
    let body = answer.body();
    if body.trim_ascii().is_empty() {
        return Err(refusal::not_gitlab(call, "it is empty"));
    }
    if refusal::is_web_page(body) {
        return Err(refusal::not_gitlab(call, "it is a web page"));
    }
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let problem = if error.is_data() {
            format!("its JSON has another shape (line {line}, column {column})")
        } else {
            format!("it is no JSON (line {line}, column {column})")
        };
        refusal::not_gitlab(call, problem)
    })
}

/// The items that can be read, and how many cannot: one odd item does not hide the rest.
pub(super) fn readable<T: DeserializeOwned>(items: Vec<Value>) -> (Vec<T>, usize) {
    let count = items.len();
    let read: Vec<T> =
        items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect();
    let odd = count.saturating_sub(read.len());
    (read, odd)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
