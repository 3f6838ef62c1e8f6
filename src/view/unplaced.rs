//! Managers that GitLab knows and no declared host accounts for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AsOf;
use crate::spec::PoolName;

/// A manager at GitLab that no declared host accounts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnplacedOutput {
    /// The pool whose record it uses.
    pub pool: String,
    /// The architecture of that record.
    pub arch: String,
    /// The record.
    pub record: u64,
    /// Its name at GitLab.
    pub system_id: String,
    /// Where it polls from, where GitLab told.
    pub address: Option<String>,
    /// gitlab-runner's version, where GitLab told.
    pub version: Option<String>,
    /// How long ago its last contact was, where GitLab told.
    pub contact: Option<String>,
    /// It counts against `max`.
    pub counted: bool,
    /// Who that may be.
    pub why: String,
}

impl AsOf<'_> {
    /// All of them, those of each record together.
    pub(crate) fn unplaced(&self) -> Vec<UnplacedOutput> {
        let world = &self.world;
        let records = world.records.known().map(Vec::as_slice).unwrap_or_default();
        let all_seen = world.all_hosts_known();
        let unplaced = world.unplaced_managers(records).into_iter().map(|(record, row)| {
            let counted = world.counts_unseen(row);
            let why = match (counted, all_seen) {
                (true, _) => "on no host that is seen, so counted against `max`",
                (false, false) => "on no host that is seen; too long without contact to count",
                (false, true) => {
                    "on no declared host, so not counted against `max`; somebody else uses the \
                     token, or the runner image makes its own system ids (before 18)"
                }
            };
            let caller = row.caller.clone().unwrap_or_default();
            UnplacedOutput {
                pool: record.variant.pool.to_string(),
                arch: record.variant.arch.to_string(),
                record: record.id.0,
                system_id: row.system_id.to_string(),
                address: caller.address,
                version: caller.version,
                contact: row.contacted_at.map(|at| self.lasting(at)),
                counted,
                why: why.to_owned(),
            }
        });
        unplaced.collect()
    }

    /// Those of one pool.
    pub(crate) fn unplaced_of(&self, pool: &PoolName) -> Vec<UnplacedOutput> {
        let mut unplaced = self.unplaced();
        unplaced.retain(|one| one.pool == pool.as_str());
        unplaced
    }
}
