//! What the loop says: one line per decision, one per change of a source's state, none per idle
//! tick, and a failure once until it changes.

use std::collections::BTreeMap;

use crate::apply::{ApplyError, Effect, Outcome};
use crate::plan::{Action, Decision};
use crate::view::View;
use crate::world::Observed;

/// What was said already.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The error of each source that cannot be read.
    unknown: BTreeMap<String, String>,
    /// The error of each action that failed, by what it acts on.
    failing: BTreeMap<String, String>,
}

impl Journal {
    /// Says which sources can no longer be read, or can be again.
    pub(super) fn say_view(&mut self, view: &View) {
        let world = &view.world;
        self.say_source("gitlab queue", error_of(&world.queue));
        self.say_source("gitlab records", error_of(&world.records));
        for (name, host) in &world.hosts {
            self.say_source(&format!("host {name}"), error_of(&host.state));
        }
        let unread = view.unread_containers();
        let before: Vec<String> = self.unknown.keys().cloned().collect();
        let gone =
            |source: &&String| source.starts_with("container ") && !unread.contains_key(*source);
        before.iter().filter(gone).for_each(|source| self.say_source(source, None));
        for (source, why) in &unread {
            self.say_source(source, Some(why));
        }
    }

    fn say_source(&mut self, source: &str, error: Option<&str>) {
        match (error, self.unknown.get(source).map(String::as_str)) {
            (Some(error), said) if said != Some(error) => {
                tracing::warn!(source, "cannot be read; nothing of it is touched: {error}");
                self.unknown.insert(source.to_owned(), error.to_owned());
            }
            (None, Some(_)) => {
                tracing::info!(source, "can be read again");
                self.unknown.remove(source);
            }
            (Some(_) | None, _) => {}
        }
    }

    /// Says what was done, and what could not be; hands back the failures that are news.
    pub(super) fn say_outcomes<'o>(&mut self, outcomes: &'o [Outcome]) -> Vec<&'o Outcome> {
        let (mut failing, mut news) = (BTreeMap::new(), Vec::new());
        for outcome in outcomes {
            let Outcome { decision, result } = outcome;
            let subject = subject(decision);
            match result {
                Ok(Effect::Skipped(why)) => {
                    tracing::debug!(rule = %decision.rule, "{subject}: left as it is: {why}");
                }
                Ok(Effect::Done | Effect::Started(_) | Effect::Recorded(_)) => {
                    say_done(decision, &subject);
                }
                Err(error) => {
                    let words = error.to_string();
                    if self.failing.get(&subject) != Some(&words) {
                        say_failed(decision, &subject, error);
                        news.push(outcome);
                    }
                    failing.insert(subject, words);
                }
            }
        }
        self.failing = failing;
        news
    }
}

fn say_done(decision: &Decision, subject: &str) {
    let pool =
        decision.action.variant().map(|variant| tracing::field::display(variant.pool.clone()));
    let runner = decision.action.runner().map(|runner| tracing::field::display(runner.clone()));
    let line = match &decision.action {
        // Its facts say what it is, and so does its subject.
        Action::Sweep { .. } => subject.to_owned(),
        Action::CreateNetwork { .. }
        | Action::CreateRecord { .. }
        | Action::UpdateRecord { .. }
        | Action::DeleteRecord { .. }
        | Action::Start { .. }
        | Action::Drain { .. }
        | Action::Reap { .. } => format!("{subject}: {}", decision.facts),
    };
    tracing::info!(pool, runner, rule = %decision.rule, "{line}");
}

fn say_failed(decision: &Decision, subject: &str, error: &ApplyError) {
    let pool =
        decision.action.variant().map(|variant| tracing::field::display(variant.pool.clone()));
    let kind = error.kind().as_str();
    tracing::error!(pool, rule = %decision.rule, kind, "{subject}: {error}");
}

/// What a decision does, to what.
fn subject(decision: &Decision) -> String {
    let word = decision.action.as_str();
    match &decision.action {
        Action::CreateNetwork { host } => format!("{word} on {host}"),
        Action::CreateRecord { variant } => format!("{word} for {variant}"),
        Action::UpdateRecord { variant, record, .. } | Action::DeleteRecord { variant, record } => {
            format!("{word} {record} of {variant}")
        }
        Action::Start { host, runner, .. } | Action::Drain { host, runner, .. } => {
            format!("{word} {runner} on {host}")
        }
        Action::Reap { host, runner, .. } => format!("{word} {} on {host}", runner.name),
        Action::Sweep { leftover } => {
            let host = leftover.host().map(|host| format!(" on {host}")).unwrap_or_default();
            format!("{word}{host}: {}", decision.facts)
        }
    }
}

fn error_of<T>(observed: &Observed<T>) -> Option<&str> {
    match observed {
        Observed::Known { .. } => None,
        Observed::Unknown { error, .. } => Some(error),
    }
}
