//! The way of each job from the trigger to its runner's end, out of what GitLab and the running AutoGit
//! tell. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::pools::Trial;
use crate::gitlab::user::ProjectJob;
use crate::plan::brief;
use crate::view::{FollowedOutput, QueueOutput, RunnerOutput, StageOutput};
use crate::world::JobId;

/// A part of a job's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// GitLab has it in its queue.
    Pending,
    /// AutoGit saw it in the queue, and which pool may take it; none where a runner had it before the
    /// next look.
    Matched,
    /// The runner that took it was made.
    Started,
    /// That runner was in contact with GitLab.
    Online,
    /// It took the job.
    PickedUp,
    /// The first line of the script was written.
    FirstLine,
    /// The job ended.
    Finished,
    /// The runner was asked to exit.
    Drained,
    /// Nothing of the runner is left.
    Gone,
}

impl Stage {
    /// In the order of a job's way.
    pub(crate) const ALL: [Self; 9] = [
        Self::Pending,
        Self::Matched,
        Self::Started,
        Self::Online,
        Self::PickedUp,
        Self::FirstLine,
        Self::Finished,
        Self::Drained,
        Self::Gone,
    ];

    /// One word, as JSON has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Matched => "matched",
            Self::Started => "started",
            Self::Online => "online",
            Self::PickedUp => "picked-up",
            Self::FirstLine => "first-line",
            Self::Finished => "finished",
            Self::Drained => "drained",
            Self::Gone => "gone",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Pending | Self::PickedUp | Self::Finished => "gitlab",
            Self::Matched | Self::Started | Self::Online | Self::Drained | Self::Gone => "autogit",
            Self::FirstLine => "log",
        }
    }
}

/// What was seen at one moment, by our clock.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) at: Timestamp,
    /// The pipeline's jobs, their times by our clock; none where GitLab was not asked.
    pub(crate) jobs: Option<&'a [ProjectJob]>,
    pub(crate) queue: &'a QueueOutput,
    pub(crate) runners: &'a [RunnerOutput],
}

/// All jobs of a pipeline on their way.
#[derive(Debug)]
pub(crate) struct Course {
    triggered: Timestamp,
    jobs: Vec<Followed>,
    runners: BTreeMap<String, Lived>,
}

/// One job.
#[derive(Debug)]
struct Followed {
    pool: String,
    /// Its pool keeps idle runners.
    warm: bool,
    id: Option<JobId>,
    status: String,
    failure: Option<String>,
    system_id: Option<String>,
    runner: Option<String>,
    reached: BTreeMap<Stage, Timestamp>,
    /// Its runner stays, for that reason.
    stays: Option<String>,
    /// Why it was held when that was last told.
    hold: Option<String>,
    problem: Option<String>,
}

/// When a runner was first seen in each state.
#[derive(Debug)]
struct Lived {
    before: bool,
    first: Timestamp,
    online: Option<Timestamp>,
    drained: Option<Timestamp>,
    gone: Option<Timestamp>,
    why: String,
}

impl Course {
    /// Begins when the pipeline is asked for; `before` are the runners that are there already.
    pub(crate) fn begin(triggered: Timestamp, trials: &[Trial], before: &[RunnerOutput]) -> Self {
        let jobs = trials.iter().map(|trial| Followed {
            pool: trial.pool.clone(),
            warm: trial.warm > 0,
            id: None,
            status: "created".to_owned(),
            failure: None,
            system_id: None,
            runner: None,
            reached: BTreeMap::new(),
            stays: None,
            hold: None,
            problem: None,
        });
        let mut course = Self { triggered, jobs: jobs.collect(), runners: BTreeMap::new() };
        course.note_runners(triggered, before);
        for lived in course.runners.values_mut() {
            lived.before = true;
        }
        course
    }

    /// Takes in what was seen; what is new, in words.
    pub(crate) fn note(&mut self, seen: &Seen<'_>) -> Vec<String> {
        self.note_runners(seen.at, seen.runners);
        let (runners, triggered) = (&self.runners, self.triggered);
        let mut news = Vec::new();
        for job in &mut self.jobs {
            let known: BTreeSet<Stage> = job.reached.keys().copied().collect();
            let had_note = job.stays.is_some();
            job.note_gitlab(seen.jobs.unwrap_or_default());
            news.extend(job.note_queue(seen));
            job.note_runner(seen.runners, runners);
            for (stage, at) in job.reached.iter().filter(|(stage, _)| !known.contains(stage)) {
                news.push(job.line(*stage, at.duration_since(triggered)));
            }
            news.extend(job.stays.iter().filter(|_| !had_note).map(|why| {
                format!("{}: {} {why}", job.pool, job.runner.as_deref().unwrap_or("its runner"))
            }));
        }
        news
    }

    fn note_runners(&mut self, at: Timestamp, runners: &[RunnerOutput]) {
        for runner in runners {
            let lived = self.runners.entry(runner.name.clone()).or_insert_with(|| Lived {
                before: false,
                first: at,
                online: None,
                drained: None,
                gone: None,
                why: String::new(),
            });
            // The slot was filled anew.
            if lived.gone.take().is_some() {
                (lived.before, lived.first, lived.online, lived.drained) = (false, at, None, None);
            }
            lived.why.clone_from(&runner.why);
            match &*runner.phase {
                "idle" | "busy" => lived.online = lived.online.or(Some(at)),
                "draining" | "exited" => lived.drained = lived.drained.or(Some(at)),
                _ => {}
            }
        }
        for (name, lived) in &mut self.runners {
            if !runners.iter().any(|runner| runner.name == *name) {
                lived.gone = lived.gone.or(Some(at));
            }
        }
    }

    /// Jobs whose script began, as far as their first line is not known.
    pub(crate) fn without_first_line(&self) -> Vec<JobId> {
        let begun = self.jobs.iter().filter(|job| {
            job.reached.contains_key(&Stage::PickedUp)
                && !job.reached.contains_key(&Stage::FirstLine)
        });
        begun.filter_map(|job| job.id).collect()
    }

    /// The first line of a job's script was written then.
    pub(crate) fn note_first_line(&mut self, id: JobId, at: Timestamp) -> Option<String> {
        let triggered = self.triggered;
        let job = self.jobs.iter_mut().find(|job| job.id == Some(id))?;
        // A log comes to GitLab in parts: it may be read after the job's end.
        let at = job.reached.get(&Stage::Finished).map_or(at, |end| at.min(*end));
        job.reached.insert(Stage::FirstLine, at);
        Some(job.line(Stage::FirstLine, at.duration_since(triggered)))
    }

    /// Every job is at the end of its way.
    pub(crate) fn is_over(&self) -> bool {
        self.jobs.iter().all(Followed::is_over)
    }

    /// The jobs that ended badly.
    pub(crate) fn failed(&self) -> Vec<JobId> {
        self.jobs.iter().filter(|job| job.failed()).filter_map(|job| job.id).collect()
    }

    /// Its time is up: whatever is not over failed. The jobs that are pending still.
    pub(crate) fn time_up(&mut self, limit: Duration) -> Vec<JobId> {
        let limit = brief(SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX));
        let mut pending = Vec::new();
        for job in self.jobs.iter_mut().filter(|job| !job.is_over()) {
            let why = job.runner.as_ref().and_then(|name| self.runners.get(name));
            let why = why.map(|lived| lived.why.as_str()).filter(|why| !why.is_empty());
            job.problem = Some(match (job.id, job.reached.contains_key(&Stage::Finished)) {
                (None, _) => format!("the pipeline has no job for it after {limit}"),
                (Some(_), true) => {
                    let runner = job.runner.as_deref().unwrap_or("its runner");
                    format!("{runner} is still there after {limit}: {}", why.unwrap_or("not known"))
                }
                (Some(id), false) => {
                    if job.status == "pending" {
                        pending.push(id);
                    }
                    format!("job #{id} is still {} after {limit}", job.status)
                }
            });
        }
        pending
    }

    /// Each job with the stages that it reached.
    pub(crate) fn outputs(&self) -> Vec<FollowedOutput> {
        self.jobs.iter().map(|job| job.output(self.triggered, &self.runners)).collect()
    }
}

impl Followed {
    fn note_gitlab(&mut self, jobs: &[ProjectJob]) {
        let name = job_name(&self.pool);
        let Some(job) = jobs.iter().find(|job| job.name == name) else { return };
        self.id = Some(job.id);
        self.status.clone_from(&job.status.0);
        self.failure.clone_from(&job.failure_reason);
        self.system_id = job.system_id.clone().or(self.system_id.take());
        let times = [
            (Stage::Pending, job.created_at),
            (Stage::PickedUp, job.started_at),
            (Stage::Finished, job.finished_at),
        ];
        for (stage, at) in times {
            if let Some(at) = at {
                self.reached.entry(stage).or_insert(at);
            }
        }
        if self.failed() {
            let why = self.failure.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            self.problem = Some(format!("job #{} ended: {}{why}", job.id, self.status));
        }
    }

    fn note_queue(&mut self, seen: &Seen<'_>) -> Option<String> {
        let id = self.id?;
        let job = seen.queue.jobs.iter().find(|job| JobId::from(job.id) == id)?;
        if job.pool.is_some() {
            self.reached.entry(Stage::Matched).or_insert(seen.at);
        }
        if self.hold == job.why || self.reached.contains_key(&Stage::PickedUp) {
            return None;
        }
        self.hold.clone_from(&job.why);
        let why = self.hold.as_ref()?;
        Some(format!("{}: job #{id} waits: {why}", self.pool))
    }

    fn note_runner(&mut self, seen: &[RunnerOutput], runners: &BTreeMap<String, Lived>) {
        let is_its = |runner: &&RunnerOutput| {
            let job = runner.job.as_ref().and_then(|job| job.id).map(JobId::from);
            Some(&runner.system_id) == self.system_id.as_ref() || job.is_some() && job == self.id
        };
        if self.runner.is_none() {
            self.runner = seen.iter().find(is_its).map(|runner| runner.name.clone());
        }
        let Some((name, lived)) = self.runner.as_ref().and_then(|name| runners.get_key_value(name))
        else {
            return;
        };
        if !lived.before && !self.reached.contains_key(&Stage::Finished) {
            // It is seen with the next look; what has the job was there and in contact.
            let picked = self.reached.get(&Stage::PickedUp).copied();
            let by_then = |at: Timestamp| picked.map_or(at, |picked| at.min(picked));
            self.reached.insert(Stage::Started, by_then(lived.first));
            if let Some(at) = lived.online.or(picked) {
                self.reached.insert(Stage::Online, by_then(at));
            }
        }
        if !self.reached.contains_key(&Stage::Finished) || self.stays.is_some() {
            return;
        }
        for (stage, at) in [(Stage::Drained, lived.drained), (Stage::Gone, lived.gone)] {
            if let Some(at) = at {
                self.reached.entry(stage).or_insert(at);
            }
        }
        let now = seen.iter().find(|runner| runner.name == *name);
        let other = now.and_then(|runner| runner.job.as_ref()?.id).map(JobId::from);
        self.stays = match (other, now.map(|runner| &*runner.phase)) {
            (Some(other), _) if Some(other) != self.id => Some(format!("took job #{other} next")),
            (None, Some("idle")) if self.warm => Some("stays: `warm` keeps it".to_owned()),
            _ => None,
        };
    }

    fn failed(&self) -> bool {
        ["failed", "canceled", "skipped"].contains(&self.status.as_str())
    }

    /// A job that failed tells nothing more; one that ended well has its runner to follow.
    fn is_over(&self) -> bool {
        let done = self.reached.contains_key(&Stage::Gone) || self.stays.is_some();
        self.failed() || self.status == "success" && done
    }

    fn line(&self, stage: Stage, after: SignedDuration) -> String {
        let id = self.id.map(|id| format!(" #{id}")).unwrap_or_default();
        let runner = self.runner.as_ref().filter(|_| stage == Stage::PickedUp);
        let runner = runner.map(|name| format!(" by {name}")).unwrap_or_default();
        let word = stage.as_str().replace('-', " ");
        format!("{}{id}: {word}{runner} after {:.1}s", self.pool, after.as_secs_f64().max(0.0))
    }

    fn output(&self, triggered: Timestamp, runners: &BTreeMap<String, Lived>) -> FollowedOutput {
        let secs = |at: &Timestamp| at.duration_since(triggered).as_secs_f64().max(0.0);
        let stages = self.reached.iter().map(|(stage, at)| StageOutput {
            stage: stage.as_str(),
            // Docker's and GitLab's milliseconds are all that is meant.
            secs: (secs(at) * 1000.0).round() / 1000.0,
            source: stage.source(),
        });
        let lived = self.runner.as_ref().and_then(|name| runners.get(name));
        let before = lived.filter(|lived| lived.before).map(|_| "was there before".to_owned());
        let notes: Vec<String> = before.into_iter().chain(self.stays.clone()).collect();
        FollowedOutput {
            pool: self.pool.clone(),
            job: self.id.map(|id| id.0),
            status: self.status.clone(),
            runner: self.runner.clone(),
            note: (!notes.is_empty()).then(|| notes.join(", ")),
            problem: self.problem.clone(),
            stages: stages.collect(),
        }
    }
}

/// What the job of a pool is called in its pipeline.
pub(super) fn job_name(pool: &str) -> String {
    format!("selftest {pool}")
}
