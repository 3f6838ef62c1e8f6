//! What a fresh observation means for the memory. Pure: the observer calls it after each look.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::phase::{busy_alone, idle, phases, silent, unheard};
use super::standstill;
use super::unclaimed::note_unclaimed;
use crate::spec::HostName;
use crate::world::costs::note_costs;
use crate::world::wrong_image;
use crate::world::{
    Absence, AtWork, Cause, Condition, ContainerState, HostState, InDoubt, JobId, Look, Memory,
    Observed, Phase, RecordId, Runner, RunnerJob, RunnerMemory, RunnerView, SpecHash, SystemId,
    WorkloadId, images_kept, job_of,
};

/// Starts that are older do not count against `starts_per_minute`.
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Brings the look's memory up to what was seen.
pub fn note_observed(look: &mut Look) {
    look.memory.note_time(look.now);
    let views = phases(look);
    let mut updated = look.memory.clone();
    if look.all_hosts_known() {
        let present: BTreeSet<&WorkloadId> = views.iter().map(|view| &view.runner.id).collect();
        for (_, gone) in updated.runners.iter_mut().filter(|(id, _)| !present.contains(id)) {
            (gone.draining, gone.contacted, gone.cost) = (None, false, None);
        }
    }
    note_contacts(&views, &mut updated);
    note_costs(look, &views, &mut updated);
    updated.keep_since(Condition::Idle, idle(&views), look.now);
    updated.keep_since(Condition::Paused, standstill::paused(&views), look.now);
    updated.keep_since(Condition::Leaving, standstill::leaving(&views), look.now);
    updated.keep_since(Condition::Unheard, unheard(&views), look.now);
    // What GitLab does not tell breaks off nothing that it told.
    if look.records.known().is_some() {
        updated.keep_since(Condition::BusyAlone, busy_alone(look), look.now);
        updated.keep_since(Condition::Silent, silent(look), look.now);
    }
    note_made(look, &mut updated);
    updated.starts.retain(|start| look.now.duration_since(start.at).abs() < MINUTE);
    updated.efforts = crate::world::brake::recent(&updated.efforts, look.now);
    updated.networks.retain(|host, _| look.lacks_network(host));
    updated.unkept.retain(|(host, image), _| {
        let node = look.hosts.get(host).and_then(|host| host.node());
        node.is_some_and(|node| images_kept(&look.spec, host, node.arch).contains_key(image))
    });
    updated.taken.retain(|_, until| *until > look.now);
    updated.in_doubt.retain(|_, InDoubt { host, at, .. }| {
        let seen_since = look.hosts.get(host).is_some_and(
            |host| matches!(&host.state, Observed::Known { at: seen, .. } if *seen > *at),
        );
        // Nobody will ever tell of a host that is not looked at any more.
        let declared = look.spec.hosts.contains_key(host);
        !seen_since && (declared || look.hosts.contains_key(host))
    });
    note_unclaimed(look, &views, &mut updated);
    crate::world::rival::note_records(look, &mut updated);
    for (name, host) in &look.hosts {
        if let Some(state) = host.state.known() {
            note_ends(name, state, look.now, &mut updated);
            note_slots(look, name, state, &mut updated);
        }
    }
    note_work(&views, look, &mut updated);
    wrong_image::note(look, &mut updated.wrong_images);
    let lost: BTreeSet<JobId> = updated.at_work().map(|it| it.job).collect();
    updated.over.retain(|job| lost.contains(job) || has_container(look, *job));
    updated.job_facts.retain(|job, _| lost.contains(job));
    updated.runners.retain(|_, runner| *runner != RunnerMemory::default());
    look.memory = updated;
}

/// A runner that makes contact for the first time shows that its variant works. One that was there
/// before shows nothing: it may be from before what broke the variant.
fn note_contacts(views: &[RunnerView<'_>], memory: &mut Memory) {
    for view in views {
        if !matches!(view.phase, Phase::Idle { .. } | Phase::Busy { .. }) {
            continue;
        }
        let first = !std::mem::replace(&mut memory.runner_mut(&view.runner.id).contacted, true);
        let variant = &view.runner.variant;
        let works = |cause: Cause| matches!(cause, Cause::Start | Cause::Runner);
        if first && memory.backoffs.get(variant).is_some_and(|backoff| works(backoff.cause)) {
            memory.backoffs.remove(variant);
        }
    }
}

/// Remembers what was made lately, also by a process that crashed and though it is removed soon. A
/// start of ours that failed, or is about to, counts no more beside the container that it made.
fn note_made(look: &Look, memory: &mut Memory) {
    let lately = |at: Timestamp| look.now.duration_since(at).abs() < MINUTE;
    let known = look.hosts.iter().filter_map(|(name, host)| Some((name, host.state.known()?)));
    for (host, runner) in known.flat_map(|(name, it)| it.runners.iter().map(move |it| (name, it))) {
        if !lately(runner.created_at) {
            continue;
        }
        let made = &mut memory.runner_mut(&runner.id).made;
        if made.is_some() {
            continue;
        }
        *made = Some(runner.created_at);
        let slot = (host.clone(), runner.name.clone());
        let failed = memory.starts.iter().position(|start| start.of.as_ref() == Some(&slot));
        if let Some(failed) = failed {
            memory.starts.remove(failed);
        } else if look.is_being_started(host, &runner.name) {
            memory.shown.insert(slot);
        }
    }
    for runner in memory.runners.values_mut() {
        runner.made.take_if(|at| !lately(*at));
    }
    memory.shown.retain(|(host, runner)| look.is_being_started(host, runner));
}

/// Remembers when a runner was seen in each slot that has a cache, where the disk is limited.
fn note_slots(look: &Look, host: &HostName, state: &HostState, memory: &mut Memory) {
    let caches: BTreeSet<&SystemId> =
        state.jobs.volumes.iter().map(|volume| &volume.system_id).collect();
    let is_limited = look.disks.contains_key(host);
    memory.slots_used.retain(|(on, id), _| on != host || is_limited && caches.contains(id));
    if is_limited {
        let used = state.holders().filter(|id| caches.contains(id));
        memory.slots_used.extend(used.map(|id| ((host.clone(), id.clone()), look.now)));
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

/// Remembers who has which job, and of those whose container is gone, since when.
fn note_work(views: &[RunnerView<'_>], look: &Look, memory: &mut Memory) {
    let now = look.now;
    for view in views.iter().filter(|view| view.seen) {
        memory.runner_mut(&view.runner.id).at_work = work(look, view);
    }
    let known = look.hosts.iter().filter_map(|(name, host)| Some((name, host.state.known()?)));
    for (host, state) in known {
        for work in works_of_gone(look, host, state) {
            let told = memory.over.contains(&work.job);
            if !told && memory.at_work().all(|known| known.job != work.job) {
                let id = work.runner.id.clone();
                memory.runner_mut(&id).at_work = Some(work);
            }
        }
        // A list may lack a runner, and so may what is asked by name.
        let is_back = |work: &AtWork| {
            work.runner.id == id_of_gone(&work.runner.system_id)
                && state.holders().any(|holder| *holder == work.runner.system_id)
        };
        memory.retain_work(|work| work.host != *host || !is_back(work));
    }
    let over = memory.over.clone();
    memory.retain_work(|work| work.gone_since.is_none() || !over.contains(&work.job));
    for (id, runner) in &mut memory.runners {
        let Some(work) = &mut runner.at_work else { continue };
        let Some(host) = look.hosts.get(&work.host) else { continue };
        let Some(state) = host.state.known() else { continue };
        let there = state.runners.iter().any(|runner| runner.id == *id)
            || state.aside.iter().any(|aside| aside.id == *id);
        let unsaid = matches!(state.missing.get(&work.runner.system_id), Some(Absence::Unsaid(_)));
        // On a machine that is another one than before, nothing is known of its runner.
        let prefix = SystemId::prefix(&look.spec.instance, &state.engine.id.mark());
        let of_engine = work.runner.system_id.as_str().starts_with(&prefix);
        let gone = of_engine && !there && !unsaid;
        work.gone_since = work.gone_since.or(Some(now)).filter(|_| gone);
    }
}

/// The runner's job, where it has one and something tells which.
fn work(look: &Look, view: &RunnerView<'_>) -> Option<AtWork> {
    let RunnerJob { id, container } = job_of(look, view)?;
    Some(AtWork {
        host: view.host.clone(),
        runner: view.runner.clone(),
        job: id?,
        url: container.and_then(|container| container.job_url.clone()),
        project: container.and_then(|container| container.project),
        gone_since: None,
    })
}

/// What the containers of jobs tell whose runner's container is gone, as one that a person removed
/// while no AutoGit looked: of each runner the youngest job.
fn works_of_gone(look: &Look, host: &HostName, state: &HostState) -> Vec<AtWork> {
    let mut works: BTreeMap<&SystemId, AtWork> = BTreeMap::new();
    if state.hides_a_holder() {
        return Vec::new();
    }
    let prefixes = look.prefixes();
    for container in &state.jobs.containers {
        let Some(Absence::Gone { name }) = state.missing.get(&container.system_id) else {
            continue;
        };
        let ours = prefixes.has(&container.system_id);
        let Some(job) = container.job.filter(|_| ours) else { continue };
        if works.get(&container.system_id).is_some_and(|work| work.job >= job) {
            continue;
        }
        let Some((variant, slot)) = name.of_slot(&look.spec.instance) else { continue };
        let runner = Runner {
            id: id_of_gone(&container.system_id),
            name: name.clone(),
            variant,
            slot,
            system_id: container.system_id.clone(),
            record: RecordId(0),
            spec: SpecHash::from_observed(""),
            cost: None,
            created_at: look.now,
            state: ContainerState::Running { started_at: look.now },
            paused: false,
            log: None,
        };
        let work = AtWork {
            host: host.clone(),
            runner,
            job,
            url: container.job_url.clone(),
            project: container.project,
            gone_since: None,
        };
        works.insert(&container.system_id, work);
    }
    works.into_values().collect()
}

/// Stands for the id of a container that nobody saw; no engine gives such a one.
fn id_of_gone(system_id: &SystemId) -> WorkloadId {
    WorkloadId::from_observed(&format!("gone-{system_id}"))
}

/// A container of that job is on some host, now or as last seen.
fn has_container(look: &Look, job: JobId) -> bool {
    let states = look.hosts.values().filter_map(|host| host.state.last());
    states.flat_map(|state| &state.jobs.containers).any(|container| container.job == Some(job))
}
