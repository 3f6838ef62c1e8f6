//! `reap-exited`, where a person removed a runner's container while it had a job: the job is lost
//! like any other whose runner died, and no container is left to tell of it.

use super::draft::Draft;
use super::reap::{keeps_cache, retries};
use super::{Action, Facts, LostJob, Rule};
use crate::world::{AtWork, GONE_FOR, World};

pub(super) fn reap_vanished(draft: &mut Draft<'_>) {
    let world = draft.world();
    let is_seen = |work: &&AtWork| {
        world.hosts.get(&work.host).is_some_and(|host| host.state.known().is_some())
    };
    for work in world.memory.at_work().filter(is_seen) {
        let Some(since) = work.gone_since else { continue };
        let ago = world.now.duration_since(since);
        if ago >= GONE_FOR && world.reaping_waits(&work.runner.id).is_none() {
            draft.decide(reap(world, work), Rule::ReapExited, Facts::Vanished { ago });
        }
    }
}

fn reap(world: &World, work: &AtWork) -> Action {
    Action::Reap {
        host: work.host.clone(),
        runner: Box::new(work.runner.clone()),
        discard_cache: !keeps_cache(world, &work.runner),
        lost_job: Some(LostJob {
            id: work.job,
            url: work.url.clone(),
            project: work.project,
            lost_at: work.gone_since,
            retry: retries(world, &work.runner),
        }),
    }
}
