//! Which engine answers for which host. One engine is one host: under two names its runners would be
//! counted twice, and each name's would pass for the other's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::reads::Answer;
use crate::spec::{HostName, Spec};
use crate::world::{EngineId, Host};

/// Which engine answers for which host, now or when it was last seen.
#[derive(Debug)]
pub(super) struct Engines {
    declared: BTreeSet<HostName>,
    of: BTreeMap<HostName, EngineId>,
    /// The declared host that an engine is, the first by name.
    first: BTreeMap<EngineId, HostName>,
}

impl Engines {
    pub(super) fn of(
        spec: &Spec,
        before: &BTreeMap<HostName, Host>,
        answers: &[(HostName, Answer)],
    ) -> Self {
        let mut of: BTreeMap<HostName, EngineId> = BTreeMap::new();
        for (name, answer) in answers {
            let last = before.get(name).and_then(|host| host.engine());
            let engine = match answer {
                Answer::Over(_, Ok(state)) => Some(&state.engine),
                Answer::Over(_, Err(_)) | Answer::Waits(_) => last,
            };
            of.extend(engine.map(|engine| (name.clone(), engine.id.clone())));
        }
        let declared: BTreeSet<HostName> = spec.hosts.keys().cloned().collect();
        let mut first = BTreeMap::new();
        for (name, id) in of.iter().filter(|(name, _)| declared.contains(*name)) {
            first.entry(id.clone()).or_insert_with(|| name.clone());
        }
        Self { declared, of, first }
    }

    /// Why nothing is taken from that host: its engine is another declared host's.
    pub(super) fn of_another(&self, name: &HostName) -> Option<Arc<str>> {
        let first = self.first.get(self.of.get(name)?)?;
        let declared = self.declared.contains(name);
        (declared && first != name).then(|| {
            format!(
                "it is the same engine as host `{first}`, and counts as that one\n\
                 hint: remove one of the two, or correct its `docker`"
            )
            .into()
        })
    }

    /// A host that the spec does not have any more is looked at once it is known to be none of those
    /// that it has: a host that was renamed would else be drained.
    pub(super) fn may_be_looked_at(&self, name: &HostName, host: &Host) -> bool {
        if self.declared.contains(name) {
            return true;
        }
        let all_seen = self.declared.iter().all(|name| self.of.contains_key(name));
        let id = host.engine().map(|engine| &engine.id);
        all_seen && id.is_some_and(|id| !self.first.contains_key(id))
    }
}
