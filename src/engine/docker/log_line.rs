//! What one line of gitlab-runner's JSON log (18.4 to 19.4) tells about jobs. Pure.

use jiff::Timestamp;
use serde::Deserialize;

use crate::world::{JobId, RunnerLog};

/// A thing that happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobEvent {
    /// The runner was handed the job.
    Received(JobId),
    /// A job ended, however it did.
    Ended,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    msg: String,
    #[serde(default)]
    job: serde_json::Value,
}

/// What Docker's timestamp says, and the rest of the line.
pub(super) fn stamped(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let (stamp, rest) = line.split_at_checked(space)?;
    let stamp = std::str::from_utf8(stamp).ok()?.parse().ok()?;
    Some((stamp, rest.trim_ascii()))
}

/// What a line tells about jobs; most tell nothing.
pub(super) fn job_event(line: &[u8]) -> Option<JobEvent> {
    if !line.starts_with(b"{") {
        return None;
    }
    let Line { msg, job } = serde_json::from_slice(line).ok()?;
    let msg = msg.trim();
    if msg.starts_with("Checking for jobs...") && msg.ends_with("received") {
        let number = job.as_u64().or_else(|| job.as_str()?.parse().ok())?;
        return Some(JobEvent::Received(JobId(number)));
    }
    let ends = ["Job succeeded", "Job failed", "Failed to process build"];
    ends.iter().any(|end| msg.starts_with(end)).then_some(JobEvent::Ended)
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
    pub(super) fn take(&mut self, at: Timestamp, event: JobEvent) {
        match event {
            JobEvent::Received(job) => {
                self.log.received = Some((job, at));
                self.log.works = true;
                self.between_jobs = false;
            }
            JobEvent::Ended => {
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

    fn event(line: &str) -> Option<JobEvent> {
        job_event(line.as_bytes())
    }

    #[test]
    fn pick_up_and_every_kind_of_end_are_recognised() {
        let received = r#"{"job":41,"level":"info","msg":"Checking for jobs... received","repo_url":"http://g/a.git","time":"2026-01-02T03:04:05Z"}"#;
        assert_eq!(event(received), Some(JobEvent::Received(JobId(41))));
        let as_text = r#"{"job":"41","msg":"Checking for jobs...received"}"#;
        assert_eq!(event(as_text), Some(JobEvent::Received(JobId(41))));
        for end in [
            r#"{"duration_s":3.5,"job":41,"level":"info","msg":"Job succeeded"}"#,
            r#"{"exit_code":1,"failure_reason":"script_failure","level":"warning","msg":"Job failed: exit code 1"}"#,
            r#"{"level":"warning","msg":"Job failed (system failure): no such image"}"#,
            r#"{"level":"warning","msg":"Failed to process build"}"#,
        ] {
            assert_eq!(event(end), Some(JobEvent::Ended), "{end}");
        }
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
            r#"{"msg":"Checking for jobs... failed","job":41}"#,
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
        told.take(at(1), JobEvent::Received(JobId(1)));
        told.take(at(2), JobEvent::Ended);
        told.take(at(3), JobEvent::Ended);
        told.take(at(4), JobEvent::Received(JobId(2)));
        told.take(at(5), JobEvent::Ended);
        let expected = RunnerLog {
            received: Some((JobId(2), at(4))),
            ended: Some(at(5)),
            jobs_ended: 2,
            works: false,
        };
        assert_eq!(told.log, expected);
    }

    #[test]
    fn a_job_that_ended_after_the_clock_was_set_back_is_finished() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut told = Told::default();
        told.take(at(900), JobEvent::Received(JobId(1)));
        assert_eq!(told.log.unfinished(), Some((JobId(1), at(900))));
        told.take(at(300), JobEvent::Ended);
        assert_eq!(told.log.unfinished(), None);
    }

    #[test]
    fn dockers_timestamp_is_split_off() {
        let (at, rest) = stamped(b"2026-01-02T03:04:05.000000001Z {\"a\":1}\n").unwrap();
        assert_eq!((at.as_second(), rest), (1_767_323_045, &b"{\"a\":1}"[..]));
        assert!(stamped(b"no timestamp").is_none());
        assert!(stamped(b"").is_none());
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = job_event(&line);
            let _ = stamped(&line).map(|(_, rest)| job_event(rest));
        }

        #[test]
        fn no_json_makes_the_parser_panic(msg in ".{0,40}", job in any::<f64>(), key in "[a-z]{1,4}") {
            let line = serde_json::json!({"msg": msg, "job": job, key: msg}).to_string();
            let _ = job_event(line.as_bytes());
        }
    }
}
