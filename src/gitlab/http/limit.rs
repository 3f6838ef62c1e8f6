//! Rate limits: after a 429 nothing is sent until the server's time has passed.

use std::time::Duration;

use ::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

/// GitLab's application limits answer without headers and count by the minute.
const UNTOLD: Duration = Duration::from_mins(1);
/// The longest wait that is believed; a longer one is a broken header or clock.
const WAIT_MAX: Duration = Duration::from_hours(1);
const WAIT_MIN: Duration = Duration::from_secs(1);

/// Whether requests may go out.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: Option<(Timestamp, Duration)>,
}

impl Gate {
    /// How long nothing may be sent yet.
    pub(super) fn wait(&mut self, now: Timestamp) -> Option<Duration> {
        let (since, wait) = self.closed?;
        // A clock that was set back must not prolong the wait.
        let since = since.min(now);
        let left = wait.saturating_sub(now.duration_since(since).unsigned_abs());
        self.closed = (!left.is_zero()).then_some((now, left));
        self.closed.map(|(_, left)| left)
    }

    pub(super) fn close(&mut self, now: Timestamp, wait: Duration) {
        self.closed = Some((now, wait));
    }
}

/// How long the server asks us to wait, if it tells; `server_now` is its own clock.
pub(super) fn told(headers: &HeaderMap, server_now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let until = |at: Timestamp| at.duration_since(server_now).max(SignedDuration::ZERO);
    let after = text("retry-after").and_then(|value| match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => http_date(value).map(|at| until(at).unsigned_abs()),
    });
    let reset = || {
        let at = text("ratelimit-reset")?.parse().ok()?;
        Timestamp::from_second(at).ok().map(|at| until(at).unsigned_abs())
    };
    after.or_else(reset).map(|wait| wait.clamp(WAIT_MIN, WAIT_MAX))
}

/// How long to wait after a 429.
pub(super) fn after_429(headers: &HeaderMap, server_now: Timestamp) -> Duration {
    told(headers, server_now).unwrap_or(UNTOLD)
}

/// A date as HTTP headers write it.
pub(super) fn http_date(value: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_wait_is_told_in_seconds_as_a_date_or_as_a_reset() {
        let cases: [(&[(&str, &str)], u64); 5] = [
            (&[("retry-after", "30")], 30),
            (&[("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT")], 30),
            (&[("ratelimit-reset", "1700000045")], 45),
            (&[("ratelimit-reset", "1600000000")], 1),
            (&[], 60),
        ];
        for (pairs, seconds) in cases {
            assert_eq!(after_429(&headers(pairs), NOW), Duration::from_secs(seconds), "{pairs:?}");
        }
    }

    #[test]
    fn a_clock_set_back_does_not_prolong_the_wait() {
        let mut gate = Gate::default();
        gate.close(NOW, Duration::from_secs(30));
        let earlier = NOW - SignedDuration::from_secs(5000);
        assert_eq!(gate.wait(earlier), Some(Duration::from_secs(30)));
        assert_eq!(gate.wait(earlier + SignedDuration::from_secs(30)), None);
        assert_eq!(gate.wait(earlier), None);
    }
}
