//! The queue as JSON, and which pool each job waits for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AsOf, JobIdOutput, View, words};
use crate::plan::JobHold;
use crate::world::{Job, JobId, Observed, Offer};

/// GitLab's pending jobs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct QueueOutput {
    /// When it was looked at, in UTC.
    pub at: String,
    /// The moment of the ages, in UTC: that of the answer.
    #[serde(default)]
    pub as_of: String,
    /// `known`, or `unknown`: then `jobs` is empty, whatever the queue may be.
    pub state: Cow<'static, str>,
    /// Why it is unknown.
    pub error: Option<String>,
    /// Reading stopped at its bound: there are more jobs than these.
    pub more: bool,
    /// What could not be read and so is not among the jobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<String>,
    /// How long it takes to see each job once; none: each look sees all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<String>,
    /// The jobs, oldest first.
    pub jobs: Vec<QueueJobOutput>,
}

/// One pending job.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct QueueJobOutput {
    /// GitLab's id.
    pub id: JobIdOutput,
    /// Its name.
    pub name: String,
    /// Its project's full path.
    pub project: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its branch or tag.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// How long it waits.
    pub waiting: String,
    /// Since when it waits, in UTC.
    pub queued_at: String,
    /// The pool that it waits for; none where no pool fits.
    pub pool: Option<String>,
    /// Why it gets no runner now, as one word; none where it gets one.
    pub reason: Option<Cow<'static, str>>,
    /// Why it gets no runner now.
    pub why: Option<String>,
    /// Its page.
    pub url: String,
}

/// A pending job with the offer that it waits for and why it gets no runner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting<'a> {
    pub(crate) job: &'a Job,
    pub(crate) offer: Option<&'a Offer<'a>>,
    pub(crate) hold: Option<&'a JobHold>,
}

impl AsOf<'_> {
    /// The queue as JSON.
    pub fn queue_output(&self) -> QueueOutput {
        let offers = self.world.offers();
        let jobs = self.waiting(&offers).into_iter().map(|waiting| self.queue_job(waiting));
        let jobs = jobs.collect();
        let (state, error, more) = match &self.world.queue {
            Observed::Known { value, .. } => ("known".into(), None, value.more),
            Observed::Unknown { error, .. } => ("unknown".into(), Some(error.to_string()), false),
        };
        let queue = self.world.queue.known();
        let set_aside = queue.into_iter().flat_map(|queue| &queue.set_aside);
        let set_aside = set_aside.map(ToString::to_string).collect();
        let round = queue.and_then(|queue| queue.round).map(words::age);
        let (at, as_of) = (words::instant(self.world.now), self.moment());
        QueueOutput { at, as_of, state, error, more, set_aside, round, jobs }
    }
}

impl View {
    /// The pending jobs, oldest first, each with what it waits for.
    pub(crate) fn waiting<'a>(&'a self, offers: &'a [Offer<'a>]) -> Vec<Waiting<'a>> {
        let holds: BTreeMap<JobId, &JobHold> =
            self.plan.held_jobs.iter().map(|held| (held.job, &*held.hold)).collect();
        let jobs = self.world.queue.known().into_iter().flat_map(|queue| &queue.jobs);
        jobs.map(|job| Waiting {
            job,
            offer: best_offer(offers, job),
            hold: holds.get(&job.id).copied(),
        })
        .collect()
    }

    /// The page of a job.
    pub(crate) fn job_url(&self, project: &str, job: JobId) -> String {
        format!("{}/{project}/-/jobs/{job}", self.gitlab_url.trim_end_matches('/'))
    }
}

impl AsOf<'_> {
    fn queue_job(&self, waiting: Waiting<'_>) -> QueueJobOutput {
        let Waiting { job, offer, hold } = waiting;
        QueueJobOutput {
            id: job.id.into(),
            name: job.name.to_string(),
            project: job.project_path.to_string(),
            tags: job.tags.iter().cloned().collect(),
            ref_name: job.ref_name.to_string(),
            waiting: self.lasting(job.queued_at),
            queued_at: words::instant(job.queued_at),
            pool: offer.map(|offer| offer.pool.name.to_string()),
            reason: hold.map(|hold| hold.as_str().into()),
            why: hold.map(|hold| hold.later(self.view_age()).to_string()),
            url: self.job_url(job.project_path.as_str(), job.id),
        }
    }
}

/// The fitting offer with the fewest tags that the job does not need, then the first of the file.
pub(crate) fn best_offer<'a>(offers: &'a [Offer<'a>], job: &Job) -> Option<&'a Offer<'a>> {
    let fitting = offers.iter().filter(|offer| offer.fits(job).is_ok());
    fitting.min_by_key(|offer| offer.unneeded_tags(job))
}
