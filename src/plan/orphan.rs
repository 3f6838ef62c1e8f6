//! `drain-orphan`: runners that the spec does not ask for exit. Busy ones are asked as well: they
//! finish their job, and do not take the next one.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, RunnerIndex};
use super::{Facts, Rule};
use crate::spec::{Arch, Pool, PoolName};
use crate::world::{Origin, Phase, RecordId, Runner, RunnerView, Variant, World};

pub(super) fn drain_orphans(draft: &mut Draft<'_>) {
    let declared = Declared::of(draft.world());
    let drains: Vec<(RunnerIndex, bool, &'static str)> = draft
        .undecided()
        .filter_map(|(index, view)| {
            let busy = match view.phase {
                Phase::Busy { .. } => true,
                Phase::Idle { .. } | Phase::Starting { .. } | Phase::Failed { .. } => false,
                Phase::Created | Phase::Draining { .. } | Phase::Exited { .. } => return None,
            };
            Some((index, busy, declared.orphaned(view)?))
        })
        .collect();
    for (index, busy, reason) in drains {
        draft.drain(index, Rule::DrainOrphan, Facts::Orphan { reason, busy });
    }
}

/// What the spec and GitLab account for; what is unknown accounts for everything.
struct Declared<'a> {
    world: &'a World,
    pools: BTreeMap<&'a PoolName, (&'a Pool, Vec<Arch>)>,
    records: Option<BTreeSet<(RecordId, &'a Variant)>>,
    /// Variants whose operator's token GitLab took; the others' was not verified yet.
    given: BTreeSet<&'a Variant>,
}

impl<'a> Declared<'a> {
    fn of(world: &'a World) -> Self {
        let pools =
            world.spec.pools.iter().map(|pool| (&pool.name, (pool, world.architectures(pool))));
        let records = world.records.known();
        let given = records.into_iter().flatten().filter(|row| row.origin == Origin::Given);
        Self {
            world,
            pools: pools.collect(),
            records: records.map(|rows| rows.iter().map(|row| (row.id, &row.variant)).collect()),
            given: given.map(|row| &row.variant).collect(),
        }
    }

    /// Why the spec does not ask for that runner.
    fn orphaned(&self, view: &RunnerView<'_>) -> Option<&'static str> {
        let Runner { variant, record, .. } = view.runner;
        let Some((pool, architectures)) = self.pools.get(&variant.pool) else {
            return Some("its pool is not in the spec any more");
        };
        if !pool.enabled {
            return Some("its pool is disabled");
        }
        let complete = !self.world.may_have_more_architectures(pool);
        if complete && !architectures.is_empty() && !architectures.contains(&variant.arch) {
            return Some("its pool does not ask for this architecture any more");
        }
        if !self.world.spec.hosts.contains_key(view.host) {
            return Some("its host is not in the spec any more");
        }
        if self.world.in_maintenance(view.host) {
            return Some("its host is in maintenance");
        }
        if !self.world.serves(view.host, pool) {
            return Some("its host serves its pool no longer");
        }
        let verified = pool.runner_token.is_none() || self.given.contains(variant);
        // What was made since the records were read is not among them.
        let made_since = view.runner.created_at > self.world.records_told_at();
        let record_gone = !made_since
            && self.records.as_ref().is_some_and(|rows| !rows.contains(&(*record, variant)));
        (verified && record_gone).then_some("its record is gone at GitLab")
    }
}
