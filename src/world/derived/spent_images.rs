//! Marks of images that are not kept ready any more. Pure: one look proposes, and only what two looks
//! in a row propose goes.

use std::collections::BTreeSet;

use super::phase::phases;
use crate::spec::HostName;
use crate::world::{HostState, Leftover, Look, Phase, RunnerView};

/// Marks that are of no use, on hosts where no job runs: between two containers of its own, a job of
/// gitlab-runner counts on an image that no container has.
pub(super) fn spent_images(look: &Look) -> BTreeSet<Leftover> {
    let mut spent = BTreeSet::new();
    for (name, host) in &look.hosts {
        let Some(state) = host.state.known() else { continue };
        let marks = state.kept_images.iter().flatten();
        let marks = marks.filter(|mark| look.is_spent(name, state, mark));
        spent.extend(marks.map(|mark| Leftover::KeptImage(name.clone(), mark.clone())));
    }
    if !spent.is_empty() {
        let views = phases(look);
        spent.retain(|leftover| !leftover.host().is_some_and(|on| may_work(look, on, &views)));
    }
    spent
}

/// A job may run on the host, or begin just now.
fn may_work(look: &Look, name: &HostName, views: &[RunnerView<'_>]) -> bool {
    let state = look.hosts.get(name).and_then(|host| host.state.known());
    let is_seen_at_work = |state: &HostState| {
        !state.aside.is_empty() || state.jobs.containers.iter().any(|container| container.running)
    };
    state.is_none_or(is_seen_at_work)
        || views.iter().any(|view| view.host == name && may_be_busy(view.phase))
        || look.starts_under_way().any(|start| start.host == name)
}

fn may_be_busy(phase: Phase) -> bool {
    match phase {
        Phase::Starting { .. }
        | Phase::Busy { .. }
        | Phase::Draining { .. }
        | Phase::Failed { .. } => true,
        Phase::Created | Phase::Idle { .. } | Phase::Exited { .. } => false,
    }
}
