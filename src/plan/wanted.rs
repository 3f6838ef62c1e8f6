//! What a new runner of each variant would be made with, so that a runner made with something else
//! is told apart; and who makes way for a new one by itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::spec::{HostName, PoolName};
use crate::world::{HashForm, Runner, RunnerView, SpecHash, WorkloadId, World};

/// How long after its last job a runner that may have no other is expected to be there: it cleans
/// up and exits in seconds.
const ENDS_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// The runners that new ones of their variants would differ from; looked up once, as each
/// comparison reads a whole pool.
#[derive(Default)]
pub(super) struct Wanted {
    differing: BTreeSet<WorkloadId>,
}

impl Wanted {
    pub(super) fn of(world: &World) -> Self {
        let mut hashes: BTreeMap<(&HostName, &PoolName), Option<SpecHash>> = BTreeMap::new();
        let mut differing = BTreeSet::new();
        for (host, state) in &world.hosts {
            for runner in state.state.last().into_iter().flat_map(|state| &state.runners) {
                let Some(pool) = world.spec.pool(&runner.variant.pool) else { continue };
                let as_new = match runner.spec.form() {
                    HashForm::First => world.is_made_as_new(host, runner, pool),
                    HashForm::Keyed => {
                        let new = hashes.entry((host, &pool.name));
                        let new = new.or_insert_with(|| world.spec_hash(host, pool));
                        new.as_ref().is_none_or(|new| *new == runner.spec)
                    }
                };
                if !as_new || is_superseded(world, runner) {
                    differing.insert(runner.id.clone());
                }
            }
        }
        Self { differing }
    }

    /// A new runner of its variant would be another one.
    pub(super) fn differs(&self, runner: &Runner) -> bool {
        self.differing.contains(&runner.id)
    }

    /// It had as many jobs as it may have and exits by itself. One that does not, or that was made
    /// with another number of jobs, is a runner like any other.
    pub(super) fn is_ending(&self, world: &World, runner: &Runner) -> bool {
        let log = runner.log.as_ref().filter(|log| !log.works);
        let ended = log.and_then(|log| log.ended);
        let pool = world.spec.pool(&runner.variant.pool);
        ended.is_some_and(|at| world.now.duration_since(at) < ENDS_WITHIN)
            && pool.is_some_and(|pool| runner.is_used_up(pool))
            && !self.differs(runner)
    }
}

/// A new runner of its variant would be another one.
pub fn is_changed(world: &World, view: &RunnerView<'_>) -> bool {
    let runner = view.runner;
    let Some(pool) = world.spec.pool(&runner.variant.pool) else { return false };
    !world.is_made_as_new(view.host, runner, pool) || is_superseded(world, runner)
}

/// Another record has taken over its variant.
fn is_superseded(world: &World, runner: &Runner) -> bool {
    let pool = world.spec.pool(&runner.variant.pool);
    let current = pool.and_then(|pool| world.current_record(&runner.variant, pool));
    current.is_some_and(|record| record.id != runner.record)
}
