//! The pending jobs, from the whole instance or project by project.

mod instance;
mod projects;
mod rotation;
mod seen;
mod walk;

pub(super) use seen::Projects;
pub(super) use walk::Walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::HttpGitlab;
use crate::gitlab::GitlabError;
use crate::world::{FullPath, Job, JobId, ProjectId, Queue};

/// Pages of one list that a look reads.
const PAGES_MAX: usize = 10;

/// A pending job as either source tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) id: JobId,
    pub(super) name: String,
    pub(super) project: ProjectId,
    pub(super) project_path: FullPath,
    pub(super) tags: Vec<String>,
    pub(super) queued_at: Timestamp,
    pub(super) ref_name: String,
    /// Its ref is a tag.
    pub(super) of_tag: bool,
}

/// What a source told.
pub(super) struct Read {
    pub(super) jobs: BTreeMap<JobId, Pending>,
    /// It has more.
    pub(super) more: bool,
    /// What of it could not be read, in words.
    pub(super) set_aside: Vec<Arc<str>>,
    /// How long it takes to see each job once, where a look does not see all.
    pub(super) round: Option<SignedDuration>,
}

impl HttpGitlab {
    pub(super) async fn read_queue(&self) -> Result<Queue, GitlabError> {
        let proof = self.proof().await?;
        let limits = self.limits().await?;
        let before = self.wire.requests();
        let Read { mut jobs, mut more, set_aside, round } = if proof.instance_queue {
            self.read_instance(&proof).await?
        } else {
            self.read_projects(&proof.server, limits.as_ref()).await?
        };
        more |= limits.as_ref().is_some_and(|limits| limits.lacking);
        // Else only those projects were listed.
        if let Some(limits) = limits.filter(|_| proof.instance_queue) {
            jobs.retain(|_, job| limits.hold(job.project, &job.project_path));
        }
        let mut jobs: Vec<Pending> = jobs.into_values().collect();
        jobs.sort_by_key(|job| (job.queued_at, job.id));
        self.jobs.with(|known| known.remember(&jobs));
        let used = self.wire.requests().saturating_sub(before);
        self.refresh_refs(&jobs, usize::try_from(used).unwrap_or(usize::MAX)).await;
        let jobs = self.refs.with(|facts| jobs.into_iter().map(|job| facts.judge(job)).collect());
        more |= !set_aside.is_empty();
        Ok(Queue { jobs, more, set_aside, round })
    }
}

fn first_line(error: &GitlabError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// `1 pending job`, `2 pending jobs`
fn numbered(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

impl Pending {
    /// The job, with what is known of its project and ref.
    pub(super) fn judged(
        self,
        protected: Option<bool>,
        instance_runners: Option<bool>,
        group_runners: Option<bool>,
    ) -> Job {
        Job {
            id: self.id,
            name: self.name.into(),
            project: self.project,
            project_path: self.project_path,
            tags: Arc::new(self.tags.into_iter().collect()),
            queued_at: self.queued_at,
            ref_name: self.ref_name.into(),
            protected,
            instance_runners,
            group_runners,
        }
    }
}
