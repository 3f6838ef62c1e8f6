//! What the loop says: one line per decision, one per change of a source's state, none per idle
//! tick, and a failure once until it changes. What differs in its numbers only is the same, and what
//! has one cause is one line.

mod jobs;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};

use crate::apply::{ApplyError, Effect, Outcome};
use crate::plan::{Action, Decision, images_never_pulled};
use crate::view::View;
use crate::world::{
    Observed, Origin, RunnerName, Sign, Standstill, StandstillKind, Trouble, Variant, World,
};

/// What was said already; errors without their numbers.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The error of each source that cannot be read.
    unknown: BTreeMap<String, String>,
    /// The error of each action that failed, by what it acts on.
    failing: BTreeMap<String, String>,
    /// What was said of images that a person has to bring.
    images: BTreeSet<String>,
    jobs: jobs::Jobs,
    /// What the logs of each variant's runners say is wrong.
    troubles: BTreeSet<(Variant, String)>,
    /// The runners that stand still.
    standstills: BTreeSet<(RunnerName, StandstillKind)>,
    /// What shows that another AutoGit of this instance runs.
    another: Option<Discriminant<Sign>>,
}

/// `tried again in #`: countdowns, ages and counts are not what a line is about.
fn without_numbers(words: &str) -> String {
    let mut kept = String::new();
    let mut in_number = false;
    for letter in words.chars() {
        let goes_on = in_number && matches!(letter, '.' | 'h' | 'm' | 's' | 'd');
        in_number = letter.is_ascii_digit() || goes_on;
        if !in_number {
            kept.push(letter);
        } else if !kept.ends_with('#') {
            kept.push('#');
        }
    }
    kept
}

/// `GitLab failed with #`: the same, whichever of its endpoints was asked.
fn cause(error: &str) -> String {
    const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let is_endpoint = |word: &&str| {
        let word = word.trim_start_matches(['(', '`']);
        word.starts_with('/') || METHODS.contains(&word)
    };
    let words = error.split_whitespace().filter(|word| !is_endpoint(word));
    without_numbers(&words.collect::<Vec<_>>().join(" "))
}

impl Journal {
    /// Says which sources can no longer be read, or can be again, and what became of jobs.
    pub(super) fn say_view(&mut self, view: &View) {
        let errors = errors(view);
        let mut news: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
        for (source, error) in &errors {
            let words = cause(error);
            if self.unknown.get(source) != Some(&words) {
                let first = || (error.clone(), Vec::new());
                news.entry(words.clone()).or_insert_with(first).1.push(source.clone());
                self.unknown.insert(source.clone(), words);
            }
        }
        for (error, sources) in news.into_values() {
            let source = sources.join(", ");
            tracing::warn!(source, "cannot be read; nothing of it is touched: {error}");
        }
        let found: Vec<String> =
            self.unknown.keys().filter(|source| !errors.contains_key(*source)).cloned().collect();
        if !found.is_empty() {
            self.unknown.retain(|source, _| errors.contains_key(source));
            tracing::info!(source = found.join(", "), "can be read again");
        }
        self.jobs.say(view);
        self.say_troubles(&view.world);
        self.say_another(&view.world);
        self.say_standstills(&view.world);
        self.say_images(&view.world);
    }

    /// Says once of each runner that stands still for long.
    fn say_standstills(&mut self, world: &World) {
        let views = world.runners();
        let found = views.iter().filter_map(|view| world.standstill(view));
        let found: Vec<Standstill> = found.filter(Standstill::is_long).collect();
        let known = |it: &Standstill| (it.runner.clone(), it.kind);
        for standstill in found.iter().filter(|it| !self.standstills.contains(&known(it))) {
            let Standstill { host, runner, .. } = standstill;
            tracing::warn!(%host, %runner, "{standstill}");
        }
        self.standstills = found.iter().map(known).collect();
    }

    /// Says that another `AutoGit` of this instance seems to run.
    fn say_another(&mut self, world: &World) {
        let sign = world.sign_of_another();
        let kind = sign.as_ref().map(discriminant);
        if let Some(sign) = sign.filter(|_| kind != self.another) {
            tracing::warn!("{sign}");
        }
        self.another = kind;
    }

    /// Says what runners' own logs say is wrong, once for all runners of a variant.
    fn say_troubles(&mut self, world: &World) {
        let mut troubles = BTreeSet::new();
        for view in world.runners() {
            let Some(trouble) = Trouble::of(view.runner, &view.phase) else { continue };
            let (variant, runner) = (&view.runner.variant, &view.runner.name);
            let words = trouble.to_string();
            let trouble = (variant.clone(), without_numbers(&words));
            if !self.troubles.contains(&trouble) && troubles.insert(trouble.clone()) {
                tracing::warn!(pool = %variant.pool, %runner, "{words}");
            }
            troubles.insert(trouble);
        }
        self.troubles = troubles;
    }

    /// Says which images are missing that nobody but a person brings.
    fn say_images(&mut self, world: &World) {
        let missing = images_never_pulled(world).map(|(_, hold)| hold.to_string());
        let missing: BTreeSet<String> = missing.collect();
        for words in missing.difference(&self.images) {
            tracing::error!("{words}");
        }
        self.images = missing;
    }

    /// Says what was done, and what could not be; hands back the failures that are news.
    pub(super) fn say_outcomes<'o>(&mut self, outcomes: &'o [Outcome]) -> Vec<&'o Outcome> {
        let mut news = Vec::new();
        let mut said: BTreeMap<String, (&Outcome, usize)> = BTreeMap::new();
        for outcome in outcomes {
            let Outcome { decision, result, .. } = outcome;
            let subject = subject(decision);
            match result {
                Ok(Effect::Skipped(why)) => {
                    tracing::debug!(rule = %decision.rule, "{subject}: left as it is: {why}");
                }
                Ok(Effect::Pending) => {
                    tracing::debug!(rule = %decision.rule, "{subject}: the engine is still busy with it");
                }
                Ok(
                    Effect::Done
                    | Effect::Verified { .. }
                    | Effect::Started(_)
                    | Effect::Recorded(_),
                ) => {
                    self.failing.remove(&subject);
                    say_done(decision, &subject);
                }
                Err(error) => {
                    let words = without_numbers(&error.to_string());
                    if self.failing.get(&subject) != Some(&words) {
                        said.entry(words.clone()).or_insert((outcome, 0)).1 += 1;
                        news.push(outcome);
                    }
                    self.failing.insert(subject, words);
                }
            }
        }
        for (outcome, count) in said.into_values() {
            if let Err(error) = &outcome.result {
                say_failed(&outcome.decision, error, count);
            }
        }
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
        Action::VerifyToken { .. }
        | Action::CreateNetwork { .. }
        | Action::PullImage { .. }
        | Action::KeepImage { .. }
        | Action::CreateRecord { .. }
        | Action::UpdateRecord { .. }
        | Action::DeleteRecord { .. }
        | Action::Start { .. }
        | Action::Drain { .. }
        | Action::Reap { .. } => format!("{subject}: {}", decision.facts),
    };
    tracing::info!(pool, runner, rule = %decision.rule, "{line}");
}

/// Says a failure that `count` decisions share.
fn say_failed(decision: &Decision, error: &ApplyError, count: usize) {
    let subject = subject(decision);
    let more = match count {
        0 | 1 => String::new(),
        count => format!(" (and {} more like it)", count - 1),
    };
    let pool =
        decision.action.variant().map(|variant| tracing::field::display(variant.pool.clone()));
    let kind = error.kind().as_str();
    tracing::error!(pool, rule = %decision.rule, kind, "{subject}{more}: {error}");
}

/// What a decision does, to what.
fn subject(decision: &Decision) -> String {
    let word = decision.action.as_str();
    match &decision.action {
        Action::CreateNetwork { host } => format!("{word} on {host}"),
        Action::PullImage { host, image, .. } | Action::KeepImage { host, image, .. } => {
            format!("{word} {image} on {host}")
        }
        Action::VerifyToken { variant } | Action::CreateRecord { variant } => {
            format!("{word} for {variant}")
        }
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

/// What cannot be read, and why. What follows from a host that was never reached is left out.
fn errors(view: &View) -> BTreeMap<String, String> {
    let world = &view.world;
    let mut errors = BTreeMap::new();
    let mut note = |source: String, error: Option<&str>| {
        if let Some(error) = error {
            errors.insert(source, error.to_owned());
        }
    };
    note("gitlab queue".to_owned(), error_of(&world.queue));
    if !world.marks().is_empty() {
        note("gitlab records".to_owned(), error_of(&world.records));
    }
    let records = world.records.known().map(Vec::as_slice).unwrap_or_default();
    let ours = records.iter().filter(|record| record.origin == Origin::Ours);
    let mut managers = ours.filter_map(|record| error_of(&record.managers));
    note("gitlab runners".to_owned(), managers.next());
    for (name, host) in &world.hosts {
        note(format!("host {name}"), error_of(&host.state));
    }
    errors.extend(view.unread_containers());
    errors
}

fn error_of<T>(observed: &Observed<T>) -> Option<&str> {
    match observed {
        Observed::Known { .. } => None,
        Observed::Unknown { error, .. } => Some(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{cause, without_numbers};

    #[test]
    fn a_server_that_fails_is_one_cause_whatever_it_was_asked() {
        let one = cause("GitLab failed with 502 on POST /graphql");
        assert_eq!(one, cause("GitLab failed with 503 on GET /runners/all"));
        assert_ne!(one, cause("the token may not read the API"));
    }

    #[test]
    fn a_countdown_makes_no_other_line() {
        let texts = [
            "tried again in 1h2m: no space",
            "tried again in 59m: no space",
            "tried again in 8.5s: no space",
        ];
        assert!(texts.iter().all(|text| without_numbers(text) == "tried again in #: no space"));
        assert_ne!(without_numbers("pool a: 429"), without_numbers("pool b: 429"));
        assert_eq!(without_numbers("GitLab said 502 on /api"), "GitLab said # on /api");
    }
}
