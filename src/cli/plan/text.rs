//! The plan as text.

use std::collections::BTreeMap;

use super::groups::{Group, groups, slot_ranges};
use super::waiting;
use crate::cli::text::{Paint, RenderOptions, hosts, sources, unplaced};
use crate::view::{DecisionOutput, HeldOutput, PlanOutput, SourceOutput, UnmetWarmOutput, words};

/// The plan as text: what would be done, what stays, what waits, and what is unknown.
pub fn render_plan(plan: &PlanOutput, options: &RenderOptions) -> String {
    let spec = &plan.spec;
    let mut lines =
        vec![options.heading_of(&spec.source, &spec.hash, &plan.instance, words::parsed(&plan.at))];
    lines.extend(
        plan.schedules_at.iter().map(|at| format!("planned  as if it were {at} for the schedules")),
    );
    lines.extend(sources::lines(&plan.sources, options));
    lines.extend(sources::proxies(&plan.proxies));
    lines.extend(sources::notes(&plan.notices, options));
    lines.extend(plan.warnings.iter().map(|warning| format!("warning  {warning}")));
    lines.push(String::new());
    let groups = groups(plan);
    let width = groups.iter().map(|group| group.first.action.len());
    let width = width.max().unwrap_or(0).max("start".len());
    for group in &groups {
        lines.extend(group_lines(group, width, options));
    }
    lines.extend(keep_lines(plan, width, options));
    if lines.last().is_some_and(|line| !line.is_empty()) {
        lines.push(String::new());
    }
    lines.push(format!("waiting   {}", waiting::summary(plan)));
    lines.extend(waiting::lines(plan, options));
    lines.extend(headed("warm      ", unmet_warm_lines(plan)));
    lines.extend(headed("hosts     ", hosts::lines(&plan.hosts)));
    lines.extend(headed("unplaced  ", unplaced::lines(&plan.unplaced)));
    let unknown = headed("unknown   ", plan.unknown.clone());
    lines.extend(unknown.iter().map(|line| options.paint.notable(line)));
    lines.push(String::new());
    lines.push(total(plan, options.paint));
    lines.join("\n") + "\n"
}

/// The sign before an action: adds, changes or takes away.
pub(crate) fn sign(action: &str) -> char {
    match action {
        "verify-token" | "create-network" | "create-record" | "pull-image" | "keep-image"
        | "start" => '+',
        "update-record" | "drain" => '~',
        _ => '-',
    }
}

/// One decision on one line, for logs and boards.
pub(crate) fn decision_line(decision: &DecisionOutput) -> String {
    let DecisionOutput { action, rule, why, .. } = decision;
    let what = decision.runner.clone().unwrap_or_else(|| what(&Group::of(decision)));
    format!("{} {action} {what}  {rule}: {}", sign(action), words::plain(why))
}

fn group_lines(group: &Group<'_>, width: usize, options: &RenderOptions) -> Vec<String> {
    let first = group.first;
    let sign = sign(&first.action);
    let head = format!("{sign} {:<width$}", first.action);
    let head = match sign {
        '+' => options.paint.good(&head),
        '~' => options.paint.notable(&head),
        _ => options.paint.bad(&head),
    };
    let what = what(group);
    let why = words::plain(&group.why()).into_owned();
    let indent = " ".repeat(width + 5);
    if matches!(&*first.action, "reap" | "sweep") {
        let lost = lost_jobs(group);
        return vec![format!("{head}   {what}  ({why}){lost}")];
    }
    let mut lines = vec![format!("{head}   {what}")];
    lines.push(format!("{indent}{}", options.paint.faint(&format!("{}: {why}", first.rule))));
    if options.verbose && group.decisions.len() > 1 {
        let names = group.decisions.iter().filter_map(|decision| decision.runner.as_ref());
        lines.extend(names.map(|name| format!("{indent}{name}")));
    }
    lines
}

/// What a group is about.
pub(crate) fn what(group: &Group<'_>) -> String {
    let DecisionOutput { action, runner, pool, arch, host, record, .. } = group.first;
    let on = host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
    let count = group.decisions.len();
    let variant = [pool.as_deref(), arch.as_deref()];
    let variant = variant.into_iter().flatten().collect::<Vec<_>>().join("/");
    let slots = || slot_ranges(&group.slots());
    let runners = || words::count(count, "runner");
    match &**action {
        "start" => format!("{variant}  {}{on}  ({})", runners(), slots()),
        "drain" if count > 1 => format!("{variant}  {}{on}  ({})", runners(), slots()),
        "reap" if count > 1 => format!("{variant}  {}{on}, {}", runners(), slots()),
        "verify-token" => format!("`runner_token` of {variant}"),
        "create-network" => format!("the runners' network{on}"),
        "pull-image" => format!("{}{on}", words::count(count, "runner image")),
        "keep-image" => format!("{}{on}", words::count(count, "image")),
        "sweep" => format!("{}{on}", words::count(count, "leftover")),
        "delete-record" if count > 1 => {
            format!("{} of {variant}", words::count(count, "record"))
        }
        _ => match (runner, record) {
            (Some(runner), _) => runner.clone(),
            (None, Some(record)) => format!("record {record} of {variant}"),
            (None, None) => format!("record of {variant}"),
        },
    }
}

fn lost_jobs(group: &Group<'_>) -> String {
    let lost: Vec<_> =
        group.decisions.iter().filter_map(|decision| decision.lost_job.as_ref()).collect();
    let ids: Vec<String> = lost.iter().map(|job| format!("#{}", job.id)).collect();
    let again = if lost.iter().any(|job| job.retry) { ", and is queued again" } else { "" };
    match ids.len() {
        0 => String::new(),
        1 => format!("; job {} was lost with it{again}", ids.join(" ")),
        _ => format!("; jobs {} were lost with them{again}", ids.join(" ")),
    }
}

fn keep_lines(plan: &PlanOutput, width: usize, options: &RenderOptions) -> Vec<String> {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let mut names = Vec::new();
    for held in &plan.held {
        let HeldOutput::Runner(held) = held else { continue };
        if !held.seen {
            continue;
        }
        let word = if held.reason == "in-doubt" { "in doubt" } else { &*held.phase };
        let order = ["busy", "idle", "starting", "draining"].iter().position(|one| *one == word);
        *counts.entry((order.unwrap_or(usize::MAX), word)).or_default() += 1;
        let why = words::plain_lines(&held.why);
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

fn unmet_warm_lines(plan: &PlanOutput) -> Vec<String> {
    let line = |unmet: &UnmetWarmOutput| {
        let (pool, arch, reason) = (&unmet.pool, &unmet.arch, &unmet.reason);
        let why = words::plain(&unmet.why);
        format!(
            "{pool}/{arch} lacks {}  {reason}: {why}",
            words::count(unmet.missing as usize, "runner")
        )
    };
    plan.unmet_warm.iter().map(line).collect()
}

/// The head before the first line, and as much space before the others.
fn headed(head: &str, lines: Vec<String>) -> Vec<String> {
    let space = " ".repeat(head.len());
    let heads = std::iter::once(head).chain(std::iter::repeat(space.as_str()));
    heads.zip(lines).map(|(head, line)| format!("{head}{line}")).collect()
}

/// The last line: what the plan comes to.
fn total(plan: &PlanOutput, paint: Paint) -> String {
    let parts = totals(plan);
    let sum = if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") };
    format!("{} {}Nothing was changed.", paint.strong(&format!("Plan: {sum}.")), incomplete(plan))
}

/// `Incomplete: rack is unknown. `
pub(crate) fn incomplete(plan: &PlanOutput) -> String {
    let unknown = SourceOutput::unknown(&plan.sources);
    match unknown.as_slice() {
        [] => String::new(),
        [one] => format!("Incomplete: {one} is unknown. "),
        many => format!("Incomplete: {} are unknown. ", many.join(", ")),
    }
}

/// `2 to start`, `1 to drain`
pub(crate) fn totals(plan: &PlanOutput) -> Vec<String> {
    const WORDS: [(&str, &str, &str); 11] = [
        ("verify-token", "token to verify", "tokens to verify"),
        ("create-record", "record to make", "records to make"),
        ("update-record", "record to correct", "records to correct"),
        ("delete-record", "record to delete", "records to delete"),
        ("pull-image", "image to pull", "images to pull"),
        ("keep-image", "image to keep ready", "images to keep ready"),
        ("create-network", "network to make", "networks to make"),
        ("start", "to start", "to start"),
        ("drain", "to drain", "to drain"),
        ("reap", "to reap", "to reap"),
        ("sweep", "to sweep", "to sweep"),
    ];
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for decision in &plan.decisions {
        *counts.entry(&*decision.action).or_default() += 1;
    }
    let words = WORDS.iter().filter_map(|(action, one, many)| {
        let count = *counts.get(action)?;
        Some(format!("{count} {}", if count == 1 { one } else { many }))
    });
    words.collect()
}
