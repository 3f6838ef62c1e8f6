//! Containers as an engine lists and shows them. Only the id has to be there: what else cannot be
//! read is said, and hides no other container.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::client::{Client, READ_LIMIT};
use super::failure::Failure;
use super::labels::Labels;
use super::raw;
use crate::world::{ContainerId, ContainerState};

/// What of a container's state a word tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Created,
    Running,
    Ended,
}

impl Stage {
    /// Docker's words and Podman's; `None`: one that nobody told us of.
    fn of(word: &str) -> Option<Self> {
        match word {
            "created" => Some(Self::Created),
            "running" | "paused" | "restarting" | "stopping" => Some(Self::Running),
            "exited" | "dead" | "removing" => Some(Self::Ended),
            _ => None,
        }
    }
}

/// A container as the engine lists or shows it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) id: ContainerId,
    /// Its name; its id where it tells none.
    pub(super) name: String,
    pub(super) labels: Labels,
    /// `Err`: the engine's own word, which says nothing to us.
    pub(super) stage: Result<Stage, Arc<str>>,
    /// It is frozen.
    pub(super) paused: bool,
    pub(super) created_at: Timestamp,
}

/// A container as the engine shows it when asked for it.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) listed: Listed,
    /// What it does, by the engine's clock; only where its stage is known.
    pub(super) state: ContainerState,
    pub(super) runs: bool,
}

impl Listed {
    /// It is not known to have ended, or never to have run.
    pub(super) fn may_run(&self) -> bool {
        !matches!(self.stage, Ok(Stage::Created | Stage::Ended))
    }

    /// It is not known to have ended.
    pub(super) fn may_live(&self) -> bool {
        self.stage != Ok(Stage::Ended)
    }

    fn of_list(item: &Value) -> Option<Self> {
        let id = item.get("Id")?.as_str()?;
        // With links a container has further names, in the form `/other/alias`.
        let names = item.get("Names").and_then(Value::as_array).into_iter().flatten();
        let mut names = names.filter_map(Value::as_str).map(|name| name.trim_start_matches('/'));
        let seconds = item.get("Created").and_then(Value::as_i64).unwrap_or_default();
        Some(Self {
            id: ContainerId::from_observed(id),
            name: names.find(|name| !name.contains('/')).unwrap_or(id).to_owned(),
            labels: labels(item.get("Labels")),
            stage: stage(item.get("State")),
            paused: is_paused(item.get("State")),
            created_at: Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH),
        })
    }
}

impl Shown {
    fn of(item: &Value) -> Option<Self> {
        let id = item.get("Id").and_then(Value::as_str)?;
        let time = |value: Option<&Value>| {
            let time = value.and_then(Value::as_str)?.parse::<Timestamp>().ok();
            time.filter(|time| *time > Timestamp::UNIX_EPOCH)
        };
        let of_state = |key: &str| item.get("State").and_then(|state| state.get(key));
        let is = |key: &str| of_state(key).and_then(Value::as_bool) == Some(true);
        let created_at = time(item.get("Created")).unwrap_or(Timestamp::UNIX_EPOCH);
        let name = item.get("Name").and_then(Value::as_str).unwrap_or(id);
        let runs = is("Running") || is("Restarting");
        let known = stage(of_state("Status"));
        let state = match known {
            Ok(Stage::Created) => ContainerState::Created,
            _ if runs => ContainerState::Running {
                started_at: time(of_state("StartedAt")).unwrap_or(created_at),
            },
            _ => ContainerState::Exited {
                code: of_state("ExitCode").and_then(Value::as_i64).unwrap_or(-1),
                finished_at: time(of_state("FinishedAt")).unwrap_or(created_at),
                oom_killed: is("OOMKilled"),
            },
        };
        let given = item.get("Config").and_then(|config| config.get("Labels"));
        let listed = Listed {
            id: ContainerId::from_observed(id),
            name: name.trim_start_matches('/').to_owned(),
            labels: labels(given),
            stage: known,
            paused: is_paused(of_state("Status")),
            created_at,
        };
        Some(Self { listed, state, runs })
    }
}

fn stage(word: Option<&Value>) -> Result<Stage, Arc<str>> {
    let word = word.and_then(Value::as_str).unwrap_or_default();
    Stage::of(word).ok_or_else(|| word.into())
}

fn is_paused(word: Option<&Value>) -> bool {
    word.and_then(Value::as_str) == Some("paused")
}

/// Labels, less those that are no text.
pub(super) fn labels(given: Option<&Value>) -> Labels {
    let given = given.and_then(Value::as_object).into_iter().flatten();
    given.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Containers in any state that `query` takes.
pub(super) async fn containers(client: &Client, query: &str) -> Result<Vec<Listed>, Failure> {
    let path = format!("/containers/json?all=true&{query}");
    let told = client.get("list containers", READ_LIMIT, &path).await?;
    items("list containers", &told, Listed::of_list)
}

/// The container of that id or name; `None`: the engine says that there is none.
pub(super) async fn container(client: &Client, key: &str) -> Result<Option<Shown>, Failure> {
    let path = format!("/containers/{}/json", raw::escaped(key));
    match client.get("show a container", READ_LIMIT, &path).await {
        Ok(told) => match Shown::of(&told) {
            Some(shown) => Ok(Some(shown)),
            None => Err(Client::unreadable("show a container")),
        },
        Err(failure) if says_that_there_is_none(&failure) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Docker says `No such container: …`, Podman `no container with name or ID … : no such container`.
/// What stands in front of an engine may answer 404 for reasons of its own.
fn says_that_there_is_none(failure: &Failure) -> bool {
    failure.answer().is_some_and(|(status, message)| {
        status == 404 && message.to_lowercase().contains("no such container")
    })
}

/// Reads a list item by item, less those without an id or a name, to which nothing can be done.
pub(super) fn items<T>(
    attempt: &str,
    told: &Value,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, Failure> {
    let items = told.as_array().ok_or_else(|| Client::unreadable(attempt))?;
    Ok(items.iter().filter_map(read).collect())
}
