//! What waiting jobs wait for, put together by pool and reason: the same words wherever they are
//! shown.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AsOf;
use super::queue::Waiting;
use crate::spec::PoolName;

/// Jobs that wait for the same.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HeldCountOutput {
    /// How many jobs wait for it.
    pub jobs: usize,
    /// Why, as one word.
    pub reason: Cow<'static, str>,
    /// Why, in words: those of the oldest job.
    pub why: String,
    /// How long the oldest waits.
    pub oldest: String,
}

/// Jobs of one pool that wait for the same.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HeldGroupOutput {
    /// The pool that they wait for; none where no pool fits.
    pub pool: Option<String>,
    /// What they wait for.
    #[serde(flatten)]
    pub held: HeldCountOutput,
}

impl AsOf<'_> {
    /// What waiting jobs wait for, the pools in the spec's order, then jobs that no pool takes; of
    /// each the reason with most jobs first.
    pub(crate) fn held_groups(&self) -> Vec<HeldGroupOutput> {
        let offers = self.world.offers();
        let pools = self.world.spec.pools.iter();
        let order: BTreeMap<&PoolName, usize> =
            pools.enumerate().map(|(index, pool)| (&pool.name, index)).collect();
        let mut groups: BTreeMap<(usize, &str), HeldGroupOutput> = BTreeMap::new();
        for Waiting { job, offer, hold } in self.waiting(&offers) {
            let Some(hold) = hold else { continue };
            let pool = offer.map(|offer| &offer.pool.name);
            let index = pool.and_then(|pool| order.get(pool).copied()).unwrap_or(usize::MAX);
            let first = || HeldGroupOutput {
                pool: pool.map(ToString::to_string),
                held: HeldCountOutput {
                    jobs: 0,
                    reason: hold.as_str().into(),
                    why: hold.later(self.view_age()).to_string(),
                    oldest: self.lasting(job.queued_at),
                },
            };
            groups.entry((index, hold.as_str())).or_insert_with(first).held.jobs += 1;
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|((index, _), group)| (*index, std::cmp::Reverse(group.held.jobs)));
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// What the pool's jobs wait for.
    pub(crate) fn held_of(&self, pool: &PoolName) -> Vec<HeldCountOutput> {
        let groups = self.held_groups().into_iter();
        let of_pool = groups.filter(|group| group.pool.as_deref() == Some(pool.as_str()));
        of_pool.map(|group| group.held).collect()
    }
}
