//! A runner that was asked to exit sits in a long poll of up to 50 s, unless its poll is ended.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::Timestamp;

use crate::observe::Ports;
use crate::world::{Memory, Origin, Phase, RecordId, World, phases};

/// Ends the polls of runners without a job that were asked to exit, as GitLab's adapter sees fit.
/// Not of an operator's own record, which is never touched.
pub(super) async fn end(ports: &Ports, world: &World, memory: &Memory) {
    let calls = asked_to_exit(world, memory).into_iter().map(|(record, since)| async move {
        if let Err(error) = ports.gitlab.end_polls(record, since).await {
            tracing::debug!(%record, %error, "its runners' polls were not ended, so they exit later");
        }
    });
    join_all(calls).await;
}

/// The records of ours with a runner that has no job and was asked to exit, and when the last was.
fn asked_to_exit(world: &World, memory: &Memory) -> BTreeMap<RecordId, Timestamp> {
    let records = world.records.known().into_iter().flatten();
    let ours = records.filter(|record| record.origin == Origin::Ours).map(|record| record.id);
    let ours: Vec<RecordId> = ours.collect();
    let mut asked = BTreeMap::new();
    for view in phases(world) {
        let idle = matches!(view.phase, Phase::Idle { .. } | Phase::Draining { busy: false, .. });
        let since = memory.draining.get(&view.runner.id).filter(|_| idle);
        if let Some(&since) = since.filter(|_| ours.contains(&view.runner.record)) {
            let latest = asked.entry(view.runner.record).or_insert(since);
            *latest = since.max(*latest);
        }
    }
    asked
}
