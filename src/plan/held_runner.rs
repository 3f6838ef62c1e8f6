//! Why a runner stays as it is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::facts::brief;
use crate::duration::signed;
use crate::spec::HostName;
use crate::world::{JobId, RunnerName, Standstill, Trouble};

/// A runner that stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldRunner {
    /// Its host.
    pub host: HostName,
    /// The runner.
    pub runner: RunnerName,
    /// The reason that it stays.
    pub hold: RunnerHold,
    /// What its own log says is wrong.
    pub trouble: Option<Trouble>,
    /// It is frozen, or does not heed that it was asked to exit.
    pub standstill: Option<Standstill>,
}

impl fmt::Display for HeldRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hold.fmt(f)?;
        self.standstill.as_ref().map_or(Ok(()), |standstill| write!(f, "; {standstill}"))?;
        self.trouble.as_ref().map_or(Ok(()), |trouble| write!(f, "; {trouble}"))
    }
}

/// Why a runner stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum RunnerHold {
    /// It has a job.
    Busy {
        /// The job, where it is known which.
        job: Option<JobId>,
    },
    /// It is not in contact yet.
    Starting {
        /// How long it runs.
        running: SignedDuration,
    },
    /// A pending job may go to it.
    Needed,
    /// It is kept warm.
    Warm,
    /// It may be idle a while longer.
    CoolingDown {
        /// How long it is idle.
        idle: SignedDuration,
        /// How long it may be.
        cooldown: Duration,
    },
    /// A person froze it while it had no job.
    Paused,
    /// It was asked to exit.
    Draining {
        /// How long ago.
        ago: SignedDuration,
        /// It finishes a job first.
        busy: bool,
    },
    /// It is replaced after another one of its variant.
    InTurn,
    /// It had as many jobs as it may have.
    Ending,
    /// Its host, or the queue, could not be read.
    Unseen {
        /// What stood in the way of seeing it.
        error: Arc<str>,
    },
    /// It ended and is cleaned up after.
    Reaping,
    /// A call about its slot got no answer.
    InDoubt,
    /// Its container was to be removed again and again, and is still there.
    Removing {
        /// How often it was tried in vain.
        times: usize,
        /// For how long from now it is left alone.
        left: SignedDuration,
    },
    /// Its container was made just now, and is not started yet.
    Unstarted {
        /// How long ago.
        ago: SignedDuration,
    },
}

impl RunnerHold {
    /// The word for it in output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::Starting { .. } => "starting",
            Self::Needed => "needed",
            Self::Warm => "warm",
            Self::CoolingDown { .. } => "cooling-down",
            Self::Paused => "paused",
            Self::Draining { .. } => "draining",
            Self::InTurn => "in-turn",
            Self::Ending => "ending",
            Self::Unseen { .. } => "unseen",
            Self::Reaping => "reaping",
            Self::InDoubt | Self::Removing { .. } | Self::Unstarted { .. } => "in-doubt",
        }
    }
}

impl fmt::Display for RunnerHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { job: Some(job) } => write!(f, "runs job {job}"),
            Self::Busy { job: None } => f.write_str("runs a job"),
            Self::Starting { running } => {
                write!(f, "started {} ago, no contact with GitLab yet", brief(*running))
            }
            Self::Needed => f.write_str("a pending job may go to it"),
            Self::Warm => f.write_str("kept warm"),
            Self::CoolingDown { idle, cooldown } => {
                write!(f, "idle {} of {}", brief(*idle), brief(signed(*cooldown)))
            }
            Self::Paused => f.write_str("takes no job"),
            Self::Draining { ago, busy: true } => {
                write!(f, "asked to exit {} ago; finishes its job first", brief(*ago))
            }
            Self::Draining { ago, busy: false } => write!(f, "asked to exit {} ago", brief(*ago)),
            Self::InTurn => f.write_str("made from an older spec; replaced after another one"),
            Self::Ending => f.write_str("had its last job and exits by itself"),
            Self::Unseen { error } => f.write_str(error),
            Self::Reaping => f.write_str("ended, and is cleaned up after"),
            Self::InDoubt => f.write_str("a call about it got no answer"),
            Self::Removing { times, left } => write!(
                f,
                "its removal was asked for {times} times, and it is still there; checked again in {}",
                brief(*left)
            ),
            Self::Unstarted { ago } => {
                write!(f, "made {} ago and not started yet", brief(*ago))
            }
        }
    }
}
