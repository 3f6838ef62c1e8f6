//! The engine as the gitlab-runner in one of its containers uses it, through the local socket:
//! it is there also when AutoGit cannot reach it.

use std::sync::Weak;
use std::time::Duration;

use jiff::Timestamp;

use super::Inner;
use super::container::{Container, Hiding};
use super::process;
use super::state::State;
use crate::sandbox::runner::{ContainerLife, Labels, LogLine, Machine, NewContainer, NewVolume};
use crate::spec::Arch;
use crate::world::{ContainerId, ContainerState};

/// The image of all simulated job containers.
const JOB_IMAGE: &str = "simulated-job";

/// How a container ends whose image the kernel does not execute: at once, with 1 (runc 1.1).
const REFUSAL: (Duration, i64) = (Duration::ZERO, 1);

/// Where a process runs.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) engine: Weak<Inner>,
    pub(super) container: ContainerId,
}

impl Place {
    fn change(
        &self,
        change: impl FnOnce(&mut State, &Inner) -> Result<(), String>,
    ) -> Result<(), String> {
        let inner = self.engine.upgrade().ok_or("the engine is gone")?;
        change(&mut inner.state(), &inner)
    }
}

impl Machine for Place {
    fn log(&self, line: &LogLine) {
        let Some(inner) = self.engine.upgrade() else { return };
        let mut state = inner.state();
        let at = state.now();
        let Some(container) = state.containers.get_mut(&self.container) else { return };
        let Some(process) = &mut container.process else { return };
        process.write(line, at);
        let job = line.job().map(|job| format!(" job {job}")).unwrap_or_default();
        let told = format!("{}{job} wrote {}", container.name, line.message());
        state.note(&told);
    }

    fn create_network(&self, name: &str, labels: &Labels) -> Result<(), String> {
        self.change(|state, _| {
            state.add_network(name, labels.clone());
            Ok(())
        })
    }

    fn create_volume(&self, volume: &NewVolume) -> Result<(), String> {
        self.change(|state, _| {
            if state.disk_full && !state.volumes.contains_key(&volume.name) {
                return Err("no space left on device".to_owned());
            }
            state.add_volume(&volume.name, volume.labels.clone());
            Ok(())
        })
    }

    fn run_container(&self, new: &NewContainer) -> Result<ContainerId, String> {
        let inner = self.engine.upgrade().ok_or("the engine is gone")?;
        let mut state = inner.state();
        let settings = &inner.settings;
        let runs = |arch: &Arch| *arch == settings.arch || settings.emulates.contains(arch);
        let refused = new.image_arch.filter(|arch| !runs(arch));
        let container = Container { refused, ..job_container(new, state.now()) };
        let ends = if refused.is_some() { Some(REFUSAL) } else { new.ends };
        process::start_job(&mut state, container, ends, settings, &self.engine)
    }

    fn container(&self, id: &ContainerId) -> ContainerLife {
        let Some(inner) = self.engine.upgrade() else { return ContainerLife::Gone };
        let state = inner.state();
        match state.containers.get(id).map(|container| &container.state) {
            Some(ContainerState::Running { .. }) => ContainerLife::Running,
            Some(ContainerState::Exited { code, .. }) => ContainerLife::Exited(*code),
            Some(ContainerState::Created) | None => ContainerLife::Gone,
        }
    }

    fn remove_container(&self, id: &ContainerId) {
        if let Some(inner) = self.engine.upgrade() {
            inner.state().remove(id.as_str());
        }
    }

    fn remove_volume(&self, name: &str) {
        if let Some(inner) = self.engine.upgrade() {
            // gitlab-runner logs a failure to clean up and goes on.
            let _ = inner.state().remove_volume(name);
        }
    }

    fn remove_network(&self, name: &str) {
        let Some(inner) = self.engine.upgrade() else { return };
        let mut state = inner.state();
        if let Some(id) = state.network_id(name).map(str::to_owned) {
            // As above.
            let _ = state.remove_network(&id);
        }
    }
}

/// A job's container, before it is started.
pub(super) fn job_container(new: &NewContainer, created_at: Timestamp) -> Container {
    Container {
        name: new.name.clone(),
        image: JOB_IMAGE.to_owned(),
        labels: new.labels.clone(),
        network: new.network.clone(),
        volumes: new.volumes.clone(),
        created_at,
        state: ContainerState::Created,
        hiding: Hiding::None,
        odd: None,
        refused: None,
        task: None,
        process: None,
    }
}
