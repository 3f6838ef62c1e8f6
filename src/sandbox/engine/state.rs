//! What exists on the simulated engine, and the rules by which dockerd changes it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast;

use super::SimulatedEngineSettings;
use super::container::Container;
use super::faults::{Fault, Faults, Operation};
use super::view::EngineView;
use crate::clock::Clock;
use crate::engine::EngineError;
use crate::sandbox::runner::{Labels, Version};
use crate::spec::InstanceName;
use crate::world::{ContainerId, ContainerState, EngineId, KeptImage};

/// Lines of history kept; far more than a simulated history of an hour writes, and bounded for a
/// sandbox that runs for days.
const HISTORY_MAX: usize = 50_000;
/// Events a watcher may lag behind; one that lags further is woken all the same.
const EVENTS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Volume {
    pub(super) labels: Labels,
    pub(super) made_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Network {
    pub(super) name: String,
    pub(super) labels: Labels,
}

/// What exists, with the times of the engine's own clock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) containers: BTreeMap<ContainerId, Container>,
    /// By name; anonymous ones have an id for a name.
    pub(super) volumes: BTreeMap<String, Volume>,
    /// By id.
    pub(super) networks: BTreeMap<String, Network>,
    /// On the host.
    pub(super) images: BTreeSet<String>,
    /// Marks of images that are kept ready, with whose they are.
    pub(super) marks: BTreeSet<(InstanceName, KeptImage)>,
    /// To be had by pulling.
    pub(super) published: BTreeSet<String>,
    /// The gitlab-runner in images whose names do not tell it.
    pub(super) versions: BTreeMap<String, Version>,
    /// How far the engine's clock is ahead of the simulation's.
    pub(super) skew: SignedDuration,
    pub(super) reachable: bool,
    pub(super) disk_full: bool,
    pub(super) faults: Faults,
    pub(super) events: broadcast::Sender<Labels>,
    pub(super) history: VecDeque<String>,
    pub(super) ids: u64,
    pub(super) seed: u64,
    pub(super) id: EngineId,
    /// All that is there, as long as nothing changes.
    pub(super) view: Option<Arc<EngineView>>,
    clock: Clock,
    born: Timestamp,
}

impl State {
    pub(super) fn new(settings: &SimulatedEngineSettings) -> Self {
        Self {
            containers: BTreeMap::new(),
            volumes: BTreeMap::new(),
            networks: BTreeMap::new(),
            images: BTreeSet::new(),
            marks: BTreeSet::new(),
            published: BTreeSet::new(),
            versions: BTreeMap::new(),
            skew: SignedDuration::ZERO,
            reachable: true,
            disk_full: false,
            faults: Faults::default(),
            events: broadcast::channel(EVENTS_MAX).0,
            history: VecDeque::new(),
            ids: 0,
            seed: settings.seed,
            id: settings.id.clone(),
            view: None,
            clock: settings.clock.clone(),
            born: settings.clock.now(),
        }
    }

    /// The gitlab-runner in an image.
    pub(super) fn version_in(&self, image: &str) -> Version {
        self.versions.get(image).copied().unwrap_or_else(|| Version::of_image(image))
    }

    /// The engine's own time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now().saturating_add(self.skew).unwrap_or(Timestamp::MAX)
    }

    /// A time of the engine's clock, by the simulation's.
    pub(super) fn corrected(&self, at: Timestamp) -> Timestamp {
        at.saturating_sub(self.skew).unwrap_or(Timestamp::MIN)
    }

    pub(super) fn corrected_state(&self, state: &ContainerState) -> ContainerState {
        match *state {
            ContainerState::Created => ContainerState::Created,
            ContainerState::Running { started_at } => {
                ContainerState::Running { started_at: self.corrected(started_at) }
            }
            ContainerState::Exited { code, finished_at, oom_killed } => ContainerState::Exited {
                code,
                finished_at: self.corrected(finished_at),
                oom_killed,
            },
        }
    }

    /// Adds a line to the history, with the time since the engine was made.
    pub(super) fn note(&mut self, line: &str) {
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
        }
        let passed = self.clock.now().duration_since(self.born).as_millis();
        self.history.push_back(format!("{passed} {line}"));
    }

    /// Whether a call comes through; `Some`: it does, but its answer will not.
    pub(super) fn begin(
        &mut self,
        operation: Operation,
        on: &str,
    ) -> Result<Option<String>, EngineError> {
        let error = if self.reachable {
            match self.faults.next(operation) {
                Some(Fault::Refused(error)) => error,
                Some(Fault::AnswerLost) => return Ok(Some(format!("{operation} {on}"))),
                None => return Ok(None),
            }
        } else {
            EngineError::Unreachable {
                endpoint: format!("simulated://{}", self.id),
                problem: "connection refused".to_owned(),
            }
        };
        self.note(&format!("{operation} {on}: {}", first_line(&error)));
        Err(error)
    }

    /// A call's effect, and its line in the history.
    pub(super) fn perform<T>(
        &mut self,
        operation: Operation,
        on: &str,
        effect: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let result = effect(self);
        match &result {
            Ok(_) => self.note(&format!("{operation} {on}: ok")),
            Err(error) => self.note(&format!("{operation} {on}: {}", first_line(error))),
        }
        result
    }

    /// Tells the history and the watchers what happened to a container.
    ///
    /// Nobody hears of what happens while the engine cannot be reached: events are not kept.
    pub(super) fn event(&mut self, what: &str, name: &str, labels: &Labels) {
        self.note(&format!("event {what} {name}"));
        if self.reachable {
            // No watcher is no error.
            let _ = self.events.send(labels.clone());
        }
    }
}

fn first_line(error: &EngineError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
