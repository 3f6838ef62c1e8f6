//! Spans that begin in one tick and end in another: a job's wait, a runner's start.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::gauges::pool_of;
use crate::apply::{Effect, Outcome};
use crate::plan::Action;
use crate::view::View;
use crate::world::{JobId, Phase, RunnerView, WorkloadId, World};

/// How long a job that is pending no more is waited for on a runner: its runner's log is read at
/// the next look, and a host that cannot be seen may be back by then. Jobs that others took or that
/// were cancelled are forgotten after it.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// How long a runner's start is followed: beyond the longest startup timeout that makes sense.
const START_MAX: SignedDuration = SignedDuration::from_hours(1);

/// A job that was pending when it was last seen.
#[derive(Debug)]
struct Wait {
    since: Timestamp,
    last_seen: Timestamp,
}

/// A runner that was started and has made no contact yet.
#[derive(Debug)]
struct Start {
    decided_at: Timestamp,
    pool: String,
}

/// What has begun. Bounded by the queue as it is read, and by the starts of an hour.
#[derive(Debug, Default)]
pub(super) struct Spans {
    waits: BTreeMap<JobId, Wait>,
    starts: BTreeMap<WorkloadId, Start>,
}

impl Spans {
    /// The waits that ended, with the pool that ended them.
    pub(super) fn waits(&mut self, view: &View) -> Vec<(String, f64)> {
        let world = &view.world;
        let mut ended = Vec::new();
        for runner in world.runners() {
            let Phase::Busy { job: Some(job) } = runner.phase else { continue };
            if let Some(wait) = self.waits.remove(&job) {
                let secs = picked_up(&runner, job, world.now).duration_since(wait.since);
                ended.push((pool_of(view, runner.runner), secs.as_secs_f64().max(0.0)));
            }
        }
        for job in world.queue.known().into_iter().flat_map(|queue| &queue.jobs) {
            self.waits.insert(job.id, Wait { since: job.queued_at, last_seen: world.now });
        }
        self.waits.retain(|_, wait| world.now.duration_since(wait.last_seen) < SEEN_WITHIN);
        ended
    }

    /// The starts that ended with a contact, with their pool; and those that begin with this tick.
    pub(super) fn starts(&mut self, view: &View, outcomes: &[Outcome]) -> Vec<(String, f64)> {
        let world = &view.world;
        let mut ended = Vec::new();
        for runner in world.runners() {
            if matches!(runner.phase, Phase::Idle { .. } | Phase::Busy { .. })
                && let Some(start) = self.starts.remove(&runner.runner.id)
            {
                let secs = contact(world, &runner).duration_since(start.decided_at);
                ended.push((start.pool, secs.as_secs_f64().max(0.0)));
            }
        }
        for outcome in outcomes {
            if let (Action::Start { variant, .. }, Ok(Effect::Started(id))) =
                (&outcome.decision.action, &outcome.result)
            {
                let start = Start { decided_at: world.now, pool: variant.pool.to_string() };
                self.starts.insert(id.clone(), start);
            }
        }
        self.starts.retain(|_, start| world.now.duration_since(start.decided_at) < START_MAX);
        ended
    }
}

/// When the runner took the job, by its log; else now, which is at most one look late.
fn picked_up(runner: &RunnerView<'_>, job: JobId, now: Timestamp) -> Timestamp {
    let received = runner.runner.log.as_ref().and_then(|log| log.received);
    received.filter(|(of, _)| *of == job).map_or(now, |(_, at)| at)
}

/// When the runner is first known to have been in contact: GitLab tells its last contact, which is
/// closer to the first than the look that sees it.
fn contact(world: &World, runner: &RunnerView<'_>) -> Timestamp {
    let records = world.records.known().map(Vec::as_slice).unwrap_or_default();
    let record = records.iter().find(|record| record.id == runner.runner.record);
    let rows = record.and_then(|record| record.managers.known()).into_iter().flatten();
    let mut own = rows.filter(|row| row.system_id == runner.runner.system_id);
    own.next().and_then(|row| row.contacted_at).map_or(world.now, |at| at.min(world.now))
}
