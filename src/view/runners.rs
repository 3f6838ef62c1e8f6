//! The runners as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AsOf, JobIdOutput, SlotOutput, View, words};
use crate::plan::is_changed;
use crate::world::{JobId, Phase, Runner, RunnerJob, RunnerName, RunnerView, job_of};

/// One runner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunnerOutput {
    /// Its name, which is its container's too.
    pub name: String,
    /// Its pool.
    pub pool: String,
    /// Its architecture.
    pub arch: Cow<'static, str>,
    /// Where it is.
    pub host: String,
    /// The slot it fills.
    pub slot: SlotOutput,
    /// What it does: `created`, `starting`, `idle`, `busy`, `draining`, `exited` or `failed`.
    pub phase: Cow<'static, str>,
    /// Since when it does that, in UTC, where that is known.
    pub since: Option<String>,
    /// How long it does that.
    pub lasting: Option<String>,
    /// What is decided about it, or why it stays as it is.
    pub why: String,
    /// The job that it has.
    pub job: Option<RunnerJobOutput>,
    /// Its manager's name at GitLab.
    pub system_id: String,
    /// Its container's id.
    pub container: String,
    /// A new runner of its pool would be the same.
    pub up_to_date: bool,
    /// The GPUs that it holds.
    pub gpus: Vec<String>,
    /// Its container is paused at its engine.
    #[serde(default)]
    pub paused: bool,
    /// Its host could be read just now; else this is what was last seen.
    pub seen: bool,
}

/// The job that a runner has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunnerJobOutput {
    /// GitLab's id, where it is known.
    pub id: Option<JobIdOutput>,
    /// Its name in the pipeline, where it is known.
    #[serde(default)]
    pub name: Option<String>,
    /// Its project's full path, where it is known.
    pub project: Option<String>,
    /// Its page, where it is known.
    pub url: Option<String>,
    /// Since when the runner has it, in UTC, where that is known.
    #[serde(default)]
    pub since: Option<String>,
    /// How long the runner has it.
    #[serde(default)]
    pub lasting: Option<String>,
}

impl AsOf<'_> {
    /// The runners as JSON, by host and name.
    pub fn runners_output(&self) -> Vec<RunnerOutput> {
        let whys = self.whys();
        self.world.runners().iter().map(|view| self.runner_output(view, &whys)).collect()
    }

    /// One runner as JSON.
    pub(crate) fn runner_output(
        &self,
        view: &RunnerView<'_>,
        whys: &BTreeMap<&RunnerName, String>,
    ) -> RunnerOutput {
        let runner = view.runner;
        let declared = self.world.spec.pool(&runner.variant.pool).is_some();
        RunnerOutput {
            name: runner.name.to_string(),
            pool: runner.variant.pool.to_string(),
            arch: runner.variant.arch.as_str().into(),
            host: view.host.to_string(),
            slot: runner.slot.into(),
            phase: view.phase.as_str().into(),
            since: self.since(view).map(words::instant),
            lasting: self.since(view).map(|at| self.lasting(at)),
            why: whys.get(&runner.name).cloned().unwrap_or_default(),
            job: self.job_of(view),
            system_id: runner.system_id.to_string(),
            container: runner.id.to_string(),
            up_to_date: declared && !is_changed(&self.world, view),
            gpus: self.world.cost_of(runner).gpus.iter().map(str::to_owned).collect(),
            paused: runner.paused,
            seen: view.seen,
        }
    }

    /// The job of a busy runner, with what its containers and GitLab tell about it.
    pub(crate) fn job_of(&self, view: &RunnerView<'_>) -> Option<RunnerJobOutput> {
        let RunnerJob { id, container } = job_of(&self.world, view)?;
        let facts = id.and_then(|id| self.world.memory.job_facts.get(&id));
        let url = container.and_then(|container| container.job_url.clone());
        let by_url = || url.as_deref().and_then(|url| self.project_of(url)).map(str::to_owned);
        let project = facts.and_then(|facts| Some(facts.project.as_ref()?.to_string()));
        let project = project.or_else(by_url);
        let page = || Some(self.job_url(project.as_deref()?, id?));
        let url = url.clone().or_else(page);
        let since = id.and_then(|id| self.job_since(view, id));
        Some(RunnerJobOutput {
            id: id.map(Into::into),
            name: facts.map(|facts| facts.name.to_string()),
            project,
            url,
            since: since.map(words::instant),
            lasting: since.map(|at| self.lasting(at)),
        })
    }
}

impl View {
    /// Since when the runner has that job, by its log, else by GitLab.
    fn job_since(&self, view: &RunnerView<'_>, job: JobId) -> Option<Timestamp> {
        let by_gitlab = || self.world.memory.job_facts.get(&job)?.started_at;
        received(view.runner, Some(job)).or_else(by_gitlab)
    }

    /// Since when the runner does what it does; for a busy one, since it has its job.
    pub(crate) fn since(&self, view: &RunnerView<'_>) -> Option<Timestamp> {
        match view.phase {
            Phase::Created => Some(view.runner.created_at),
            Phase::Starting { since, .. }
            | Phase::Idle { since }
            | Phase::Draining { since, .. }
            | Phase::Failed { since } => Some(since),
            Phase::Busy { job: Some(job) } => self.job_since(view, job),
            Phase::Busy { job: None } => received(view.runner, None),
            Phase::Exited { at, .. } => Some(at),
        }
    }

    /// `https://gitlab.example/team/app/-/jobs/41` is a page of `team/app`.
    fn project_of<'u>(&self, url: &'u str) -> Option<&'u str> {
        let path = url.strip_prefix(self.gitlab_url.trim_end_matches('/'))?;
        Some(path.split_once("/-/")?.0.trim_start_matches('/'))
    }

    /// Each runner's phase, by name.
    pub(crate) fn runner_views(&self) -> BTreeMap<&str, RunnerView<'_>> {
        let views = self.world.runners().into_iter();
        views.map(|view| (view.runner.name.as_str(), view)).collect()
    }
}

fn received(runner: &Runner, job: Option<JobId>) -> Option<Timestamp> {
    let (received, at) = runner.log.as_ref()?.received?;
    job.is_none_or(|job| job == received).then_some(at)
}
