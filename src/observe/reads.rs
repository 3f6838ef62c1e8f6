//! Reads of hosts that take long go on over several looks, so that a host that hangs costs its own
//! part of them only.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use jiff::Timestamp;

use super::{Ports, host};
use crate::clock::Clock;
use crate::engine::EngineError;
use crate::spec::{HostName, Spec};
use crate::world::{Host, HostState};

/// How long a look waits for a host: an engine that is well answers all of it in a fraction of that,
/// also by way of ssh.
const PATIENCE: Duration = Duration::from_secs(5);

/// The reads that go on, by host.
#[derive(Default)]
pub(super) struct Reads(BTreeMap<HostName, Read>);

struct Read {
    began: Timestamp,
    answer: BoxFuture<'static, Result<HostState, EngineError>>,
}

/// What came of a read.
pub(super) enum Answer {
    /// The host was read as it was at that time or later.
    Over(Timestamp, Result<Box<HostState>, EngineError>),
    /// It goes on, since then.
    Waits(Timestamp),
}

impl fmt::Debug for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
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
        self.0.retain(|name, _| ports.engines.contains_key(name));
        for (name, engine) in &ports.engines {
            self.0.entry(name.clone()).or_insert_with(|| {
                let (engine, spec) = (Arc::clone(engine), Arc::clone(spec));
                let last = before.get(name).and_then(|host| host.state.last()).cloned();
                let answer = async move { host::look(engine.as_ref(), &spec, last.as_ref()).await };
                Read { began: clock.now(), answer: answer.boxed() }
            });
        }
        let reads = self.0.iter_mut().map(|(name, read)| async move {
            tokio::select! {
                biased;
                answer = &mut read.answer => (name.clone(), Answer::Over(read.began, answer.map(Box::new))),
                () = clock.sleep(PATIENCE) => (name.clone(), Answer::Waits(read.began)),
            }
        });
        let answers = join_all(reads).await;
        for (name, answer) in &answers {
            if matches!(answer, Answer::Over(..)) {
                self.0.remove(name);
            }
        }
        answers
    }

    /// Since when that host is being read, if a read goes on.
    pub(super) fn began(&self, host: &HostName) -> Option<Timestamp> {
        self.0.get(host).map(|read| read.began)
    }

    /// The hosts are reached in another way.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
