//! What this process uses of the machine, under the names that Prometheus' own libraries give it.
//! Read from `/proc` at each scrape; what cannot be read is left out.

use std::fs;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// Ticks of a processor's time in a second: `USER_HZ`, which Linux tells every architecture that
/// AutoGit is built for as 100 (proc(5)).
const TICKS_PER_SEC: f64 = 100.0;

pub(super) fn register(registry: &mut Registry) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some(Ticks { used, started }) = ticks(&stat) {
        let secs = ConstCounter::new(used / TICKS_PER_SEC);
        registry.register("process_cpu_seconds", "Processor time used", secs);
        let machine = fs::read_to_string("/proc/stat").unwrap_or_default();
        if let Some(booted) = field(&machine, "btime").and_then(|secs| u32::try_from(secs).ok()) {
            let at = ConstGauge::new(f64::from(booted) + started / TICKS_PER_SEC);
            registry.register("process_start_time_seconds", "When the process started", at);
        }
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for (key, name, help) in [
        ("VmRSS:", "process_resident_memory_bytes", "Memory in use"),
        ("VmSize:", "process_virtual_memory_bytes", "Address space in use"),
    ] {
        if let Some(kib) = field(&status, key) {
            registry.register(name, help, ConstGauge::new(kib.saturating_mul(1024)));
        }
    }
    if let Some(open) = fs::read_dir("/proc/self/fd").ok().map(Iterator::count) {
        let open = ConstGauge::new(i64::try_from(open).unwrap_or(i64::MAX));
        registry.register("process_open_fds", "Open file descriptors", open);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = field(&limits, "Max open files") {
        registry.register("process_max_fds", "File descriptors at most", ConstGauge::new(most));
    }
}

#[derive(Debug, PartialEq)]
struct Ticks {
    /// Processor time, in user mode and in the kernel.
    used: f64,
    /// From the machine's start to the process's.
    started: f64,
}

/// The 14th, 15th and 22nd field. The second is the program's name in parentheses, which may hold
/// anything.
fn ticks(stat: &str) -> Option<Ticks> {
    let (_, after) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some(Ticks { used: number(14)? + number(15)?, started: number(22)? })
}

/// The first number of the line that begins with `key`.
fn field(text: &str, key: &str) -> Option<i64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_hides_no_field() {
        let stat = "7 (a) b 1) S 1 7 7 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(Ticks { used: 200.0, started: 5.0 }));
    }

    #[test]
    fn a_limit_that_is_none_is_left_out() {
        assert_eq!(
            field("Max open files            1024   4096   files", "Max open files"),
            Some(1024)
        );
        assert_eq!(field("Max open files            unlimited   4096", "Max open files"), None);
    }
}
