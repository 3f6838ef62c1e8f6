//! `autogit plan --at TIME`: which time is meant.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use crate::cli::arguments::Plan;
use crate::cli::shell::Shell;
use crate::duration::signed;
use crate::operate::Failure;

/// The time that was asked for.
pub(super) fn given(arguments: &Plan, shell: &Shell) -> Result<Option<Timestamp>, Failure> {
    let Some(word) = &arguments.at else { return Ok(None) };
    let zone = shell.render_options(false).zone;
    let at = read(word, shell.clock().now(), &zone);
    at.map(Some).ok_or_else(|| {
        Failure::Usage(format!(
            "error: `--at {word}` is no time\nhint: write `18:00` for today, `+2h` for later, or \
             `2026-10-25T02:30` with `Z`, an offset or a zone as in `[Europe/Berlin]`"
        ))
    })
}

/// A time that names no zone is one of `zone`, and one without a day of today there.
fn read(word: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if let Some(later) = word.strip_prefix('+') {
        let later = humantime::parse_duration(later).ok()?;
        return now.checked_add(signed(later)).ok();
    }
    if word.contains('[') {
        return word.parse::<ZonedDateTime>().ok().map(|at| at.timestamp());
    }
    if let Ok(at) = word.parse::<Timestamp>() {
        return Some(at);
    }
    let at = match word.parse::<DateTime>() {
        Ok(at) => at,
        Err(_) => zone.to_datetime(now).date().to_datetime(word.parse::<Time>().ok()?),
    };
    zone.to_timestamp(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_told_in_several_ways() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let now: Timestamp = "2026-10-24T23:30:00Z".parse().unwrap();
        let read = |word: &str| read(word, now, &berlin).map(|at| at.to_string());
        let at = |word: &str| Some(word.to_owned());
        // There it is the 25th already; the clocks show 02:30 twice that night, and the first counts.
        assert_eq!(read("02:30"), at("2026-10-25T00:30:00Z"));
        assert_eq!(read("18:00"), at("2026-10-25T17:00:00Z"));
        assert_eq!(read("+2h"), at("2026-10-25T01:30:00Z"));
        assert_eq!(read("2026-10-25T02:30[Europe/Berlin]"), at("2026-10-25T00:30:00Z"));
        assert_eq!(read("2026-10-25T02:30+01:00[Europe/Berlin]"), at("2026-10-25T01:30:00Z"));
        assert_eq!(read("2026-10-25T02:30"), at("2026-10-25T00:30:00Z"));
        assert_eq!(read("2026-10-25T02:30:00Z"), at("2026-10-25T02:30:00Z"));
        for word in ["", "noon", "25:00", "+2", "-2h", "2026-13-01", "2026-10-25T02:30[Berlin]"] {
            assert_eq!(read(word), None, "{word}");
        }
    }
}
