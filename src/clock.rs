//! Now and sleep, real and simulated: the only place that reads a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::duration::signed;

/// A source of the current time and of waiting.
///
/// The simulated one is driven by tokio's timer, so that a paused runtime makes it deterministic,
/// and a `speed` above 1 makes a sandbox's minutes pass in seconds.
#[derive(Debug, Clone)]
pub struct Clock {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    System,
    Simulated { base: Timestamp, started: Instant, speed: f64, jump_millis: Arc<AtomicI64> },
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self { kind: Kind::System }
    }

    /// A clock that starts at `base` and runs `speed` times as fast as tokio's timer.
    pub fn simulated(base: Timestamp, speed: f64) -> Self {
        Self {
            kind: Kind::Simulated {
                base,
                started: Instant::now(),
                speed,
                jump_millis: Arc::new(AtomicI64::new(0)),
            },
        }
    }

    /// The current time.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match &self.kind {
            Kind::System => Timestamp::now(),
            Kind::Simulated { base, started, speed, jump_millis } => {
                let elapsed = started.elapsed().mul_f64(*speed);
                let jump = SignedDuration::from_millis(jump_millis.load(Ordering::Relaxed));
                let elapsed = signed(elapsed);
                base.saturating_add(elapsed.saturating_add(jump)).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Waits for `duration` of this clock's time.
    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    pub async fn sleep(&self, duration: Duration) {
        let real = match &self.kind {
            Kind::System => duration,
            Kind::Simulated { speed, .. } => duration.div_f64(*speed),
        };
        tokio::time::sleep(real).await;
    }

    /// Moves a simulated clock by `by`, forwards or backwards; the machine's clock stays.
    pub fn jump(&self, by: SignedDuration) {
        if let Kind::Simulated { jump_millis, .. } = &self.kind {
            let millis = i64::try_from(by.as_millis()).unwrap_or(0);
            jump_millis.fetch_add(millis, Ordering::Relaxed);
        }
    }
}
