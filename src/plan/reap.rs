//! `reap-exited`, `remove-unstarted`: what ended, or never ran, is cleaned up after.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::draft::Draft;
use super::{Action, Facts, LostJob, Rule};
use crate::spec::{Cache, LostJobs};
use crate::world::{
    Cause, ContainerState, JobContainer, Phase, Runner, RunnerView, SystemId, World, early_end,
};

pub(super) fn reap_exited(draft: &mut Draft<'_>) {
    let world = draft.world();
    let jobs = jobs_by_runner(world);
    let mut reaps = Vec::new();
    for (_, view) in draft.undecided() {
        let (rule, facts, lost_job) = match view.phase {
            Phase::Created if world.is_about_to_start(view.host, view.runner) => continue,
            Phase::Created => (Rule::RemoveUnstarted, Facts::Unstarted, None),
            Phase::Exited { code, at } => {
                let oom_killed =
                    matches!(view.runner.state, ContainerState::Exited { oom_killed: true, .. });
                let ago = world.now.duration_since(at);
                let retry = retries(world, view.runner);
                let left = jobs.get(&view.runner.system_id).map(Vec::as_slice).unwrap_or_default();
                (
                    Rule::ReapExited,
                    Facts::Exited { code, ago, oom_killed },
                    lost_job(view.runner, (code, at), left, retry),
                )
            }
            Phase::Starting { .. }
            | Phase::Idle { .. }
            | Phase::Busy { .. }
            | Phase::Draining { .. }
            | Phase::Failed { .. } => continue,
        };
        reaps.push((reap(world, view, lost_job), rule, facts, view.runner));
    }
    for (action, rule, facts, runner) in reaps {
        if let Some(error) = early_end(runner) {
            draft.back_off(&runner.variant, Cause::Runner, error);
        }
        // What was tried again and again is tried ever more rarely.
        if world.reaping_waits(&runner.id).is_none() {
            draft.decide_on(runner, action, rule, facts);
        }
    }
}

fn reap(world: &World, view: &RunnerView<'_>, lost_job: Option<LostJob>) -> Action {
    Action::Reap {
        host: view.host.clone(),
        runner: Box::new(view.runner.clone()),
        discard_cache: !keeps_cache(world, view.runner),
        lost_job,
    }
}

/// A slot above those of its pool is not filled again, so its cache is of no use.
pub(super) fn keeps_cache(world: &World, runner: &Runner) -> bool {
    let pool = world.spec.pool(&runner.variant.pool);
    pool.is_some_and(|pool| pool.cache == Cache::Keep && runner.slot.0 < pool.slots())
}

/// Jobs that the runner loses are queued again.
pub(super) fn retries(world: &World, runner: &Runner) -> bool {
    let pool = world.spec.pool(&runner.variant.pool);
    pool.is_some_and(|pool| pool.lost_jobs == LostJobs::Retry)
}

fn jobs_by_runner(world: &World) -> BTreeMap<&SystemId, Vec<&JobContainer>> {
    let mut jobs: BTreeMap<&SystemId, Vec<&JobContainer>> = BTreeMap::new();
    let states = world.hosts.values().filter_map(|host| host.state.known());
    for container in states.flat_map(|state| &state.jobs.containers) {
        jobs.entry(&container.system_id).or_default().push(container);
    }
    jobs
}

/// The job that a runner left unfinished: its containers tell, else its log, where it did not
/// end by itself (some ways for a job to end leave no line).
fn lost_job(
    runner: &Runner,
    (code, at): (i64, Timestamp),
    left: &[&JobContainer],
    retry: bool,
) -> Option<LostJob> {
    // Containers come in no order; of several jobs the youngest is the one that was running.
    let youngest = left.iter().filter_map(|container| Some((container.job?, container)));
    let by_container =
        youngest.max_by_key(|(id, container)| (*id, &container.id)).map(|(id, container)| {
            LostJob {
                id,
                url: container.job_url.clone(),
                project: container.project,
                lost_at: Some(at),
                retry,
            }
        });
    let by_log = || {
        let log = runner.log.as_ref().filter(|_| code != 0)?;
        let (id, _) = log.unfinished()?;
        Some(LostJob { id, url: None, project: None, lost_at: Some(at), retry })
    };
    by_container.or_else(by_log)
}
