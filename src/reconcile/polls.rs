//! A runner that was asked to exit sits in a long poll of up to 50 s, unless its poll is ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::observe::Ports;
use crate::world::{Memory, Origin, Phase, RecordId, World};

/// The calls that end polls. Nobody waits for one.
#[derive(Debug, Default)]
pub(super) struct Polls(JoinSet<()>);

impl Polls {
    /// Ends the polls of runners without a job that were asked to exit, as GitLab's adapter sees fit.
    /// Not of an operator's own record, which is never touched.
    pub(super) fn end(&mut self, ports: &Ports, world: &World, memory: &Memory) {
        while self.0.try_join_next().is_some() {}
        for (record, since) in asked_to_exit(world, memory) {
            let gitlab = Arc::clone(&ports.gitlab);
            self.0.spawn(async move {
                if let Err(error) = gitlab.end_polls(record, since).await {
                    tracing::debug!(%record, %error, "its runners' polls were not ended, so they exit later");
                }
            });
        }
    }
}

/// The records of ours with a runner that has no job and was asked to exit, and when the last was.
fn asked_to_exit(world: &World, memory: &Memory) -> BTreeMap<RecordId, Timestamp> {
    let records = world.records.known().into_iter().flatten();
    let ours = records.filter(|record| record.origin == Origin::Ours).map(|record| record.id);
    let ours: Vec<RecordId> = ours.collect();
    let mut asked = BTreeMap::new();
    for view in world.runners() {
        let idle = matches!(view.phase, Phase::Idle { .. } | Phase::Draining { busy: false, .. });
        let since = memory.runners.get(&view.runner.id).and_then(|it| it.draining);
        let since = since.filter(|_| idle);
        if let Some(since) = since.filter(|_| ours.contains(&view.runner.record)) {
            let latest = asked.entry(view.runner.record).or_insert(since);
            *latest = since.max(*latest);
        }
    }
    asked
}
