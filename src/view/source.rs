//! How each source stands: what could be read, how old it is, and what could not be.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AsOf, View, words};
use crate::world::{Observed, Origin};

/// The name of GitLab among the sources; every other one is a host.
const GITLAB: &str = "gitlab";

/// A source as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum SourceOutput {
    /// It could be read.
    Known {
        /// How old that reading is.
        age: String,
        /// When it was made, in UTC.
        at: String,
        /// Requests that this look sent to it; counted for GitLab only.
        #[serde(skip_serializing_if = "Option::is_none")]
        requests: Option<u64>,
        /// What of it could not be read, while the rest is known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        set_aside: Vec<String>,
    },
    /// It could not be read.
    Unknown {
        /// For how long.
        age: String,
        /// Since when, in UTC.
        since: String,
        /// Why it could not be read.
        error: String,
    },
}

impl SourceOutput {
    /// Whether it could be read.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known { .. })
    }

    /// The names of those that could not be read.
    pub fn unknown(sources: &BTreeMap<String, Self>) -> Vec<&str> {
        let unknown = sources.iter().filter(|(_, source)| !source.is_known());
        unknown.map(|(name, _)| name.as_str()).collect()
    }
}

/// One reading: when it was made, or since when and why there is none.
type Reading = Result<Timestamp, (Timestamp, String)>;

impl AsOf<'_> {
    /// All sources by name. A host that is called `gitlab` stands as `host gitlab`.
    pub fn sources(&self) -> BTreeMap<String, SourceOutput> {
        let outputs = self.readings().map(|(name, reading)| {
            let gitlab = name == GITLAB;
            let requests = gitlab.then_some(self.requests);
            let set_aside = if gitlab { self.set_aside() } else { Vec::new() };
            (name, self.output(reading, requests, set_aside))
        });
        outputs.collect()
    }

    fn output(
        &self,
        reading: Reading,
        requests: Option<u64>,
        set_aside: Vec<String>,
    ) -> SourceOutput {
        match reading {
            Ok(at) => {
                let age = self.age(at);
                SourceOutput::Known { age, at: words::instant(at), requests, set_aside }
            }
            Err((since, error)) => {
                let age = self.age(since);
                SourceOutput::Unknown { age, since: words::instant(since), error }
            }
        }
    }
}

impl View {
    fn readings(&self) -> impl Iterator<Item = (String, Reading)> {
        let hosts = self.world.hosts.iter().map(|(name, host)| {
            let name = name.as_str();
            let name = if name == GITLAB { format!("host {name}") } else { name.to_owned() };
            (name, reading(&host.state, ""))
        });
        std::iter::once((GITLAB.to_owned(), self.gitlab())).chain(hosts)
    }

    /// When each source was read, or since when it cannot be.
    pub(crate) fn source_times(&self) -> BTreeMap<String, Timestamp> {
        let time = |reading: Reading| reading.unwrap_or_else(|(since, _)| since);
        self.readings().map(|(name, reading)| (name, time(reading))).collect()
    }

    /// The names of the sources that could not be read.
    pub fn unknown_sources(&self) -> Vec<String> {
        let mut unknown: Vec<String> =
            self.readings().filter(|(_, reading)| reading.is_err()).map(|(name, _)| name).collect();
        unknown.sort();
        unknown
    }

    /// The queue, the records and their managers count as one source: each is a question to the
    /// same server, and one without an answer makes the plan incomplete. The managers of an
    /// operator's own token are not asked for.
    fn gitlab(&self) -> Reading {
        let records = self.world.records.known().map(Vec::as_slice).unwrap_or_default();
        let ours = records.iter().filter(|record| record.origin == Origin::Ours);
        let managers = ours
            .map(|record| reading(&record.managers, &format!("runners of record {}: ", record.id)));
        let queue = reading(&self.world.queue, "");
        let records = reading(&self.world.records, "records: ");
        let mut oldest = Timestamp::MAX;
        for reading in [queue, records].into_iter().chain(managers) {
            oldest = oldest.min(reading?);
        }
        Ok(oldest)
    }

    /// What of the queue and of the records could not be read, in words.
    fn set_aside(&self) -> Vec<String> {
        let queue = self.world.queue.known().into_iter().flat_map(|queue| &queue.set_aside);
        let records = self.world.records.known().into_iter().flatten().filter_map(|record| {
            Some(format!("record {}: {}", record.id, record.unseen.as_ref()?))
        });
        queue.map(ToString::to_string).chain(records).collect()
    }
}

fn reading<T>(observed: &Observed<T>, what: &str) -> Reading {
    match observed {
        Observed::Known { at, .. } => Ok(*at),
        Observed::Unknown { since, error, .. } => Err((*since, format!("{what}{error}"))),
    }
}
