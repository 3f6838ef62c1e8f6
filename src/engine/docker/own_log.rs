//! A container's log for the operator, followed over what ends a connection: a new file of the log
//! (Engine 20.10 to 25 may end what it streams there), an engine that restarts, a lost ssh.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::mpsc::Sender;

use super::client::{Client, Facts, READ_LIMIT};
use super::failure::Failure;
use super::lifecycle;
use super::log_line::stamped;
use super::logs::{ATTEMPT, Source, source};
use crate::engine::EngineError;
use crate::engine::own_log::{LogLine, LogPart};
use crate::world::WorkloadId;

/// Between two tries to go on with a log whose connection was lost.
const PAUSE: Duration = Duration::from_secs(2);
/// Tries without a line before it is given up: a minute, in which an engine restarts.
const TRIES: u32 = 30;
/// Bytes of a line that are kept together: one without end must not fill the memory.
const LINE_MAX: usize = 1 << 20;

/// Why no more comes of one connection.
enum End {
    /// The engine ended it.
    Ended,
    /// Nobody listens.
    Unheard,
}

/// Who is told, by which clock.
struct Listener<'a> {
    into: &'a Sender<LogLine>,
    facts: Facts,
}

impl Listener<'_> {
    /// Tells a line; whether anybody listens.
    async fn hears(&self, at: Timestamp, text: String) -> bool {
        self.into.send(LogLine { at: self.facts.ours(at), text }).await.is_ok()
    }
}

/// Sends what the container wrote, and where it is followed what it writes until it ends.
pub(super) async fn read(
    client: &Client,
    id: &WorkloadId,
    part: LogPart,
    into: &Sender<LogLine>,
) -> Result<(), EngineError> {
    let listener = Listener { into, facts: client.facts().await? };
    let mut place = Place::default();
    let mut tail = part.last.map_or_else(all, |lines| lines.to_string());
    let (mut tries, mut began, mut lives) = (0, false, true);
    loop {
        let before = place.last();
        let follow = part.followed && lives;
        match place.advance(client, id, tail, follow, &listener).await {
            Ok(End::Unheard) => return Ok(()),
            Ok(End::Ended) if !follow => {
                place.rest(&listener).await;
                return Ok(());
            }
            Ok(End::Ended) => began = true,
            // It ended, and was removed since.
            Err(failure) if began && failure.status() == Some(404) => {
                place.rest(&listener).await;
                return Ok(());
            }
            Err(failure) => {
                tries = if place.last() > before { 0 } else { tries + 1 };
                began |= place.last().is_some();
                if !began || tries > TRIES || !part.followed {
                    return Err(failure.about(|| format!("container {id}")));
                }
                client.clock().sleep(PAUSE).await;
            }
        }
        tail = all();
        // Once it does not run any more, what it wrote last is read to its end.
        match lifecycle::runs(client, id.as_str()).await {
            Ok(runs) => lives = runs == Some(true),
            Err(_) => client.clock().sleep(PAUSE).await,
        }
    }
}

fn all() -> String {
    "all".to_owned()
}

/// How far a log was told. Docker's `since` knows whole seconds, so the last second is read again; and
/// when the log goes on in a new file, Engine 20.10 tells what it told last once more. Within a stream
/// times only grow, so what is not newer than the last piece was told.
#[derive(Debug, Default)]
struct Place {
    streams: BTreeMap<Source, Told>,
}

/// How far one stream was told.
#[derive(Debug, Default)]
struct Told {
    /// When the last piece was written, by the engine's clock.
    last: Timestamp,
    /// Pieces of that very moment that were taken: those of a long line have one time.
    taken: usize,
    /// So many of them come once more.
    again: usize,
    /// The last piece.
    piece: Vec<u8>,
    /// A line that has no end yet, and when it began. Docker hands on a long one in pieces.
    open: Option<(Timestamp, Vec<u8>)>,
}

impl Place {
    /// When the last piece of all was written.
    fn last(&self) -> Option<Timestamp> {
        self.streams.values().map(|told| told.last).max()
    }

    async fn advance(
        &mut self,
        client: &Client,
        id: &WorkloadId,
        tail: String,
        follow: bool,
        listener: &Listener<'_>,
    ) -> Result<End, Failure> {
        let since = self.last().map_or(0, Timestamp::as_second);
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            timestamps: true,
            since: i32::try_from(since).unwrap_or_default(),
            tail,
            follow,
            ..LogsOptions::default()
        };
        for told in self.streams.values_mut() {
            told.again = told.taken;
        }
        let mut pieces = client.docker().await?.logs(id.as_str(), Some(options));
        loop {
            let next = pieces.next();
            // What is followed may be silent for hours.
            let piece = if follow { next.await } else { in_time(next).await? };
            let Some(piece) = piece else { return Ok(End::Ended) };
            let piece = piece.map_err(|error| client.failure(ATTEMPT, error))?;
            let told = self.streams.entry(source(&piece)).or_default();
            let bytes = piece.into_bytes();
            let Some((at, text)) = stamped(&bytes) else { continue };
            if told.is_new(at, text)
                && let Some((at, line)) = told.take(at, text)
                && !listener.hears(at, line).await
            {
                return Ok(End::Unheard);
            }
        }
    }

    /// Tells the last lines, which never got an end.
    async fn rest(&mut self, listener: &Listener<'_>) {
        let open = self.streams.values_mut().filter_map(|told| told.open.take());
        for (at, line) in open {
            listener.hears(at, in_words(&line)).await;
        }
    }
}

impl Told {
    fn is_new(&mut self, at: Timestamp, piece: &[u8]) -> bool {
        match at.cmp(&self.last) {
            Ordering::Less => {
                self.again = self.taken;
                false
            }
            Ordering::Equal if self.again > 0 => {
                self.again -= 1;
                false
            }
            // A line once more; what goes on a line may say the same again.
            Ordering::Equal => self.open.is_some() || self.piece != piece,
            Ordering::Greater => {
                (self.last, self.taken, self.again) = (at, 0, 0);
                true
            }
        }
    }

    /// Takes in a piece; the line that it ends.
    fn take(&mut self, at: Timestamp, piece: &[u8]) -> Option<(Timestamp, String)> {
        self.taken = self.taken.saturating_add(1);
        piece.clone_into(&mut self.piece);
        let end = piece.strip_suffix(b"\n");
        let (_, line) = self.open.get_or_insert_with(|| (at, Vec::new()));
        line.extend_from_slice(end.unwrap_or(piece));
        if end.is_none() && line.len() < LINE_MAX {
            return None;
        }
        let (at, line) = self.open.take()?;
        Some((at, in_words(&line)))
    }
}

fn in_words(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

async fn in_time<T>(asked: impl Future<Output = T>) -> Result<T, Failure> {
    let limit = READ_LIMIT;
    let late = |_| EngineError::TimedOut { attempt: ATTEMPT.to_owned(), limit }.into();
    tokio::time::timeout(limit, asked).await.map_err(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(told: &mut Told, nanosecond: i128, piece: &str) -> Option<String> {
        let (at, piece) = (Timestamp::from_nanosecond(nanosecond).unwrap(), piece.as_bytes());
        if told.is_new(at, piece) { told.take(at, piece).map(|(_, line)| line) } else { None }
    }

    #[test]
    fn a_line_in_pieces_is_told_whole() {
        let mut stream = Told::default();
        assert_eq!(told(&mut stream, 1, "one "), None);
        assert_eq!(told(&mut stream, 1, "line\n"), Some("one line".to_owned()));
        assert_eq!(told(&mut stream, 1, "\n"), Some(String::new()));
    }

    #[test]
    fn what_an_engine_tells_once_more_is_told_once() {
        let mut stream = Told::default();
        let pieces = [(1, "a\n"), (2, "b"), (2, "c\n")];
        let lines = |stream: &mut Told| -> Vec<String> {
            pieces.iter().filter_map(|(at, piece)| told(stream, *at, piece)).collect()
        };
        assert_eq!(lines(&mut stream), ["a", "bc"]);
        assert!(lines(&mut stream).is_empty());
        assert_eq!(told(&mut stream, 2, "d\n"), Some("d".to_owned()));
        assert!(lines(&mut stream).is_empty());
        assert_eq!(told(&mut stream, 3, "e\n"), Some("e".to_owned()));
        assert_eq!(told(&mut stream, 3, "e\n"), None, "the last line of a file that is full");
    }
}
