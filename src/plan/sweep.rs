//! `sweep-leftover`: what is ours and has no runner goes, when two looks in a row agree.

use super::draft::Draft;
use super::{Action, Facts, Rule};
use crate::world::{Leftover, leftovers};

pub(super) fn sweep_leftovers(draft: &mut Draft<'_>) {
    let world = draft.world;
    for leftover in leftovers(world) {
        let starts_there = draft.plan.decisions.iter().any(|decision| {
            matches!(decision.action, Action::Start { .. })
                && decision.action.host() == leftover.host()
        });
        let in_use = starts_there && matches!(leftover, Leftover::Network(..));
        if in_use || !world.memory.leftovers.contains(&leftover) {
            continue;
        }
        let facts = Facts::Leftover { what: words(&leftover) };
        let record = world
            .records
            .known()
            .and_then(|rows| rows.iter().find(|row| leftover == Leftover::Record(row.id)));
        let action = match record {
            Some(record) => {
                Action::DeleteRecord { variant: record.variant.clone(), record: record.id }
            }
            None => Action::Sweep { leftover },
        };
        draft.decide(action, Rule::SweepLeftover, facts);
    }
}

fn words(leftover: &Leftover) -> String {
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
    }
}
