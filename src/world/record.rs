//! GitLab's rows for our variants, and their managers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{JobId, Mark, Observed, Owner, RecordId, SystemId, Variant};

/// GitLab's row for a variant.
#[derive(Debug, Clone)]
pub struct Record {
    /// GitLab's id.
    pub id: RecordId,
    /// The variant it serves.
    pub variant: Variant,
    /// Whose it is.
    pub origin: Origin,
    /// What can be changed in place.
    pub settings: RecordSettings,
    /// Whose jobs it takes.
    pub owner: Owner,
    /// When its token was made, by GitLab's clock corrected to ours; `None`: not told.
    pub created_at: Option<Timestamp>,
    /// When its token ends; `None`: never.
    pub token_expires_at: Option<Timestamp>,
    /// Whether its token is at hand.
    pub token: Token,
    /// The runners that ever made contact with its token.
    pub managers: Observed<Vec<Manager>>,
    /// Why GitLab does not tell it now. What is told of it is then as it was read last; while it is
    /// so, no record of its variant is made, changed or deleted.
    pub unseen: Option<Arc<str>>,
}

/// Whether a record's token is at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// It is in memory, so a runner can be started with it.
    AtHand,
    /// Nothing that could be read has it.
    Lost,
    /// A container has it that could not be read.
    Unread {
        /// What stood in the way of reading it.
        error: Arc<str>,
    },
}

/// Whose a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Made by this instance on one of its hosts.
    Ours,
    /// Behind the operator's own `runner_token`: used, never changed or deleted.
    Given,
    /// Under our name, but with marks of none of our hosts: another installation's, or of before an
    /// engine was reinstalled. Never touched.
    Foreign,
    /// Whose it is cannot be told: it could not be read yet, or a host was not reached yet.
    Untold,
}

/// What of a record can be changed in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSettings {
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Takes jobs without tags.
    pub run_untagged: bool,
    /// Which refs' jobs it takes.
    pub access: Access,
    /// Limit on a job's duration.
    pub maximum_timeout: Option<Duration>,
    /// Takes no jobs.
    pub paused: bool,
    /// The engines that its maintenance note names; empty: it names none that may be changed.
    pub marks: BTreeSet<Mark>,
}

/// Which refs' jobs a record takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// All refs'.
    NotProtected,
    /// Protected refs' only.
    RefProtected,
}

/// One runner that made contact with a record's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    /// Its system id.
    pub system_id: SystemId,
    /// Its last contact, by our clock; `None`: not told.
    pub contacted_at: Option<Timestamp>,
    /// GitLab says that it runs a job.
    pub busy: bool,
    /// The job, where GitLab told which.
    pub job: Option<JobId>,
    /// What it says of itself; asked for only where no host accounts for the row.
    pub caller: Option<Caller>,
}

/// What a manager says of itself, and where it polls from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// When it made contact first, by our clock.
    pub created_at: Option<Timestamp>,
    /// Its address, as GitLab saw it.
    pub address: Option<String>,
    /// gitlab-runner's version.
    pub version: Option<String>,
}
