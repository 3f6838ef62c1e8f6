//! Our runner containers, found by label. What the list leaves out of a container's state is
//! inspected once per state, so that a steady host costs one call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use bollard::models::{ContainerInspectResponse, ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptions};
use jiff::Timestamp;

use super::client::{Client, Facts, READ_LIMIT};
use super::labels::{self, Labels, Marks};
use crate::engine::EngineError;
use crate::spec::InstanceName;
use crate::world::{ContainerId, ContainerState, Runner, RunnerName, SystemId};

/// What of a container's state the list tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Created,
    Running,
    Ended,
}

/// What was inspected before, by the engine's clock, and which containers were complained about.
#[derive(Debug, Default)]
pub(super) struct Inspected {
    states: Mutex<BTreeMap<ContainerId, (Stage, ContainerState)>>,
    unreadable: Mutex<BTreeSet<ContainerId>>,
}

impl Inspected {
    fn state(&self, id: &ContainerId, stage: Stage) -> Option<ContainerState> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(id).filter(|(known, _)| *known == stage).map(|(_, state)| state.clone())
    }

    fn keep(&self, id: &ContainerId, stage: Stage, inspected: &ContainerState) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.insert(id.clone(), (stage, inspected.clone()));
    }

    fn keep_only(&self, listed: &BTreeSet<ContainerId>) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.retain(|id, _| listed.contains(id));
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable.retain(|id| listed.contains(id));
    }

    /// Says once that a container carries our instance's label and is not read as ours.
    fn complain(&self, id: &ContainerId, label: &str) {
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if unreadable.insert(id.clone()) {
            tracing::warn!(container = %id, label, "a container has our label but is no runner");
        }
    }
}

/// The runners of `instance`, sorted by name.
pub(super) async fn list(
    client: &Client,
    inspected: &Inspected,
    instance: &InstanceName,
) -> Result<Vec<Runner>, EngineError> {
    let facts = client.facts().await?;
    let found = containers(client, vec![labels::of_instance(instance)]).await?;
    let mut runners = Vec::with_capacity(found.len());
    let mut listed = BTreeSet::new();
    for container in found {
        let Some(id) = container.id.as_deref().map(ContainerId::from_observed) else { continue };
        listed.insert(id.clone());
        let given: Labels = container.labels.clone().unwrap_or_default().into_iter().collect();
        match labels::read(&given) {
            Ok(marks) => {
                let state = state(client, inspected, &container, &id).await?;
                runners.extend(state.map(|state| runner(&container, id, marks, &state, facts)));
            }
            Err(label) => inspected.complain(&id, label),
        }
    }
    inspected.keep_only(&listed);
    runners.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(runners)
}

/// The containers of `instance` that carry this system id and have not exited.
pub(super) async fn with_system_id(
    client: &Client,
    instance: &InstanceName,
    system_id: &SystemId,
) -> Result<Vec<ContainerId>, EngineError> {
    let wanted = vec![labels::of_instance(instance), format!("{}={system_id}", labels::SYSTEM_ID)];
    let found = containers(client, wanted).await?;
    let mut ids: Vec<ContainerId> = found
        .iter()
        .filter(|container| stage(container) != Stage::Ended)
        .filter_map(|container| container.id.as_deref().map(ContainerId::from_observed))
        .collect();
    ids.sort();
    Ok(ids)
}

/// Containers in any state that carry all these labels.
pub(super) async fn containers(
    client: &Client,
    wanted: Vec<String>,
) -> Result<Vec<ContainerSummary>, EngineError> {
    let options = ListContainersOptions {
        all: true,
        filters: Some([("label".to_owned(), wanted)].into()),
        ..ListContainersOptions::default()
    };
    let listed = client.call("list containers", READ_LIMIT, |docker| async move {
        docker.list_containers(Some(options)).await
    });
    Ok(listed.await?)
}

/// Whether the engine shows a container as one that runs, also where a person paused it.
pub(super) fn is_running(container: &ContainerSummary) -> bool {
    stage(container) == Stage::Running
}

fn stage(container: &ContainerSummary) -> Stage {
    match container.state {
        Some(ContainerSummaryStateEnum::CREATED) => Stage::Created,
        Some(
            ContainerSummaryStateEnum::EXITED
            | ContainerSummaryStateEnum::DEAD
            | ContainerSummaryStateEnum::REMOVING,
        ) => Stage::Ended,
        // What cannot be told counts as running: that is what nothing is done to.
        Some(
            ContainerSummaryStateEnum::RUNNING
            | ContainerSummaryStateEnum::PAUSED
            | ContainerSummaryStateEnum::RESTARTING
            | ContainerSummaryStateEnum::STOPPING
            | ContainerSummaryStateEnum::EMPTY,
        )
        | None => Stage::Running,
    }
}

/// The container's state by the engine's clock; `None`: it went away meanwhile.
async fn state(
    client: &Client,
    inspected: &Inspected,
    container: &ContainerSummary,
    id: &ContainerId,
) -> Result<Option<ContainerState>, EngineError> {
    let listed = stage(container);
    if listed == Stage::Created {
        return Ok(Some(ContainerState::Created));
    }
    if let Some(state) = inspected.state(id, listed) {
        return Ok(Some(state));
    }
    let asked = client.call("show a container", READ_LIMIT, |docker| async move {
        docker.inspect_container(id.as_str(), None::<InspectContainerOptions>).await
    });
    match asked.await {
        Ok(answer) => {
            let state = as_inspected(&answer, created_at(container));
            // It may have ended since it was listed; then the next look asks again.
            let runs = matches!(state, ContainerState::Running { .. });
            if runs == (listed == Stage::Running) {
                inspected.keep(id, listed, &state);
            }
            Ok(Some(state))
        }
        Err(failure) if failure.status() == Some(404) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

fn as_inspected(container: &ContainerInspectResponse, created_at: Timestamp) -> ContainerState {
    let Some(state) = &container.state else {
        return ContainerState::Running { started_at: created_at };
    };
    let time = |text: &Option<String>| {
        let time = text.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
        time.filter(|time| *time > Timestamp::UNIX_EPOCH).unwrap_or(created_at)
    };
    if state.running == Some(true) || state.restarting == Some(true) {
        return ContainerState::Running { started_at: time(&state.started_at) };
    }
    ContainerState::Exited {
        code: state.exit_code.unwrap_or(-1),
        finished_at: time(&state.finished_at),
        oom_killed: state.oom_killed == Some(true),
    }
}

fn created_at(container: &ContainerSummary) -> Timestamp {
    let seconds = container.created.unwrap_or_default();
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn runner(
    container: &ContainerSummary,
    id: ContainerId,
    marks: Marks,
    state: &ContainerState,
    facts: Facts,
) -> Runner {
    let names = container.names.as_deref().unwrap_or_default();
    // With links a container has further names, in the form `/other/alias`.
    let name = names.iter().map(|name| name.trim_start_matches('/')).find(|n| !n.contains('/'));
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
        name: RunnerName::from_observed(name.unwrap_or(id.as_str())),
        id,
        variant: marks.variant,
        slot: marks.slot,
        system_id: marks.system_id,
        record: marks.record,
        spec: marks.spec,
        created_at: facts.ours(created_at(container)),
        state,
        log: None,
    }
}
