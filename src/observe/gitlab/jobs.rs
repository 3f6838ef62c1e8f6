//! What GitLab says of jobs that are in no queue: whether one is over whose containers run on
//! without a runner, or whose runner is gone, and what those are called that runners have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::gitlab::{Gitlab, GitlabError, JobDetail};
use crate::world::{AtWork, JobFacts, JobId, Look, Memory, Observed, ProjectId, Queue, lingering};

/// Jobs that GitLab is asked about in one look, the others in turn: such jobs are few, and a look
/// has a bound of requests.
const ASKED_MAX: usize = 5;

/// Which job was asked about last.
#[derive(Debug, Default)]
pub(super) struct InTurn(Option<JobId>);

impl InTurn {
    /// The jobs to ask about now, each with its project.
    pub(super) fn next(&mut self, look: &Look) -> Vec<(JobId, Option<ProjectId>)> {
        let lingering = lingering(look).into_iter();
        let lingering =
            lingering.filter_map(|(_, container, _)| Some((container.job?, container.project)));
        let lost = look.memory.at_work().filter(|work| work.gone_since.is_some());
        let jobs: BTreeMap<JobId, Option<ProjectId>> = lingering
            .chain(lost.map(|work| (work.job, work.project)))
            .filter(|(job, _)| !look.memory.over.contains(job))
            .collect();
        let after = self.0.map_or(Bound::Unbounded, Bound::Excluded);
        let in_turn = jobs.range((after, Bound::Unbounded)).chain(&jobs);
        let next: Vec<_> =
            in_turn.take(ASKED_MAX.min(jobs.len())).map(|(id, of)| (*id, *of)).collect();
        self.0 = next.last().map(|(id, _)| *id).or(self.0);
        next
    }
}

/// Which of those jobs are over. What GitLab does not tell is not known to be.
pub(super) async fn over(gitlab: &dyn Gitlab, jobs: Vec<(JobId, Option<ProjectId>)>) -> Vec<JobId> {
    let mut over = Vec::new();
    for (job, project) in jobs {
        if gitlab.is_over(job, project).await.unwrap_or(false) {
            over.push(job);
        }
    }
    over
}

/// Jobs of the queue that are remembered, to be told by their names when a runner has one: those of
/// several days on most instances.
const REMEMBERED_MAX: usize = 20_000;
/// Jobs that were in no queue as it was read, and that GitLab is asked about in one look: after a
/// restart there may be hundreds, and a name is worth no wait.
const NAMED_MAX: usize = 5;

/// What the jobs are called that runners have. The queue tells while they wait in it; the others are
/// asked for, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    seen: BTreeMap<JobId, JobFacts>,
    asked: BTreeSet<JobId>,
}

impl Names {
    /// Remembers the jobs of the queue; the oldest are forgotten first.
    pub(super) fn note_queue(&mut self, queue: &Observed<Queue>) {
        for job in queue.known().into_iter().flat_map(|queue| &queue.jobs) {
            self.seen.entry(job.id).or_insert_with(|| JobFacts {
                name: Arc::clone(&job.name),
                project: Some(job.project_path.clone()),
                tags: Arc::clone(&job.tags),
                ref_name: Arc::clone(&job.ref_name),
                started_at: None,
            });
        }
        while self.seen.len() > REMEMBERED_MAX {
            self.seen.pop_first();
        }
    }

    /// Jobs that runners have and that GitLab is to be asked about, each with its project.
    pub(super) fn unknown(&mut self, memory: &mut Memory) -> Vec<(JobId, ProjectId)> {
        let at_work: Vec<AtWork> = memory.at_work().cloned().collect();
        for work in &at_work {
            if let Some(facts) = self.seen.get(&work.job) {
                memory.job_facts.entry(work.job).or_insert_with(|| facts.clone());
            }
        }
        self.asked.retain(|job| at_work.iter().any(|work| work.job == *job));
        let unknown = at_work.iter().filter(|work| !self.asked.contains(&work.job));
        let unknown = unknown.filter(|work| lacks_facts(work, &memory.job_facts));
        // Without its project, GitLab finds a job by searching only.
        unknown.filter_map(|work| Some((work.job, work.project?))).take(NAMED_MAX).collect()
    }

    /// Takes up what GitLab told.
    pub(super) fn take(&mut self, told: Vec<Named>, memory: &mut Memory) {
        for (job, told) in told {
            match told {
                Err(GitlabError::Unreachable { .. } | GitlabError::Limited { .. }) => continue,
                Err(error) => tracing::debug!(%job, %error, "the job's name is not available"),
                Ok(detail) => {
                    let facts = JobFacts {
                        name: detail.name.into(),
                        project: detail.project_path.map(Into::into),
                        tags: Arc::new(detail.tags.into_iter().collect()),
                        ref_name: detail.ref_name.into(),
                        started_at: detail.started_at,
                    };
                    memory.job_facts.insert(job, facts);
                }
            }
            self.asked.insert(job);
        }
    }
}

/// What GitLab told of a job.
pub(super) type Named = (JobId, Result<JobDetail, GitlabError>);

/// What those jobs are called.
pub(super) async fn name(gitlab: &dyn Gitlab, jobs: Vec<(JobId, ProjectId)>) -> Vec<Named> {
    let asking = jobs
        .into_iter()
        .map(|(job, project)| async move { (job, gitlab.job(job, Some(project)).await) });
    join_all(asking).await
}

/// Its name is not known, or nothing tells since when it runs.
fn lacks_facts(work: &AtWork, known: &BTreeMap<JobId, JobFacts>) -> bool {
    let received = work.runner.log.as_ref().and_then(|log| log.received);
    let is_timed = received.is_some_and(|(job, _)| job == work.job);
    known.get(&work.job).is_none_or(|facts| facts.started_at.is_none() && !is_timed)
}
