//! What a runner's own log tells, and what is wrong by it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::{JobId, Phase, Runner};

/// What a runner's own JSON log told (gitlab-runner 18.4 to 19.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunnerLog {
    /// The last `Checking for jobs... received`: the job and when.
    pub received: Option<(JobId, Timestamp)>,
    /// When the last job ended (`Job succeeded`, `Job failed`, `Failed to process build`).
    pub ended: Option<Timestamp>,
    /// Jobs that ended, as far as the log reaches.
    pub jobs_ended: u32,
    /// No end is told of the last job that was received. By the order of the lines: their times are
    /// of no use where the engine's clock was set between them.
    pub works: bool,
    /// gitlab-runner's version, as its first line says it.
    pub version: Option<Arc<str>>,
    /// Why the last poll failed of which it said anything; none after a job was received.
    pub poll_failure: Option<Arc<str>>,
    /// Why the last job failed before its script, where that is no fault of the job.
    pub job_failure: Option<Arc<str>>,
}

impl RunnerLog {
    /// The job of whose end nothing is told, and when it was received.
    pub fn unfinished(&self) -> Option<(JobId, Timestamp)> {
        self.received.filter(|_| self.works)
    }

    /// The same with each time by another clock.
    #[must_use]
    pub fn by_clock(&self, corrected: impl Fn(Timestamp) -> Timestamp) -> Self {
        Self {
            received: self.received.map(|(job, at)| (job, corrected(at))),
            ended: self.ended.map(corrected),
            ..self.clone()
        }
    }
}

/// What a runner's own log says is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    what: &'static str,
    words: Arc<str>,
    hint: &'static str,
}

/// What words of gitlab-runner call for what. The first that fits counts.
type Hints = [(&'static [&'static str], &'static str)];

/// For a poll that failed; the last is for all others.
const POLL_HINTS: &Hints = &[
    (
        &["proxyconnect", "Proxy Authentication"],
        "correct `proxy`, or name GitLab in its `no_proxy`",
    ),
    (
        &["x509", "certificate", "tls:"],
        "set `gitlab.ca_file` to the authority that signed GitLab's certificate",
    ),
    (
        &["no such host", "server misbehaving", "dial tcp: lookup", "name resolution"],
        "set `gitlab.runner_url` to a name that containers resolve, or `network` to a network that \
         knows it",
    ),
    (
        &["127.0.0.1", "[::1]", "localhost"],
        "set `gitlab.runner_url`: to a container, that address is the container itself",
    ),
    (
        &["forbidden", "403"],
        "something refuses the runner's token: check that its runner exists at GitLab, \
         and what is in front of `gitlab.runner_url`",
    ),
    (
        &["unreachable", "refused", "no route", "timeout", "deadline exceeded", "reset by peer"],
        "set `gitlab.runner_url` or `network` so that containers reach it, if necessary \
         through a `proxy`",
    ),
    (&[""], "correct `gitlab.runner_url` or `network`"),
];

/// For a job that failed before its script. What is not here is the job's own affair: an image that
/// it names, say.
const JOB_HINTS: &Hints = &[
    (
        &["no space left on device"],
        "free space on the runner's host; `cache: discard` keeps less there",
    ),
    (
        &["address pools have been fully subnetted", "could not find an available"],
        "remove unused networks on the runner's host, widen its `default-address-pools`, or set \
         `job.network: shared`",
    ),
    (
        &["gitlab-runner-helper"],
        "let the runner's host pull gitlab-runner's helper image, or name another in \
         `runner_config: {docker: {helper_image: …}}`",
    ),
    (
        &["no such host", "server misbehaving", "name resolution"],
        "let the runner's host resolve that name",
    ),
    (
        &["Cannot connect to the Docker daemon", "docker.sock"],
        "set `hosts.*.socket` to the engine's socket on its host",
    ),
];

fn hint_of(hints: &Hints, words: &str) -> Option<&'static str> {
    let fits = |marks: &[&str]| marks.iter().any(|mark| words.contains(mark));
    hints.iter().find(|(marks, _)| fits(marks)).map(|(_, hint)| *hint)
}

impl Trouble {
    /// What the log of a runner in that phase says is wrong. A failed poll counts only as long as
    /// GitLab did not hear of the runner: of polls that succeed the log says nothing.
    pub fn of(runner: &Runner, phase: &Phase) -> Option<Self> {
        let log = runner.log.as_ref()?;
        let unheard = matches!(phase, Phase::Starting { .. } | Phase::Failed { .. });
        let poll = log.poll_failure.as_ref().filter(|_| unheard);
        poll.and_then(Self::of_poll).or_else(|| Self::of_job(log.job_failure.as_ref()?))
    }

    fn of_poll(words: &Arc<str>) -> Option<Self> {
        let hint = hint_of(POLL_HINTS, words)?;
        Some(Self { what: "its last poll failed", words: Arc::clone(words), hint })
    }

    fn of_job(words: &Arc<str>) -> Option<Self> {
        let hint = hint_of(JOB_HINTS, words)?;
        Some(Self { what: "its last job failed before its script", words: Arc::clone(words), hint })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; hint: {}", self.what, self.words, self.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_poll_has_the_hint_that_fits() {
        for (words, word) in [
            ("dial tcp 10.9.9.9:80: connect: network is unreachable", "`network`"),
            ("dial tcp 127.0.0.1:3000: connect: connection refused", "container itself"),
            ("dial tcp [::1]:80: connect: connection refused", "container itself"),
            ("dial tcp: lookup gitlab on 127.0.0.11:53: no such host", "resolve"),
            ("dial tcp: lookup gitlab on 127.0.0.11:53: server misbehaving", "resolve"),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                "`gitlab.ca_file`",
            ),
            ("proxyconnect tcp: dial tcp 127.0.0.1:3128: connect: connection refused", "proxy"),
            ("dial tcp 10.0.0.1:443: i/o timeout", "proxy"),
            ("403 Forbidden", "refuses the runner's token"),
            ("404 Not Found", "`gitlab.runner_url`"),
        ] {
            let trouble = Trouble::of_poll(&words.into()).unwrap().to_string();
            assert!(trouble.contains(word), "{words}: {trouble}");
            assert!(trouble.contains(words), "{words}: {trouble}");
        }
    }

    #[test]
    fn a_job_that_failed_for_a_reason_of_its_own_is_no_trouble_of_ours() {
        for words in ["exit code 1", "failed to pull image \"no/such:image\": manifest unknown"] {
            assert_eq!(Trouble::of_job(&words.into()), None, "{words}");
        }
        for words in [
            "prepare environment: no space left on device",
            "failed to pull image \"registry.gitlab.com/gitlab-org/gitlab-runner/gitlab-runner-helper:x86_64-v19.3.0\": denied",
            "failed to pull image \"reg.local/a:1\": dial tcp: lookup reg.local: no such host",
            "could not find an available, non-overlapping IPv4 address pool",
            "all predefined address pools have been fully subnetted",
        ] {
            assert!(Trouble::of_job(&words.into()).is_some(), "{words}");
        }
    }
}
