//! A look of this process alone, for a command that no running AutoGit answers.

use std::time::Duration;

use super::Adapters;
use super::failure::Failure;
use super::shell::Shell;
use crate::clock::Clock;
use crate::observe::Ports;
use crate::reconcile::{Controller, loaded_info};
use crate::source::Loaded;
use crate::view::{PlanOutput, View};
use crate::world::Memory;

/// What it takes to look, and to look again.
pub(super) struct OwnLook {
    controller: Controller,
    pub(super) ports: Ports,
    pub(super) hash: String,
    pub(super) poll_interval: Duration,
    clock: Clock,
}

impl OwnLook {
    /// `beside`: another AutoGit of the instance runs and has the tokens.
    pub(super) fn open(
        loaded: &Loaded,
        beside: bool,
        shell: &Shell,
        adapters: Adapters,
    ) -> Result<Self, Failure> {
        let ports = adapters.connect(loaded, shell).map_err(Failure::Failed)?;
        let info = loaded_info(loaded);
        let mut controller = Controller::new(ports.clone(), shell.clock().clone(), info);
        if beside {
            controller.look_beside_another();
        } else {
            controller.look_only();
        }
        let poll_interval = loaded.spec.gitlab.poll_interval;
        let (hash, clock) = (loaded.hash.clone(), shell.clock().clone());
        Ok(Self { controller, ports, hash, poll_interval, clock })
    }

    /// Looks with what another AutoGit remembers.
    pub(super) fn borrow_memory(&mut self, memory: Memory) {
        self.controller.borrow_memory(memory);
    }

    /// The plan of a look.
    pub(super) async fn plan(&mut self) -> PlanOutput {
        let view = self.look().await;
        view.as_of(self.clock.now()).plan_output()
    }

    pub(super) async fn look(&mut self) -> View {
        let view = self.controller.look().await;
        // A sweep needs two looks that agree; without the second one it would not be shown.
        if self.controller.saw_leftovers() { self.controller.look().await } else { view }
    }
}
