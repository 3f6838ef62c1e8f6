//! Slots, and the records whose tokens the containers in them have.

use std::collections::BTreeMap;

use super::Scene;
use crate::world::{ContainerState, Runner};

pub(super) fn no_slot_has_two_living_containers(scene: &Scene<'_>) -> Result<(), String> {
    let mut holders: BTreeMap<_, &Runner> = BTreeMap::new();
    let runs = |runner: &Runner| matches!(runner.state, ContainerState::Running { .. });
    for (_, runner) in scene.moment.runners().filter(|(_, runner)| runs(runner)) {
        if let Some(other) = holders.insert(&runner.system_id, runner) {
            let id = &runner.system_id;
            return Err(format!("{} and {} both run as {id}", other.name, runner.name));
        }
    }
    Ok(())
}

/// Where `AutoGit` runs twice under one name, one may take the other's new record for one whose token was
/// lost; with a job in hand it counts all the same.
pub(super) fn no_living_runner_loses_its_record(scene: &Scene<'_>) -> Result<(), String> {
    let counts = |runner: &Runner| {
        let mut running = scene.moment.hosts.values().flat_map(|host| &host.running);
        !scene.ledger.twins || running.any(|running| running.runner == runner.id)
    };
    let lost = scene.moment.live_runners().find(|(_, runner)| {
        counts(runner)
            && !scene.ledger.records_deleted.contains(&runner.record)
            && !scene.moment.records.iter().any(|record| record.id == runner.record)
    });
    lost.map_or(Ok(()), |(_, runner)| {
        Err(format!("{} lives, and its record {} is gone", runner.name, runner.record))
    })
}
