//! What the simulated GitLab holds, as plain data, and how it names things.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::AccessLevel;
use super::build::{NewJob, ProjectSettings};
use super::repository::Repository;
use super::switches::Switches;
use crate::world::{JobId, ProjectId, RecordId};

/// A user's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

/// A group's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u64);

/// A pipeline's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PipelineId(pub(crate) u64);

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Waits for a person.
    Manual,
    /// Waits for a runner.
    Pending,
    /// A runner has it.
    Running,
    /// Cancelled, and its runner is still ending it.
    Canceling,
    /// Ended well.
    Success,
    /// Ended badly, or was dropped.
    Failed,
    /// Cancelled.
    Canceled,
}

impl Status {
    /// REST's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Canceling => "canceling",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// It has not ended.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Manual | Self::Pending | Self::Running | Self::Canceling)
    }

    /// A runner has it.
    pub fn is_with_a_runner(self) -> bool {
        matches!(self, Self::Running | Self::Canceling)
    }
}

/// REST's words for a job's status that can be asked for, those of no simulated job included.
pub(crate) const STATUSES: &[&str] = &[
    "created",
    "waiting_for_resource",
    "waiting_for_callback",
    "preparing",
    "pending",
    "running",
    "success",
    "failed",
    "canceling",
    "canceled",
    "skipped",
    "manual",
    "scheduled",
];

/// A user.
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) username: String,
    pub(crate) administrator: bool,
    pub(crate) created_at: Timestamp,
}

/// A personal access token.
pub(crate) struct Token {
    pub(crate) id: u64,
    pub(crate) user: UserId,
    pub(crate) scopes: Vec<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) revoked: bool,
    /// The id of the first token of those that replaced one another.
    pub(crate) family: u64,
}

/// A group, at any depth.
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) path: String,
    pub(crate) created_at: Timestamp,
}

/// A project.
pub(crate) struct Project {
    pub(crate) id: ProjectId,
    pub(crate) path: String,
    pub(crate) settings: ProjectSettings,
    pub(crate) pipeline_jobs: Vec<NewJob>,
    pub(crate) created_at: Timestamp,
    pub(crate) active_at: Timestamp,
    /// A person made it by the API: its repository is empty until something is pushed.
    pub(crate) made: bool,
}

/// Whose jobs a record takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    Instance,
    Group(GroupId),
    Project(ProjectId),
}

/// A runner in GitLab's sense.
pub(crate) struct Record {
    pub(crate) id: RecordId,
    pub(crate) token: String,
    pub(crate) token_expires_at: Option<Timestamp>,
    pub(crate) owner: Owner,
    /// Projects that a project's record is assigned to beside its owner.
    pub(crate) lent: BTreeSet<ProjectId>,
    pub(crate) form: RecordForm,
    pub(crate) created_at: Timestamp,
    pub(crate) created_by: Option<UserId>,
    pub(crate) contacted_at: Option<Timestamp>,
    pub(crate) managers: BTreeMap<String, Manager>,
    /// Counts what could be news to its runners; the queue's `last_update` follows from it.
    pub(crate) news: u64,
}

/// What a person or program can set on a record.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "these are the switches that GitLab has")]
pub(crate) struct RecordForm {
    pub(crate) description: String,
    pub(crate) maintenance_note: Option<String>,
    pub(crate) paused: bool,
    pub(crate) locked: bool,
    pub(crate) protected: bool,
    pub(crate) run_untagged: bool,
    pub(crate) tags: Vec<String>,
    pub(crate) maximum_timeout: Option<u64>,
}

/// One process that polled with a record's token.
pub(crate) struct Manager {
    pub(crate) id: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) contacted_at: Timestamp,
    pub(crate) info: ManagerInfo,
}

/// What a runner says about itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct ManagerInfo {
    pub(crate) version: Option<String>,
    pub(crate) revision: Option<String>,
    pub(crate) platform: Option<String>,
    pub(crate) architecture: Option<String>,
    pub(crate) cancel_gracefully: bool,
}

/// A job.
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) project: ProjectId,
    pub(crate) pipeline: PipelineId,
    pub(crate) user: Option<UserId>,
    pub(crate) asked: NewJob,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) protected: bool,
    pub(crate) token: String,
    pub(crate) status: Status,
    pub(crate) failure_reason: Option<String>,
    pub(crate) exit_code: Option<i64>,
    pub(crate) created_at: Timestamp,
    pub(crate) queued_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    /// When its runner was last heard of.
    pub(crate) updated_at: Timestamp,
    pub(crate) record: Option<RecordId>,
    pub(crate) system_id: Option<String>,
    /// The row of that runner at the time.
    pub(crate) manager: Option<u64>,
    pub(crate) timeout: Duration,
    pub(crate) trace: Vec<u8>,
    /// It was queued anew, under another id.
    pub(crate) retried: bool,
}

/// A pipeline.
pub(crate) struct Pipeline {
    pub(crate) id: PipelineId,
    pub(crate) iid: u64,
    pub(crate) project: ProjectId,
    pub(crate) ref_name: String,
    pub(crate) is_tag: bool,
    pub(crate) source: &'static str,
    /// What a person gave it, by name.
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) jobs: Vec<JobId>,
    pub(crate) created_at: Timestamp,
}

/// A webhook; kept, never called.
pub(crate) struct Hook {
    /// Its project; none: the whole server's.
    pub(crate) project: Option<ProjectId>,
    pub(crate) form: Value,
}

/// All that the simulated GitLab knows.
pub(crate) struct State {
    pub(crate) seed: u64,
    pub(crate) now: Timestamp,
    /// Counts the changes that others may wait for.
    pub(crate) revision: u64,
    minted: u64,
    counted: BTreeMap<&'static str, u64>,
    pub(crate) users: BTreeMap<UserId, User>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) members: BTreeMap<(UserId, String), AccessLevel>,
    pub(crate) groups: BTreeMap<GroupId, Group>,
    pub(crate) projects: BTreeMap<ProjectId, Project>,
    /// Old paths of projects, in lower case.
    pub(crate) redirects: BTreeMap<String, ProjectId>,
    pub(crate) records: BTreeMap<RecordId, Record>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// The jobs that have not ended, so that looking at the queue stays cheap.
    pub(crate) open: BTreeSet<JobId>,
    pub(crate) pipelines: BTreeMap<PipelineId, Pipeline>,
    pub(crate) hooks: BTreeMap<u64, Hook>,
    pub(crate) repositories: BTreeMap<ProjectId, Repository>,
    pub(crate) switches: Switches,
    pub(crate) requests: BTreeMap<String, u64>,
}

impl State {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            seed,
            now,
            revision: 0,
            minted: 0,
            counted: BTreeMap::new(),
            users: BTreeMap::new(),
            tokens: BTreeMap::new(),
            members: BTreeMap::new(),
            groups: BTreeMap::new(),
            projects: BTreeMap::new(),
            redirects: BTreeMap::new(),
            records: BTreeMap::new(),
            jobs: BTreeMap::new(),
            open: BTreeSet::new(),
            pipelines: BTreeMap::new(),
            hooks: BTreeMap::new(),
            repositories: BTreeMap::new(),
            switches: Switches::default(),
            requests: BTreeMap::new(),
        }
    }

    /// Says that something changed that others may wait for.
    pub(crate) fn touch(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }

    /// The next id of a kind. Each kind starts elsewhere, so that an id used for the wrong kind
    /// of thing finds nothing.
    pub(crate) fn count(&mut self, kind: &'static str, first: u64) -> u64 {
        let next = self.counted.entry(kind).or_insert(first);
        let id = *next;
        *next = id.saturating_add(1);
        id
    }

    /// Twenty characters after `prefix` that follow from the seed.
    pub(crate) fn mint(&mut self, prefix: &str) -> String {
        self.minted = self.minted.wrapping_add(1);
        format!("{prefix}{}", self.word(&format!("token/{}", self.minted)))
    }

    /// Twenty letters and digits that follow from the seed and `about`.
    pub(crate) fn word(&self, about: &str) -> String {
        let digest = Sha256::digest(format!("{}/{about}", self.seed));
        let letters = digest.iter().filter_map(|byte| char::from_digit(u32::from(byte % 36), 36));
        letters.take(20).collect()
    }

    /// A moment as REST writes it, by GitLab's own clock.
    pub(crate) fn time(&self, at: Timestamp) -> Value {
        json!(self.skewed(at).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
    }

    /// As [`State::time`], or null.
    pub(crate) fn maybe_time(&self, at: Option<Timestamp>) -> Value {
        at.map_or(Value::Null, |at| self.time(at))
    }

    /// A moment by GitLab's own clock.
    pub(crate) fn skewed(&self, at: Timestamp) -> Timestamp {
        at.saturating_add(self.switches.skew).unwrap_or(Timestamp::MAX)
    }

    /// How long ago `at` was; zero if it is to come.
    pub(crate) fn since(&self, at: Timestamp) -> SignedDuration {
        self.now.duration_since(at).max(SignedDuration::ZERO)
    }

    pub(crate) fn group_at(&self, path: &str) -> Option<&Group> {
        self.groups.values().find(|group| group.path.eq_ignore_ascii_case(path))
    }

    pub(crate) fn project_at(&self, path: &str) -> Option<&Project> {
        self.projects.values().find(|project| project.path.eq_ignore_ascii_case(path))
    }

    pub(crate) fn record_by_token(&self, token: &str) -> Option<RecordId> {
        let found = self.records.values().find(|record| record.token == token)?;
        let expired = found.token_expires_at.is_some_and(|at| at <= self.now);
        (!expired).then_some(found.id)
    }
}
