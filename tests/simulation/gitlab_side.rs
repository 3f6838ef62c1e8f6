//! AutoGit's way to GitLab, on which things go wrong.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autogit::gitlab::{Transport, TransportError};
use autogit::sandbox::gitlab::RecordView;
use autogit::world::RecordId;
use bytes::Bytes;
use http::header::{DATE, LINK};
use http::{Method, Request, Response, Uri};

use crate::chaos::Kind;
use crate::harness::Harness;
use crate::process::Attempt;
use crate::rivals;

const LISTS_RECORDS: &str = "/api/v4/runners/all";
pub(crate) const MAKES_A_RECORD: &str = "/api/v4/user/runners";

/// So that all jobs of a history fit on as many pages as a look reads, but for those of a flood.
pub(crate) const QUEUE_PAGE_MIN: u64 = 6;

/// The adapter's own limit for an answer.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(crate) struct GitlabSide {
    pub(crate) harness: Harness,
    pub(crate) attempt: Arc<Attempt>,
}

fn reads(request: &Request<Bytes>) -> bool {
    *request.method() == Method::GET || request.uri().path() == "/api/graphql"
}

/// What a request asks.
fn question(request: &Request<Bytes>) -> String {
    format!("{} {}", request.uri(), String::from_utf8_lossy(request.body()))
}

/// What part of a look a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Queue,
    /// A page of it behind the first.
    QueuePage,
    Records,
    /// One record, asked for by its id.
    Record(RecordId),
    Managers,
    Other,
}

fn about(request: &Request<Bytes>) -> About {
    let body = String::from_utf8_lossy(request.body());
    match request.uri().path() {
        // It tells sooner what the pages tell anyway.
        "/api/graphql" if body.contains("compatibleRunnerId") => About::Other,
        "/api/graphql" if body.contains("jobs(") && body.contains("\"before\":\"") => {
            About::QueuePage
        }
        "/api/graphql" if body.contains("jobs(") => About::Queue,
        "/api/graphql" => About::Managers,
        // Who they are: nothing is decided by it.
        path if path.ends_with("/managers") => About::Other,
        path if path.starts_with("/api/v4/runners") => {
            let one = one_record(path).filter(|_| request.method() == Method::GET);
            one.map_or(About::Records, About::Record)
        }
        _ => About::Other,
    }
}

fn one_record(path: &str) -> Option<RecordId> {
    path.strip_prefix("/api/v4/runners/")?.parse().ok().map(RecordId)
}

#[async_trait]
impl Transport for GitlabSide {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.attempt.may_crash(&self.harness, Kind::CrashBeforeCall).await;
        let about = about(&request);
        let told = format!("{} {}", request.method(), request.uri().path());
        let writes = !reads(&request);
        if told.contains("/jobs/") && writes && !self.harness.retries() {
            let sentence = "a job is cancelled or queued again only where the operator chose so";
            self.harness.break_promise("jobs_are_left_alone", sentence, told.clone());
        }
        let body = String::from_utf8_lossy(request.body());
        if request.method() == Method::PUT && body.contains("\"paused\"") {
            let sentence = "what a person paused stays paused";
            self.harness.break_promise("a_pause_stays", sentence, told.clone());
        }
        self.may_delete(&request);
        let makes = told.ends_with(MAKES_A_RECORD);
        let result = self.meet(request).await;
        if let Ok(answer) = &result
            && makes
        {
            rivals::note_made(&self.attempt, answer);
        }
        if writes {
            let words = match &result {
                Ok(answer) => answer.status().to_string(),
                Err(error) => error.to_string(),
            };
            self.harness.note(&format!("{}: {told}: {words}", self.attempt.name));
            self.harness.learn_secrets();
            self.harness.check();
        }
        let failed = result.as_ref().map_or(true, |answer| is_failure(about, answer));
        if failed {
            let limited = result.as_ref().is_ok_and(|answer| answer.status() == 429);
            self.attempt.failed(|reads| match about {
                // What fails otherwise may well fail for this one question alone.
                About::QueuePage if result.is_ok() && !limited => reads.queue_page = true,
                About::Queue | About::QueuePage => reads.queue = true,
                About::Records => reads.records = true,
                // That is true of all of ours; one of others is looked at for our mark alone.
                About::Record(id) if limited && self.is_ours(id) => reads.records = true,
                About::Record(id) => drop(reads.unread.insert(id)),
                About::Managers => reads.managers = true,
                About::Other => {}
            });
        }
        self.attempt.may_crash(&self.harness, Kind::CrashAfterCall).await;
        result
    }
}

fn is_failure(about: About, answer: &Response<Bytes>) -> bool {
    answer.status().is_redirection()
        || answer.status().is_server_error()
        || answer.status() == 429
        || answer.status() == 403 && about == About::Records
        || is_no_api(answer)
}

fn is_no_api(answer: &Response<Bytes>) -> bool {
    answer.status() == 200 && (answer.body().is_empty() || answer.body().starts_with(b"<"))
}

impl GitlabSide {
    fn is_ours(&self, id: RecordId) -> bool {
        let records = self.harness.gitlab().records();
        let named_ours = |record: &&RecordView| record.description.starts_with("autogit/autogit/");
        let mut ours = records.iter().filter(named_ours);
        ours.any(|record| record.id == id)
    }

    fn may_delete(&self, request: &Request<Bytes>) {
        let one = one_record(request.uri().path());
        if let Some(id) = one.filter(|_| *request.method() == Method::DELETE) {
            rivals::may_delete(&self.harness, &self.attempt, id);
        }
    }

    /// By a deliberate bug, or by what a person turned at GitLab.
    fn answered_otherwise(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        let path = request.uri().path();
        let refused = path == MAKES_A_RECORD && self.harness.refuses_records()
            || path == LISTS_RECORDS && self.harness.switches().hides_runners();
        let refusal = || refused.then(|| answer(403, &[], "{\"message\":\"403 Forbidden\"}"));
        self.harness.mutation().and_then(|bug| bug.answers(request)).or_else(refusal)
    }

    async fn meet(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if let Some(answer) = self.answered_otherwise(&request) {
            return Ok(answer);
        }
        let chaos = self.harness.chaos();
        if chaos.strikes(Kind::GitlabUnreachable) {
            return Err(TransportError::Unreachable("connection refused".to_owned()));
        }
        if chaos.strikes(Kind::GitlabTimesOut) {
            self.harness.clock().sleep(LIMIT).await;
            return Err(TransportError::TimedOut(LIMIT));
        }
        if self.harness.switches().drips() {
            self.harness.clock().sleep(LIMIT.saturating_sub(Duration::from_secs(1))).await;
        }
        if chaos.strikes(Kind::GitlabSlow) {
            let millis = chaos.below(Kind::GitlabSlow, 8_000);
            self.harness.clock().sleep(Duration::from_millis(millis)).await;
        }
        if chaos.strikes(Kind::GitlabFails) {
            let status = chaos.pick(Kind::GitlabFails, &[500, 502, 503]).unwrap();
            let effect = chaos.below(Kind::GitlabFails, 2) == 0;
            if effect {
                self.pass(request).await?;
            }
            return Ok(answer(status, &[], "<h1>GitLab is not responding</h1>"));
        }
        if chaos.strikes(Kind::GitlabWebPage) {
            return Ok(answer(200, &[], "<!DOCTYPE html><title>Sign in</title>"));
        }
        if chaos.strikes(Kind::GitlabEmptyBody) {
            return Ok(answer(200, &[], ""));
        }
        if chaos.strikes(Kind::GitlabRedirects) {
            let to = ["http://gitlab.sim/users/sign_in", "https://elsewhere.test/api/v4/user", "/"];
            let to = chaos.pick(Kind::GitlabRedirects, &to).unwrap();
            return Ok(answer(302, &[("location", to)], ""));
        }
        if chaos.strikes(Kind::GitlabLimits) {
            return Ok(match chaos.below(Kind::GitlabLimits, 3) {
                0 => answer(429, &[("retry-after", "7")], "Retry later\n"),
                1 => answer(429, &[("ratelimit-reset", "1")], "Retry later\n"),
                _ => answer(429, &[], "{\"message\":{\"error\":\"too many\"}}"),
            });
        }
        let asked = reads(&request).then(|| question(&request));
        let of_records = request.uri().path() == LISTS_RECORDS;
        let request = self.normalised(request);
        let lost = chaos.strikes(Kind::GitlabAnswerLost);
        let mut result = self.pass(request).await;
        if let (Some(asked), Ok(answer)) = (asked, &mut result) {
            self.distort(asked, of_records, answer);
        }
        if lost {
            self.harness.clock().sleep(LIMIT).await;
            return Err(TransportError::TimedOut(LIMIT));
        }
        result
    }

    /// GitLab may keep another spelling of a tag than it was sent.
    fn normalised(&self, request: Request<Bytes>) -> Request<Bytes> {
        let text = String::from_utf8_lossy(request.body()).into_owned();
        let sets_tags = !reads(&request) && text.contains("tag_list");
        if !sets_tags || !self.harness.chaos().strikes(Kind::GitlabNormalises) {
            return request;
        }
        self.harness.note("GitLab keeps its tags in other letters");
        request.map(|_| {
            text.replace("\"docker\"", "\"Docker\"").replace("\"docs\"", "\"Docs\"").into()
        })
    }

    /// What is told may lack links, or be from a while ago.
    fn distort(&self, asked: String, of_records: bool, answer: &mut Response<Bytes>) {
        if self.harness.chaos().strikes(Kind::PagingDropped) {
            // A proxy that rewrites links may lose them; GitLab's own headers stay.
            answer.headers_mut().remove(LINK);
        }
        if of_records && let Some(before) = self.harness.lagging(&asked, answer) {
            replace(answer, before);
        }
        self.lag_behind(asked, answer);
    }

    /// GitLab may read from a replica of its database that lags behind.
    fn lag_behind(&self, asked: String, answer: &mut Response<Bytes>) {
        let before = self.harness.answered_before(&asked);
        let stale = before.filter(|_| self.harness.chaos().strikes(Kind::GitlabStale));
        match stale.filter(|stale| stale.status() == answer.status()) {
            Some(stale) => replace(answer, stale),
            None => self.harness.note_answer(asked, answer),
        }
    }

    /// Sends it on, with smaller pages; between two pages the list may change.
    async fn pass(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (mut parts, body) = request.into_parts();
        let uri = parts.uri.to_string();
        let mut text = String::from_utf8_lossy(&body).into_owned();
        let size = self.harness.page_size();
        if let Some(size) = size {
            let small = uri.replace("per_page=100", &format!("per_page={size}"));
            parts.uri = small.parse::<Uri>().unwrap();
            text = text.replace("last:100", &format!("last:{}", size.max(QUEUE_PAGE_MIN)));
            text = text.replace("first:100", &format!("first:{size}"));
        }
        let later = uri.contains("&page=") || text.contains("\"before\":\"");
        if later && self.harness.chaos().strikes(Kind::PageShifts) {
            self.harness.shift_pages();
        }
        self.harness.gitlab_transport().send(Request::from_parts(parts, text.into())).await
    }
}

/// Tells what was told before, at the time that it is now.
fn replace(answer: &mut Response<Bytes>, mut before: Response<Bytes>) {
    if let Some(now) = answer.headers_mut().remove(DATE) {
        before.headers_mut().insert(DATE, now);
    }
    *answer = before;
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}
