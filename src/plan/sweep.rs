//! `sweep-leftover`: what is ours and has no runner goes, when two looks agree that could tell.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::facts::brief;
use super::{Action, Facts, Rule};
use crate::spec::HostName;
use crate::world::{Leftover, Record, RecordId, SystemId, World};

pub(super) fn sweep_leftovers(draft: &mut Draft<'_>) {
    let world = draft.world();
    if world.memory.leftovers.is_empty() {
        return;
    }
    let mut started: BTreeSet<HostName> = draft.starts().map(|(host, _)| host.clone()).collect();
    started.extend(world.starts_under_way().map(|start| start.host.clone()));
    let rows = started_rows(draft);
    let records: BTreeMap<RecordId, &Record> =
        world.records.known().into_iter().flatten().map(|record| (record.id, record)).collect();
    for leftover in world.leftovers() {
        let in_use = match leftover {
            Leftover::Network(host, id) => started.contains(host) && is_current(world, host, id),
            Leftover::Manager(_, system_id) => rows.contains(system_id),
            Leftover::JobContainer(..) | Leftover::JobVolume(..) | Leftover::JobNetwork(..) => {
                false
            }
            Leftover::KeptImage(host, _) => started.contains(host),
            // The start may have been begun with its token.
            Leftover::Record(id) => records.get(id).is_some_and(|record| {
                world.starts_under_way().any(|start| *start.variant == record.variant)
            }),
        };
        let waits = world.removing_waits(leftover);
        if in_use || waits || !world.memory.leftovers.contains(leftover) {
            continue;
        }
        let facts = Facts::Leftover { what: words(world, leftover) };
        let record = match leftover {
            Leftover::Record(id) => records.get(id),
            Leftover::JobContainer(..)
            | Leftover::JobVolume(..)
            | Leftover::JobNetwork(..)
            | Leftover::Manager(..)
            | Leftover::Network(..)
            | Leftover::KeptImage(..) => None,
        };
        let action = match record {
            Some(record) => {
                Action::DeleteRecord { variant: record.variant.clone(), record: record.id }
            }
            None => Action::Sweep { leftover: leftover.clone() },
        };
        draft.decide(action, Rule::SweepLeftover, facts);
    }
}

/// The network that new runners join.
fn is_current(world: &World, host: &HostName, id: &str) -> bool {
    let state = world.hosts.get(host).and_then(|host| host.state.known());
    let network = state.and_then(|state| state.network.as_ref());
    network.is_some_and(|network| network.id == id)
}

/// The rows that runners which this plan starts, or one before it, will have.
fn started_rows(draft: &Draft<'_>) -> BTreeSet<SystemId> {
    let starts = draft.starts().map(|(_, system_id)| system_id.clone());
    let world = draft.world();
    let under_way = world.starts_under_way();
    let under_way = under_way.filter_map(|it| world.system_id(it.host, it.variant, it.slot));
    starts.chain(under_way).collect()
}

fn words(world: &World, leftover: &Leftover) -> String {
    match leftover {
        Leftover::JobContainer(_, id) => {
            let short = id.as_str().get(..12).unwrap_or(id.as_str());
            format!("job container {short} has no runner")
        }
        Leftover::JobVolume(_, name) => format!("job volume {name} has no runner"),
        Leftover::JobNetwork(_, id) => {
            format!("job network {} has no runner", id.get(..12).unwrap_or(id))
        }
        Leftover::Manager(record, system_id) => {
            format!("manager {system_id} of record {record} has no runner")
        }
        Leftover::Record(record) => {
            format!("record {record} is not asked for, and no runner can be using it")
        }
        Leftover::Network(..) => "the runners' network is empty".to_owned(),
        Leftover::KeptImage(host, mark) => {
            let state = world.hosts.get(host).and_then(|host| host.state.known());
            let newest = state.and_then(|state| state.newest_mark(&mark.image));
            let ago = brief(world.now.duration_since(mark.pulled_at));
            let why =
                if newest == Some(mark) { "no pool names it" } else { "a newer one is there" };
            format!("an image was pulled {ago} ago to be kept ready, and {why}")
        }
    }
}
