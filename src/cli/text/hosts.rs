//! The hosts' budgets, with what is used of them.

use std::collections::BTreeMap;

use crate::view::{BudgetOutput, HostOutput, NextOutput};

/// Each host's arithmetic, where there is any to do: several hosts, or jobs that are sized.
pub(crate) fn lines(hosts: &BTreeMap<String, HostOutput>) -> Vec<String> {
    let plain = |host: &HostOutput| host.state.is_none() && host.next.is_empty();
    if hosts.len() <= 1 && hosts.values().all(plain) {
        return Vec::new();
    }
    let width = hosts.keys().map(String::len).max().unwrap_or(0);
    hosts.iter().map(|(name, host)| format!("{name:<width$}  {}", words(host))).collect()
}

/// `3 of 8 runners, 4.5 of 8 cpus, 6GiB of 16GiB; linux takes 2 cpus, 4GiB: room for 1`
fn words(host: &HostOutput) -> String {
    let HostOutput { budget, used, disk: _, state, next } = host;
    let of = |used: String, most: fn(&BudgetOutput) -> String| match budget {
        Some(budget) => format!("{used} of {}", most(budget)),
        None => used,
    };
    let runners = of(used.runners.to_string(), |budget| budget.runners.to_string());
    let mut words = vec![format!("{runners} runners")];
    if !next.is_empty() || used.cpus > 0.0 {
        words.push(format!("{} cpus", of(cpus(used.cpus), |budget| cpus(budget.cpus))));
    }
    if next.values().any(|next| next.memory_bytes > 0) || used.memory_bytes > 0 {
        let memory = of(memory(used.memory_bytes), |budget| memory(budget.memory_bytes));
        words.push(format!("{memory} of memory"));
    }
    if next.values().any(|next| next.gpus > 0) || used.gpus > 0 {
        let gpus = of(used.gpus.to_string(), |budget| budget.gpus.to_string());
        words.push(format!("{gpus} GPUs"));
    }
    let next = next.iter().map(|(pool, next)| format!("; {pool} takes {}", cost(next)));
    let state = state.iter().map(|state| format!("; {state}"));
    words.join(", ") + &next.chain(state).collect::<String>()
}

fn cost(next: &NextOutput) -> String {
    let parts = [
        (next.cpus > 0.0).then(|| format!("{} cpus", cpus(next.cpus))),
        (next.memory_bytes > 0).then(|| memory(next.memory_bytes)),
        (next.gpus > 0)
            .then(|| format!("{} GPU{}", next.gpus, if next.gpus == 1 { "" } else { "s" })),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{}: room for {}", parts.join(", "), next.room_for)
}

/// `2`, `0.5`
pub(crate) fn cpus(cpus: f64) -> String {
    let rounded = format!("{cpus:.1}");
    rounded.strip_suffix(".0").map_or(rounded.clone(), str::to_owned)
}

/// In the unit of the spec that fits best.
pub(crate) fn memory(bytes: u64) -> String {
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
