//! What a runner does, and why it is still there.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AsOf, LifeOutput};
use crate::view::{RecordIdOutput, RunnerOutput};
use crate::world::RunnerName;

/// What a runner does, and why it is still there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExplainRunnerOutput {
    /// The runner.
    #[serde(flatten)]
    pub runner: RunnerOutput,
    /// The record whose token it has.
    pub record: RecordIdOutput,
    /// How long ago its container was made.
    pub age: String,
    /// Jobs that it ended, as far as its log reaches.
    pub jobs_ended: Option<u32>,
    /// What is done about it now: an action's word; none where it stays.
    pub action: Option<Cow<'static, str>>,
    /// Its life so far, oldest first.
    #[serde(default)]
    pub life: Vec<LifeOutput>,
}

impl AsOf<'_> {
    pub(super) fn explain_runner(&self, name: &RunnerName) -> Option<ExplainRunnerOutput> {
        let runners = self.runner_views();
        let view = runners.get(name.as_str())?;
        let decisions = self.plan.decisions.iter();
        let mut about = decisions.filter(|decision| decision.action.runner() == Some(name));
        Some(ExplainRunnerOutput {
            runner: self.runner_output(view, &self.whys()),
            record: view.runner.record.into(),
            age: self.lasting(view.runner.created_at),
            jobs_ended: view.runner.log.as_ref().map(|log| log.jobs_ended),
            action: about.next().map(|decision| decision.action.as_str().into()),
            life: self.life(view),
        })
    }

    /// What is done about each runner and by which rule, or why it stays.
    pub(crate) fn whys(&self) -> BTreeMap<&RunnerName, String> {
        let age = self.view_age();
        let held = self.plan.held_runners.iter();
        let held = held.map(|held| (&held.runner, held.later(age).to_string()));
        let mut whys: BTreeMap<&RunnerName, String> = held.collect();
        whys.extend(self.plan.decisions.iter().filter_map(|decision| {
            let (action, rule, facts) = (&decision.action, decision.rule, &decision.facts);
            Some((action.runner()?, format!("{}, {rule}: {facts}", action.as_str())))
        }));
        whys
    }
}
