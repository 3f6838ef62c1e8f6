//! How long a variant that fails is left alone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{ContainerState, Runner, Variant, World};
use crate::duration::signed;

/// The first pause; long enough that a typo in an image name costs a host nothing.
const FIRST: Duration = Duration::from_secs(10);
/// The longest pause; short enough that a repaired cause is noticed within a coffee.
const LONGEST: Duration = Duration::from_mins(10);

/// How long a variant is left alone whose image is of no use: a new spec ends this, so it is for
/// those only who put another image under the same name.
const UNFIT_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// What kind of failure it was; each has its own count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The record could not be made or used.
    Record,
    /// The container could not be made or started.
    Start,
    /// Runners end by themselves with an error, or never make contact.
    Runner,
    /// The runners' network could not be made on a host.
    Network,
    /// An image could not be pulled to be kept ready.
    Image,
    /// Runners run and are of no use: another image is wanted, and waiting mends nothing.
    Unfit,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "its record",
            Self::Start => "starting its runner",
            Self::Runner => "its runner",
            Self::Network => "its network",
            Self::Image | Self::Unfit => "its image",
        })
    }
}

/// A pause after failures in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// What failed.
    pub cause: Cause,
    /// How often in a row.
    pub failures: u32,
    /// Until when nothing is tried.
    pub until: Timestamp,
    /// What the last failure said.
    pub error: Arc<str>,
}

impl Backoff {
    /// The pause after one more failure of `subject`, a variant or a host, at `now`.
    pub fn after(
        previous: Option<&Self>,
        subject: &dyn fmt::Display,
        cause: Cause,
        error: Arc<str>,
        now: Timestamp,
    ) -> Self {
        let before = previous.filter(|backoff| backoff.cause == cause);
        let failures = before.map_or(0, |backoff| backoff.failures).saturating_add(1);
        let pause = if cause == Cause::Unfit { UNFIT_PAUSE } else { pause(failures, subject) };
        Self { cause, failures, until: now.saturating_add(pause).unwrap_or(Timestamp::MAX), error }
    }
}

impl World {
    /// The pause of the variant, while it lasts.
    pub fn backoff(&self, variant: &Variant) -> Option<&Backoff> {
        self.memory.backoffs.get(variant).filter(|backoff| backoff.until > self.now)
    }
}

/// A runner that ends with an error this soon after its start never did anything useful.
const SHORT_LIFE: SignedDuration = SignedDuration::from_mins(2);

/// What a runner that ended with an error, early and without a job, says of its variant.
pub fn early_end(runner: &Runner) -> Option<Arc<str>> {
    let ContainerState::Exited { code, finished_at, oom_killed } = runner.state else {
        return None;
    };
    let idle = runner.log.as_ref().is_none_or(|log| log.received.is_none());
    let early = finished_at.duration_since(runner.created_at) < SHORT_LIFE;
    let why = if oom_killed { ", out of memory" } else { "" };
    (code != 0 && idle && early)
        .then(|| format!("its runner exited {code}{why}; see its log above").into())
}

/// Doubles with each failure; spread by a quarter, by name, so that pools that broke together do
/// not all come back in the same tick.
fn pause(failures: u32, subject: &dyn fmt::Display) -> SignedDuration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10));
    let name = subject.to_string();
    let spread =
        name.bytes().fold(failures, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let quarter = f64::from(spread % 256) / 1024.0;
    let pause = doubled.mul_f64(1.0 + quarter).min(LONGEST);
    signed(pause)
}
