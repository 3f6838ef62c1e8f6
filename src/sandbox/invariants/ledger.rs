//! What the simulation itself did, so that it is not laid at AutoGit's door.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;

use crate::sandbox::engine::{ContainerView, ObjectView};
use crate::sandbox::gitlab::RecordView;
use crate::spec::HostName;
use crate::world::{ContainerId, JobId, RecordId};

/// What the simulation itself did.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Jobs that the simulation ended, or whose runner it killed.
    pub doomed: BTreeSet<JobId>,
    /// Runners that the simulation killed.
    pub killed: BTreeSet<ContainerId>,
    /// Records that a person deleted.
    pub records_deleted: BTreeSet<RecordId>,
    /// Records whose token a person reset.
    pub tokens_reset: BTreeSet<RecordId>,
    /// What belongs to others.
    pub others: Others,
    /// What must never be shown.
    pub secrets: Vec<SecretString>,
    /// More than one AutoGit runs under the name, by mistake: `max` may be passed by one plan.
    pub twins: bool,
    /// Records that were there when one of two under one name ended: the other leaves its alone
    /// for a while.
    pub of_twins: BTreeSet<RecordId>,
    /// Hosts that the AutoGit that runs now has never seen: it cannot count what is there.
    pub unseen: BTreeSet<HostName>,
    /// Runners that the lists on which it plans lacked: it cannot count them either.
    pub unlisted: BTreeSet<ContainerId>,
}

/// What belongs to others, as it was planted.
#[derive(Debug, Clone, Default)]
pub struct Others {
    /// Containers, by host.
    pub containers: BTreeMap<HostName, Vec<ContainerView>>,
    /// Volumes, by host.
    pub volumes: BTreeMap<HostName, Vec<ObjectView>>,
    /// Networks, by host.
    pub networks: BTreeMap<HostName, Vec<ObjectView>>,
    /// Records.
    pub records: Vec<RecordView>,
}
