//! Containers, volumes and networks come, change and go.

use super::container::{Container, Task};
use super::state::{Network, State, Volume};
use crate::engine::EngineError;
use crate::sandbox::runner::{Labels, digest};
use crate::world::{ContainerId, ContainerState};

/// Networks that every engine has.
const PREDEFINED_NETWORKS: [&str; 3] = ["bridge", "host", "none"];

impl State {
    /// An id such as dockerd's, never given twice.
    pub(super) fn fresh_id(&mut self) -> String {
        self.ids += 1;
        digest(&[self.id.as_str(), &self.seed.to_string(), &self.ids.to_string()])
    }

    /// Creates a container under a name that nobody has.
    pub(super) fn create(&mut self, container: Container) -> Result<ContainerId, EngineError> {
        if self.disk_full {
            return Err(EngineError::Refused {
                attempt: format!("create container {}", container.name),
                problem: "no space left on device".to_owned(),
            });
        }
        self.expect_free(&container.name)?;
        let id = ContainerId::from_observed(&self.fresh_id());
        self.event(&format!("create {}", short(id.as_str())), &container.name, &container.labels);
        self.containers.insert(id.clone(), container);
        Ok(id)
    }

    pub(super) fn expect_free(&self, name: &str) -> Result<(), EngineError> {
        if self.containers.values().any(|other| other.name == name) {
            return Err(EngineError::NameTaken { name: name.to_owned() });
        }
        Ok(())
    }

    pub(super) fn container(&self, id: &str) -> Result<&Container, EngineError> {
        self.containers.get(id).ok_or_else(|| unknown(id))
    }

    pub(super) fn container_mut(&mut self, id: &str) -> Result<&mut Container, EngineError> {
        self.containers.get_mut(id).ok_or_else(|| unknown(id))
    }

    /// A container begins to run.
    pub(super) fn started(&mut self, id: &str, task: Option<Task>) {
        let started_at = self.now();
        let Some(container) = self.containers.get_mut(id) else { return };
        container.state = ContainerState::Running { started_at };
        container.task = task;
        let (name, labels) = (container.name.clone(), container.labels.clone());
        self.event("start", &name, &labels);
    }

    /// A running container ends.
    pub(super) fn exited(&mut self, id: &str, code: i64, oom_killed: bool) {
        let finished_at = self.now();
        let Some(container) = self.containers.get_mut(id).filter(|it| it.runs()) else { return };
        container.state = ContainerState::Exited { code, finished_at, oom_killed };
        container.task = None;
        if let Some(process) = &mut container.process {
            process.job = None;
        }
        let (name, labels) = (container.name.clone(), container.labels.clone());
        self.event(&format!("die {code}"), &name, &labels);
    }

    /// Removes a container and its anonymous volumes, ending it first if it runs.
    pub(super) fn remove(&mut self, id: &str) {
        self.exited(id, 137, false);
        let Some(container) = self.containers.remove(id) else { return };
        for volume in &container.volumes {
            if self.volumes.get(volume).is_some_and(|volume| volume.labels.is_empty()) {
                self.volumes.remove(volume);
            }
        }
        self.event("destroy", &container.name, &container.labels);
    }

    /// Makes a volume with labels, or an anonymous one without any.
    pub(super) fn add_volume(&mut self, name: &str, labels: Labels) {
        let made_at = self.now();
        self.volumes.entry(name.to_owned()).or_insert_with(|| Volume { labels, made_at });
    }

    /// Removes a volume that no container has; one that is gone is no error.
    pub(super) fn remove_volume(&mut self, name: &str) -> Result<(), EngineError> {
        if self.containers.values().any(|it| it.volumes.iter().any(|volume| volume == name)) {
            return Err(EngineError::Refused {
                attempt: format!("remove volume {name}"),
                problem: "volume is in use".to_owned(),
            });
        }
        self.volumes.remove(name);
        Ok(())
    }

    /// Makes a network; one of that name is kept as it is.
    pub(super) fn add_network(&mut self, name: &str, labels: Labels) {
        if self.network_id(name).is_none() {
            let id = self.fresh_id();
            self.networks.insert(id, Network { name: name.to_owned(), labels });
        }
    }

    pub(super) fn network_id(&self, name: &str) -> Option<&str> {
        let named = self.networks.iter().find(|(_, network)| network.name == name);
        named.map(|(id, _)| id.as_str())
    }

    /// What a container needs to start.
    pub(super) fn expect_network(&self, name: Option<&str>) -> Result<(), String> {
        match name {
            Some(name)
                if !PREDEFINED_NETWORKS.contains(&name) && self.network_id(name).is_none() =>
            {
                Err(format!("network {name} not found"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Removes a network without endpoints, which are those of running containers; one that is
    /// gone is no error.
    pub(super) fn remove_network(&mut self, id: &str) -> Result<(), EngineError> {
        let Some(network) = self.networks.get(id) else { return Ok(()) };
        let on_it = |it: &&Container| it.runs() && it.network.as_ref() == Some(&network.name);
        if let Some(container) = self.containers.values().find(on_it) {
            return Err(EngineError::Refused {
                attempt: format!("remove network {}", network.name),
                problem: format!("it has active endpoints, such as {}", container.name),
            });
        }
        self.networks.remove(id);
        Ok(())
    }
}

/// An id as `docker ps` shows it.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn unknown(id: &str) -> EngineError {
    EngineError::NotFound { object: format!("container {id}") }
}
