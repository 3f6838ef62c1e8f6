//! The words of a case: places, durations, attributes after commas.

use autogit::spec::{Arch, HostName, PoolName};
use autogit::world::{Slot, Variant};

use crate::plan::harness::{Doing, Spot};

/// A line's first part and its attributes: `linux/0 idle 5m, changed`.
pub(crate) struct Line<'a> {
    text: &'a str,
    pub(crate) head: Vec<&'a str>,
    pub(crate) attributes: Vec<Vec<&'a str>>,
}

impl<'a> Line<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let mut parts = text.split(", ").map(|part| part.split_whitespace().collect::<Vec<_>>());
        let head = parts.next().unwrap_or_default();
        Self { text, head, attributes: parts.collect() }
    }

    /// For a word that no rule of the format knows.
    pub(crate) fn unknown(&self, what: &[&str]) -> ! {
        panic!("`{}` is not understood in `{}`", what.join(" "), self.text)
    }
}

/// `5m` as seconds.
pub(crate) fn seconds(word: &str) -> i64 {
    let duration = humantime::parse_duration(word).unwrap_or_else(|_| panic!("`{word}`: a time?"));
    i64::try_from(duration.as_secs()).unwrap()
}

pub(crate) fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("`{word}`: a number?"))
}

/// `linux`, `linux/arm64`
pub(crate) fn variant(word: &str) -> Variant {
    let (pool, arch) = word.split_once('/').unwrap_or((word, "amd64"));
    Variant::new(&PoolName::new(pool).unwrap(), arch_of(arch))
}

pub(crate) fn arch_of(word: &str) -> Arch {
    Arch::parse(word).unwrap_or_else(|| panic!("`{word}`: an architecture?"))
}

pub(crate) fn host(word: &str) -> HostName {
    HostName::new(word).unwrap()
}

/// `linux/0`, `linux/arm64/0@rack`
pub(crate) fn spot(word: &str) -> Spot {
    let (place, host_name) = word.split_once('@').unwrap_or((word, "local"));
    let (of, slot) = place.rsplit_once('/').unwrap_or_else(|| panic!("`{word}`: a slot?"));
    Spot { variant: variant(of), slot: Slot(number(slot)), host: host(host_name) }
}

/// `idle 5m`, `busy 7 90s`
pub(crate) fn doing(line: &Line<'_>, words: &[&str]) -> Doing {
    match words {
        ["created", since] => Doing::Created(seconds(since)),
        ["starting", since] => Doing::Starting(seconds(since)),
        ["idle", since] => Doing::Idle(seconds(since)),
        ["busy", "at", "gitlab", since] => Doing::BusyAtGitlab(seconds(since)),
        ["busy", job, since] => Doing::Busy(number(job), seconds(since)),
        ["picked", job, since] => Doing::Picked(number(job), seconds(since)),
        ["draining", since] => Doing::Draining(seconds(since)),
        ["draining", job, since] => Doing::DrainingBusy(number(job), seconds(since)),
        ["exited", code, since] => Doing::Exited(number(code), seconds(since)),
        other => line.unknown(other),
    }
}
