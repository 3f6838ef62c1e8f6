//! What a plan says is to be done.

use jiff::Timestamp;

use super::{Facts, Rule};
use crate::spec::{Arch, Cost, HostName};
use crate::world::{
    Deed, JobId, Leftover, ProjectId, RecordId, RecordSettings, Runner, RunnerName, Slot, SystemId,
    Variant, WorkloadId,
};

/// One thing to do, with the rule and the numbers behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What to do.
    pub action: Action,
    /// By which rule.
    pub rule: Rule,
    /// On which facts.
    pub facts: Facts,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ask GitLab whether it takes the own token of a variant's pool.
    VerifyToken {
        /// The variant.
        variant: Variant,
    },
    /// Make the runners' network on a host.
    CreateNetwork {
        /// The host.
        host: HostName,
    },
    /// Pull a runner image onto a host that lacks it.
    PullImage {
        /// The host.
        host: HostName,
        /// The image.
        image: String,
        /// For which architecture.
        arch: Arch,
    },
    /// Pull an image of jobs onto a host, so that it is there before one needs it.
    KeepImage {
        /// The host.
        host: HostName,
        /// The image.
        image: String,
        /// For which architecture.
        arch: Arch,
    },
    /// Make a record for a variant.
    CreateRecord {
        /// The variant.
        variant: Variant,
    },
    /// Set a record's settings.
    UpdateRecord {
        /// The variant.
        variant: Variant,
        /// Its record.
        record: RecordId,
        /// The settings it gets.
        settings: RecordSettings,
    },
    /// Delete a record.
    DeleteRecord {
        /// The variant it was for.
        variant: Variant,
        /// The record.
        record: RecordId,
    },
    /// Create and start a runner, with the variant's current record.
    Start {
        /// The host on which it is done.
        host: HostName,
        /// Its name.
        runner: RunnerName,
        /// Its variant.
        variant: Variant,
        /// Its slot.
        slot: Slot,
        /// Its manager's name at GitLab.
        system_id: SystemId,
        /// What it is made with.
        cost: Cost,
    },
    /// Ask a runner to finish what it has and exit.
    Drain {
        /// The host on which it is done.
        host: HostName,
        /// Its container.
        id: WorkloadId,
        /// Its name.
        runner: RunnerName,
        /// Its variant.
        variant: Variant,
    },
    /// Clean up after a runner that ended or never ran.
    Reap {
        /// The host on which it is done.
        host: HostName,
        /// The runner as it was seen.
        runner: Box<Runner>,
        /// The slot's clone and cache volumes go, too.
        discard_cache: bool,
        /// The job that it had.
        lost_job: Option<LostJob>,
    },
    /// Remove something of ours that has no runner.
    Sweep {
        /// What is removed.
        leftover: Leftover,
    },
}

/// A job whose runner died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostJob {
    /// GitLab's id.
    pub id: JobId,
    /// Its page, where it is known.
    pub url: Option<String>,
    /// Its project, where that is known.
    pub project: Option<ProjectId>,
    /// When its runner ended.
    pub lost_at: Option<Timestamp>,
    /// It is cancelled and queued again.
    pub retry: bool,
}

/// Why a record is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordReason {
    /// There is none.
    Missing,
    /// There is one, but its token is in no memory, cache or container.
    TokenLost,
    /// The pool's scope is another one.
    ScopeChanged,
    /// Most of its token's life is over.
    TokenEndsSoon,
}

impl Action {
    /// The word for it in output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::VerifyToken { .. } => "verify-token",
            Self::CreateNetwork { .. } => "create-network",
            Self::PullImage { .. } => "pull-image",
            Self::KeepImage { .. } => "keep-image",
            Self::CreateRecord { .. } => "create-record",
            Self::UpdateRecord { .. } => "update-record",
            Self::DeleteRecord { .. } => "delete-record",
            Self::Start { .. } => "start",
            Self::Drain { .. } => "drain",
            Self::Reap { .. } => "reap",
            Self::Sweep { .. } => "sweep",
        }
    }

    /// What it does to which object: one at a time of each.
    pub fn deed(&self) -> Deed {
        match self {
            Self::VerifyToken { variant } => Deed::VerifyToken(variant.clone()),
            Self::CreateNetwork { host } => Deed::MakeNetwork(host.clone()),
            Self::PullImage { host, image, .. } => {
                Deed::PullImage { host: host.clone(), image: image.clone() }
            }
            Self::KeepImage { host, image, .. } => {
                Deed::KeepImage { host: host.clone(), image: image.clone() }
            }
            Self::CreateRecord { variant } => Deed::MakeRecord(variant.clone()),
            Self::UpdateRecord { record, .. } => Deed::ChangeRecord(*record),
            Self::DeleteRecord { record, .. } => Deed::Remove(Leftover::Record(*record)),
            Self::Start { host, runner, variant, slot, cost, .. } => Deed::Start {
                host: host.clone(),
                variant: variant.clone(),
                slot: *slot,
                runner: runner.clone(),
                cost: cost.clone(),
            },
            Self::Drain { id, .. } => Deed::Drain(id.clone()),
            Self::Reap { runner, .. } => Deed::Reap(runner.id.clone()),
            Self::Sweep { leftover } => Deed::Remove(leftover.clone()),
        }
    }

    /// The record that it changes or deletes, if one.
    pub fn record(&self) -> Option<RecordId> {
        match self {
            Self::UpdateRecord { record, .. } | Self::DeleteRecord { record, .. } => Some(*record),
            Self::VerifyToken { .. }
            | Self::CreateNetwork { .. }
            | Self::PullImage { .. }
            | Self::KeepImage { .. }
            | Self::CreateRecord { .. }
            | Self::Start { .. }
            | Self::Drain { .. }
            | Self::Reap { .. }
            | Self::Sweep { .. } => None,
        }
    }

    /// The settings that a record gets, if one.
    pub fn settings(&self) -> Option<&RecordSettings> {
        match self {
            Self::UpdateRecord { settings, .. } => Some(settings),
            Self::VerifyToken { .. }
            | Self::CreateNetwork { .. }
            | Self::PullImage { .. }
            | Self::KeepImage { .. }
            | Self::CreateRecord { .. }
            | Self::DeleteRecord { .. }
            | Self::Start { .. }
            | Self::Drain { .. }
            | Self::Reap { .. }
            | Self::Sweep { .. } => None,
        }
    }

    /// The host it touches, if one.
    pub fn host(&self) -> Option<&HostName> {
        match self {
            Self::CreateNetwork { host }
            | Self::PullImage { host, .. }
            | Self::KeepImage { host, .. }
            | Self::Start { host, .. }
            | Self::Drain { host, .. }
            | Self::Reap { host, .. } => Some(host),
            Self::Sweep { leftover } => leftover.host(),
            Self::VerifyToken { .. }
            | Self::CreateRecord { .. }
            | Self::UpdateRecord { .. }
            | Self::DeleteRecord { .. } => None,
        }
    }

    /// The variant it is about, if one.
    pub fn variant(&self) -> Option<&Variant> {
        match self {
            Self::VerifyToken { variant }
            | Self::CreateRecord { variant }
            | Self::UpdateRecord { variant, .. }
            | Self::DeleteRecord { variant, .. }
            | Self::Start { variant, .. }
            | Self::Drain { variant, .. } => Some(variant),
            Self::Reap { runner, .. } => Some(&runner.variant),
            Self::CreateNetwork { .. }
            | Self::PullImage { .. }
            | Self::KeepImage { .. }
            | Self::Sweep { .. } => None,
        }
    }

    /// The runner it is about, if one.
    pub fn runner(&self) -> Option<&RunnerName> {
        match self {
            Self::Start { runner, .. } | Self::Drain { runner, .. } => Some(runner),
            Self::Reap { runner, .. } => Some(&runner.name),
            Self::VerifyToken { .. }
            | Self::CreateNetwork { .. }
            | Self::PullImage { .. }
            | Self::KeepImage { .. }
            | Self::CreateRecord { .. }
            | Self::UpdateRecord { .. }
            | Self::DeleteRecord { .. }
            | Self::Sweep { .. } => None,
        }
    }
}
