//! `drain-orphan`: runners that the spec does not ask for exit. Busy ones finish their job first.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{Facts, Rule};
use crate::spec::{Arch, Pool, PoolName};
use crate::world::{Phase, RecordId, Runner, Variant};

pub(super) fn drain_orphans(draft: &mut Draft<'_>) {
    let declared = Declared::of(draft);
    let drains: Vec<(usize, &'static str)> = draft
        .undecided()
        .filter(|(_, view)| {
            matches!(view.phase, Phase::Idle { .. } | Phase::Starting { .. } | Phase::Failed { .. })
        })
        .filter_map(|(index, view)| Some((index, declared.orphaned(view.runner)?)))
        .collect();
    for (index, reason) in drains {
        draft.drain(index, Rule::DrainOrphan, Facts::Orphan { reason });
    }
}

/// What the spec and GitLab account for; what is unknown accounts for everything.
struct Declared<'a> {
    pools: BTreeMap<&'a PoolName, (&'a Pool, Vec<Arch>)>,
    records: Option<BTreeSet<(RecordId, &'a Variant)>>,
}

impl<'a> Declared<'a> {
    fn of(draft: &Draft<'a>) -> Self {
        let world = draft.world;
        let pools =
            world.spec.pools.iter().map(|pool| (&pool.name, (pool, world.architectures(pool))));
        let records = world.records.known();
        Self {
            pools: pools.collect(),
            records: records.map(|rows| rows.iter().map(|row| (row.id, &row.variant)).collect()),
        }
    }

    /// Why the spec does not ask for that runner.
    fn orphaned(&self, runner: &Runner) -> Option<&'static str> {
        let Some((pool, architectures)) = self.pools.get(&runner.variant.pool) else {
            return Some("its pool is not in the spec any more");
        };
        if !pool.enabled {
            return Some("its pool is disabled");
        }
        if !architectures.is_empty() && !architectures.contains(&runner.variant.arch) {
            return Some("its pool does not ask for this architecture any more");
        }
        let record_gone = self
            .records
            .as_ref()
            .is_some_and(|rows| !rows.contains(&(runner.record, &runner.variant)));
        record_gone.then_some("its record is gone at GitLab")
    }
}
