//! One look of AutoGit's, beside the truth.

use std::collections::BTreeSet;

use super::Moment;
use crate::spec::HostName;
use crate::view::View;
use crate::world::{ContainerId, Leftover, RecordId, SystemId};

/// What AutoGit asked for and did not get, while it looked.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a read of its own")]
pub struct FailedReads {
    /// Hosts of which something could not be read.
    pub hosts: BTreeSet<HostName>,
    /// Runners whose log could not be read.
    pub logs: BTreeSet<ContainerId>,
    /// Runners that their host's list lacked.
    pub unlisted: BTreeSet<ContainerId>,
    /// Runners of whose job the list lacked a container.
    pub unlisted_jobs: BTreeSet<SystemId>,
    /// The list of records, or what is true of each of them.
    pub records: bool,
    /// Records that were asked for by their id.
    pub unread: BTreeSet<RecordId>,
    /// Managers of some records.
    pub managers: bool,
    /// The queue.
    pub queue: bool,
    /// A page of the queue behind the first, for a reason that may be its own: it is set aside.
    pub queue_page: bool,
}

/// One look of AutoGit's, beside the truth.
#[derive(Debug)]
pub struct Look<'a> {
    /// What it saw and planned.
    pub view: &'a View,
    /// The truth when it began to look.
    pub before: &'a Moment,
    /// The truth when it had planned.
    pub after: &'a Moment,
    /// What it could not read.
    pub failed: &'a FailedReads,
    /// What its look before this one found left over.
    pub left_before: &'a BTreeSet<Leftover>,
    /// No clock was set since the history began.
    pub steady: bool,
    /// AutoGit is alone under its name.
    pub alone: bool,
}
