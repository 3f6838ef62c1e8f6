//! What a new runner of each variant would be made with, so that a runner made with something else
//! is told apart.

use std::collections::BTreeMap;

use crate::spec::PoolName;
use crate::world::{RecordId, Runner, RunnerView, SpecHash, Variant, World, spec_hash};

/// What new runners would be made with; looked up once, as each hash reads a whole pool.
pub(super) struct Wanted<'a> {
    hashes: BTreeMap<&'a PoolName, SpecHash>,
    records: BTreeMap<Variant, RecordId>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(world: &'a World) -> Self {
        let pools = world.spec.pools.iter();
        let hashes = pools.map(|pool| (&pool.name, spec_hash(&world.spec, pool))).collect();
        let records = world.variants().into_iter().filter_map(|(variant, pool)| {
            let record = world.current_record(&variant, pool)?.id;
            Some((variant, record))
        });
        Self { hashes, records: records.collect() }
    }

    /// A new runner of its variant would be another one.
    pub(super) fn differs(&self, runner: &Runner) -> bool {
        let superseded =
            self.records.get(&runner.variant).is_some_and(|record| *record != runner.record);
        let changed =
            self.hashes.get(&runner.variant.pool).is_some_and(|hash| *hash != runner.spec);
        superseded || changed
    }
}

/// A new runner of its variant would be another one.
pub(crate) fn is_changed(world: &World, view: &RunnerView<'_>) -> bool {
    let runner = view.runner;
    let Some(pool) = world.spec.pool(&runner.variant.pool) else { return false };
    let current = world.current_record(&runner.variant, pool);
    let superseded = current.is_some_and(|record| record.id != runner.record);
    superseded || spec_hash(&world.spec, pool) != runner.spec
}
