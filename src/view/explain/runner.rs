//! What a runner does, and why it is still there.

use schemars::JsonSchema;
use serde::Serialize;

use super::View;
use crate::view::{RunnerOutput, words};
use crate::world::{RecordId, RunnerName};

/// What a runner does, and why it is still there.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExplainRunnerOutput {
    /// The runner.
    #[serde(flatten)]
    pub runner: RunnerOutput,
    /// The registration whose token it has.
    pub record: RecordId,
    /// How long ago its container was made.
    pub age: String,
    /// Jobs that it ended, as far as its log reaches.
    pub jobs_ended: Option<u32>,
    /// What is done about it now: an action's word; none where it stays.
    pub action: Option<&'static str>,
    /// What is done about it and by which rule, or why it stays.
    pub why: String,
}

impl View {
    pub(super) fn explain_runner(&self, name: &RunnerName) -> Option<ExplainRunnerOutput> {
        let runners = self.runner_views();
        let view = runners.get(name.as_str())?;
        let decisions = self.plan.decisions.iter();
        let mut about = decisions.filter(|decision| decision.action.runner() == Some(name));
        Some(ExplainRunnerOutput {
            runner: self.runner_output(view),
            record: view.runner.record,
            age: words::since(self.world.now, view.runner.created_at),
            jobs_ended: view.runner.log.as_ref().map(|log| log.jobs_ended),
            action: about.next().map(|decision| decision.action.as_str()),
            why: self.why_of_runner(name),
        })
    }

    /// What is done about a runner and by which rule, or why it stays.
    pub(crate) fn why_of_runner(&self, name: &RunnerName) -> String {
        let mut decisions = self.plan.decisions.iter();
        if let Some(decision) = decisions.find(|one| one.action.runner() == Some(name)) {
            return format!("{}, {}: {}", decision.action.as_str(), decision.rule, decision.facts);
        }
        let held = self.plan.held_runners.iter().find(|held| held.runner == *name);
        held.map_or_else(String::new, |held| held.hold.to_string())
    }
}
