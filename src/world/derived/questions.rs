//! What a host's list lacks and is to be asked for by itself, before anything follows from its
//! absence: what stands in front of an engine may leave out one runner for as long as it lives.

use std::collections::{BTreeMap, BTreeSet};

use super::idle_caches;
use super::leftovers::job_objects;
use super::marks::Prefixes;
use crate::spec::HostName;
use crate::world::{EngineInfo, HostState, Look, RunnerName, Slot, SystemId, Variant};

/// Slots of a variant that are looked through to tell whose a system id is: the most runners that
/// one record is meant for.
pub(super) const SLOTS_MAX: u32 = 500;

/// A runner that a list lacks, although something of it is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// Its manager's name at GitLab, which is on what its jobs made.
    pub system_id: SystemId,
    /// The name that its container has, unless a person renamed it; `None`: nobody knows.
    pub name: Option<RunnerName>,
}

/// Of each host that is known, the runners that are to be asked for there: owners of what jobs made
/// and would be swept, or may go for want of room, and of rows at GitLab.
pub fn questions(look: &Look) -> BTreeMap<HostName, Vec<Question>> {
    let prefixes = look.prefixes();
    let rows = rows_without_runner(look, &prefixes);
    let known = look.hosts.iter().filter_map(|(name, host)| Some((name, host.state.known()?)));
    let on_host = |(name, state): (&HostName, &HostState)| {
        (name.clone(), on_host(look, (name, state), &prefixes, &rows))
    };
    known.map(on_host).collect()
}

fn on_host(
    look: &Look,
    (name, state): (&HostName, &HostState),
    prefixes: &Prefixes,
    rows: &BTreeSet<&SystemId>,
) -> Vec<Question> {
    let owners = job_objects(look, name, state).into_keys();
    let owners = owners.chain(idle_caches::owners(look, name, state));
    let mut asked: BTreeMap<SystemId, Option<RunnerName>> = owners.map(|id| (id, None)).collect();
    for container in &state.jobs.containers {
        if let Some(asked) = asked.get_mut(&container.system_id) {
            *asked = asked.take().or_else(|| container.runner.clone());
        }
    }
    let nameless = asked.iter().filter(|(_, name)| name.is_none()).map(|(id, _)| id);
    let wanted: BTreeSet<SystemId> = nameless.chain(rows.iter().copied()).cloned().collect();
    let rests = wanted.iter().filter_map(|id| prefixes.rest(id)).collect();
    let names = names_of_slots(look, &state.engine, rests);
    for id in &wanted {
        if let Some(name) = prefixes.rest(id).and_then(|rest| names.get(rest)) {
            let asked = asked.entry(id.clone()).or_default();
            *asked = asked.take().or_else(|| Some(name.clone()));
        }
    }
    let asked = asked.into_iter();
    asked.map(|(system_id, name)| Question { system_id, name }).collect()
}

/// Rows under our names whose runner no host has.
fn rows_without_runner<'a>(look: &'a Look, prefixes: &Prefixes) -> BTreeSet<&'a SystemId> {
    let states = look.hosts.values().filter_map(|host| host.state.last());
    let held: BTreeSet<&SystemId> = states.flat_map(HostState::holders).collect();
    let records = look.records.known().into_iter().flatten();
    let rows = records.filter_map(|record| record.managers.known()).flatten();
    let rows = rows.map(|row| &row.system_id);
    rows.filter(|id| prefixes.has(id) && !held.contains(id)).collect()
}

/// The runners' names by what follows the prefix in their managers', of those wanted that have a slot
/// of a variant that the spec or a record of ours names. It stops when all are found, for each slot
/// costs a hash.
fn names_of_slots(
    look: &Look,
    engine: &EngineInfo,
    mut wanted: BTreeSet<&str>,
) -> BTreeMap<String, RunnerName> {
    let mut names = BTreeMap::new();
    if wanted.is_empty() {
        return names;
    }
    let mut variants: BTreeSet<Variant> =
        look.variants().into_iter().map(|(variant, _)| variant).collect();
    variants.extend(look.records.last().into_iter().flatten().map(|it| it.variant.clone()));
    let instance = &look.spec.instance;
    for slot in (0..SLOTS_MAX).map(Slot) {
        for variant in &variants {
            let rest = SystemId::rest(&engine.id, variant, slot);
            if wanted.remove(rest.as_str()) {
                names.insert(rest, RunnerName::new(instance, variant, slot));
            }
            if wanted.is_empty() {
                return names;
            }
        }
    }
    names
}
