//! The plan as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::facts as facts_output;
use super::{
    AsOf, HostOutput, JobIdOutput, ProxyOutput, RecordIdOutput, SlotOutput, SourceOutput,
    UnplacedOutput, View, proxies, words,
};
use crate::duration::signed;
use crate::plan::{Action, Decision, HeldJob, HeldRunner, RunnerHold, UnmetWarm};
use crate::world::{Job, JobId, Observed, RunnerView, Slot, WorkloadId};

/// What would be done now, and why everything else is left as it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PlanOutput {
    /// When the world was looked at, in UTC.
    pub at: String,
    /// The moment of the ages, in UTC: that of the answer. Decisions keep the numbers that they were
    /// made with.
    #[serde(default)]
    pub as_of: String,
    /// The time that the pools' schedules were read for, in UTC, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedules_at: Option<String>,
    /// The instance's name.
    pub instance: String,
    /// The spec that it was planned for.
    pub spec: SpecOutput,
    /// What would be done, in order.
    pub decisions: Vec<DecisionOutput>,
    /// Jobs that get no runner now, then runners that stay as they are.
    pub held: Vec<HeldOutput>,
    /// The pending jobs in numbers.
    pub waiting: WaitingOutput,
    /// Warm runners that pools lack and do not get now; left out where none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet_warm: Vec<UnmetWarmOutput>,
    /// Who uses the pools' records and is on no host; left out where there is nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unplaced: Vec<UnplacedOutput>,
    /// The hosts' budgets, what is used of them before this plan, and what one more runner costs.
    #[serde(default)]
    pub hosts: BTreeMap<String, HostOutput>,
    /// What it is known from.
    pub sources: BTreeMap<String, SourceOutput>,
    /// What the spec should say in another way by now; left out where there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What could not be read, and what is left alone for it.
    pub unknown: Vec<String>,
    /// The proxies that runners and jobs use; left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<ProxyOutput>,
    /// What stands in the way of the work, with a hint each.
    #[serde(default)]
    pub notices: Vec<String>,
}

/// Warm runners that a pool lacks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UnmetWarmOutput {
    /// The pool.
    pub pool: String,
    /// The architecture.
    pub arch: String,
    /// How many it lacks.
    pub missing: u32,
    /// Why, as one word of a closed set.
    pub reason: Cow<'static, str>,
    /// Why, in words.
    pub why: String,
}

fn unmet_warm(unmet: &UnmetWarm, age: SignedDuration) -> UnmetWarmOutput {
    UnmetWarmOutput {
        pool: unmet.variant.pool.to_string(),
        arch: unmet.variant.arch.to_string(),
        missing: unmet.missing,
        reason: unmet.hold.as_str().into(),
        why: unmet.hold.later(age).to_string(),
    }
}

/// The pending jobs in numbers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WaitingOutput {
    /// How many were read; none where the queue is unknown.
    pub jobs: Option<usize>,
    /// Reading stopped at its bound: there are more.
    pub more: bool,
    /// How many have a runner now or by this plan.
    pub served: usize,
}

/// Which spec is meant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SpecOutput {
    /// The file as it was named.
    pub source: String,
    /// A short hash of it.
    pub hash: String,
}

/// One thing to do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DecisionOutput {
    /// What: `verify-token`, `create-record`, `update-record`, `delete-record`, `pull-image`,
    /// `keep-image`, `create-network`, `start`, `drain`, `reap` or `sweep`.
    pub action: Cow<'static, str>,
    /// The runner it is about.
    pub runner: Option<String>,
    /// The pool it is about.
    pub pool: Option<String>,
    /// The architecture it is about.
    pub arch: Option<Cow<'static, str>>,
    /// The host it touches.
    pub host: Option<String>,
    /// The slot of the runner it is about.
    pub slot: Option<SlotOutput>,
    /// The record it touches.
    pub record: Option<RecordIdOutput>,
    /// The rule behind it.
    pub rule: Cow<'static, str>,
    /// The numbers behind it, in words.
    pub why: String,
    /// The numbers behind it; durations in seconds.
    pub facts: serde_json::Value,
    /// The job that ended with the runner.
    pub lost_job: Option<LostJobOutput>,
}

/// A job whose runner died.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LostJobOutput {
    /// GitLab's id.
    pub id: JobIdOutput,
    /// It is queued again.
    pub retry: bool,
}

/// A job without a runner, or a runner that stays.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HeldOutput {
    /// A job without a runner.
    Job(HeldJobOutput),
    /// A runner that stays as it is.
    Runner(HeldRunnerOutput),
}

/// A job without a runner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HeldJobOutput {
    /// GitLab's id of the job.
    pub job: JobIdOutput,
    /// Its project's full path.
    pub project: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// How long it waits.
    pub waiting: String,
    /// Since when it waits, in UTC.
    pub queued_at: String,
    /// Why, as one word of a closed set.
    pub reason: Cow<'static, str>,
    /// Why, in words.
    pub why: String,
}

/// A runner that stays as it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HeldRunnerOutput {
    /// The runner.
    pub runner: String,
    /// What it does.
    pub phase: Cow<'static, str>,
    /// Its host could be read just now; else this is what was last seen.
    pub seen: bool,
    /// Why, as one word of a closed set.
    pub reason: Cow<'static, str>,
    /// Why, in words.
    pub why: String,
    /// When it has been idle for as long as it may, in UTC, where it cools down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl AsOf<'_> {
    /// The plan as JSON.
    pub fn plan_output(&self) -> PlanOutput {
        let jobs = self.jobs();
        let held_jobs =
            self.plan.held_jobs.iter().filter_map(|held| {
                Some(HeldOutput::Job(self.held_job(held, jobs.get(&held.job)?)))
            });
        let runners = self.runner_views();
        let held_runners = self.plan.held_runners.iter().filter_map(|held| {
            let runner = runners.get(held.runner.as_str())?;
            Some(HeldOutput::Runner(self.held_runner(held, runner)))
        });
        let age = self.view_age();
        let slots = self.slots();
        let decisions = self.plan.decisions.iter().map(|one| decision_in(one, &slots));
        PlanOutput {
            at: words::instant(self.world.now),
            as_of: self.moment(),
            schedules_at: None,
            instance: self.world.spec.instance.to_string(),
            spec: self.spec_output(),
            decisions: decisions.collect(),
            held: held_jobs.chain(held_runners).collect(),
            waiting: self.waiting_output(),
            unmet_warm: self.plan.unmet_warm.iter().map(|unmet| unmet_warm(unmet, age)).collect(),
            unplaced: self.unplaced(),
            hosts: self.host_outputs(),
            sources: self.sources(),
            unknown: self.unknown_parts(),
            proxies: proxies(&self.world.spec),
            notices: self.notices(),
            warnings: self.warnings(),
        }
    }
}

impl View {
    /// Scopes that name something by a path that it does not have any more.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let pools = self.spec.spec.pools.iter();
        let moved = pools.filter_map(|pool| {
            let place = self.world.place(&pool.scope).ok()?;
            let (name, scope, now) = (&pool.name, &pool.scope, place.moved_from(&pool.scope)?);
            Some(format!("pool `{name}`: {scope} is `{now}` by now; write that as its `scope`"))
        });
        moved.collect()
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

    fn slots(&self) -> BTreeMap<&WorkloadId, Slot> {
        let states = self.world.hosts.values().filter_map(|host| host.state.last());
        states.flat_map(|state| &state.runners).map(|runner| (&runner.id, runner.slot)).collect()
    }

    fn waiting_output(&self) -> WaitingOutput {
        let queue = self.world.queue.known();
        WaitingOutput {
            jobs: queue.map(|queue| queue.jobs.len()),
            more: queue.is_some_and(|queue| queue.more),
            served: self.plan.served_jobs,
        }
    }

    fn unknown_parts(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if let Observed::Unknown { .. } = self.world.queue {
            parts.push(
                "the queue: nothing is started for it, and no idle runner is drained".to_owned(),
            );
        }
        if let Observed::Unknown { .. } = self.world.records {
            parts.push("the records: none is made, changed or deleted".to_owned());
        }
        for (name, host) in &self.world.hosts {
            let Observed::Unknown { last, .. } = &host.state else { continue };
            let seen = last.as_ref().map_or_else(
                || "never seen".to_owned(),
                |state| {
                    let runners = words::count(state.runners.len(), "runner");
                    format!("{runners} last seen, kept and counted")
                },
            );
            parts.push(format!("{name}: {seen}; nothing there is touched"));
        }
        parts.extend(self.unread_lines());
        parts
    }
}

impl AsOf<'_> {
    fn held_job(&self, held: &HeldJob, job: &Job) -> HeldJobOutput {
        HeldJobOutput {
            job: job.id.into(),
            project: job.project_path.to_string(),
            tags: job.tags.iter().cloned().collect(),
            waiting: self.lasting(job.queued_at),
            queued_at: words::instant(job.queued_at),
            reason: held.hold.as_str().into(),
            why: held.later(self.view_age()).to_string(),
        }
    }

    fn held_runner(&self, held: &HeldRunner, runner: &RunnerView<'_>) -> HeldRunnerOutput {
        let until = if let RunnerHold::CoolingDown { idle, cooldown } = held.hold {
            self.world.now.checked_add(signed(cooldown).saturating_sub(idle)).ok()
        } else {
            None
        };
        HeldRunnerOutput {
            runner: held.runner.to_string(),
            phase: runner.phase.as_str().into(),
            seen: runner.seen,
            reason: held.hold.as_str().into(),
            why: held.later(self.view_age()).to_string(),
            until: until.map(words::instant),
        }
    }
}

/// One decision as JSON.
pub(crate) fn decision(decision: &Decision) -> DecisionOutput {
    decision_in(decision, &BTreeMap::new())
}

/// One decision as JSON; `slots` are those of the runners that were seen.
fn decision_in(decision: &Decision, slots: &BTreeMap<&WorkloadId, Slot>) -> DecisionOutput {
    let Decision { action, rule, facts } = decision;
    let variant = action.variant();
    DecisionOutput {
        action: action.as_str().into(),
        runner: action.runner().map(ToString::to_string),
        pool: variant.map(|variant| variant.pool.to_string()),
        arch: variant.map(|variant| variant.arch.as_str().into()),
        host: action.host().map(ToString::to_string),
        slot: slot(action, slots).map(Into::into),
        record: action.record().map(Into::into),
        rule: rule.as_str().into(),
        why: facts.to_string(),
        facts: facts_output(facts),
        lost_job: lost_job(action),
    }
}

fn slot(action: &Action, slots: &BTreeMap<&WorkloadId, Slot>) -> Option<Slot> {
    match action {
        Action::Start { slot, .. } => Some(*slot),
        Action::Drain { id, .. } => slots.get(id).copied(),
        Action::Reap { runner, .. } => Some(runner.slot),
        Action::VerifyToken { .. }
        | Action::CreateNetwork { .. }
        | Action::PullImage { .. }
        | Action::KeepImage { .. }
        | Action::CreateRecord { .. }
        | Action::UpdateRecord { .. }
        | Action::DeleteRecord { .. }
        | Action::Sweep { .. } => None,
    }
}

fn lost_job(action: &Action) -> Option<LostJobOutput> {
    let Action::Reap { lost_job: Some(job), .. } = action else { return None };
    Some(LostJobOutput { id: job.id.into(), retry: job.retry })
}
