//! Days of the week, times of the day, time zones.

use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::Unreadable;
use crate::spec::schedule::{DAYS, Days};

const NO_DAYS: Unreadable = Unreadable {
    is: "no days of the week",
    hint: "write `daily`, days as in `sat,sun`, or a range as in `mon-fri`",
};

/// `mon-fri`, `sat,sun`, `daily`; a range may go over the end of the week.
pub(in crate::spec) fn days(word: &str) -> Result<Days, Unreadable> {
    if word == "daily" {
        return Ok(Days::DAILY);
    }
    let place = |day: &str| DAYS.iter().position(|name| *name == day.trim()).ok_or(NO_DAYS);
    let mut days = Days::NONE;
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (place(first)?, place(last)?);
        days.add(first, (last + DAYS.len() - first) % DAYS.len());
    }
    Ok(days)
}

const NO_TIME: Unreadable =
    Unreadable { is: "no time of the day", hint: "write hours and minutes, as in `\"08:30\"`" };

/// `08:30`
pub(in crate::spec) fn time(word: &str) -> Result<Time, Unreadable> {
    let digits = |part: &str| -> Result<i8, Unreadable> {
        let fits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| fits).ok_or(NO_TIME)
    };
    let (hour, minute) = word.split_once(':').ok_or(NO_TIME)?;
    Time::new(digits(hour)?, digits(minute)?, 0, 0).map_err(|_| NO_TIME)
}

/// The same, and `24:00` for the end of the day.
pub(in crate::spec) fn end_time(word: &str) -> Result<Time, Unreadable> {
    if word == "24:00" { Ok(Time::midnight()) } else { time(word) }
}

/// A time zone by its IANA name. From the copy of the database that is part of the program: a small
/// image has none, and a spec means the same wherever it is checked.
pub(in crate::spec) fn timezone(word: &str) -> Result<TimeZone, Unreadable> {
    let found = TimeZoneDatabase::bundled().get(word).ok();
    found.filter(|zone| zone.iana_name().is_some()).ok_or(Unreadable {
        is: "no time zone",
        hint: "write its IANA name, as in `Europe/Berlin`, or `UTC`",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_they_were_read() {
        for word in ["daily", "mon-fri", "sat,sun", "mon", "mon,wed-fri"] {
            assert_eq!(days(word).unwrap().to_string(), word);
        }
        assert_eq!(days("fri-mon").unwrap().to_string(), "mon,fri-sun");
        assert_eq!(days("mon-sun").unwrap(), Days::DAILY);
        for word in ["", "mon-", "monday", "Mon", "mon;tue", "mon-tue-wed", "daily,mon"] {
            assert_eq!(days(word).map_err(|bad| bad.is), Err("no days of the week"), "{word}");
        }
    }

    #[test]
    fn a_time_has_hours_and_minutes() {
        assert_eq!(time("08:30"), Ok(Time::constant(8, 30, 0, 0)));
        assert_eq!(end_time("24:00"), Ok(Time::midnight()));
        for word in ["", "8:30", "08:60", "24:00", "0830", "08:30:00", "+8:30", "8 :30"] {
            assert_eq!(time(word), Err(NO_TIME), "{word}");
        }
    }

    #[test]
    fn time_zones_are_in_the_program() {
        assert_eq!(timezone("Europe/Berlin").unwrap().iana_name(), Some("Europe/Berlin"));
        assert_eq!(timezone("UTC").unwrap().iana_name(), Some("UTC"));
        for word in ["", "Berlin", "CEST", "+02:00", "../../etc/passwd", "Etc/Unknown"] {
            assert_eq!(timezone(word).map_err(|bad| bad.is), Err("no time zone"), "{word}");
        }
    }
}
