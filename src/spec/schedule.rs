//! Idle runners by the time of the week: how many, by which entry, and until when.
//!
//! An entry is on from `from` to the next `to`, on each of its days; both are times of a clock on the
//! wall in its time zone. Where that clock is set, Temporal's compatible rule decides: a time that
//! the clock jumps over is as much later as it jumps, and of a time that it shows twice the first is
//! meant. So no entry is on twice for it; one that begins within the jump and ends less than that
//! after it is not on that day.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

/// Idle runners kept beyond the demand, by the time of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Outside the times of the entries.
    pub base: u32,
    /// The first one that is on counts.
    pub entries: Vec<Scheduled>,
}

/// Times of the week with a number of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// The days on which it begins.
    pub days: Days,
    /// When it begins.
    pub from: Time,
    /// When it ends: on the next day, where that is not after `from`.
    pub to: Time,
    /// Whose clock that is.
    pub timezone: TimeZone,
    /// Idle runners in that time.
    pub warm: u32,
}

/// How many days a week has, and the entries' times repeat.
const WEEK: usize = 7;
/// How far the next change is looked for: an entry of one day that a clock jumps over comes again in
/// the week after.
const AHEAD: usize = 2 * WEEK + 2;

impl Schedule {
    /// The number at that time.
    pub fn number(&self, at: Timestamp) -> u32 {
        self.entry(at).and_then(|entry| self.entries.get(entry)).map_or(self.base, |it| it.warm)
    }

    /// The entry that counts at that time; `None`: `base` does.
    pub fn entry(&self, at: Timestamp) -> Option<usize> {
        self.entries.iter().position(|entry| entry.is_on(at))
    }

    /// When the number is another one than at that time, and which; `None`: it stays for weeks.
    pub fn next(&self, at: Timestamp) -> Option<(Timestamp, u32)> {
        let now = self.number(at);
        let spans = self.entries.iter().flat_map(|entry| entry.spans(at, AHEAD));
        let mut edges: Vec<Timestamp> =
            spans.flat_map(|(from, to)| [from, to]).filter(|edge| *edge > at).collect();
        edges.sort_unstable();
        edges.dedup();
        let mut numbers = edges.into_iter().map(|edge| (edge, self.number(edge)));
        numbers.find(|(_, number)| *number != now)
    }
}

impl Scheduled {
    /// It is on at that time.
    fn is_on(&self, at: Timestamp) -> bool {
        self.spans(at, 1).any(|(from, to)| from <= at && at < to)
    }

    /// From when to when it is on, of those days that begin yesterday, as seen at that time.
    pub(super) fn spans(
        &self,
        at: Timestamp,
        ahead: usize,
    ) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.timezone.to_datetime(at).date();
        let first = today.yesterday().unwrap_or(today);
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok()).take(1 + ahead);
        days.filter_map(|day| self.span(day))
    }

    /// From when to when it is on, beginning that day.
    fn span(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.days.has(day.weekday()) {
            return None;
        }
        let last = if self.to > self.from { day } else { day.tomorrow().ok()? };
        let instant =
            |day: Date, time: Time| self.timezone.to_timestamp(day.to_datetime(time)).ok();
        Some((instant(day, self.from)?, instant(last, self.to)?))
    }

    /// Some time at which this one and `other` are both on; looked for in a week of winter and in one
    /// of summer, for the clocks of two time zones are not always as far apart.
    pub(super) fn meets(&self, other: &Self) -> bool {
        SAMPLES.iter().any(|&at| {
            let spans: Vec<_> = other.spans(at, WEEK + 2).collect();
            let mut ours = self.spans(at, WEEK + 2);
            ours.any(|(from, to)| spans.iter().any(|(start, end)| from < *end && *start < to))
        })
    }
}

/// 13 January and 14 July 2025.
const SAMPLES: [Timestamp; 2] =
    [Timestamp::constant(1_736_726_400, 0), Timestamp::constant(1_752_451_200, 0)];

/// `{days: mon-fri, from: "08:00", to: "18:00", timezone: Europe/Berlin, warm: 2}`
impl fmt::Display for Scheduled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { days, from, to, timezone, warm } = self;
        let zone = timezone.iana_name().unwrap_or_default();
        let (from, to) = (from.strftime("%H:%M"), to.strftime("%H:%M").to_string());
        // Else it would be read as no time at all.
        let to = if self.to == Time::midnight() { "24:00" } else { &to };
        write!(
            f,
            "{{days: {days}, from: \"{from}\", to: \"{to}\", timezone: {zone}, warm: {warm}}}"
        )
    }
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// From Monday.
    on: [bool; WEEK],
}

/// The days as the file calls them, from Monday.
pub(super) const DAYS: [&str; WEEK] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// Each.
    pub const DAILY: Self = Self { on: [true; WEEK] };
    /// None.
    pub(super) const NONE: Self = Self { on: [false; WEEK] };

    /// That day, by its place from Monday, and so many after it.
    pub(super) fn add(&mut self, first: usize, more: usize) {
        for place in first..=first + more {
            if let Some(on) = self.on.get_mut(place % WEEK) {
                *on = true;
            }
        }
    }

    /// Whether that day is one of them.
    pub fn has(self, day: Weekday) -> bool {
        let place = usize::try_from(day.to_monday_zero_offset()).unwrap_or_default();
        self.on.get(place).copied().unwrap_or_default()
    }
}

/// `daily`, `mon-fri`, `mon,wed-fri`
impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::DAILY {
            return f.write_str("daily");
        }
        let mut words = Vec::new();
        let mut run: Vec<&str> = Vec::new();
        let ended = std::iter::once((&"", &false));
        for (day, on) in DAYS.iter().zip(&self.on).chain(ended) {
            if *on {
                run.push(day);
                continue;
            }
            match (run.first(), run.last()) {
                (Some(first), Some(last)) if run.len() > 2 => words.push(format!("{first}-{last}")),
                _ => words.extend(run.iter().map(ToString::to_string)),
            }
            run.clear();
        }
        f.write_str(&words.join(","))
    }
}
