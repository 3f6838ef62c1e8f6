//! The recent events, numbered, for clients that follow them and for those that come back.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::lock::locked;
use crate::view::EventOutput;

/// Events that are kept: a thousand runners that start and are seen to start, which is minutes of
/// the busiest installation and days of a small one. Each is a few hundred bytes.
const EVENTS_KEPT: usize = 2048;

/// The name of an event: which process it is of, and its number there. A client that names one of
/// another process is told to begin anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// When the process began, in milliseconds since 1970.
    epoch: i64,
    number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl FromStr for EventId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, number) = text.split_once('-').unwrap_or((text, ""));
        Ok(Self { epoch: epoch.parse()?, number: number.parse()? })
    }
}

/// One thing that happened, when.
#[derive(Debug)]
pub struct Event {
    /// Its name.
    pub id: EventId,
    /// When the loop saw or did it.
    pub at: Timestamp,
    /// What happened, as the API tells it.
    pub what: EventOutput,
}

/// What a client has not seen.
#[derive(Debug)]
pub struct Missed {
    /// The events, oldest first.
    pub events: Vec<Arc<Event>>,
    /// There were others in between that are no longer kept, or the client followed another
    /// process: what it knows is not to be built upon.
    pub gap: bool,
    /// The newest event, with which the next question begins.
    pub newest: EventId,
}

/// The recent events; clones share them. The loop adds and never waits: a client that is slow reads
/// less, and is told so.
#[derive(Debug, Clone)]
pub struct History {
    ring: Arc<Mutex<Ring>>,
    news: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    epoch: i64,
    /// Events so far, kept or not.
    count: u64,
    events: VecDeque<Arc<Event>>,
}

impl History {
    /// Nothing has happened yet; `now` tells this process from others.
    pub fn new(now: Timestamp) -> Self {
        let ring = Ring { epoch: now.as_millisecond(), count: 0, events: VecDeque::new() };
        Self { ring: Arc::new(Mutex::new(ring)), news: watch::Sender::new(0) }
    }

    /// Adds what happened at one moment.
    pub fn add(&self, at: Timestamp, events: Vec<EventOutput>) {
        if events.is_empty() {
            return;
        }
        let count = self.with(|ring| {
            for what in events {
                ring.count += 1;
                let id = EventId { epoch: ring.epoch, number: ring.count };
                ring.events.push_back(Arc::new(Event { id, at, what }));
            }
            let surplus = ring.events.len().saturating_sub(EVENTS_KEPT);
            ring.events.drain(..surplus);
            ring.count
        });
        self.news.send_replace(count);
    }

    /// What came after `last`; everything that is kept for a client that names none.
    pub fn since(&self, last: Option<EventId>) -> Missed {
        self.with(|ring| {
            let oldest = ring.events.front().map_or(ring.count + 1, |event| event.id.number);
            let seen = last.filter(|last| last.epoch == ring.epoch && last.number <= ring.count);
            let after = seen.map_or(0, |last| last.number);
            let events = ring.events.iter().filter(|event| event.id.number > after);
            let gap = match (last, seen) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(_), Some(seen)) => seen.number + 1 < oldest,
            };
            Missed {
                events: events.map(Arc::clone).collect(),
                gap,
                newest: EventId { epoch: ring.epoch, number: ring.count },
            }
        })
    }

    /// Changes whenever events were added.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Ring) -> T) -> T {
        act(&mut locked(&self.ring))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::SourceChangeOutput;

    fn event(number: usize) -> EventOutput {
        let source = number.to_string();
        EventOutput::Source(SourceChangeOutput { source, known: true, error: None })
    }

    fn with_events(count: usize) -> History {
        let history = History::new(Timestamp::UNIX_EPOCH);
        for number in 0..count {
            history.add(Timestamp::UNIX_EPOCH, vec![event(number)]);
        }
        history
    }

    #[test]
    fn a_client_that_comes_back_gets_what_it_missed() {
        let history = with_events(5);
        let missed = history.since(Some("0-3".parse().unwrap()));
        let ids: Vec<String> = missed.events.iter().map(|event| event.id.to_string()).collect();
        assert_eq!(ids, ["0-4", "0-5"]);
        assert!(!missed.gap);
        assert!(history.since(Some(missed.newest)).events.is_empty());
    }

    #[test]
    fn what_is_no_longer_kept_is_said_to_be_missing() {
        let history = with_events(EVENTS_KEPT + 10);
        assert_eq!(history.since(None).events.len(), EVENTS_KEPT);
        assert!(!history.since(None).gap);
        assert!(history.since(Some("0-9".parse().unwrap())).gap);
        assert!(!history.since(Some("0-10".parse().unwrap())).gap);
    }

    #[test]
    fn an_event_of_another_process_is_a_gap() {
        let history = with_events(3);
        for id in ["7-2", "0-900"] {
            let missed = history.since(Some(id.parse().unwrap()));
            assert!(missed.gap, "{id}");
            assert_eq!(missed.events.len(), 3, "{id}");
        }
    }
}
