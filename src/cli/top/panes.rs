//! The four lists of a live view: their rows in the order and choice that the operator asks for.

use crate::cli::text::rows::{self, Rows};
use crate::view::{QueueOutput, RunnerOutput, StatusOutput, words};

/// What was read together.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `GET /status`.
    pub status: StatusOutput,
    /// `GET /runners`.
    pub runners: Vec<RunnerOutput>,
    /// `GET /queue`.
    pub queue: QueueOutput,
}

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Hosts,
    Pools,
    Runners,
    Queue,
}

impl Pane {
    /// From top to bottom.
    pub(super) const ALL: [Self; 4] = [Self::Hosts, Self::Pools, Self::Runners, Self::Queue];

    /// Its place in [`Self::ALL`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Hosts => 0,
            Self::Pools => 1,
            Self::Runners => 2,
            Self::Queue => 3,
        }
    }

    /// What its rows can be ordered by; the first is how they are found.
    pub(super) fn orders(self) -> &'static [&'static str] {
        match self {
            Self::Hosts => &["name", "runners", "memory"],
            Self::Pools => &["file", "name", "pending", "busy"],
            Self::Runners => &["host", "pool", "phase", "age"],
            Self::Queue => &["age", "pool", "project", "reason"],
        }
    }

    /// Its columns and rows, ordered by the `order`th of its orders, the other way round where
    /// `reversed`, those that contain `filter` alone.
    pub(super) fn list(self, seen: &Seen, order: usize, reversed: bool, filter: &str) -> List {
        let (Rows { heading, right, cells: rows }, keys) = match self {
            Self::Hosts => hosts(&seen.status),
            Self::Pools => pools(&seen.status),
            Self::Runners => runners(&seen.runners),
            Self::Queue => queue(&seen.queue),
        };
        let all = rows.len();
        let wanted = filter.to_lowercase();
        let holds = |row: &Row| row.cells.iter().any(|cell| cell.to_lowercase().contains(&wanted));
        let rows = keys
            .into_iter()
            .zip(rows)
            .map(|((name, sort), cells)| (sort.into_iter().nth(order), Row { name, cells }));
        let mut rows: Vec<(Option<Key>, Row)> = rows.filter(|(_, row)| holds(row)).collect();
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        if reversed {
            rows.reverse();
        }
        let note = match (self, &*seen.queue.state, seen.queue.more) {
            (Self::Queue, "unknown", _) => Some("unknown"),
            (Self::Queue, _, true) => Some("and more"),
            _ => None,
        };
        List { heading, right, rows: rows.into_iter().map(|(_, row)| row).collect(), all, note }
    }
}

/// What a pane shows.
#[derive(Debug)]
pub(super) struct List {
    pub(super) heading: Vec<&'static str>,
    pub(super) right: &'static [usize],
    pub(super) rows: Vec<Row>,
    /// Rows without the filter.
    pub(super) all: usize,
    /// What is to be known of a list that is not whole.
    pub(super) note: Option<&'static str>,
}

/// One thing.
#[derive(Debug)]
pub(super) struct Row {
    /// What it is called by commands: by this it is found again at the next reading.
    pub(super) name: String,
    pub(super) cells: Vec<String>,
}

/// What a row is ordered by. Of numbers the greatest come first: who orders by them looks for those.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Place(usize),
    Most(std::cmp::Reverse<u64>),
    Word(String),
}

fn most(number: impl TryInto<u64>) -> Key {
    Key::Most(std::cmp::Reverse(number.try_into().unwrap_or(u64::MAX)))
}

fn word(word: &str) -> Key {
    Key::Word(word.to_owned())
}

/// The name of each row, and a key for each order of the pane.
type Keys = Vec<(String, Vec<Key>)>;

fn hosts(status: &StatusOutput) -> (Rows, Keys) {
    let keys = status.hosts.iter().map(|(name, host)| {
        let used = host.used;
        (name.clone(), vec![word(name), most(used.runners), most(used.memory_bytes)])
    });
    (rows::hosts(status), keys.collect())
}

fn pools(status: &StatusOutput) -> (Rows, Keys) {
    let keys = status.pools.iter().map(|(name, pool)| {
        let keys = vec![Key::Place(pool.position), word(name), most(pool.pending), most(pool.busy)];
        (name.clone(), keys)
    });
    (rows::pools(status), keys.collect())
}

fn runners(runners: &[RunnerOutput]) -> (Rows, Keys) {
    let keys = runners.iter().enumerate().map(|(place, runner)| {
        // Times in UTC are in order as they are written; who has none is last.
        let since = runner.since.as_deref().unwrap_or("~");
        let keys = vec![Key::Place(place), word(&runner.pool), word(&runner.phase), word(since)];
        (runner.name.clone(), keys)
    });
    (rows::runners(runners), keys.collect())
}

fn queue(queue: &QueueOutput) -> (Rows, Keys) {
    let jobs = queue.jobs.iter().enumerate().map(|(place, job)| {
        let (pool, reason) = (job.pool.as_deref(), job.reason.as_deref());
        let words = [pool.unwrap_or("~"), &job.project, reason.unwrap_or("~")].map(word);
        (job.id.to_string(), [vec![Key::Place(place)], words.to_vec()].concat())
    });
    let mut rows = rows::jobs(queue.jobs.iter());
    // Here is room for the sentence, too.
    for (row, job) in rows.cells.iter_mut().zip(&queue.jobs) {
        if let (Some(state), Some(why)) = (row.last_mut(), &job.why) {
            *state = format!("{state}: {}", words::plain(why));
        }
    }
    (rows, jobs.collect())
}
