//! `autogit status`: pools with their counts and reasons, hosts with their budgets.

use std::process::ExitCode;

use super::answer::Answer;
use super::arguments::Look;
use super::shell::Shell;
use super::text::hosts::{cpus, memory};
use super::text::{RenderOptions, Table, sources, unplaced};
use crate::operate::{Adapters, Failure};
use crate::plan::size;
use crate::view::{BudgetOutput, DiskOutput, HostOutput, StatusOutput, words};

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
    lines.extend(pools(status));
    lines.extend(unplaced(status));
    lines.push(String::new());
    if !status.held.is_empty() {
        lines.extend(held(status));
        lines.push(String::new());
    }
    lines.extend(hosts(status));
    lines.extend(status.unread.iter().map(|line| options.paint.notable(&words::plain_lines(line))));
    let still = status.standstills.iter();
    lines.extend(still.map(|line| options.paint.notable(&words::plain_lines(line))));
    lines.push(String::new());
    lines.push(summary(status));
    lines.join("\n") + "\n"
}

fn pools(status: &StatusOutput) -> Vec<String> {
    let heading = ["pool", "pending", "starting", "idle", "busy", "draining", "max", "warm", "why"];
    let mut table = Table::new(&heading).right(&[1, 2, 3, 4, 5, 6, 7]);
    for (name, pool) in &status.pools {
        // Of an unknown queue nobody knows how many jobs are pending.
        let pending = status.queue_pending.map_or("?".to_owned(), |_| pool.pending.to_string());
        let counts = [pool.starting, pool.idle, pool.busy, pool.draining];
        let limits = [pool.max, pool.warm];
        let numbers = [pending].into_iter().chain(counts.iter().map(ToString::to_string));
        let numbers = numbers.chain(limits.iter().map(ToString::to_string));
        let why = words::plain(&pool.why).into_owned();
        table.row(std::iter::once(name.clone()).chain(numbers).chain([why]));
    }
    table.lines()
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

fn hosts(status: &StatusOutput) -> Vec<String> {
    // Few limit the disk, and few hosts are in a special state.
    let limited = status.hosts.values().any(|host| host.disk.is_some());
    let special = status.hosts.values().any(|host| host.state.is_some());
    let has_gpus = |budget: BudgetOutput| budget.gpus > 0;
    let gpus =
        status.hosts.values().any(|host| has_gpus(host.used) || host.budget.is_some_and(has_gpus));
    let heading = ["host", "runners", "cpus", "memory"].into_iter();
    let heading = heading.chain(gpus.then_some("gpus")).chain(limited.then_some("disk"));
    let heading = heading.chain(special.then_some("state"));
    let mut table = Table::new(&heading.collect::<Vec<_>>());
    for (name, host) in &status.hosts {
        let HostOutput { budget, used, disk, state, next: _ } = host;
        let of = |used: String, most: fn(BudgetOutput) -> String| match budget {
            Some(budget) => format!("{used} of {}", most(*budget)),
            None => used,
        };
        let row = [
            name.clone(),
            of(used.runners.to_string(), |budget| budget.runners.to_string()),
            of(cpus(used.cpus), |budget| cpus(budget.cpus)),
            of(memory(used.memory_bytes), |budget| memory(budget.memory_bytes)),
        ];
        let disk = limited.then(|| disk.as_ref().map_or("no limit".to_owned(), disk_words));
        let state = special.then(|| state.as_deref().unwrap_or_default().to_owned());
        let gpus = gpus.then(|| of(used.gpus.to_string(), |budget| budget.gpus.to_string()));
        table.row(row.into_iter().chain(gpus).chain(disk).chain(state));
    }
    table.lines()
}

/// `93.0GiB of 100.0GiB; 12.0GiB free, 10.0GiB are kept so`
fn disk_words(disk: &DiskOutput) -> String {
    let used = disk.used_bytes.map(|used| match disk.budget_bytes {
        Some(budget) => format!("{} of {}", size(used), size(budget)),
        None => size(used),
    });
    let free = disk.free_bytes.map(|free| match disk.keep_free_bytes {
        Some(least) => format!("{} free, {} are kept so", size(free), size(least)),
        None => format!("{} free", size(free)),
    });
    let full = disk.full.then(|| "full: nothing is started there".to_owned());
    let unknown = disk.unknown.as_ref().map(|why| format!("unknown: {}", words::plain(why)));
    [used, free, full, unknown].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn summary(status: &StatusOutput) -> String {
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
