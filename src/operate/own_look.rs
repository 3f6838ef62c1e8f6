//! A look of this process alone, for a command that no running AutoGit answers.

use std::time::Duration;

use jiff::Timestamp;

use super::adapters::Adapters;
use super::failure::Failure;
use super::process::Process;
use crate::clock::Clock;
use crate::observe::Ports;
use crate::reconcile::{Controller, loaded_info};
use crate::source::Loaded;
use crate::view::{PlanOutput, View};
use crate::world::Memory;

/// What it takes to look, and to look again.
pub(crate) struct OwnLook {
    controller: Controller,
    pub(crate) ports: Ports,
    pub(crate) hash: String,
    pub(crate) poll_interval: Duration,
    clock: Clock,
}

impl OwnLook {
    /// `beside`: another AutoGit of the instance runs and has the tokens.
    pub(crate) fn open(
        loaded: &Loaded,
        beside: bool,
        process: &Process,
        adapters: Adapters,
    ) -> Result<Self, Failure> {
        let ports = adapters.connect(loaded, process).map_err(Failure::Failed)?;
        let info = loaded_info(loaded);
        let mut controller = Controller::new(ports.clone(), process.clock().clone(), info);
        if beside {
            controller.look_beside_another();
        } else {
            controller.look_only();
        }
        let poll_interval = loaded.spec.gitlab.poll_interval;
        let (hash, clock) = (loaded.hash.clone(), process.clock().clone());
        Ok(Self { controller, ports, hash, poll_interval, clock })
    }

    /// Looks with what another AutoGit remembers.
    pub(crate) fn borrow_memory(&mut self, memory: Memory) {
        self.controller.borrow_memory(memory);
    }

    /// The plan of a look, or what it would be were it that time for the schedules.
    pub(crate) async fn plan(&mut self, at: Option<Timestamp>) -> PlanOutput {
        let view = self.look().await;
        let told = view.as_of(self.clock.now());
        at.map_or_else(|| told.plan_output(), |at| told.plan_output_at(at))
    }

    pub(crate) async fn look(&mut self) -> View {
        let view = self.controller.look().await;
        // A sweep needs two looks that agree; without the second one it would not be shown.
        if self.controller.saw_leftovers() { self.controller.look().await } else { view }
    }
}
