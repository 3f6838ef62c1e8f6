//! GitLab's pending jobs.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{FullPath, JobId, ProjectId};

/// The pending jobs, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// The jobs that were read, sorted by `(queued_at, id)`.
    pub jobs: Vec<Job>,
    /// Reading stopped at its bound: there are more jobs than these.
    pub more: bool,
    /// What could not be read and so is not among the jobs, in words.
    pub set_aside: Vec<Arc<str>>,
    /// How long it takes to see each job once, where one look does not see all.
    pub round: Option<SignedDuration>,
}

/// A pending job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// GitLab's id.
    pub id: JobId,
    /// Its name in the pipeline.
    pub name: Arc<str>,
    /// Its project's id.
    pub project: ProjectId,
    /// Its project's full path.
    pub project_path: FullPath,
    /// Its tags.
    pub tags: Arc<BTreeSet<String>>,
    /// Since when it waits, by our clock.
    pub queued_at: Timestamp,
    /// Its branch or tag.
    pub ref_name: Arc<str>,
    /// Whether its ref is protected; `None`: not known, so it may be.
    pub protected: Option<bool>,
    /// Whether its project takes instance runners; `None`: not known.
    pub instance_runners: Option<bool>,
    /// Whether its project takes group runners; `None`: not known.
    pub group_runners: Option<bool>,
}

/// What decides which variants may take a job; jobs of one kind need to be matched once.
pub(crate) type JobKind<'a> = (&'a BTreeSet<String>, Option<ProjectId>, [Option<bool>; 3]);

impl Job {
    /// Its kind; its project counts where a pool is `scoped`.
    pub(crate) fn kind(&self, scoped: bool) -> JobKind<'_> {
        let facts = [self.protected, self.instance_runners, self.group_runners];
        (&self.tags, scoped.then_some(self.project), facts)
    }
}
