//! A simulated Docker Engine behind the [`crate::engine::Engine`] port: names are locks, states
//! go one way, and each started runner is a task that behaves as gitlab-runner does.
//!
//! It stops what dockerd stops and nothing else, and it is deterministic: all waiting goes through
//! the [`Clock`], ids and delays come from the seed. Beside the port it has what only a hand on
//! the machine can do: kill, rename, fill the disk ([`SimulatedEngine::kill_container`] and on).
//!
//! Deliberately absent: exec, Swarm, platforms of images, and what hardening forbids.

mod container;
mod faults;
mod freeze;
mod labels;
mod machine;
mod objects;
mod port;
mod process;
mod state;
mod tamper;
mod view;

pub use container::Hiding;
pub use faults::{Fault, Operation};
pub use tamper::JobLeftovers;
pub use view::{ContainerView, Counts, EngineView, ObjectView, RunningJob};

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::Clock;
use crate::engine::EngineError;
use crate::gitlab::Transport;
use crate::lock::locked;
use crate::spec::Arch;
use crate::world::{EngineId, GpusSeen};

use state::State;

/// After which time a call counts as lost, as the Docker adapter's limit does.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How long the engine takes for what takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latencies {
    /// Creating a container.
    pub create: Duration,
    /// Starting it.
    pub start: Duration,
    /// Pulling an image.
    pub pull: Duration,
}

impl Default for Latencies {
    /// Those of a small machine: creating and starting together take about half a second.
    fn default() -> Self {
        Self {
            create: Duration::from_millis(200),
            start: Duration::from_millis(300),
            pull: Duration::from_secs(5),
        }
    }
}

/// What a simulated engine is, and what world it stands in.
#[derive(Debug, Clone)]
pub struct SimulatedEngineSettings {
    /// Its id.
    pub id: EngineId,
    /// Its architecture.
    pub arch: Arch,
    /// Its cpus.
    pub cpus: f64,
    /// Its memory in bytes.
    pub memory: u64,
    /// The GPUs that it can hand to containers.
    pub gpus: GpusSeen,
    /// Other architectures that it runs through QEMU.
    pub emulates: BTreeSet<Arch>,
    /// The clock of the whole simulation.
    pub clock: Clock,
    /// The way from its runners to GitLab.
    pub gitlab: Arc<dyn Transport>,
    /// The one server that `gitlab` leads to; runners whose config names another reach nothing.
    pub gitlab_url: String,
    /// Where ids and delays come from.
    pub seed: u64,
    /// How long it takes for what takes long.
    pub latencies: Latencies,
}

/// A simulated Docker Engine with the runners that live on it. Clones are the same engine; when
/// the last one is dropped, all its runners end.
#[derive(Debug, Clone)]
pub struct SimulatedEngine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: SimulatedEngineSettings,
    state: Mutex<State>,
}

/// The state, locked. To change it makes the view of it old.
#[derive(Debug)]
struct Locked<'a>(MutexGuard<'a, State>);

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.0.view = None;
        &mut self.0
    }
}

impl Locked<'_> {
    /// The state, for what changes nothing that the view shows.
    fn unseen(&mut self) -> &mut State {
        &mut self.0
    }

    /// Keeps `view` until the state is changed.
    fn show(&mut self, view: &Arc<EngineView>) {
        self.0.view = Some(Arc::clone(view));
    }
}

impl Inner {
    fn state(&self) -> Locked<'_> {
        Locked(locked(&self.state))
    }
}

impl SimulatedEngine {
    /// An empty, reachable engine, whose clock agrees with the simulation's.
    pub fn new(settings: SimulatedEngineSettings) -> Self {
        let state = State::new(&settings);
        Self { inner: Arc::new(Inner { settings, state: Mutex::new(state) }) }
    }

    fn state(&self) -> Locked<'_> {
        self.inner.state()
    }

    /// One call of the port: its scripted fault, its latency, its effect and its line in
    /// [`SimulatedEngine::operations`].
    ///
    /// The effect comes half-way through the latency, so that a caller that goes away meanwhile
    /// may or may not have had it, as with a real engine.
    async fn call<T>(
        &self,
        operation: Operation,
        on: &str,
        latency: Duration,
        effect: impl FnOnce(&mut State) -> Result<T, EngineError> + Send,
    ) -> Result<T, EngineError> {
        let fault = self.state().unseen().begin(operation, on)?;
        self.pass(latency / 2).await;
        let result = {
            let mut state = self.state();
            let state = if operation.only_looks() { state.unseen() } else { &mut *state };
            state.perform(operation, on, effect)
        };
        match fault {
            None => {
                self.pass(latency / 2).await;
                result
            }
            Some(attempt) => {
                self.pass(ANSWER_LIMIT).await;
                Err(EngineError::TimedOut { attempt, limit: ANSWER_LIMIT })
            }
        }
    }

    async fn pass(&self, time: Duration) {
        if !time.is_zero() {
            self.inner.settings.clock.sleep(time).await;
        }
    }
}
