//! What a fresh observation means for the memory. Pure: the observer calls it after each look.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    Cause, ContainerId, Memory, Observed, Phase, RunnerView, World, busy_alone, idle, leftovers,
    note_unclaimed, phases, silent, unheard,
};

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
