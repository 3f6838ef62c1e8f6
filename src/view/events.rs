//! What changed between two looks, as the events that clients follow.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::plan::{DecisionOutput, decision};
use super::{JobIdOutput, SourceOutput, View};
use crate::world::{JobId, Phase, RunnerView};

/// The phase of a runner that is no more.
const GONE: &str = "gone";

/// One thing that happened.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum EventOutput {
    /// Something is done now.
    Decision(DecisionOutput),
    /// A decision could not be carried out.
    Failure(FailureOutput),
    /// A runner went into another phase.
    Phase(PhaseOutput),
    /// A source could no longer be read, or can be again.
    Source(SourceChangeOutput),
    /// Another spec is in force, or a newer file was refused, or is good again.
    Spec(SpecChangeOutput),
}

impl EventOutput {
    /// Its kind, which is the event's name on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Decision(_) => "decision",
            Self::Failure(_) => "failure",
            Self::Phase(_) => "phase",
            Self::Source(_) => "source",
            Self::Spec(_) => "spec",
        }
    }
}

/// A decision that could not be carried out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FailureOutput {
    /// The decision.
    pub decision: DecisionOutput,
    /// Who has to act: `ours`, `unreachable`, `refused` or `yours`.
    pub kind: &'static str,
    /// Why it could not be carried out.
    pub error: String,
}

/// A runner went into another phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PhaseOutput {
    /// The runner.
    pub runner: String,
    /// Its pool.
    pub pool: String,
    /// Its architecture.
    pub arch: &'static str,
    /// Its host.
    pub host: String,
    /// The phase it had; none for a runner that is new.
    pub from: Option<&'static str>,
    /// The phase it has; `gone` for one that is no more.
    pub to: &'static str,
    /// The job it has now, where that is known.
    pub job: Option<JobIdOutput>,
}

/// A source could no longer be read, or can be again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceChangeOutput {
    /// The source.
    pub source: String,
    /// It can be read.
    pub known: bool,
    /// Why it cannot.
    pub error: Option<String>,
}

/// Another spec is in force, or a newer file was refused, or is good again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SpecChangeOutput {
    /// A short hash of the spec in force.
    pub hash: String,
    /// The file as it is now passes.
    pub valid: bool,
    /// The fault of a newer file that was refused.
    pub fault: Option<String>,
}

impl View {
    /// What is new against the look `before`: sources, spec, then this look's decisions. The
    /// first look of all finds runners and changes none, so it has no phase events. A decision that
    /// was made at the look before and has to be made again is none of the news.
    pub fn events_since(&self, before: Option<&Self>) -> Vec<EventOutput> {
        let mut events = self.source_events(before);
        events.extend(self.spec_event(before));
        if let Some(before) = before {
            events.extend(self.phase_events(before));
        }
        let decided = before.map(|view| view.plan.decisions.as_slice()).unwrap_or_default();
        let decided: Vec<_> = decided.iter().map(|one| (&one.action, one.rule)).collect();
        let news = self.plan.decisions.iter();
        let news = news.filter(|one| !decided.contains(&(&one.action, one.rule)));
        events.extend(news.map(|one| EventOutput::Decision(decision(one))));
        events
    }

    fn source_events(&self, before: Option<&Self>) -> Vec<EventOutput> {
        let was = before.map(|before| before.as_seen().sources()).unwrap_or_default();
        let mut events = Vec::new();
        for (source, output) in self.as_seen().sources() {
            let known_before = was.get(&source).is_none_or(SourceOutput::is_known);
            if output.is_known() != known_before {
                let known = output.is_known();
                let error = match output {
                    SourceOutput::Known { .. } => None,
                    SourceOutput::Unknown { error, .. } => Some(error),
                };
                events.push(EventOutput::Source(SourceChangeOutput { source, known, error }));
            }
        }
        events
    }

    fn spec_event(&self, before: Option<&Self>) -> Option<EventOutput> {
        let is = self.spec_change();
        let was = before.map(Self::spec_change);
        let news = was.map_or(!is.valid, |was| was != is);
        news.then_some(EventOutput::Spec(is))
    }

    fn spec_change(&self) -> SpecChangeOutput {
        SpecChangeOutput {
            hash: self.spec.hash.clone(),
            valid: self.spec.pending_fault.is_none(),
            fault: self.spec.pending_fault.clone(),
        }
    }

    fn phase_events(&self, before: &Self) -> Vec<EventOutput> {
        let (was, is) = (before.runner_views(), self.runner_views());
        let mut events = Vec::new();
        for (name, view) in &is {
            let from = was.get(name).map(|view| view.phase.as_str());
            let to = view.phase.as_str();
            if from != Some(to) || job(view) != was.get(name).and_then(job) {
                events.push(EventOutput::Phase(phase(view, from, to)));
            }
        }
        let gone: BTreeMap<_, _> = was.iter().filter(|(name, _)| !is.contains_key(*name)).collect();
        for view in gone.into_values() {
            let from = Some(view.phase.as_str());
            events.push(EventOutput::Phase(PhaseOutput { job: None, ..phase(view, from, GONE) }));
        }
        events
    }
}

fn job(view: &RunnerView<'_>) -> Option<JobId> {
    if let Phase::Busy { job } = view.phase { job } else { None }
}

fn phase(view: &RunnerView<'_>, from: Option<&'static str>, to: &'static str) -> PhaseOutput {
    PhaseOutput {
        runner: view.runner.name.to_string(),
        pool: view.runner.variant.pool.to_string(),
        arch: view.runner.variant.arch.as_str(),
        host: view.host.to_string(),
        from,
        to,
        job: job(view).map(Into::into),
    }
}
