//! The rules by which decisions are made.

use std::fmt;

/// The rule behind a decision; its word stands in output, logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// GitLab takes a pool's own token.
    VerifyToken,
    /// A declared variant has a usable record.
    KeepRecord,
    /// A record's settings are the spec's.
    CorrectRecord,
    /// A host has the runners' images.
    PullImage,
    /// A host has the images of its pools' jobs.
    KeepImage,
    /// A runner that ended is cleaned up after.
    ReapExited,
    /// A container that was never started is removed.
    RemoveUnstarted,
    /// A runner that an operator asked to exit does.
    DrainAsked,
    /// A runner that the spec does not ask for exits.
    DrainOrphan,
    /// A runner that never made contact exits.
    DrainFailed,
    /// A pending job gets a runner.
    ServeDemand,
    /// A pool has its idle runners.
    KeepWarm,
    /// An idle runner beyond the demand exits after its cooldown.
    DrainSurplus,
    /// A runner exits where a job waits for its room.
    MakeRoom,
    /// An idle runner beyond the pool's maximum exits.
    DrainOverMax,
    /// An idle runner made from an older spec is replaced.
    DrainChanged,
    /// Runners have a network.
    KeepNetwork,
    /// What is ours and has no runner is removed.
    SweepLeftover,
    /// A cache without a runner gives its room where the disk is nearly full.
    FreeDisk,
}

impl Rule {
    /// All rules, for metrics and docs.
    pub const ALL: [Self; 19] = [
        Self::VerifyToken,
        Self::KeepRecord,
        Self::CorrectRecord,
        Self::PullImage,
        Self::KeepImage,
        Self::ReapExited,
        Self::RemoveUnstarted,
        Self::DrainAsked,
        Self::DrainOrphan,
        Self::DrainFailed,
        Self::ServeDemand,
        Self::KeepWarm,
        Self::DrainSurplus,
        Self::MakeRoom,
        Self::DrainOverMax,
        Self::DrainChanged,
        Self::KeepNetwork,
        Self::SweepLeftover,
        Self::FreeDisk,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyToken => "verify-token",
            Self::KeepRecord => "keep-record",
            Self::CorrectRecord => "correct-record",
            Self::PullImage => "pull-image",
            Self::KeepImage => "keep-image",
            Self::ReapExited => "reap-exited",
            Self::RemoveUnstarted => "remove-unstarted",
            Self::DrainAsked => "drain-asked",
            Self::DrainOrphan => "drain-orphan",
            Self::DrainFailed => "drain-failed",
            Self::ServeDemand => "serve-demand",
            Self::KeepWarm => "keep-warm",
            Self::DrainSurplus => "drain-surplus",
            Self::MakeRoom => "make-room",
            Self::DrainOverMax => "drain-over-max",
            Self::DrainChanged => "drain-changed",
            Self::KeepNetwork => "keep-network",
            Self::SweepLeftover => "sweep-leftover",
            Self::FreeDisk => "free-disk",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
