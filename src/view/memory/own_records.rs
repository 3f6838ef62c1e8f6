//! What a running AutoGit knows of the records under its mark, lent to a look beside it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RecordIdOutput;
use crate::spec::{Arch, PoolName};
use crate::world::{Made, OwnRecords, RecordId, Variant};

/// When something was so, by record.
type Times = BTreeMap<RecordIdOutput, String>;

/// What it knows of the records under its mark; times in UTC.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OwnRecordsOutput {
    /// When it began.
    pub began: Option<String>,
    /// The newest record at its first look.
    pub newest_before: Option<RecordIdOutput>,
    /// Those that it made.
    pub made: Times,
    /// Those of which it does not know what became.
    pub unanswered: Vec<AskedOutput>,
    /// Those that it did not make, since it sees them.
    pub seen: Times,
    /// Those that somebody else made meanwhile.
    pub appeared: Times,
    /// Those that it made and somebody else deleted.
    pub vanished: Times,
}

/// A record that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AskedOutput {
    /// Its pool.
    pub pool: String,
    /// Its architecture.
    pub arch: String,
    /// When it was asked for.
    pub at: String,
}

impl OwnRecordsOutput {
    pub(super) fn of(own: &OwnRecords) -> Self {
        let times = |times: &BTreeMap<RecordId, Timestamp>| {
            times.iter().map(|(id, at)| ((*id).into(), at.to_string())).collect()
        };
        let unanswered = own.unanswered.iter().flat_map(|(variant, times)| {
            times.iter().map(|at| AskedOutput {
                pool: variant.pool.to_string(),
                arch: variant.arch.to_string(),
                at: at.to_string(),
            })
        });
        Self {
            began: own.began.map(|at| at.to_string()),
            newest_before: own.newest_before.map(Into::into),
            made: own.made.iter().map(|(id, made)| ((*id).into(), made.at.to_string())).collect(),
            unanswered: unanswered.collect(),
            seen: times(&own.seen),
            appeared: times(&own.appeared),
            vanished: times(&own.vanished),
        }
    }

    pub(super) fn own_records(&self) -> OwnRecords {
        let times = |times: &Times| -> BTreeMap<RecordId, Timestamp> {
            times.iter().filter_map(|(id, at)| Some(((*id).into(), at.parse().ok()?))).collect()
        };
        let mut unanswered: BTreeMap<Variant, Vec<Timestamp>> = BTreeMap::new();
        for asked in &self.unanswered {
            if let Some((variant, at)) = asked.asked() {
                unanswered.entry(variant).or_default().push(at);
            }
        }
        let made = times(&self.made).into_iter();
        OwnRecords {
            began: self.began.as_deref().and_then(|at| at.parse().ok()),
            newest_before: self.newest_before.map(Into::into),
            made: made.map(|(id, at)| (id, Made { at, shown: true })).collect(),
            unanswered,
            seen: times(&self.seen),
            appeared: times(&self.appeared),
            vanished: times(&self.vanished),
        }
    }
}

impl AskedOutput {
    fn asked(&self) -> Option<(Variant, Timestamp)> {
        let variant = Variant::new(&PoolName::new(&self.pool).ok()?, Arch::parse(&self.arch)?);
        Some((variant, self.at.parse().ok()?))
    }
}
