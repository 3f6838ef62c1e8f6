//! One look of AutoGit's, beside the truth.

use std::collections::BTreeSet;

use super::Snapshot;
use autogit::spec::HostName;
use autogit::view::View;
use autogit::world::{Leftover, RecordId, SystemId, WorkloadId};

/// What AutoGit asked for and did not get, while it looked.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a read of its own")]
pub(crate) struct FailedReads {
    /// Hosts of which something could not be read.
    pub(crate) hosts: BTreeSet<HostName>,
    /// Runners whose log could not be read.
    pub(crate) logs: BTreeSet<WorkloadId>,
    /// Runners that their host's list lacked.
    pub(crate) unlisted: BTreeSet<WorkloadId>,
    /// Runners of whose job the list lacked a container.
    pub(crate) unlisted_jobs: BTreeSet<SystemId>,
    /// The list of records, or what is true of each of them.
    pub(crate) records: bool,
    /// Records that were asked for by their id.
    pub(crate) unread: BTreeSet<RecordId>,
    /// Managers of some records.
    pub(crate) managers: bool,
    /// The queue.
    pub(crate) queue: bool,
    /// A page of the queue behind the first, for a reason that may be its own: it is set aside.
    pub(crate) queue_page: bool,
}

/// One look of AutoGit's, beside the truth.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    /// What it saw and planned.
    pub(crate) view: &'a View,
    /// The truth when it began to look.
    pub(crate) before: &'a Snapshot,
    /// The truth when it had planned.
    pub(crate) after: &'a Snapshot,
    /// What it could not read.
    pub(crate) failed: &'a FailedReads,
    /// What its look before this one found left over.
    pub(crate) left_before: &'a BTreeSet<Leftover>,
    /// No clock was set since the history began.
    pub(crate) steady: bool,
    /// AutoGit is alone under its name.
    pub(crate) alone: bool,
}
