//! Idle runners that a pool keeps: whether their numbers go together, and with its `max`.

use super::pool::Findings;
use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::words::value;
use crate::spec::{Arch, Pool, Schedule, Warm};

pub(super) fn check(pool: &Pool, path: &Path, context: &Context<'_>, findings: &mut Findings) {
    let (warm, max) = (path.join("warm"), path.join("max"));
    match &pool.warm {
        Warm::Count(count) => at_most(*count, pool, vec![warm, max], findings),
        Warm::PerArch(counts) => {
            let sum = counts.values().fold(0, |sum: u32, count| sum.saturating_add(*count));
            at_most(sum, pool, vec![warm.clone(), max], findings);
            declared(counts.keys().copied(), pool, (&warm, path), context, findings);
        }
        Warm::Scheduled(schedule) => scheduled(schedule, pool, (&warm, max), findings),
    }
}

/// The number that `needs` stand for, the one first that says it.
fn at_most(wanted: u32, pool: &Pool, needs: Vec<Path>, findings: &mut Findings) {
    if wanted > pool.max {
        let message = format!("`warm` is {} but `max` is {}", value(wanted), value(pool.max));
        let finding = Finding::error(Code::Conflict, message)
            .hint(format!("set `max` to at least {}", value(wanted)));
        findings.push((needs, finding));
    }
}

/// Numbers are for architectures that the pool has.
fn declared(
    counted: impl Iterator<Item = Arch>,
    pool: &Pool,
    (warm, path): (&Path, &Path),
    context: &Context<'_>,
    findings: &mut Findings,
) {
    if pool.architectures.is_empty() {
        return;
    }
    for arch in counted.filter(|arch| !pool.architectures.contains(arch)) {
        let message = format!("`warm` asks for `{arch}`, which is not among its architectures");
        let written = if context.given(&warm.join("arm/v7")) && arch.as_str() == "armv7" {
            "arm/v7"
        } else {
            arch.as_str()
        };
        let needs = vec![warm.join(written), path.join("architectures")];
        findings.push((needs, Finding::error(Code::Conflict, message)));
    }
}

fn scheduled(
    schedule: &Schedule,
    pool: &Pool,
    (warm, max): (&Path, Path),
    findings: &mut Findings,
) {
    let list = warm.join("schedule");
    // A faulty entry is none, and those after it would be found in its place.
    let entry = |index: usize, key: &str| list.join(&index.to_string()).join(key);
    at_most(schedule.base, pool, vec![warm.join("base"), max.clone()], findings);
    for (index, scheduled) in schedule.entries.iter().enumerate() {
        let needs = vec![entry(index, "warm"), list.clone(), max.clone()];
        at_most(scheduled.warm, pool, needs, findings);
        let mut earlier = schedule.entries.iter().take(index).enumerate();
        let other = earlier.find(|(_, one)| one.warm != scheduled.warm && one.meets(scheduled));
        if let Some((first, other)) = other {
            let message = format!(
                "entry {} of `schedule` overlaps entry {}: where both are on, entry {} counts, and `warm` is {}",
                index + 1,
                first + 1,
                first + 1,
                value(other.warm)
            );
            let finding = Finding::warning(Code::Doubtful, message)
                .hint("the first entry that is on counts: write the one with fewer hours first");
            findings.push((vec![entry(index, "warm"), list.clone()], finding));
        }
    }
}
