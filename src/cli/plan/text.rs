//! The plan as text.

use std::collections::BTreeMap;

use super::groups::{Group, groups, slot_ranges};
use super::waiting;
use crate::cli::sources;
use crate::cli::style::{Paint, RenderOptions};
use crate::plan::{Action, Decision, RunnerHold};
use crate::view::{View, words};
use crate::world::Observed;

/// The plan as text: what would be done, what stays, what waits, and what is unknown.
pub fn render_plan(view: &View, options: &RenderOptions) -> String {
    let mut lines = vec![options.heading(view)];
    lines.extend(sources::lines(&view.sources(), options));
    lines.push(String::new());
    let groups = groups(view);
    let width = groups.iter().filter_map(Group::first).map(|one| one.action.as_str().len());
    let width = width.max().unwrap_or(0).max("start".len());
    for group in &groups {
        lines.extend(group_lines(group, width, options));
    }
    lines.extend(keep_lines(view, width, options));
    lines.push(String::new());
    lines.push(format!("waiting   {}", waiting::summary(view)));
    lines.extend(waiting::lines(view, options));
    lines.extend(unknown_lines(view, options.paint));
    lines.push(String::new());
    lines.push(total(view, options.paint));
    lines.join("\n") + "\n"
}

/// The sign before an action: adds, changes or takes away.
pub(crate) fn sign(action: &Action) -> char {
    match action {
        Action::CreateNetwork { .. } | Action::CreateRecord { .. } | Action::Start { .. } => '+',
        Action::UpdateRecord { .. } | Action::Drain { .. } => '~',
        Action::DeleteRecord { .. } | Action::Reap { .. } | Action::Sweep { .. } => '-',
    }
}

/// One decision on one line, for logs and boards.
pub(crate) fn decision_line(decision: &Decision) -> String {
    let Decision { action, rule, facts } = decision;
    let group = Group { decisions: vec![decision], slots: Vec::new() };
    let what = action.runner().map_or_else(|| what(&group), ToString::to_string);
    let why = facts.to_string();
    format!("{} {} {what}  {rule}: {}", sign(action), action.as_str(), words::plain(&why))
}

fn group_lines(group: &Group<'_>, width: usize, options: &RenderOptions) -> Vec<String> {
    let Some(first) = group.first() else { return Vec::new() };
    let sign = sign(&first.action);
    let head = format!("{sign} {:<width$}", first.action.as_str());
    let head = match sign {
        '+' => options.paint.good(&head),
        '~' => options.paint.notable(&head),
        _ => options.paint.bad(&head),
    };
    let what = what(group);
    let why = words::plain(&group.why()).into_owned();
    let indent = " ".repeat(width + 5);
    if matches!(first.action, Action::Reap { .. } | Action::Sweep { .. }) {
        let lost = lost_jobs(group);
        return vec![format!("{head}   {what}  ({why}){lost}")];
    }
    let mut lines = vec![format!("{head}   {what}")];
    lines.push(format!("{indent}{}", options.paint.faint(&format!("{}: {why}", first.rule))));
    if options.verbose && group.decisions.len() > 1 {
        let names = group.decisions.iter().filter_map(|decision| decision.action.runner());
        lines.extend(names.map(|name| format!("{indent}{name}")));
    }
    lines
}

/// What a group is about.
pub(crate) fn what(group: &Group<'_>) -> String {
    let Some(first) = group.first() else { return String::new() };
    let action = &first.action;
    let on = action.host().map(|host| format!(" on {host}")).unwrap_or_default();
    let count = group.decisions.len();
    match action {
        Action::Start { variant, .. } => {
            let slots = slot_ranges(&group.slots);
            format!("{variant}  {}{on}  ({slots})", words::count(count, "runner"))
        }
        Action::Drain { variant, .. } if count > 1 => {
            let slots = slot_ranges(&group.slots);
            format!("{variant}  {}{on}  ({slots})", words::count(count, "runner"))
        }
        Action::Reap { runner, .. } if count > 1 => {
            let slots = slot_ranges(&group.slots);
            format!("{}  {}{on}, {slots}", runner.variant, words::count(count, "runner"))
        }
        Action::Drain { runner, .. } => runner.to_string(),
        Action::Reap { runner, .. } => runner.name.to_string(),
        Action::CreateNetwork { .. } => format!("the runners' network{on}"),
        Action::CreateRecord { variant } => format!("registration of {variant}"),
        Action::UpdateRecord { variant, record, .. } => {
            format!("registration {record} of {variant}")
        }
        Action::DeleteRecord { variant, record } if count == 1 => {
            format!("registration {record} of {variant}")
        }
        Action::DeleteRecord { variant, .. } => {
            format!("{} of {variant}", words::count(count, "registration"))
        }
        Action::Sweep { .. } => format!("{}{on}", words::count(count, "leftover")),
    }
}

fn lost_jobs(group: &Group<'_>) -> String {
    let lost = group.decisions.iter().filter_map(|decision| {
        let Action::Reap { lost_job: Some(job), .. } = &decision.action else { return None };
        Some(format!("#{}", job.id))
    });
    let lost: Vec<String> = lost.collect();
    let retried = group.decisions.iter().any(|decision| {
        matches!(&decision.action, Action::Reap { lost_job: Some(job), .. } if job.retry)
    });
    let again = if retried { ", and is queued again" } else { "" };
    match lost.len() {
        0 => String::new(),
        1 => format!("; job {} was lost with it{again}", lost.join(" ")),
        _ => format!("; jobs {} were lost with them{again}", lost.join(" ")),
    }
}

fn keep_lines(view: &View, width: usize, options: &RenderOptions) -> Vec<String> {
    let runners = view.runner_views();
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let mut names = Vec::new();
    for held in &view.plan.held_runners {
        let Some(runner) = runners.get(held.runner.as_str()).filter(|runner| runner.seen) else {
            continue;
        };
        let word = match held.hold {
            RunnerHold::InDoubt => "in doubt",
            RunnerHold::Busy { .. }
            | RunnerHold::Starting { .. }
            | RunnerHold::Needed
            | RunnerHold::Warm
            | RunnerHold::CoolingDown { .. }
            | RunnerHold::Draining { .. }
            | RunnerHold::InTurn
            | RunnerHold::Ending
            | RunnerHold::Unseen { .. } => runner.phase.as_str(),
        };
        let order = ["busy", "idle", "starting", "draining"].iter().position(|one| *one == word);
        *counts.entry((order.unwrap_or(usize::MAX), word)).or_default() += 1;
        let why = words::plain_lines(&held.hold.to_string());
        names.push(format!("{}{}  {}: {why}", " ".repeat(width + 5), held.runner, word));
    }
    if counts.is_empty() {
        return Vec::new();
    }
    let counts = counts.into_iter().map(|((_, word), count)| format!("{count} {word}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let head = format!("= {:<width$}   {counts}", "keep");
    if options.verbose {
        [vec![head], names].concat()
    } else {
        vec![format!("{head}   {}", options.paint.faint("(--verbose lists them)"))]
    }
}

fn unknown_lines(view: &View, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if let Observed::Unknown { .. } = view.world.queue {
        lines
            .push("the queue: nothing is started for it, and no idle runner is drained".to_owned());
    }
    if let Observed::Unknown { .. } = view.world.records {
        lines.push("the registrations: none is made, changed or deleted".to_owned());
    }
    for (name, host) in &view.world.hosts {
        if let Observed::Unknown { last, .. } = &host.state {
            let runners = last.as_ref().map_or(0, |state| state.runners.len());
            let runners = words::count(runners, "runner");
            lines.push(match last {
                Some(_) => {
                    format!(
                        "{name}: {runners} last seen, kept and counted; nothing there is touched"
                    )
                }
                None => format!("{name}: never seen; nothing there is touched"),
            });
        }
    }
    let heads = std::iter::once("unknown   ").chain(std::iter::repeat("          "));
    heads.zip(lines).map(|(head, line)| paint.notable(&format!("{head}{line}"))).collect()
}

/// The last line: what the plan comes to.
fn total(view: &View, paint: Paint) -> String {
    let parts = totals(view);
    let sum = if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") };
    format!("{} {}Nothing was changed.", paint.strong(&format!("Plan: {sum}.")), incomplete(view))
}

/// `Incomplete: rack is unknown. `
pub(crate) fn incomplete(view: &View) -> String {
    let unknown = view.unknown_sources();
    match unknown.as_slice() {
        [] => String::new(),
        [one] => format!("Incomplete: {one} is unknown. "),
        many => format!("Incomplete: {} are unknown. ", many.join(", ")),
    }
}

/// `2 to start`, `1 to drain`
pub(crate) fn totals(view: &View) -> Vec<String> {
    const WORDS: [(&str, &str, &str); 8] = [
        ("create-record", "registration to make", "registrations to make"),
        ("update-record", "registration to correct", "registrations to correct"),
        ("delete-record", "registration to delete", "registrations to delete"),
        ("create-network", "network to make", "networks to make"),
        ("start", "to start", "to start"),
        ("drain", "to drain", "to drain"),
        ("reap", "to reap", "to reap"),
        ("sweep", "to sweep", "to sweep"),
    ];
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for decision in &view.plan.decisions {
        *counts.entry(decision.action.as_str()).or_default() += 1;
    }
    let words = WORDS.iter().filter_map(|(action, one, many)| {
        let count = *counts.get(action)?;
        Some(format!("{count} {}", if count == 1 { one } else { many }))
    });
    words.collect()
}
