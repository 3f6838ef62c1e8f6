//! `autogit status`: pools with their counts and reasons, hosts with their budgets.

use super::sources;
use super::style::RenderOptions;
use super::table::Table;
use crate::view::{BudgetOutput, HostOutput, View, words};
use crate::world::phases;

/// How everything stands, as text.
pub fn render_status(view: &View, options: &RenderOptions) -> String {
    let mut lines = vec![options.heading(view)];
    lines.extend(sources::lines(view, options));
    if let Some(fault) = &view.spec.pending_fault {
        let head = format!("spec     {} is refused, the last good one stays", view.spec.source);
        lines.push(options.paint.bad(&head));
        lines.push(words::plain_lines(fault));
    }
    lines.push(String::new());
    lines.extend(pools(view));
    lines.push(String::new());
    lines.extend(hosts(view));
    lines.push(String::new());
    lines.push(summary(view));
    lines.join("\n") + "\n"
}

fn pools(view: &View) -> Vec<String> {
    let heading = ["pool", "pending", "starting", "idle", "busy", "draining", "max", "warm", "why"];
    let mut table = Table::new(&heading).right(&[1, 2, 3, 4, 5, 6, 7]);
    let runners = phases(&view.world);
    let mut outputs = view.pools(&runners);
    for pool in &view.world.spec.pools {
        let Some(output) = outputs.remove(&pool.name) else { continue };
        let counts = [output.pending, output.starting, output.idle, output.busy, output.draining];
        let limits = [output.max, output.warm];
        let numbers = counts.iter().map(ToString::to_string);
        let numbers = numbers.chain(limits.iter().map(ToString::to_string));
        let why = words::plain(&output.why).into_owned();
        table.row(std::iter::once(pool.name.to_string()).chain(numbers).chain([why]));
    }
    table.lines()
}

fn hosts(view: &View) -> Vec<String> {
    let mut table = Table::new(&["host", "runners", "cpus", "memory"]);
    for (name, host) in view.status_output().hosts {
        let HostOutput { budget, used } = host;
        let of = |used: String, most: fn(BudgetOutput) -> String| match budget {
            Some(budget) => format!("{used} of {}", most(budget)),
            None => used,
        };
        table.row([
            name,
            of(used.runners.to_string(), |budget| budget.runners.to_string()),
            of(cpus(used.cpus), |budget| cpus(budget.cpus)),
            of(memory(used.memory_bytes), |budget| memory(budget.memory_bytes)),
        ]);
    }
    table.lines()
}

fn summary(view: &View) -> String {
    let status = view.status_output();
    let pending = match status.queue_pending {
        Some(pending) => format!("{} pending", words::count(pending, "job")),
        None => "the queue is unknown".to_owned(),
    };
    let runners = words::count(status.total_runners, "runner");
    format!("{pending}; {runners}: {} busy, {} idle", status.busy_runners, status.idle_runners)
}

/// `2`, `0.5`
fn cpus(cpus: f64) -> String {
    let rounded = format!("{cpus:.1}");
    rounded.strip_suffix(".0").map_or(rounded.clone(), str::to_owned)
}

/// In the unit of the spec that fits best.
fn memory(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    if bytes >= GIB && bytes.is_multiple_of(GIB) {
        format!("{}GiB", bytes / GIB)
    } else if bytes >= 10 * GIB {
        let tenths = bytes / (GIB / 10);
        format!("{}.{}GiB", tenths / 10, tenths % 10)
    } else {
        format!("{}MiB", bytes / MIB)
    }
}
