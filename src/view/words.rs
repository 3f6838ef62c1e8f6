//! Small words that all output shares: durations, ages, counts, and other people's text.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use crate::plan::brief;

/// `0.4s` below ten seconds, else the two largest units.
pub(crate) fn age(duration: SignedDuration) -> String {
    let duration = duration.max(SignedDuration::ZERO);
    if duration < SignedDuration::from_secs(10) {
        format!("{:.1}s", duration.as_secs_f64())
    } else {
        brief(duration)
    }
}

/// How long ago `at` was, in whole seconds: `2m13s`.
pub(crate) fn since(now: Timestamp, at: Timestamp) -> String {
    brief(now.duration_since(at))
}

/// `2026-01-02T03:04:05Z`
pub(crate) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What [`instant`] wrote. An AutoGit of another version may write its times in another way, which
/// is not worth a failure.
pub(crate) fn parsed(instant: &str) -> Timestamp {
    instant.parse().unwrap_or_default()
}

/// `1 runner`, `2 runners`
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Other people's text for a terminal: job names, refs and errors may hold escape sequences and
/// signs that turn the direction of reading.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let is_sly = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(is_sly) {
        let line = text.replace("\nhint: ", "; hint: ").replace('\n', " ");
        Cow::Owned(line.replace(is_sly, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Other people's text on several lines: each as by [`plain`].
pub(crate) fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_in_a_job_name_does_not_reach_the_terminal() {
        assert_eq!(plain("build\u{1b}[2J"), "build\u{fffd}[2J");
        assert_eq!(plain("a\u{202e}b"), "a\u{fffd}b");
        assert_eq!(plain("größe"), "größe");
        assert_eq!(plain("refused\nhint: ask\nagain"), "refused; hint: ask again");
    }

    #[test]
    fn an_age_has_tenths_only_while_they_matter() {
        assert_eq!(age(SignedDuration::from_millis(400)), "0.4s");
        assert_eq!(age(SignedDuration::from_secs(41)), "41s");
        assert_eq!(age(SignedDuration::from_secs(-3)), "0.0s");
    }
}
