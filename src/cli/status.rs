//! `autogit status`: pools with their counts and reasons, hosts with their budgets.

use std::process::ExitCode;

use super::answer::Answer;
use super::arguments::Look;
use super::shell::Shell;
use super::text::{RenderOptions, Table, rows, sources, unplaced};
use crate::operate::{Adapters, Failure};
use crate::view::{StatusOutput, words};

pub(super) async fn status(
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let answer = Answer {
        path: "/status",
        of_view: |view| view.status_output(),
        render: render_status,
        shows_sources: true,
    };
    answer.print(arguments, shell, adapters).await
}

/// How everything stands, as text.
pub fn render_status(status: &StatusOutput, options: &RenderOptions) -> String {
    let spec = &status.spec;
    let at = words::parsed(&status.at);
    let mut lines = vec![options.heading_of(&spec.source, &spec.hash, &status.instance, at)];
    if let Some(commit) = &spec.commit {
        lines.push(format!("commit   {}", commit.in_words()));
    }
    lines.extend(sources::lines(&status.sources, options));
    lines.extend(sources::proxies(&status.proxies));
    lines.extend(sources::notes(&status.notices, options));
    if let Some(fault) = &spec.pending_fault {
        let head = format!("spec     {} is refused, the last good one stays", spec.source);
        lines.push(options.paint.bad(&head));
        lines.push(words::plain_lines(fault));
    }
    lines.push(String::new());
    lines.extend(rows::pools(status).table().lines());
    lines.extend(unplaced(status));
    lines.push(String::new());
    if !status.held.is_empty() {
        lines.extend(held(status));
        lines.push(String::new());
    }
    lines.extend(rows::hosts(status).table().lines());
    lines.extend(status.unread.iter().map(|line| options.paint.notable(&words::plain_lines(line))));
    let still = status.standstills.iter();
    lines.extend(still.map(|line| options.paint.notable(&words::plain_lines(line))));
    lines.push(String::new());
    lines.push(summary(status));
    lines.join("\n") + "\n"
}

/// Who uses records and is on no host.
fn unplaced(status: &StatusOutput) -> Vec<String> {
    let lines = status.pools.values().flat_map(|pool| unplaced::lines(&pool.unplaced));
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { lines } else { [vec![String::new()], lines].concat() }
}

fn held(status: &StatusOutput) -> Vec<String> {
    let mut table = Table::new(&["jobs", "pool", "oldest", "wait because"]).right(&[0]);
    for group in &status.held {
        let held = &group.held;
        table.row([
            held.jobs.to_string(),
            group.pool.clone().unwrap_or_else(|| "-".to_owned()),
            held.oldest.clone(),
            format!("{}: {}", held.reason, words::plain(&held.why)),
        ]);
    }
    table.lines()
}

/// How many jobs wait, and what the runners do.
pub(super) fn summary(status: &StatusOutput) -> String {
    let pending = match status.queue_pending {
        Some(pending) => format!("{} pending", words::count(pending, "job")),
        None => "the queue is unknown".to_owned(),
    };
    let round = status.queue_round.as_ref().map(|round| format!(", each seen every {round}"));
    let pending = format!("{pending}{}", round.unwrap_or_default());
    let runners = words::count(status.total_runners, "runner");
    let (busy, idle) = (status.busy_runners, status.idle_runners);
    let rest = status.total_runners.saturating_sub(busy + idle);
    let rest = if rest > 0 { format!(", {rest} starting or draining") } else { String::new() };
    format!("{pending}; {runners}: {busy} busy, {idle} idle{rest}")
}
