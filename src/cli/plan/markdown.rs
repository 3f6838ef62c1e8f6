//! The plan as Markdown, for a merge request's comment.

use super::groups::{Group, groups};
use super::text::{incomplete, sign, totals, what};
use super::waiting;
use crate::cli::text::hosts;
use crate::view::{PlanOutput, SourceOutput, words};

fn schedules_at(plan: &PlanOutput) -> String {
    let at = plan.schedules_at.as_ref();
    at.map(|at| format!(", as if it were {at} for the schedules")).unwrap_or_default()
}

/// The plan as Markdown.
pub fn render_plan_markdown(plan: &PlanOutput) -> String {
    let totals = totals(plan);
    let sum = if totals.is_empty() { "nothing to do".to_owned() } else { totals.join(", ") };
    let (source, hash) = (escaped(&plan.spec.source), &plan.spec.hash);
    let mut lines = vec![
        format!("### AutoGit plan: {sum}"),
        String::new(),
        format!(
            "`{hash}` of {source}, instance `{}`, {}{}. {}Nothing was changed.",
            plan.instance,
            plan.at,
            schedules_at(plan),
            incomplete(plan),
        ),
    ];
    let groups = groups(plan);
    if !groups.is_empty() {
        lines.extend(heading(&["", "action", "on", "why"]));
        lines.extend(groups.iter().map(decision_row));
    }
    lines.extend([String::new(), format!("**Waiting:** {}", waiting::summary(plan))]);
    let waits = waiting::wait_groups(plan);
    if !waits.is_empty() {
        lines.extend(heading(&["jobs", "reason", "project", "tags", "oldest", "why"]));
        lines.extend(waits.iter().take(ROWS_MAX).map(|group| {
            row(&[
                &group.ids.len().to_string(),
                &format!("`{}`", group.first.reason),
                &escaped(&group.first.project),
                &escaped(&group.tags),
                &group.first.waiting,
                &escaped(&group.first.why),
            ])
        }));
        let more = waits.len().saturating_sub(ROWS_MAX);
        if more > 0 {
            lines.extend([String::new(), format!("and {}", words::count(more, "more group"))]);
        }
    }
    let budgets = hosts::lines(&plan.hosts);
    if !budgets.is_empty() {
        lines.extend([String::new(), "**Hosts:**".to_owned(), String::new()]);
        lines.extend(budgets.iter().map(|line| format!("- {}", escaped(line))));
    }
    for proxy in &plan.proxies {
        lines.extend([String::new(), format!("> proxy: {}", escaped(&proxy.in_words()))]);
    }
    for notice in &plan.notices {
        lines.extend([String::new(), format!("> {}", escaped(notice))]);
    }
    for (name, source) in &plan.sources {
        if let SourceOutput::Unknown { age, error, .. } = source {
            lines.push(String::new());
            lines.push(format!("> **{name} is unknown** for {age}: {}", escaped(error)));
        }
    }
    lines.join("\n") + "\n"
}

/// Rows of waiting groups at most: a comment is read, not searched.
const ROWS_MAX: usize = 20;

fn decision_row(group: &Group<'_>) -> String {
    let first = group.first;
    let why = format!("`{}`: {}", first.rule, escaped(&group.why()));
    let sign = format!("`{}`", sign(&first.action));
    row(&[&sign, &first.action, &escaped(&what(group)), &why])
}

fn heading(names: &[&str]) -> [String; 3] {
    let rule: Vec<&str> = names.iter().map(|_| "---").collect();
    [String::new(), row(names), row(&rule)]
}

fn row(cells: &[&str]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Other people's text, so that it neither ends a cell nor mentions, links or formats anything.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in words::plain(text).chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '@' => escaped.push_str("&#64;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '!' | '#' | '~' => {
                escaped.extend(['\\', letter]);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_job_cannot_break_out_of_its_cell() {
        assert_eq!(escaped("a|b\n@all <img>"), "a\\|b &#64;all &lt;img>");
    }
}
