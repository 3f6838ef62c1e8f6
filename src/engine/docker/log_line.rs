//! What one line of gitlab-runner's JSON log (18.4 to 19.4) tells. Pure.
//!
//! The words are those of `helpers/cli/runtime_platform.go`, `network/gitlab.go` and
//! `common/build.go`.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use crate::world::{JobId, RunnerLog};

/// Characters of a failure that are kept: an answer of a proxy may be a whole page.
const WORDS_MAX: usize = 300;

/// A thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The process began, of that version.
    Began(Arc<str>),
    /// A poll failed, for that reason.
    PollFailed(Arc<str>),
    /// The runner was handed the job.
    Received(JobId),
    /// A job ended, however it did; with its reason where the system failed it.
    Ended(Option<Arc<str>>),
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    msg: String,
    #[serde(default)]
    job: serde_json::Value,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    failure_reason: Option<String>,
}

/// What Docker's timestamp says, and the rest of the line.
pub(super) fn stamped(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let (stamp, rest) = line.split_at_checked(space)?;
    let stamp = std::str::from_utf8(stamp).ok()?.parse().ok()?;
    Some((stamp, rest.get(1..)?))
}

/// What a line tells; most tell nothing.
pub(super) fn event(line: &[u8]) -> Option<Event> {
    if !line.starts_with(b"{") {
        return None;
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    let msg = line.msg.trim();
    if let Some(outcome) = msg.strip_prefix("Checking for jobs...") {
        return polled(&line, outcome.trim());
    }
    if msg == "Runtime platform" {
        return Some(Event::Began(line.version?.into()));
    }
    if ["Job succeeded", "Failed to process build"].iter().any(|end| msg.starts_with(end)) {
        return Some(Event::Ended(None));
    }
    let failed = msg.strip_prefix("Job failed")?;
    // A script that fails has another reason; so has an image that cannot be pulled, from 18 on.
    let reasons = ["runner_system_failure", "image_pull_failure"];
    let by_system = line.failure_reason.is_some_and(|reason| reasons.contains(&reason.as_str()))
        || failed.starts_with(" (system failure)");
    let words = failed.split_once(": ").map_or(failed, |(_, words)| words);
    Some(Event::Ended(by_system.then(|| kept(words))))
}

/// What came of a poll: `received`, `failed`, `error`, `forbidden`, and newer words.
fn polled(line: &Line, outcome: &str) -> Option<Event> {
    match outcome {
        "received" => {
            let job = &line.job;
            let number = job.as_u64().or_else(|| job.as_str()?.parse().ok())?;
            Some(Event::Received(JobId(number)))
        }
        // At the level of debug, and so not to be seen.
        "nothing" | "no content" => None,
        "forbidden" if line.status.is_none() => Some(Event::PollFailed("403 Forbidden".into())),
        other => {
            let status = line.status.as_deref().unwrap_or(other);
            // `couldn't execute POST against URL: Post "URL": dial tcp …`: the end says why.
            let words = status.rsplit_once("\": ").map_or(status, |(_, cause)| cause);
            Some(Event::PollFailed(kept(words)))
        }
    }
}

/// One line of bounded length.
fn kept(words: &str) -> Arc<str> {
    let one_line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.chars().take(WORDS_MAX).collect::<String>().into()
}

/// What a log told so far, by the engine's clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) log: RunnerLog,
    /// The last event was an end, so a further one is of the same job.
    between_jobs: bool,
}

impl Told {
    /// Takes in the next event.
    pub(super) fn take(&mut self, at: Timestamp, event: Event) {
        match event {
            Event::Began(version) => {
                self.log.version = Some(version);
                self.log.poll_failure = None;
            }
            Event::PollFailed(words) => self.log.poll_failure = Some(words),
            Event::Received(job) => {
                self.log.received = Some((job, at));
                self.log.poll_failure = None;
                self.log.works = true;
                self.between_jobs = false;
            }
            Event::Ended(failure) => {
                if failure.is_some() || !self.between_jobs {
                    self.log.job_failure = failure;
                }
                self.log.ended = Some(at);
                self.log.works = false;
                if !self.between_jobs {
                    self.log.jobs_ended = self.log.jobs_ended.saturating_add(1);
                }
                self.between_jobs = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(line: &str) -> Option<Event> {
        super::event(line.as_bytes())
    }

    #[test]
    fn pick_up_and_every_kind_of_end_are_recognised() {
        let received = r#"{"job":41,"level":"info","msg":"Checking for jobs... received","repo_url":"http://g/a.git","time":"2026-01-02T03:04:05Z"}"#;
        assert_eq!(event(received), Some(Event::Received(JobId(41))));
        let as_text = r#"{"job":"41","msg":"Checking for jobs...received"}"#;
        assert_eq!(event(as_text), Some(Event::Received(JobId(41))));
        for (end, failure) in [
            (r#"{"duration_s":3.5,"job":41,"level":"info","msg":"Job succeeded"}"#, None),
            (
                r#"{"exit_code":1,"failure_reason":"script_failure","level":"warning","msg":"Job failed: exit code 1"}"#,
                None,
            ),
            (
                r#"{"level":"warning","msg":"Job failed (system failure): no such image"}"#,
                Some("no such image"),
            ),
            (
                r#"{"failure_reason":"image_pull_failure","msg":"Job failed: failed to pull image \"a\": denied\n"}"#,
                Some("failed to pull image \"a\": denied"),
            ),
            (r#"{"level":"warning","msg":"Failed to process build"}"#, None),
        ] {
            assert_eq!(event(end), Some(Event::Ended(failure.map(Arc::from))), "{end}");
        }
    }

    #[test]
    fn the_first_line_tells_the_version() {
        let line = r#"{"arch":"amd64","level":"info","msg":"Runtime platform","os":"linux","pid":7,"revision":"a","version":"18.6.2"}"#;
        assert_eq!(event(line), Some(Event::Began("18.6.2".into())));
    }

    #[test]
    fn a_failed_poll_tells_its_cause_alone() {
        for (line, words) in [
            (
                r#"{"level":"warning","msg":"Checking for jobs... failed","runner":"on_Jbdre","status":"couldn't execute POST against http://gitlab:80/api/v4/jobs/request: Post \"http://gitlab:80/api/v4/jobs/request\": dial tcp: lookup gitlab: no such host","time":"2026-01-02T03:04:05Z"}"#,
                "dial tcp: lookup gitlab: no such host",
            ),
            (
                r#"{"msg":"Checking for jobs... error","status":"only http or https scheme supported"}"#,
                "only http or https scheme supported",
            ),
            (
                r#"{"msg":"Checking for jobs... client error","status":"bad\n  address"}"#,
                "bad address",
            ),
            (r#"{"msg":"Checking for jobs... forbidden"}"#, "403 Forbidden"),
            (
                r#"{"msg":"Checking for jobs... forbidden","status":"POST http://g/api/v4/jobs/request: 403 Forbidden"}"#,
                "POST http://g/api/v4/jobs/request: 403 Forbidden",
            ),
            (
                r#"{"msg":"Checking for jobs... GitLab instance currently unavailable"}"#,
                "GitLab instance currently unavailable",
            ),
        ] {
            assert_eq!(event(line), Some(Event::PollFailed(words.into())), "{line}");
        }
    }

    #[test]
    fn what_failed_is_told_until_something_works() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut told = Told::default();
        told.take(at(1), Event::PollFailed("refused".into()));
        assert_eq!(told.log.poll_failure.as_deref(), Some("refused"));
        told.take(at(2), Event::Received(JobId(1)));
        told.take(at(3), Event::Ended(Some("no space".into())));
        told.take(at(3), Event::Ended(None));
        assert_eq!(
            (told.log.poll_failure.as_deref(), told.log.job_failure.as_deref()),
            (None, Some("no space"))
        );
        told.take(at(4), Event::Received(JobId(2)));
        told.take(at(5), Event::Ended(None));
        assert_eq!(told.log.job_failure, None);
    }

    #[test]
    fn other_lines_tell_nothing() {
        for line in [
            "",
            "Runtime platform arch=amd64",
            "{",
            "{}",
            "[1]",
            r#"{"msg":7}"#,
            r#"{"msg":"Checking for jobs... nothing","job":41}"#,
            r#"{"msg":"Runtime platform"}"#,
            r#"{"msg":"Checking for jobs... received"}"#,
            r#"{"msg":"Checking for jobs... received","job":-1}"#,
            r#"{"msg":"say Job succeeded"}"#,
        ] {
            assert_eq!(event(line), None, "{line}");
        }
    }

    #[test]
    fn an_end_that_is_told_twice_is_one_job() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut told = Told::default();
        told.take(at(1), Event::Received(JobId(1)));
        told.take(at(2), Event::Ended(None));
        told.take(at(3), Event::Ended(None));
        told.take(at(4), Event::Received(JobId(2)));
        told.take(at(5), Event::Ended(None));
        let expected = RunnerLog {
            received: Some((JobId(2), at(4))),
            ended: Some(at(5)),
            jobs_ended: 2,
            works: false,
            ..RunnerLog::default()
        };
        assert_eq!(told.log, expected);
    }

    #[test]
    fn a_job_that_ended_after_the_clock_was_set_back_is_finished() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut told = Told::default();
        told.take(at(900), Event::Received(JobId(1)));
        assert_eq!(told.log.unfinished(), Some((JobId(1), at(900))));
        told.take(at(300), Event::Ended(None));
        assert_eq!(told.log.unfinished(), None);
    }

    #[test]
    fn dockers_timestamp_is_split_off() {
        let (at, rest) = stamped(b"2026-01-02T03:04:05.000000001Z {\"a\":1}\n").unwrap();
        assert_eq!((at.as_second(), rest), (1_767_323_045, &b"{\"a\":1}\n"[..]));
        assert!(stamped(b"no timestamp").is_none());
        assert!(stamped(b"").is_none());
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = super::event(&line);
            let _ = stamped(&line).map(|(_, rest)| super::event(rest));
        }

        #[test]
        fn no_json_makes_the_parser_panic(msg in ".{0,40}", job in any::<f64>(), key in "[a-z]{1,4}") {
            let line = serde_json::json!({"msg": msg, "job": job, key: msg}).to_string();
            let _ = event(&line);
        }
    }
}
