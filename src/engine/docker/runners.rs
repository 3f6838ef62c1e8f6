//! Our runner containers, found by label. What the list leaves out of a container's state is
//! inspected once per state, so that a steady host costs one call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::client::{Client, Facts};
use super::labels::{self, Marks};
use super::listed::{self, Listed, Stage};
use super::raw;
use crate::engine::{EngineError, RunnerList, Sighting};
use crate::lock::locked;
use crate::spec::InstanceName;
use crate::world::{
    ContainerId, ContainerState, Runner, RunnerName, SetAside, SystemId, WorkloadId,
};

/// What was inspected before, by the engine's clock.
#[derive(Debug, Default)]
pub(super) struct Inspected(Mutex<BTreeMap<ContainerId, (Stage, ContainerState)>>);

impl Inspected {
    fn state(&self, id: &ContainerId, stage: Stage) -> Option<ContainerState> {
        let states = locked(&self.0);
        states.get(id).filter(|(known, _)| *known == stage).map(|(_, state)| state.clone())
    }

    fn keep(&self, id: &ContainerId, stage: Stage, inspected: &ContainerState) {
        let mut states = locked(&self.0);
        states.insert(id.clone(), (stage, inspected.clone()));
    }

    fn keep_only(&self, listed: &BTreeSet<ContainerId>) {
        let mut states = locked(&self.0);
        states.retain(|id, _| listed.contains(id));
    }
}

/// The runners of `instance`, sorted by name.
pub(super) async fn list(
    client: &Client,
    inspected: &Inspected,
    instance: &InstanceName,
) -> Result<RunnerList, EngineError> {
    let facts = client.facts().await?;
    let query = raw::labelled(&[labels::of_instance(instance)]);
    let found = listed::containers(client, &query).await?;
    let ids = found.iter().map(|container| container.id.clone()).collect();
    let mut list = RunnerList::default();
    for container in found {
        let state = match container.stage {
            Ok(stage) => state(client, inspected, &container, stage).await,
            Err(_) => Ok(Some(ContainerState::Created)),
        };
        // One that cannot be shown hides no other.
        match state {
            Ok(Some(state)) => list.add(sighting(container, &state, facts)),
            Ok(None) => {}
            Err(error) => list.aside.push(set_aside(&container, error.to_string().into())),
        }
    }
    inspected.keep_only(&ids);
    list.runners.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    list.aside.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(list)
}

/// The container of `instance` with that id or name.
pub(super) async fn find(
    client: &Client,
    instance: &InstanceName,
    key: &str,
) -> Result<Option<Sighting>, EngineError> {
    let facts = client.facts().await?;
    let Some(shown) = listed::container(client, key).await? else { return Ok(None) };
    let ours = shown.listed.labels.get(labels::INSTANCE).map(String::as_str);
    if ours != Some(instance.as_str()) {
        return Ok(None);
    }
    Ok(Some(sighting(shown.listed, &shown.state, facts)))
}

/// The containers of `instance` that carry this system id and are not known to have exited.
pub(super) async fn with_system_id(
    client: &Client,
    instance: &InstanceName,
    system_id: &SystemId,
) -> Result<Vec<WorkloadId>, EngineError> {
    let wanted = [labels::of_instance(instance), format!("{}={system_id}", labels::SYSTEM_ID)];
    let found = listed::containers(client, &raw::labelled(&wanted)).await?;
    let live = found.into_iter().filter(Listed::may_live);
    let mut ids: Vec<WorkloadId> = live.map(|container| container.id.into()).collect();
    ids.sort();
    Ok(ids)
}

/// The container's state by the engine's clock; `None`: it went away meanwhile.
async fn state(
    client: &Client,
    inspected: &Inspected,
    container: &Listed,
    stage: Stage,
) -> Result<Option<ContainerState>, EngineError> {
    if stage == Stage::Created {
        return Ok(Some(ContainerState::Created));
    }
    if let Some(state) = inspected.state(&container.id, stage) {
        return Ok(Some(state));
    }
    let Some(shown) = listed::container(client, container.id.as_str()).await? else {
        return Ok(None);
    };
    // It may have ended since it was listed; then the next look asks again.
    if shown.runs == (stage == Stage::Running) {
        inspected.keep(&container.id, stage, &shown.state);
    }
    Ok(Some(shown.state))
}

/// What a container of ours is, `state` being told by the engine's clock.
fn sighting(container: Listed, state: &ContainerState, facts: Facts) -> Sighting {
    let odd = match (&container.stage, labels::read(&container.labels)) {
        (Ok(_), Ok(marks)) => {
            return Sighting::Runner(Box::new(runner(container, marks, state, facts)));
        }
        (Err(word), _) => format!("its state is `{word}`, which AutoGit does not know"),
        (_, Err(label)) => format!("its label `{label}` cannot be read"),
    };
    Sighting::Aside(set_aside(&container, odd.into()))
}

fn set_aside(container: &Listed, why: Arc<str>) -> SetAside {
    let part = labels::read_in_part(&container.labels);
    SetAside {
        id: container.id.clone().into(),
        name: RunnerName::from_observed(&container.name),
        variant: part.variant,
        slot: part.slot,
        system_id: part.system_id,
        record: part.record,
        cost: part.cost,
        why,
    }
}

fn runner(container: Listed, marks: Marks, state: &ContainerState, facts: Facts) -> Runner {
    let state = match *state {
        ContainerState::Created => ContainerState::Created,
        ContainerState::Running { started_at } => {
            ContainerState::Running { started_at: facts.ours(started_at) }
        }
        ContainerState::Exited { code, finished_at, oom_killed } => {
            ContainerState::Exited { code, finished_at: facts.ours(finished_at), oom_killed }
        }
    };
    Runner {
        id: container.id.into(),
        name: RunnerName::from_observed(&container.name),
        variant: marks.variant,
        slot: marks.slot,
        system_id: marks.system_id,
        record: marks.record,
        spec: marks.spec,
        cost: marks.cost,
        created_at: facts.ours(container.created_at),
        state,
        paused: container.paused,
        log: None,
    }
}
