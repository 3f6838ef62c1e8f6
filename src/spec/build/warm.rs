//! How many idle runners a pool keeps, and when.

use std::collections::BTreeMap;

use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::section::{RawScheduled, RawWarm, RawWarmMap};
use crate::spec::values;
use crate::spec::{Arch, Days, Schedule, Scheduled, Warm};

pub(super) fn build(raw: RawWarm, path: &Path, context: &mut Context<'_>) -> Warm {
    let map = match raw {
        RawWarm::Count(count) => return Warm::Count(count),
        RawWarm::Map(map) => map,
    };
    let by_arch = by_arch(&map);
    if !by_arch.is_empty() {
        let given = [("base", map.base.is_some()), ("schedule", map.schedule.is_some())];
        for (key, _) in given.into_iter().filter(|(_, given)| *given) {
            let message = "`warm` is given by architecture and as a whole";
            let finding = Finding::error(Code::Conflict, message).hint(format!("remove `{key}`"));
            context.add_at_key(&path.join(key), finding);
        }
        return Warm::PerArch(by_arch);
    }
    let base = map.base.unwrap_or(0);
    let Some(raw) = map.schedule else { return Warm::Count(base) };
    let path = path.join("schedule");
    let entries = raw.into_iter().enumerate();
    let entries =
        entries.filter_map(|(index, raw)| entry(raw, &path.join(&index.to_string()), context));
    Warm::Scheduled(Schedule { base, entries: entries.collect() })
}

fn by_arch(map: &RawWarmMap) -> BTreeMap<Arch, u32> {
    let counts = [
        (Arch::Amd64, map.amd64),
        (Arch::Arm64, map.arm64),
        (Arch::Armv7, map.arm_v7.or(map.armv7)),
        (Arch::Riscv64, map.riscv64),
        (Arch::S390x, map.s390x),
        (Arch::Ppc64le, map.ppc64le),
    ];
    counts.into_iter().filter_map(|(arch, count)| Some((arch, count?))).collect()
}

/// What the schema requires is there, or was reported already.
fn entry(raw: RawScheduled, path: &Path, context: &mut Context<'_>) -> Option<Scheduled> {
    let is_empty = raw.from.is_some() && raw.from == raw.to;
    let days = match raw.days {
        None => Some(Days::DAILY),
        days => context.read(&path.join("days"), days, values::days),
    };
    let from = context.read(&path.join("from"), raw.from, values::time);
    let to = context.read(&path.join("to"), raw.to, values::end_time);
    let timezone = context.read(&path.join("timezone"), raw.timezone, values::timezone);
    if is_empty && from.is_some() && to.is_some() {
        let message = "`from` and `to` are the same time";
        let finding = Finding::error(Code::Conflict, message)
            .hint("a whole day is `from: \"00:00\", to: \"24:00\"`");
        context.add(&path.join("to"), finding);
    }
    Some(Scheduled { days: days?, from: from?, to: to?, timezone: timezone?, warm: raw.warm? })
}
