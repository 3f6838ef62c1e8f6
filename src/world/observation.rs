//! What a fresh observation means for the memory. Pure: the observer calls it after each look.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    Absence, Cause, ContainerId, ContainerState, HostState, JobId, Memory, Observed, Phase, Runner,
    RunnerView, SystemId, World, busy_alone, idle, leftovers, note_unclaimed, phases, silent,
    unheard,
};
use crate::spec::HostName;

/// Starts that are older do not count against `starts_per_minute`.
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Brings the memory up to the world, and the world's memory up to that.
pub fn note_observed(world: &mut World, memory: &mut Memory) {
    world.memory = std::mem::take(memory);
    world.memory.note_time(world.now);
    let mut updated = world.memory.clone();
    let views = phases(world);
    if world.all_hosts_known() {
        let present: BTreeSet<&ContainerId> = views.iter().map(|view| &view.runner.id).collect();
        updated.draining.retain(|id, _| present.contains(id));
        updated.contacted.retain(|id| present.contains(id));
    }
    note_contacts(&views, &mut updated);
    keep_since(&mut updated.idle, idle(&views), world.now);
    keep_since(&mut updated.unheard, unheard(&views), world.now);
    keep_since(&mut updated.busy_alone, busy_alone(world), world.now);
    keep_since(&mut updated.silent, silent(world), world.now);
    updated.starts.retain(|at| world.now.duration_since(*at).abs() < MINUTE);
    updated.taken.retain(|_, until| *until > world.now);
    updated.in_doubt.retain(|_, (host, at)| {
        let seen_since = world.hosts.get(host).is_some_and(
            |host| matches!(&host.state, Observed::Known { at: seen, .. } if *seen > *at),
        );
        !seen_since
    });
    note_unclaimed(world, &mut updated);
    for (name, host) in &world.hosts {
        if let Some(state) = host.state.known() {
            note_ends(name, state, world.now, &mut updated);
        }
    }
    updated.over.retain(|job| has_container(world, *job));
    world.memory = updated.clone();
    // What this look finds counts at the next one.
    updated.leftovers = leftovers(world);
    *memory = updated;
}

/// Remembers since when each of `now_so` is so, without a break.
fn keep_since(
    since: &mut BTreeMap<ContainerId, Timestamp>,
    now_so: BTreeSet<ContainerId>,
    now: Timestamp,
) {
    since.retain(|id, _| now_so.contains(id));
    for id in now_so {
        since.entry(id).or_insert(now);
    }
}

/// A runner that makes contact for the first time shows that its variant works. One that was there
/// before shows nothing: it may be from before what broke the variant.
fn note_contacts(views: &[RunnerView<'_>], memory: &mut Memory) {
    for view in views {
        if !matches!(view.phase, Phase::Idle { .. } | Phase::Busy { .. }) {
            continue;
        }
        let first = memory.contacted.insert(view.runner.id.clone());
        let variant = &view.runner.variant;
        let works = |cause: Cause| matches!(cause, Cause::Start | Cause::Runner);
        if first && memory.backoffs.get(variant).is_some_and(|backoff| works(backoff.cause)) {
            memory.backoffs.remove(variant);
        }
    }
}

/// Remembers which runners ended, and since when those that are missing are gone.
fn note_ends(host: &HostName, state: &HostState, now: Timestamp, memory: &mut Memory) {
    let of_others = |on: &HostName| on != host;
    memory.gone.retain(|(on, id), _| of_others(on) || state.missing.contains_key(id));
    memory.ended.retain(|(on, id)| of_others(on) || state.missing.contains_key(id));
    let ended = |runner: &&Runner| matches!(runner.state, ContainerState::Exited { .. });
    // A system id may be on two containers, of which one ended.
    let living: BTreeSet<&SystemId> = state
        .runners
        .iter()
        .filter(|runner| !ended(runner))
        .map(|runner| &runner.system_id)
        .chain(state.aside.iter().filter_map(|aside| aside.system_id.as_ref()))
        .collect();
    let ended = state.runners.iter().filter(ended).map(|runner| &runner.system_id);
    let ended = ended.filter(|id| !living.contains(id));
    memory.ended.extend(ended.map(|id| (host.clone(), id.clone())));
    for (id, missing) in &state.missing {
        if matches!(missing, Absence::Gone { .. }) {
            memory.gone.entry((host.clone(), id.clone())).or_insert(now);
        }
    }
}

/// A container of that job is on some host, now or as last seen.
fn has_container(world: &World, job: JobId) -> bool {
    let states = world.hosts.values().filter_map(|host| host.state.last());
    states.flat_map(|state| &state.jobs.containers).any(|container| container.job == Some(job))
}
