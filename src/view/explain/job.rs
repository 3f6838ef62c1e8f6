//! Why a job waits.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AsOf;
use crate::gitlab::JobDetail;
use crate::plan::{DROPPED_UNMATCHED, JobHold};
use crate::spec::Scope;
use crate::view::queue::{Waiting, best_offer};
use crate::view::{JobIdOutput, RecordIdOutput, words};
use crate::world::{Job, JobId, Misfit, Offer, Phase, RunnerView};

/// GitLab drops any pending job after this long (`Ci::StuckBuilds::DropPendingService`; GitLab 18.6),
/// and sooner one that no matching runner is online for.
const DROPPED: SignedDuration = SignedDuration::from_hours(24);

/// How a job stands that the queue has.
const PENDING: &str = "pending";
/// How a job stands that a runner of ours has.
const RUNNING: &str = "running";
/// How a job stands that was seen to fail.
const FAILED: &str = "failed";
/// How a job stands that neither has, as far as GitLab was not asked for it.
const UNKNOWN: &str = "unknown";

/// Why a job waits.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExplainJobOutput {
    /// GitLab's id.
    pub id: JobIdOutput,
    /// Its name, where it is known.
    pub name: Option<String>,
    /// Its project's full path, where it is known.
    pub project: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its branch or tag, where it is known.
    #[serde(rename = "ref")]
    pub ref_name: Option<String>,
    /// Whether its ref is protected, where that is known.
    pub protected: Option<bool>,
    /// `pending`, another word of GitLab's, or `unknown`.
    pub status: String,
    /// How long it waits.
    pub waiting: Option<String>,
    /// Why it gets no runner now, as one word; none where it gets one.
    pub reason: Option<Cow<'static, str>>,
    /// How it stands, in words.
    pub why: String,
    /// Every pool, whether it may take the job, and how it stands.
    pub pools: Vec<FitOutput>,
    /// Its place among the jobs of its pool.
    pub place: Option<PlaceOutput>,
    /// When it may start.
    pub earliest_start: Option<String>,
    /// By then what it waits for is over at the latest, in UTC; none where that is not known.
    #[serde(default)]
    pub starts_by: Option<String>,
    /// What GitLab itself says of who may take it; none where it was not asked (only the command asks,
    /// and only GitLab 18.1 and newer tells).
    #[serde(default)]
    pub gitlab_says: Option<String>,
    /// When GitLab drops it.
    pub dropped: Option<String>,
    /// Its page.
    pub url: Option<String>,
}

/// Whether a variant may take a job.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FitOutput {
    /// The pool.
    pub pool: String,
    /// The architecture; none where it is not known or does not matter.
    pub arch: Option<Cow<'static, str>>,
    /// It may take the job.
    pub fits: bool,
    /// Why not, or how it stands.
    pub why: String,
    /// The record whose runners would take it, where it fits and there is one.
    #[serde(default)]
    pub record: Option<RecordIdOutput>,
}

/// A place in line.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PlaceOutput {
    /// From 1.
    pub position: usize,
    /// Jobs in that line.
    pub of: usize,
    /// The pool whose line it is.
    pub pool: String,
    /// That pool's priority.
    pub priority: i32,
}

impl ExplainJobOutput {
    /// It is in no queue, so GitLab itself knows better how it stands.
    pub fn is_pending(&self) -> bool {
        self.status == PENDING
    }

    /// AutoGit saw why it ended; GitLab has no word for that.
    pub fn failed_here(&self) -> bool {
        self.status == FAILED
    }

    /// The records whose runners may take it, as AutoGit sees it.
    pub fn fitting_records(&self) -> BTreeSet<RecordIdOutput> {
        self.pools.iter().filter_map(|fit| fit.record).collect()
    }

    /// The same, with GitLab's own word on each record.
    #[must_use]
    pub fn judged_by_gitlab(mut self, answers: &[(RecordIdOutput, bool)]) -> Self {
        let named = |wanted: bool| {
            let records = answers.iter().filter(|(_, takes)| *takes == wanted);
            let records: Vec<String> = records.map(|(record, _)| record.to_string()).collect();
            (!records.is_empty()).then(|| records.join(", "))
        };
        let yes = named(true).map(|records| format!("yes, record {records} may take it"));
        let no = named(false).map(|records| {
            format!("no, record {records} may not take it: GitLab's own matching says otherwise")
        });
        let words: Vec<String> = yes.into_iter().chain(no).collect();
        self.gitlab_says = (!words.is_empty()).then(|| words.join("; "));
        self
    }

    /// The same, with what GitLab tells about a job that is not pending here.
    #[must_use]
    pub fn told_by_gitlab(self, detail: &JobDetail) -> Self {
        let why = match (self.status.as_str(), detail.status.as_str()) {
            (UNKNOWN, PENDING) => {
                "not in the queue as it was read: outside `gitlab.groups` and `gitlab.projects`, \
                 beyond the pages that are read, or just created"
                    .to_owned()
            }
            (UNKNOWN, _) => "it waits for no runner of ours".to_owned(),
            _ => self.why,
        };
        Self {
            name: Some(detail.name.clone()),
            project: detail.project_path.clone().or(self.project),
            tags: detail.tags.clone(),
            ref_name: Some(detail.ref_name.clone()),
            status: detail.status.clone(),
            url: Some(detail.web_url.clone()),
            why,
            ..self
        }
    }
}

impl AsOf<'_> {
    /// Why a job waits, or how a job that does not wait stands.
    pub(super) fn explain_job(&self, id: JobId, detail: Option<&JobDetail>) -> ExplainJobOutput {
        let offers = self.world.offers();
        let waiting = self.waiting(&offers);
        match waiting.iter().find(|waiting| waiting.job.id == id) {
            Some(found) => self.pending(*found, &waiting, &offers),
            None => self.not_pending(id, detail),
        }
    }

    fn pending(
        &self,
        found: Waiting<'_>,
        waiting: &[Waiting<'_>],
        offers: &[Offer<'_>],
    ) -> ExplainJobOutput {
        let Waiting { job, hold, .. } = found;
        let runners = self.world.runners();
        let why = match hold {
            Some(hold) => hold.later(self.view_age()).to_string(),
            None if self.is_idle_for(job, offers, &runners) => {
                "an idle runner may take it".to_owned()
            }
            None => "this plan starts a runner for it".to_owned(),
        };
        let earliest = self.earliest(found, &runners);
        ExplainJobOutput {
            id: job.id.into(),
            name: Some(job.name.to_string()),
            project: Some(job.project_path.to_string()),
            tags: job.tags.iter().cloned().collect(),
            ref_name: Some(job.ref_name.to_string()),
            protected: job.protected,
            status: PENDING.to_owned(),
            waiting: Some(self.lasting(job.queued_at)),
            reason: hold.map(|hold| hold.as_str().into()),
            why,
            pools: self.fits(found, offers, &runners),
            place: place(found, waiting),
            starts_by: earliest.by.map(words::instant),
            earliest_start: Some(earliest.words),
            gitlab_says: None,
            dropped: Some(self.dropped(job, offers, &runners)),
            url: Some(self.job_url(job.project_path.as_str(), job.id)),
        }
    }

    fn not_pending(&self, id: JobId, detail: Option<&JobDetail>) -> ExplainJobOutput {
        let runners = self.world.runners();
        let ours = runners.iter().find_map(|view| {
            let job = self.job_of(view).filter(|job| job.id == Some(id.into()))?;
            Some((view.runner.name.to_string(), job))
        });
        let wrong_image = self.world.memory.wrong_images.get(&id);
        let why = match (&ours, wrong_image, self.world.queue.known()) {
            (_, Some(wrong_image), _) => wrong_image.to_string(),
            (Some((runner, job)), None, _) => {
                let long = job.lasting.as_ref().map(|lasting| format!(" for {lasting}"));
                format!("`{runner}` runs it{}", long.unwrap_or_default())
            }
            (None, None, Some(_)) => {
                "not in the queue, and no runner of ours has it: it ended, another runner has it, \
                 or the token may not see it"
                    .to_owned()
            }
            (None, None, None) => "the queue could not be read".to_owned(),
        };
        let status = match (&ours, wrong_image) {
            (_, Some(_)) => FAILED,
            (Some(_), None) => RUNNING,
            (None, None) => UNKNOWN,
        };
        let facts = self.world.memory.job_facts.get(&id).filter(|_| ours.is_some());
        let (name, project, url) =
            ours.map_or((None, None, None), |(_, job)| (job.name, job.project, job.url));
        let output = ExplainJobOutput {
            id: id.into(),
            name,
            project,
            tags: facts.map(|facts| facts.tags.iter().cloned().collect()).unwrap_or_default(),
            ref_name: facts.map(|facts| facts.ref_name.to_string()),
            protected: None,
            status: status.to_owned(),
            waiting: None,
            reason: None,
            why,
            pools: Vec::new(),
            place: None,
            earliest_start: None,
            starts_by: None,
            gitlab_says: None,
            dropped: None,
            url,
        };
        match detail {
            Some(detail) => output.told_by_gitlab(detail),
            None => output,
        }
    }

    fn is_idle_for(&self, job: &Job, offers: &[Offer<'_>], runners: &[RunnerView<'_>]) -> bool {
        let fitting = offers.iter().filter(|offer| offer.fits(job).is_ok());
        let mut idle = runners.iter().filter(|view| matches!(view.phase, Phase::Idle { .. }));
        let variants: Vec<_> = fitting.map(|offer| &offer.variant).collect();
        let started = self.plan.decisions.iter().any(|decision| {
            matches!(decision.action, crate::plan::Action::Start { .. })
                && decision.action.variant().is_some_and(|variant| variants.contains(&variant))
        });
        !started && idle.any(|view| variants.contains(&&view.runner.variant))
    }

    fn fits(
        &self,
        found: Waiting<'_>,
        offers: &[Offer<'_>],
        runners: &[RunnerView<'_>],
    ) -> Vec<FitOutput> {
        let mut rows = Vec::new();
        for pool in &self.world.spec.pools {
            let mut of_pool = offers.iter().filter(|offer| offer.pool.name == pool.name).peekable();
            if of_pool.peek().is_none() {
                let why = if pool.enabled { "no host of it is known" } else { "is disabled" };
                let pool = pool.name.to_string();
                rows.push(FitOutput {
                    pool,
                    arch: None,
                    fits: false,
                    why: why.to_owned(),
                    record: None,
                });
            }
            rows.extend(of_pool.map(|offer| {
                let fit = offer.fits(found.job);
                FitOutput {
                    pool: pool.name.to_string(),
                    arch: Some(offer.variant.arch.as_str().into()),
                    fits: fit.is_ok(),
                    record: self.record_of(offer).filter(|_| fit.is_ok()),
                    why: match fit {
                        Ok(()) => self.standing(offer, found, runners),
                        Err(misfit) => misfit_words(offer, &misfit, found.job),
                    },
                }
            }));
        }
        rows.sort_by_key(|row| !row.fits);
        rows
    }

    fn record_of(&self, offer: &Offer<'_>) -> Option<RecordIdOutput> {
        Some(self.world.current_record(&offer.variant, offer.pool)?.id.into())
    }

    /// How a fitting variant stands.
    fn standing(
        &self,
        offer: &Offer<'_>,
        found: Waiting<'_>,
        runners: &[RunnerView<'_>],
    ) -> String {
        let pool = offer.pool;
        let of_pool = runners.iter().filter(|view| view.runner.variant.pool == pool.name);
        let live = of_pool.filter(|view| view.is_live()).count();
        let best = found.offer.is_some_and(|best| best.variant == offer.variant);
        match found.hold {
            Some(JobHold::PoolAtMax { pool: name, max, .. }) if *name == pool.name => {
                let of_pool = |view: &&RunnerView<'_>| view.runner.variant.pool == pool.name;
                let of_pool: Vec<&RunnerView<'_>> = runners.iter().filter(of_pool).collect();
                let busy = self.busy_words(&of_pool);
                let who = if busy.is_empty() { String::new() } else { format!(": {busy}") };
                format!("at max {max}{who}")
            }
            Some(hold) if best => hold.later(self.view_age()).to_string(),
            _ => format!("{live} of at most {} runners", pool.max),
        }
    }

    /// GitLab looks for such jobs about once an hour, so these are the earliest moments.
    fn dropped(&self, job: &Job, offers: &[Offer<'_>], runners: &[RunnerView<'_>]) -> String {
        let moment = |after| job.queued_at.checked_add(after).unwrap_or(Timestamp::MAX);
        let in_any_case = format!("in {}, in any case", self.left(moment(DROPPED)));
        let online = runners.iter().any(|view| {
            let working = matches!(view.phase, Phase::Idle { .. } | Phase::Busy { .. });
            let offer = offers.iter().find(|offer| offer.variant == view.runner.variant);
            working && offer.is_some_and(|offer| offer.fits(job).is_ok())
        });
        let by_another = self.world.memory.other_runners.contains_key(&job.id);
        if online || by_another {
            return in_any_case;
        }
        let unmatched = self.left(moment(DROPPED_UNMATCHED));
        let unless = match best_offer(offers, job) {
            Some(_) => "unless a matching runner is online before",
            None => "because no matching runner is online",
        };
        format!("in {unmatched}, {unless}; {in_any_case}")
    }
}

/// Among the jobs of the same pool, oldest first, which is the order of serving.
fn place(found: Waiting<'_>, waiting: &[Waiting<'_>]) -> Option<PlaceOutput> {
    let pool = found.offer?.pool;
    let line = waiting.iter().filter(|one| {
        let its = one.offer.map(|offer| &offer.pool.name);
        its == Some(&pool.name)
    });
    let mut of = 0;
    let mut position = 0;
    for one in line {
        of += 1;
        if one.job.id == found.job.id {
            position = of;
        }
    }
    Some(PlaceOutput { position, of, pool: pool.name.to_string(), priority: pool.priority })
}

fn misfit_words(offer: &Offer<'_>, misfit: &Misfit, job: &Job) -> String {
    match misfit {
        Misfit::Protected => "takes jobs on protected refs only".to_owned(),
        Misfit::Unresolved(error) => format!("what its scope holds is not known: {error}"),
        Misfit::Scope => match &offer.pool.scope {
            Scope::Group(path) => {
                format!("scope group {path} does not hold {}", job.project_path)
            }
            Scope::Project(path) => format!("takes jobs of project {path} only"),
            Scope::Instance => "its scope does not hold the project".to_owned(),
        },
        Misfit::Switch => match &offer.pool.scope {
            Scope::Group(_) => "the project has group runners switched off".to_owned(),
            Scope::Instance | Scope::Project(_) => {
                "the project has instance runners switched off".to_owned()
            }
        },
        Misfit::Untagged => "takes jobs with tags only".to_owned(),
        Misfit::Tags(tags) => {
            let plural = if tags.len() == 1 { "" } else { "s" };
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            format!("lacks tag{plural} {}", tags.join(", "))
        }
    }
}
