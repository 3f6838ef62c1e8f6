//! Runners that an operator asks to drain.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::observe::Ports;
use crate::world::{ContainerState, RunnerName, World};

/// Runners that shall drain; clones share them. A runner stays asked for until its engine took the
/// SIGQUIT or it is seen to be gone, so a request that comes while its host is away is not lost.
/// Lost with the process, which costs one more request.
#[derive(Debug, Clone, Default)]
pub struct Drains {
    asked: Arc<Mutex<BTreeSet<RunnerName>>>,
}

impl Drains {
    /// Asks for a runner that was seen to be drained at the next tick.
    pub fn ask(&self, runner: &RunnerName) {
        self.with(|asked| asked.insert(runner.clone()));
    }

    /// The runners that were asked for and are not known to drain.
    pub fn asked(&self) -> BTreeSet<RunnerName> {
        self.with(|asked| asked.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeSet<RunnerName>) -> T) -> T {
        act(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends SIGQUIT to each runner that was asked for and can be reached, and puts it among those
    /// that drain, so that the plan counts on it no more. Those with a job finish it.
    pub(super) async fn carry_out(&self, ports: &Ports, world: &mut World) {
        for name in self.asked() {
            let mut all_seen = true;
            let mut found = None;
            for (host, state) in &world.hosts {
                let Some(state) = state.state.known() else {
                    all_seen = false;
                    continue;
                };
                let runner = state.runners.iter().find(|runner| runner.name == name);
                found = found.or(runner.map(|runner| (host, runner)));
            }
            let Some((host, runner)) = found else {
                if all_seen {
                    self.with(|asked| asked.remove(&name));
                }
                continue;
            };
            let running = matches!(runner.state, ContainerState::Running { .. });
            let Some(engine) = ports.engines.get(host).filter(|_| running) else {
                self.with(|asked| asked.remove(&name));
                continue;
            };
            match engine.drain(&runner.id).await {
                Ok(()) => {
                    tracing::info!(runner = %name, %host, "drain: an operator asked for it");
                    world.memory.draining.insert(runner.id.clone(), world.now);
                    self.with(|asked| asked.remove(&name));
                }
                Err(error) => {
                    tracing::error!(runner = %name, %host, "drain, asked for by an operator: {error}");
                }
            }
        }
    }
}
