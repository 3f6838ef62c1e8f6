//! Scripted faults: what the next calls of the port meet.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::engine::EngineError;

/// A call of the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `info`
    Info,
    /// `jobs`
    Jobs,
    /// `runners`
    Runners,
    /// `find`
    Find,
    /// `runner_log`
    RunnerLog,
    /// `log_tail`
    LogTail,
    /// `network`
    Network,
    /// `create_network`
    CreateNetwork,
    /// `image`
    Image,
    /// `disk`
    Disk,
    /// `ensure_image`
    EnsureImage,
    /// `create_runner`
    CreateRunner,
    /// `with_system_id`
    WithSystemId,
    /// `start`
    Start,
    /// `drain`
    Drain,
    /// `remove_container`
    RemoveContainer,
    /// `remove_job_container`
    RemoveJobContainer,
    /// `remove_job_volume`
    RemoveJobVolume,
    /// `remove_network` and `remove_job_network`
    RemoveNetwork,
    /// `read_config`
    ReadConfig,
    /// `socket`
    Socket,
    /// `kept_images`
    KeptImages,
    /// `keep_image`
    KeepImage,
    /// `forget_reference` and `remove_mark`
    RemoveImage,
}

impl Operation {
    /// All of them, for drawing one.
    pub const ALL: [Self; 24] = [
        Self::Info,
        Self::Jobs,
        Self::Runners,
        Self::Find,
        Self::RunnerLog,
        Self::LogTail,
        Self::Network,
        Self::CreateNetwork,
        Self::Image,
        Self::Disk,
        Self::EnsureImage,
        Self::CreateRunner,
        Self::WithSystemId,
        Self::Start,
        Self::Drain,
        Self::RemoveContainer,
        Self::RemoveJobContainer,
        Self::RemoveJobVolume,
        Self::RemoveNetwork,
        Self::ReadConfig,
        Self::Socket,
        Self::KeptImages,
        Self::KeepImage,
        Self::RemoveImage,
    ];

    /// The call in words, as in an error.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "describe itself",
            Self::Jobs => "list job objects",
            Self::Runners => "list runners",
            Self::Find => "show a runner",
            Self::RunnerLog => "read the log",
            Self::LogTail => "read the log's end",
            Self::Network => "look for network",
            Self::CreateNetwork => "create network",
            Self::Image => "show an image",
            Self::Disk => "disk",
            Self::EnsureImage => "provide image",
            Self::CreateRunner => "create runner",
            Self::WithSystemId => "look for system id",
            Self::Start => "start container",
            Self::Drain => "drain container",
            Self::RemoveContainer => "remove container",
            Self::RemoveJobContainer => "remove job container",
            Self::RemoveJobVolume => "remove volume",
            Self::RemoveNetwork => "remove network",
            Self::ReadConfig => "read the config",
            Self::Socket => "tell its socket",
            Self::KeptImages => "list images",
            Self::KeepImage => "keep an image",
            Self::RemoveImage => "remove an image",
        }
    }

    /// It changes nothing that exists.
    pub(super) fn only_looks(self) -> bool {
        match self {
            Self::Info
            | Self::Jobs
            | Self::Runners
            | Self::Find
            | Self::RunnerLog
            | Self::LogTail
            | Self::Network
            | Self::Image
            | Self::Disk
            | Self::WithSystemId
            | Self::ReadConfig
            | Self::Socket
            | Self::KeptImages => true,
            Self::CreateNetwork
            | Self::EnsureImage
            | Self::CreateRunner
            | Self::Start
            | Self::Drain
            | Self::RemoveContainer
            | Self::RemoveJobContainer
            | Self::RemoveJobVolume
            | Self::RemoveNetwork
            | Self::KeepImage
            | Self::RemoveImage => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a call meets.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It fails with this before it has any effect.
    Refused(EngineError),
    /// It has its effect, and the answer is lost: [`EngineError::TimedOut`] after the limit.
    AnswerLost,
}

/// The faults still to come, in order, by call.
#[derive(Debug, Default)]
pub(super) struct Faults(BTreeMap<Operation, VecDeque<Fault>>);

impl Faults {
    pub(super) fn push(&mut self, operation: Operation, fault: Fault) {
        self.0.entry(operation).or_default().push_back(fault);
    }

    pub(super) fn next(&mut self, operation: Operation) -> Option<Fault> {
        self.0.get_mut(&operation)?.pop_front()
    }
}
