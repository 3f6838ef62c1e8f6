//! GitLab's pending jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{FullPath, JobId, Look, ProjectId, RecordId};

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

/// A runner of GitLab's that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherRunner {
    /// GitLab's id.
    pub id: RecordId,
    /// Its description, which people know it by; may be empty.
    pub name: Arc<str>,
    /// It takes jobs of every project that does not switch such runners off.
    pub of_instance: bool,
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

impl Look {
    /// Those of `jobs` that no enabled variant may take.
    pub(crate) fn unmatched<'a>(&self, jobs: &'a [Job]) -> Vec<&'a Job> {
        let (offers, scoped) = (self.offers(), self.is_scoped());
        let mut fits: BTreeMap<JobKind<'a>, bool> = BTreeMap::new();
        let unmatched = jobs.iter().filter(|job| {
            let fits = fits.entry(job.kind(scoped));
            !*fits.or_insert_with(|| offers.iter().any(|offer| offer.fits(job).is_ok()))
        });
        unmatched.collect()
    }
}
