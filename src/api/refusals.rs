//! Who was refused: counted for metrics and `/health`, and logged without a flood.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use crate::lock::locked;
use crate::reconcile::BearerRefusal;

/// The least time between two lines of the log about refusals: a guesser sends thousands a second,
/// and one line a minute with their number says as much.
const LOG_GAP: SignedDuration = SignedDuration::from_mins(1);

/// All refusals; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    bearers: u64,
    webhooks: u64,
    unlogged: u64,
    logged_at: Option<Timestamp>,
}

impl Refusals {
    /// Somebody came without the right token.
    pub(super) fn bearer(&self, why: BearerRefusal, now: Timestamp) {
        let refused = |counts: &mut Counts| counts.bearers = counts.bearers.saturating_add(1);
        if let Some(others) = self.note(refused, now) {
            tracing::warn!(reason = why.as_str(), others, "a bearer token is refused");
        }
    }

    /// A webhook without the right secret.
    pub(super) fn webhook(&self, why: &'static str, now: Timestamp) {
        let refused = |counts: &mut Counts| counts.webhooks = counts.webhooks.saturating_add(1);
        if let Some(others) = self.note(refused, now) {
            tracing::warn!(reason = why, others, "a webhook is refused");
        }
    }

    /// Bearer tokens and webhooks that were refused since the start.
    pub(super) fn counts(&self) -> (u64, u64) {
        let counts = locked(&self.0);
        (counts.bearers, counts.webhooks)
    }

    /// How many others were refused since the last line, if it is time for another.
    fn note(&self, refused: impl FnOnce(&mut Counts), now: Timestamp) -> Option<u64> {
        let mut counts = locked(&self.0);
        refused(&mut counts);
        let lately = counts.logged_at.is_some_and(|at| now.duration_since(at).abs() < LOG_GAP);
        if lately {
            counts.unlogged = counts.unlogged.saturating_add(1);
            return None;
        }
        counts.logged_at = Some(now);
        Some(std::mem::take(&mut counts.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_minute_that_says_how_many() {
        let refusals = Refusals::default();
        let mut lines = Vec::new();
        for second in 0..150 {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
            lines.extend(refusals.note(|counts| counts.bearers += 1, now));
        }
        assert_eq!(lines, [0, 59, 59]);
        assert_eq!(refusals.counts(), (150, 0));
    }
}
