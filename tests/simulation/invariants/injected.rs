//! What the simulation itself did, so that it is not laid at AutoGit's door.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;

use autogit::sandbox::engine::{ContainerView, ObjectView};
use autogit::sandbox::gitlab::RecordView;
use autogit::spec::HostName;
use autogit::world::{JobId, RecordId, WorkloadId};

/// What the simulation itself did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Injected {
    /// Jobs that the simulation ended, or whose runner it killed.
    pub(crate) doomed: BTreeSet<JobId>,
    /// Runners that the simulation killed.
    pub(crate) killed: BTreeSet<WorkloadId>,
    /// Records that a person deleted.
    pub(crate) records_deleted: BTreeSet<RecordId>,
    /// Records whose token a person reset.
    pub(crate) tokens_reset: BTreeSet<RecordId>,
    /// What belongs to others.
    pub(crate) others: Others,
    /// What must never be shown.
    pub(crate) secrets: Vec<SecretString>,
    /// More than one AutoGit runs under the name, by mistake: `max` may be passed by one plan.
    pub(crate) twins: bool,
    /// Records that were there when one of two under one name ended: the other leaves its alone
    /// for a while.
    pub(crate) of_twins: BTreeSet<RecordId>,
    /// Hosts that the AutoGit that runs now has never seen: it cannot count what is there.
    pub(crate) unseen: BTreeSet<HostName>,
    /// Runners that the lists on which it plans lacked: it cannot count them either.
    pub(crate) unlisted: BTreeSet<WorkloadId>,
}

/// What belongs to others, as it was planted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Others {
    /// Containers, by host.
    pub(crate) containers: BTreeMap<HostName, Vec<ContainerView>>,
    /// Volumes, by host.
    pub(crate) volumes: BTreeMap<HostName, Vec<ObjectView>>,
    /// Networks, by host.
    pub(crate) networks: BTreeMap<HostName, Vec<ObjectView>>,
    /// Records.
    pub(crate) records: Vec<RecordView>,
}
