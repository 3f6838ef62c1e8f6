//! Hosts, pools, runners and jobs as rows, for tables that are printed and for those that are drawn.

use super::hosts::{cpus, memory};
use super::table::Table;
use crate::plan::size;
use crate::view::{
    BudgetOutput, DiskOutput, HostOutput, QueueJobOutput, RunnerOutput, StatusOutput, words,
};

/// Columns with a row for each thing.
#[derive(Debug)]
pub(in crate::cli) struct Rows {
    pub(in crate::cli) heading: Vec<&'static str>,
    /// Columns of numbers, which stand to the right.
    pub(in crate::cli) right: &'static [usize],
    pub(in crate::cli) cells: Vec<Vec<String>>,
}

impl Rows {
    /// To be printed.
    pub(in crate::cli) fn table(self) -> Table {
        let mut table = Table::new(&self.heading).right(self.right);
        for row in self.cells {
            table.row(row);
        }
        table
    }
}

/// The pools, by name.
pub(in crate::cli) fn pools(status: &StatusOutput) -> Rows {
    let heading = ["pool", "pending", "starting", "idle", "busy", "draining", "max", "warm", "why"];
    let rows = status.pools.iter().map(|(name, pool)| {
        // Of an unknown queue nobody knows how many jobs are pending.
        let pending = status.queue_pending.map_or("?".to_owned(), |_| pool.pending.to_string());
        let counts = [pool.starting, pool.idle, pool.busy, pool.draining];
        let limits = [pool.max, pool.warm];
        let numbers = [pending].into_iter().chain(counts.iter().map(ToString::to_string));
        let numbers = numbers.chain(limits.iter().map(ToString::to_string));
        let why = words::plain(&pool.why).into_owned();
        std::iter::once(name.clone()).chain(numbers).chain([why]).collect()
    });
    Rows { heading: heading.to_vec(), right: &[1, 2, 3, 4, 5, 6, 7], cells: rows.collect() }
}

/// The hosts with their budgets, by name.
pub(in crate::cli) fn hosts(status: &StatusOutput) -> Rows {
    // Few limit the disk, and few hosts are in a special state.
    let limited = status.hosts.values().any(|host| host.disk.is_some());
    let special = status.hosts.values().any(|host| host.state.is_some());
    let has_gpus = |budget: BudgetOutput| budget.gpus > 0;
    let gpus =
        status.hosts.values().any(|host| has_gpus(host.used) || host.budget.is_some_and(has_gpus));
    let heading = ["host", "runners", "cpus", "memory"].into_iter();
    let heading = heading.chain(gpus.then_some("gpus")).chain(limited.then_some("disk"));
    let heading = heading.chain(special.then_some("state"));
    let rows = status.hosts.iter().map(|(name, host)| {
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
        row.into_iter().chain(gpus).chain(disk).chain(state).collect()
    });
    Rows { heading: heading.collect(), right: &[], cells: rows.collect() }
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

/// The runners, as they are given.
pub(in crate::cli) fn runners(runners: &[RunnerOutput]) -> Rows {
    let rows = runners.iter().map(|runner| {
        let job = runner.job.as_ref().map(|job| {
            let id = job.id.map_or_else(|| "?".to_owned(), |id| format!("#{id}"));
            let words = [job.name.as_ref(), job.project.as_ref()].into_iter().flatten();
            words.fold(id, |said, word| format!("{said} {}", words::plain(word)))
        });
        vec![
            runner.name.clone(),
            runner.host.clone(),
            if runner.seen { runner.phase.to_string() } else { "unseen".to_owned() },
            runner.lasting.clone().unwrap_or_else(|| "-".to_owned()),
            job.unwrap_or_else(|| "-".to_owned()),
            words::plain(&runner.why).into_owned(),
        ]
    });
    let heading = vec!["runner", "host", "phase", "for", "job", "why"];
    Rows { heading, right: &[], cells: rows.collect() }
}

/// Pending jobs, as they are given.
pub(in crate::cli) fn jobs<'j>(jobs: impl Iterator<Item = &'j QueueJobOutput>) -> Rows {
    let rows = jobs.map(|job| {
        let tags = job.tags.join(",");
        vec![
            format!("#{}", job.id),
            words::plain(&job.project).into_owned(),
            words::plain(&job.name).into_owned(),
            if tags.is_empty() { "-".to_owned() } else { words::plain(&tags).into_owned() },
            job.waiting.clone(),
            job.pool.clone().unwrap_or_else(|| "-".to_owned()),
            job.reason.clone().unwrap_or("served".into()).into_owned(),
        ]
    });
    let heading = vec!["job", "project", "name", "tags", "waiting", "pool", "state"];
    Rows { heading, right: &[], cells: rows.collect() }
}
