//! What is held, told some time after the plan was made: what lasts has lasted longer, what is waited
//! for is nearer. The reason itself stays, for nothing was decided anew.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::SignedDuration;

use super::{HeldJob, HeldRunner, JobHold, Lack, RunnerHold};

impl RunnerHold {
    /// The same, `by` later.
    #[must_use]
    pub fn later(&self, by: SignedDuration) -> Cow<'_, Self> {
        Cow::Owned(match self {
            Self::Starting { running } => Self::Starting { running: *running + by },
            Self::CoolingDown { idle, cooldown } => {
                Self::CoolingDown { idle: *idle + by, cooldown: *cooldown }
            }
            Self::Draining { ago, busy } => Self::Draining { ago: *ago + by, busy: *busy },
            Self::Removing { times, left } => {
                Self::Removing { times: *times, left: less(*left, by) }
            }
            Self::Unstarted { ago } => Self::Unstarted { ago: *ago + by },
            Self::Busy { .. }
            | Self::Needed
            | Self::Warm
            | Self::Paused
            | Self::InTurn
            | Self::Ending
            | Self::Unseen { .. }
            | Self::Reaping
            | Self::InDoubt => return Cow::Borrowed(self),
        })
    }
}

impl HeldRunner {
    /// The same, `by` later.
    #[must_use]
    pub fn later(&self, by: SignedDuration) -> Self {
        let standstill = self.standstill.as_ref().map(|standstill| standstill.later(by));
        Self { hold: self.hold.later(by).into_owned(), standstill, ..self.clone() }
    }
}

impl JobHold {
    /// The same, `by` later.
    #[must_use]
    pub fn later(&self, by: SignedDuration) -> Cow<'_, Self> {
        Cow::Owned(match self {
            Self::BackingOff { variant, until, left, error } => Self::BackingOff {
                variant: variant.clone(),
                until: *until,
                left: less(*left, by),
                error: Arc::clone(error),
            },
            Self::Unclaimed { times, left } => {
                Self::Unclaimed { times: *times, left: less(*left, by) }
            }
            Self::NoNetwork { host, left, error } => Self::NoNetwork {
                host: host.clone(),
                left: less(*left, by),
                error: Arc::clone(error),
            },
            Self::AnotherAutogit { variant, record, left } => Self::AnotherAutogit {
                variant: variant.clone(),
                record: *record,
                left: less(*left, by),
            },
            Self::HostBudget { host, lacks: Lack::Gpus(busy) } => {
                Self::HostBudget { host: host.clone(), lacks: Lack::Gpus(busy.later(by)) }
            }
            Self::NoPoolMatches { .. }
            | Self::OtherRunner { .. }
            | Self::Protected { .. }
            | Self::Scope { .. }
            | Self::ScopeUnresolved { .. }
            | Self::SwitchedOff { .. }
            | Self::Disabled { .. }
            | Self::PoolAtMax { .. }
            | Self::HostBudget { .. }
            | Self::StartRate { .. }
            | Self::Starting { .. }
            | Self::Unseen { .. }
            | Self::ImagePull { .. }
            | Self::NoImage { .. }
            | Self::Maintenance { .. }
            | Self::ForeignRecord { .. }
            | Self::DiskFull { .. }
            | Self::Paused { .. } => return Cow::Borrowed(self),
        })
    }
}

impl HeldJob {
    /// The same, `by` later.
    #[must_use]
    pub fn later(&self, by: SignedDuration) -> Self {
        Self {
            job: self.job,
            hold: match self.hold.later(by) {
                Cow::Borrowed(_) => Arc::clone(&self.hold),
                Cow::Owned(hold) => Arc::new(hold),
            },
            dropped_in: self.dropped_in.map(|left| less(left, by)),
        }
    }
}

/// What is left of a wait; one that is over has nothing left.
fn less(left: SignedDuration, by: SignedDuration) -> SignedDuration {
    left.saturating_sub(by).max(SignedDuration::ZERO)
}
