//! Runners that an operator asks to drain.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::lock::locked;
use crate::world::{Phase, RunnerName, World};

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
        act(&mut locked(&self.asked))
    }

    /// Forgets those that need not be asked: with all hosts seen there is no such runner, or it runs no
    /// more.
    pub(super) fn settle(&self, world: &World) {
        if self.asked().is_empty() {
            return;
        }
        let views = world.runners();
        self.with(|asked| {
            asked.retain(|name| {
                let its = views.iter().filter(|view| view.runner.name == *name);
                let phases: Vec<&Phase> = its.map(|view| &view.phase).collect();
                if phases.is_empty() {
                    return !world.all_hosts_known();
                }
                let over = |phase: &&Phase| matches!(phase, Phase::Created | Phase::Exited { .. });
                !phases.iter().all(over)
            });
        });
    }

    /// The engine took the SIGQUIT.
    pub(super) fn carried_out(&self, runner: &RunnerName) {
        self.with(|asked| asked.remove(runner));
    }
}
