//! A real pipeline with one job for each pool, followed from its trigger until nothing of it is left.

mod course;
mod place;
mod pools;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use super::adapters::Adapters;
use super::chosen_view::{ChosenView, Question, RunningView, WhoseView};
use super::failure::Failure;
use super::process::Process;
use super::project::way;
use crate::error_policy::ErrorKind;
use crate::gitlab::GitlabError;
use crate::gitlab::user::{JobsOf, PipelineId, ProjectJob};
use crate::view::{
    ExplainJobOutput, QueueOutput, RunOutput, RunnerOutput, SelftestOutput, SpreadOutput, words,
};
use crate::world::JobId;
use course::{Course, Seen};
use place::{Place, Workshop};
use pools::Trial;

pub(crate) use course::Stage;

/// Between two looks. The running AutoGit is asked at each, GitLab at every fourth one.
const PAUSE: Duration = Duration::from_millis(250);
const LOOKS_PER_QUESTION: u32 = 4;
/// Jobs of a pipeline that are read.
const JOBS_MAX: usize = 500;
/// Lines of a failed job's log that are shown.
const LOG_LINES: usize = 15;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// Which AutoGit is tried.
    pub(crate) question: Question,
    /// A project that is there, instead of one that is made.
    pub(crate) project: Option<String>,
    /// The group in which one is made.
    pub(crate) group: Option<String>,
    /// The token that makes and triggers; none: the spec's.
    pub(crate) token: Option<SecretString>,
    /// How often.
    pub(crate) runs: u32,
    /// How long each run may take.
    pub(crate) timeout: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Tested {
    pub(crate) output: SelftestOutput,
    /// Why jobs are still pending.
    pub(crate) explained: Vec<ExplainJobOutput>,
}

/// Tries every pool, and removes what it made, also where it is stopped or fails. `tell` gets what
/// happens on the way.
pub(crate) async fn selftest(
    wishes: &Wishes,
    stopped: impl Future<Output = Failure>,
    tell: &dyn Fn(&str),
    process: &Process,
    adapters: Adapters,
) -> Result<Tested, Failure> {
    let chosen = ChosenView::choose(&wishes.question, process, adapters).await?;
    for line in chosen.head() {
        tell(line);
    }
    let WhoseView::Running(there) = chosen.whose else {
        return Err(Failure::Failed(
            "a self-test follows an AutoGit that runs, and none does\n\
             hint: start it by `autogit run`, or name one by `--server URL`"
                .to_owned(),
        ));
    };
    let mut way = way(&wishes.question.place, process, adapters).await?;
    way.token = wishes.token.clone().or(way.token);
    let gitlab = (adapters.scratch_gitlab)(&way, process).map_err(Failure::Failed)?;
    let workshop = Workshop::new(gitlab, process.clock().clone());
    let outcome = tokio::select! {
        biased;
        stopped = stopped => Err(stopped),
        tested = tried(wishes, &there, &workshop, tell) => tested,
    };
    tell("removing what was made");
    let left = workshop.clean_up().await;
    match outcome {
        Ok(mut tested) => {
            tested.output.left = left;
            Ok(tested)
        }
        Err(failure) => {
            for one in left {
                tell(&format!("it stays: {one}"));
            }
            Err(failure)
        }
    }
}

async fn tried(
    wishes: &Wishes,
    there: &RunningView,
    workshop: &Workshop,
    tell: &dyn Fn(&str),
) -> Result<Tested, Failure> {
    let given = match &wishes.project {
        Some(name) => Some(workshop.gitlab.project(name.trim_matches('/')).await.map_err(failed)?),
        None => None,
    };
    let path = given.as_ref().map(|project| project.path.as_str());
    let (mut trials, mut skipped) = pools::trials(&there.status, path);
    if trials.is_empty() {
        return Err(nothing_to_try(&skipped));
    }
    let place = match given {
        Some(project) => workshop.branch(project),
        None => workshop.create(wishes.group.as_deref(), &trials).await?,
    };
    trials = pools::fitting(trials, &place.project.path, &mut skipped);
    if trials.is_empty() {
        return Err(nothing_to_try(&skipped));
    }
    for (pool, why) in &skipped {
        tell(&format!("pool {pool} is not tried: it {why}"));
    }
    let made = if place.created { "made project" } else { "in project" };
    tell(&format!("{made} {}, branch {}", place.project.path, place.branch));
    workshop.push(&place, &pools::pipeline(&trials)).await?;
    let (mut runs, mut explained) = (Vec::new(), Vec::new());
    for _ in 0..wishes.runs {
        let trial = Run { there, workshop, place: &place, trials: &trials, tell };
        let (run, pending) = trial.follow(wishes.timeout).await?;
        let fine = run.jobs.iter().all(|job| job.problem.is_none());
        runs.push(run);
        for id in pending {
            explained.push(there.running.get(&format!("/explain/jobs/{id}")).await?);
        }
        if !fine {
            break;
        }
    }
    let mut jobs = runs.iter().flat_map(|run| &run.jobs);
    let pass = jobs.all(|job| job.problem.is_none());
    let output = SelftestOutput {
        pass,
        project: place.project.path.clone(),
        created: place.created,
        skipped,
        summary: summary(&runs),
        runs,
        left: Vec::new(),
    };
    Ok(Tested { output, explained })
}

fn nothing_to_try(skipped: &BTreeMap<String, String>) -> Failure {
    let why: Vec<String> = skipped.iter().map(|(pool, why)| format!("pool {pool} {why}")).collect();
    Failure::Failed(format!("there is no pool to try: {}", why.join("; ")))
}

#[expect(clippy::needless_pass_by_value, reason = "it is the end of what went wrong")]
fn failed(error: GitlabError) -> Failure {
    Failure::Failed(error.to_string())
}

/// One run.
struct Run<'a> {
    there: &'a RunningView,
    workshop: &'a Workshop,
    place: &'a Place,
    trials: &'a [Trial],
    tell: &'a dyn Fn(&str),
}

impl Run<'_> {
    /// Begins a pipeline and follows it to its end. The jobs that are pending still when its time is
    /// up come with it.
    async fn follow(&self, limit: Duration) -> Result<(RunOutput, Vec<JobId>), Failure> {
        let Workshop { gitlab, clock, .. } = self.workshop;
        let project = self.place.project.id;
        let before: Vec<RunnerOutput> = self.there.running.get("/runners").await?;
        let triggered = clock.now();
        let begun = gitlab.create_pipeline(project, &self.place.branch, &[]).await;
        let pipeline = begun.map_err(failed)?;
        (self.tell)(&format!("pipeline {}", pipeline.web_url));
        let mut course = Course::begin(triggered, self.trials, &before);
        let mut pending = Vec::new();
        for look in 0_u32.. {
            clock.sleep(PAUSE).await;
            let asks = look % LOOKS_PER_QUESTION == 0;
            let jobs = if asks { self.jobs(pipeline.id).await? } else { None };
            let queue: QueueOutput = self.there.running.get("/queue").await?;
            let runners: Vec<RunnerOutput> = self.there.running.get("/runners").await?;
            let (at, jobs) = (clock.now(), jobs.as_deref());
            let seen = Seen { at, jobs, queue: &queue, runners: &runners };
            for line in course.note(&seen) {
                (self.tell)(&line);
            }
            if jobs.is_some() {
                self.read_logs(&mut course).await;
            }
            if course.is_over() {
                break;
            }
            let passed = Duration::try_from(at.duration_since(triggered)).unwrap_or_default();
            if passed >= limit {
                pending = course.time_up(limit);
                break;
            }
        }
        for id in course.failed() {
            self.show_log(id).await;
        }
        let triggered_at = words::instant(triggered);
        let run = RunOutput { pipeline: pipeline.id.0, triggered_at, jobs: course.outputs() };
        Ok((run, pending))
    }

    /// The pipeline's jobs, their times by our clock; none where GitLab does not answer for a moment.
    async fn jobs(&self, pipeline: PipelineId) -> Result<Option<Vec<ProjectJob>>, Failure> {
        let gitlab = &self.workshop.gitlab;
        let of = JobsOf::Pipeline(pipeline);
        let mut jobs = match gitlab.jobs(self.place.project.id, of, JOBS_MAX).await {
            Ok(jobs) => jobs,
            Err(error) if error.kind() == ErrorKind::Unreachable => {
                (self.tell)(&format!("{error}; asked again"));
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        for job in &mut jobs {
            for at in [&mut job.created_at, &mut job.started_at, &mut job.finished_at] {
                *at = at.map(|at: Timestamp| gitlab.ours(at));
            }
        }
        Ok(Some(jobs))
    }

    /// Looks for the first line of each script. A log that cannot be read now is read again.
    async fn read_logs(&self, course: &mut Course) {
        let Workshop { gitlab, clock, .. } = self.workshop;
        for id in course.without_first_line() {
            let Ok(log) = gitlab.log(self.place.project.id, id).await else { continue };
            let Some(told) = pools::first_line(&log) else { continue };
            let at = told.at.unwrap_or_else(|| clock.now());
            if let Some(line) = course.note_first_line(id, at) {
                (self.tell)(&line);
            }
        }
    }

    /// The end of a failed job's log, which goes with its project.
    async fn show_log(&self, id: JobId) {
        let Ok(log) = self.workshop.gitlab.log(self.place.project.id, id).await else { return };
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        (self.tell)(&format!("the log of job #{id} ends:"));
        for line in lines.iter().skip(lines.len().saturating_sub(LOG_LINES)) {
            (self.tell)(&format!("  {line}"));
        }
    }
}

/// How long each stage took in each pool.
fn summary(runs: &[RunOutput]) -> BTreeMap<String, BTreeMap<&'static str, SpreadOutput>> {
    let mut secs: BTreeMap<(String, &'static str), Vec<f64>> = BTreeMap::new();
    for job in runs.iter().flat_map(|run| &run.jobs) {
        for stage in &job.stages {
            secs.entry((job.pool.clone(), stage.stage)).or_default().push(stage.secs);
        }
    }
    let mut summary: BTreeMap<String, BTreeMap<&'static str, SpreadOutput>> = BTreeMap::new();
    for ((pool, stage), secs) in secs {
        let spread = SpreadOutput::of(secs);
        summary.entry(pool).or_default().extend(spread.map(|spread| (stage, spread)));
    }
    summary
}
