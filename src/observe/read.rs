//! What is asked of a source goes on over several looks where it takes long, so that a source that
//! hangs costs its own part of them only.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, MaybeDone, maybe_done, select_all};
use jiff::Timestamp;

use crate::clock::Clock;

/// How long who looks once waits for each answer: longer than a read takes until it is given up.
pub(super) const PATIENCE_ONCE: Duration = Duration::from_mins(2);

/// A question to a source, and its answer once that came.
pub(super) struct Read<T> {
    began: Timestamp,
    answer: MaybeDone<BoxFuture<'static, T>>,
}

impl<T> fmt::Debug for Read<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read").field("began", &self.began).finish_non_exhaustive()
    }
}

impl<T> Read<T> {
    /// Asks; nothing happens until it is waited for.
    pub(super) fn begin(now: Timestamp, answer: impl Future<Output = T> + Send + 'static) -> Self {
        Self { began: now, answer: maybe_done(answer.boxed()) }
    }

    /// When it began: what it tells is as old as that.
    pub(super) fn began(&self) -> Timestamp {
        self.began
    }

    /// Waits for the answer until so long after the beginning, so that one that hangs is waited for
    /// once. What came is told once.
    pub(super) async fn within(&mut self, clock: &Clock, patience: Duration) -> Option<T> {
        let passed = clock.now().duration_since(self.began);
        // A clock that was set back must not make this longer.
        let left = patience.saturating_sub(passed.try_into().unwrap_or_default());
        tokio::select! {
            biased;
            () = &mut self.answer => {}
            () = clock.sleep(left) => {}
        }
        Pin::new(&mut self.answer).take_output()
    }

    /// Goes on with it, if it goes on.
    pub(super) fn going_on(&mut self) -> Option<impl Future<Output = ()> + Unpin> {
        matches!(self.answer, MaybeDone::Future(_)).then_some(&mut self.answer)
    }

    /// What is said of the source meanwhile.
    pub(super) fn words(&self, now: Timestamp) -> String {
        let secs = now.duration_since(self.began).as_secs();
        format!("it is asked since {secs}s and did not answer yet")
    }
}

/// Goes on with the reads until one is over; for ever where none goes on.
pub(super) async fn one_over<'r, T: 'r>(reads: impl Iterator<Item = &'r mut Read<T>>) {
    let reads: Vec<_> = reads.filter_map(Read::going_on).collect();
    if reads.is_empty() {
        std::future::pending::<()>().await;
    }
    select_all(reads).await;
}
