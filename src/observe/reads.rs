//! The reads of hosts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::read::{PATIENCE_ONCE, Read, one_over};
use super::{Ports, host};
use crate::clock::Clock;
use crate::engine::EngineError;
use crate::spec::{HostName, Spec};
use crate::world::{Host, HostState};

/// How long a look waits for what it asks of a host: an engine that is well answers all of it in a
/// fraction of that, also by way of ssh.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The reads that go on, by host.
#[derive(Debug, Default)]
pub(super) struct Reads {
    by_host: BTreeMap<HostName, Read<Result<HostState, EngineError>>>,
    looks_once: bool,
}

/// What came of a read.
pub(super) enum Answer {
    /// The host was read as it was at that time or later.
    Over(Timestamp, Result<Box<HostState>, EngineError>),
    /// It goes on, as these words say.
    Waits(String),
}

impl Reads {
    /// Reads each host, and waits for none longer than it may take. An answer is told once: the next
    /// look reads anew.
    pub(super) async fn take(
        &mut self,
        ports: &Ports,
        spec: &Arc<Spec>,
        before: &BTreeMap<HostName, Host>,
        clock: &Clock,
    ) -> Vec<(HostName, Answer)> {
        self.by_host.retain(|name, _| ports.engines.contains_key(name));
        for (name, engine) in &ports.engines {
            self.by_host.entry(name.clone()).or_insert_with(|| {
                let last = before.get(name).and_then(|host| host.state.last()).cloned();
                let (engine, spec, name) = (Arc::clone(engine), Arc::clone(spec), name.clone());
                Read::begin(clock.now(), async move {
                    host::look(engine.as_ref(), &spec, &name, last.as_ref()).await
                })
            });
        }
        let patience = if self.looks_once { PATIENCE_ONCE } else { PATIENCE };
        let reads = self.by_host.iter_mut().map(|(name, read)| async move {
            let answer = match read.within(clock, patience).await {
                Some(answer) => Answer::Over(read.began(), answer.map(Box::new)),
                None => Answer::Waits(read.words(clock.now())),
            };
            (name.clone(), answer)
        });
        let answers = join_all(reads).await;
        for (name, answer) in &answers {
            if matches!(answer, Answer::Over(..)) {
                self.by_host.remove(name);
            }
        }
        answers
    }

    /// Goes on with the reads until one is over, which the next look takes; for ever where none goes
    /// on. An answer that nobody takes in is given up by its engine's adapter.
    pub(super) async fn one_over(&mut self) {
        one_over(self.by_host.values_mut()).await;
    }

    /// Who looks waits for each answer: there is no next look.
    pub(super) fn look_once(&mut self) {
        self.looks_once = true;
    }

    /// Since when that host is being read, if a read goes on.
    pub(super) fn began(&self, host: &HostName) -> Option<Timestamp> {
        self.by_host.get(host).map(Read::began)
    }

    /// The hosts are reached in another way.
    pub(super) fn forget(&mut self) {
        self.by_host.clear();
    }
}
