//! A runner's log: read whole once, then only its growth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::LogsOptions;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use jiff::Timestamp;

use super::client::{Client, READ_LIMIT};
use super::log_line::{Told, event, stamped};
use crate::engine::EngineError;
use crate::lock::locked;
use crate::world::{Runner, RunnerLog, WorkloadId};

/// How many lines from the end are asked for first: Docker searches a log from its start unless
/// it is told where to begin, and a tick adds a handful of lines.
const GROWTH_USUAL: usize = 100;

/// Logs of which it is remembered how far they were read though no list shows their runner: those
/// of some hours, at a hundred bytes each.
const OTHERS_MAX: usize = 1_000;

pub(super) const ATTEMPT: &str = "read a runner's log";

/// How far each runner's log was read.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<BTreeMap<WorkloadId, Reader>>);

impl Readers {
    /// What the log of that container tells.
    pub(super) async fn read(
        &self,
        client: &Client,
        id: &WorkloadId,
    ) -> Result<RunnerLog, EngineError> {
        let facts = client.facts().await?;
        // A reader is taken out while it works, so that no lock is held over the wait; whoever
        // reads the same log meanwhile starts a new one and comes to the same end.
        let now = facts.theirs(client.clock().now());
        let reader = self.lock().remove(id).filter(|reader| !reader.is_ahead_of(now));
        let mut reader = reader.unwrap_or_default();
        let read = client.call(ATTEMPT, READ_LIMIT, |docker| async move {
            reader.advance(&docker, id).await?;
            Ok(reader)
        });
        let reader = read.await.map_err(|failure| failure.about(|| format!("container {id}")))?;
        let log = reader.told.log.by_clock(|at| facts.ours(at));
        self.lock().insert(id.clone(), reader);
        Ok(log)
    }

    /// Forgets all but these, once the others are many: a list may lack a runner for a while.
    pub(super) fn keep_only(&self, runners: &[Runner]) {
        let mut readers = self.lock();
        if readers.len() > runners.len() + OTHERS_MAX {
            let living: BTreeSet<&WorkloadId> = runners.iter().map(|runner| &runner.id).collect();
            readers.retain(|id, _| living.contains(id));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<WorkloadId, Reader>> {
        locked(&self.0)
    }
}

/// How far one log was read. Docker's `since` knows whole seconds, so the last second is read
/// again, and as many of its lines are passed over as were taken before.
#[derive(Debug, Clone, Default)]
struct Reader {
    told: Told,
    second: i32,
    taken_in_second: usize,
    /// The last piece of each stream had no end: what follows belongs to a line too long for us.
    within_line: BTreeSet<Source>,
}

/// Which of a container's streams a piece is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Out,
    Err,
}

/// Which stream a piece is of.
pub(super) fn source(piece: &LogOutput) -> Source {
    match piece {
        LogOutput::StdErr { .. } => Source::Err,
        LogOutput::StdOut { .. } | LogOutput::StdIn { .. } | LogOutput::Console { .. } => {
            Source::Out
        }
    }
}

/// How far the engine's clock as we know it may be off.
const CLOCK_ERROR: i64 = 5;

impl Reader {
    /// The engine's clock was set back since: `since` would pass over all that is written until it
    /// is there again, so the log is read from its beginning.
    fn is_ahead_of(&self, theirs: Timestamp) -> bool {
        i64::from(self.second) > theirs.as_second().saturating_add(CLOCK_ERROR)
    }

    async fn advance(&mut self, docker: &Docker, id: &WorkloadId) -> Result<(), Error> {
        if self.second > 0 {
            let tail = GROWTH_USUAL.to_string();
            let recent: Vec<_> = pieces(docker, id, self.second, tail).collect().await;
            // Fewer than asked for: the log's part since then lies within them.
            if recent.len() < GROWTH_USUAL {
                return self.take_all(futures_util::stream::iter(recent)).await;
            }
        }
        let all = pieces(docker, id, self.second, "all".to_owned());
        self.take_all(all).await
    }

    async fn take_all(
        &mut self,
        pieces: impl Stream<Item = Result<LogOutput, Error>>,
    ) -> Result<(), Error> {
        let mut pieces = std::pin::pin!(pieces.skip(self.taken_in_second));
        while let Some(piece) = pieces.next().await.transpose()? {
            self.take(source(&piece), &piece.into_bytes());
        }
        Ok(())
    }

    fn take(&mut self, source: Source, piece: &Bytes) {
        let Some((at, line)) = stamped(piece) else { return };
        let second = i32::try_from(at.as_second()).unwrap_or(i32::MAX);
        if second > self.second {
            self.second = second;
            self.taken_in_second = 0;
        }
        if second == self.second {
            self.taken_in_second = self.taken_in_second.saturating_add(1);
        }
        let continues = self.within_line.remove(&source);
        if !piece.ends_with(b"\n") {
            self.within_line.insert(source);
        } else if !continues && let Some(event) = event(line.trim_ascii()) {
            self.told.take(at, event);
        }
    }
}

fn pieces(
    docker: &Docker,
    id: &WorkloadId,
    since: i32,
    tail: String,
) -> impl Stream<Item = Result<LogOutput, Error>> + use<> {
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        timestamps: true,
        since,
        tail,
        ..LogsOptions::default()
    };
    docker.logs(id.as_str(), Some(options))
}

/// The last lines of a container's log, for the operator.
pub(super) async fn tail(
    client: &Client,
    id: &WorkloadId,
    lines: usize,
) -> Result<Vec<String>, EngineError> {
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        tail: lines.to_string(),
        ..LogsOptions::default()
    };
    let read = client.call(ATTEMPT, READ_LIMIT, |docker| async move {
        let mut pieces = std::pin::pin!(docker.logs(id.as_str(), Some(options)));
        let mut lines = Vec::new();
        while let Some(piece) = pieces.next().await.transpose()? {
            lines.push(piece.to_string().trim_end().to_owned());
        }
        Ok(lines)
    });
    read.await.map_err(|failure| failure.about(|| format!("container {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_anew_once_the_engines_clock_is_set_back() {
        let reader = Reader { second: 900, ..Reader::default() };
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!reader.is_ahead_of(at(899)));
        assert!(reader.is_ahead_of(at(300)));
    }
}
