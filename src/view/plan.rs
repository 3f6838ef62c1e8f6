//! The plan as JSON.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Serialize;

use super::{SourceOutput, View, words};
use crate::plan::{Action, Decision, HeldJob, HeldRunner, RunnerHold};
use crate::world::{Job, JobId, RecordId};

/// What would be done now, and why everything else is left as it is.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlanOutput {
    /// When the world was looked at, in UTC.
    pub at: String,
    /// The spec that it was planned for.
    pub spec: SpecOutput,
    /// What would be done, in order.
    pub decisions: Vec<DecisionOutput>,
    /// Jobs that get no runner now, then runners that stay as they are.
    pub held: Vec<HeldOutput>,
    /// What it is known from.
    pub sources: BTreeMap<String, SourceOutput>,
}

/// Which spec is meant.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SpecOutput {
    /// The file as it was named.
    pub source: String,
    /// A short hash of it.
    pub hash: String,
}

/// One thing to do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DecisionOutput {
    /// What: `create-record`, `update-record`, `delete-record`, `start`, `drain`, `reap`, `sweep`
    /// or `create-network`.
    pub action: &'static str,
    /// The runner it is about.
    pub runner: Option<String>,
    /// The pool it is about.
    pub pool: Option<String>,
    /// The architecture it is about.
    pub arch: Option<&'static str>,
    /// The host it touches.
    pub host: Option<String>,
    /// The registration it touches.
    pub record: Option<RecordId>,
    /// The rule behind it.
    pub rule: &'static str,
    /// The numbers behind it, in words.
    pub why: String,
    /// The numbers behind it; durations in seconds.
    pub facts: serde_json::Value,
}

/// A job without a runner, or a runner that stays.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum HeldOutput {
    /// A job without a runner.
    Job(HeldJobOutput),
    /// A runner that stays as it is.
    Runner(HeldRunnerOutput),
}

/// A job without a runner.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HeldJobOutput {
    /// GitLab's id of the job.
    pub job: JobId,
    /// Its project's full path.
    pub project: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// How long it waits.
    pub waiting: String,
    /// Why, as one word of a closed set.
    pub reason: &'static str,
    /// Why, in words.
    pub why: String,
}

/// A runner that stays as it is.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HeldRunnerOutput {
    /// The runner.
    pub runner: String,
    /// Why, as one word of a closed set.
    pub reason: &'static str,
    /// Why, in words.
    pub why: String,
    /// When it has been idle for as long as it may, in UTC, where it cools down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl View {
    /// The plan as JSON.
    pub fn plan_output(&self) -> PlanOutput {
        let jobs = self.jobs();
        let held_jobs =
            self.plan.held_jobs.iter().filter_map(|held| {
                Some(HeldOutput::Job(self.held_job(held, jobs.get(&held.job)?)))
            });
        let held_runners = self.plan.held_runners.iter().map(|held| self.held_runner(held));
        PlanOutput {
            at: words::instant(self.world.now),
            spec: self.spec_output(),
            decisions: self.plan.decisions.iter().map(decision).collect(),
            held: held_jobs.chain(held_runners).collect(),
            sources: self.sources(),
        }
    }

    /// Which spec is in force.
    pub(crate) fn spec_output(&self) -> SpecOutput {
        SpecOutput { source: self.spec.source.clone(), hash: self.spec.hash.clone() }
    }

    /// The pending jobs by id.
    pub(crate) fn jobs(&self) -> BTreeMap<JobId, &Job> {
        let queue = self.world.queue.known().into_iter();
        queue.flat_map(|queue| &queue.jobs).map(|job| (job.id, job)).collect()
    }

    fn held_job(&self, held: &HeldJob, job: &Job) -> HeldJobOutput {
        HeldJobOutput {
            job: job.id,
            project: job.project_path.to_string(),
            tags: job.tags.iter().cloned().collect(),
            waiting: words::since(self.world.now, job.queued_at),
            reason: held.hold.as_str(),
            why: held.to_string(),
        }
    }

    fn held_runner(&self, held: &HeldRunner) -> HeldOutput {
        let until = if let RunnerHold::CoolingDown { idle, cooldown } = held.hold {
            let left = SignedDuration::try_from(cooldown).ok().map(|cooldown| cooldown - idle);
            left.and_then(|left| self.world.now.checked_add(left).ok())
        } else {
            None
        };
        HeldOutput::Runner(HeldRunnerOutput {
            runner: held.runner.to_string(),
            reason: held.hold.as_str(),
            why: held.hold.to_string(),
            until: until.map(words::instant),
        })
    }
}

/// One decision as JSON.
pub(crate) fn decision(decision: &Decision) -> DecisionOutput {
    let Decision { action, rule, facts } = decision;
    let variant = action.variant();
    DecisionOutput {
        action: action.as_str(),
        runner: action.runner().map(ToString::to_string),
        pool: variant.map(|variant| variant.pool.to_string()),
        arch: variant.map(|variant| variant.arch.as_str()),
        host: action.host().map(ToString::to_string),
        record: record(action),
        rule: rule.as_str(),
        why: facts.to_string(),
        facts: serde_json::to_value(facts).unwrap_or_default(),
    }
}

fn record(action: &Action) -> Option<RecordId> {
    match action {
        Action::UpdateRecord { record, .. } | Action::DeleteRecord { record, .. } => Some(*record),
        Action::CreateNetwork { .. }
        | Action::CreateRecord { .. }
        | Action::Start { .. }
        | Action::Drain { .. }
        | Action::Reap { .. }
        | Action::Sweep { .. } => None,
    }
}
