//! Slots, and the records whose tokens the containers in them have.

use std::collections::BTreeMap;

use super::Fixture;
use autogit::world::{ContainerState, Runner};

pub(super) fn no_slot_has_two_living_containers(fixture: &Fixture<'_>) -> Result<(), String> {
    let mut holders: BTreeMap<_, &Runner> = BTreeMap::new();
    let runs = |runner: &Runner| matches!(runner.state, ContainerState::Running { .. });
    for (_, runner) in fixture.snapshot.runners().filter(|(_, runner)| runs(runner)) {
        if let Some(other) = holders.insert(&runner.system_id, runner) {
            let id = &runner.system_id;
            return Err(format!("{} and {} both run as {id}", other.name, runner.name));
        }
    }
    Ok(())
}

pub(super) fn no_runner_is_killed(fixture: &Fixture<'_>) -> Result<(), String> {
    let killed = fixture.snapshot.runners().find_map(|(_, runner)| match runner.state {
        ContainerState::Exited { code, .. } if code != 0 => {
            (!fixture.injected.killed.contains(&runner.id)).then_some((runner, code))
        }
        ContainerState::Exited { .. }
        | ContainerState::Created
        | ContainerState::Running { .. } => None,
    });
    killed.map_or(Ok(()), |(runner, code)| Err(format!("{} exited {code}", runner.name)))
}

/// Where `AutoGit` runs twice under one name, one may take the other's new record for one whose
/// token was lost; a job in hand goes on, for it has a token of its own.
pub(super) fn no_living_runner_loses_its_record(fixture: &Fixture<'_>) -> Result<(), String> {
    let lost = fixture.snapshot.live_runners().find(|(_, runner)| {
        !fixture.injected.twins
            && !fixture.injected.records_deleted.contains(&runner.record)
            && !fixture.snapshot.records.iter().any(|record| record.id == runner.record)
    });
    lost.map_or(Ok(()), |(_, runner)| {
        Err(format!("{} lives, and its record {} is gone", runner.name, runner.record))
    })
}
