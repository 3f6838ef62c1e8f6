//! What only a hand on the machine can do, and what a test looks at.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::container::{Container, Hiding, Odd};
use super::faults::{Fault, Operation};
use super::view::{self, ContainerView, Counts, EngineView, ObjectView, RunningJob};
use super::{SimulatedEngine, machine};
use crate::engine::EngineError;
use crate::sandbox::runner::{Footprint, JobIdentity, Labels, Surroundings, Version};
use crate::world::{ContainerId, ContainerState, JobId, SystemId, WorkloadId};

/// What the kernel's SIGKILL makes of a process.
const KILLED: i64 = 137;

/// What a dead runner's job left, for [`SimulatedEngine::add_job_leftovers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLeftovers {
    /// Its version.
    pub version: Version,
    /// The dead runner.
    pub system_id: SystemId,
    /// Its job.
    pub job: JobId,
    /// The job's project.
    pub project: u64,
    /// Its build container still runs.
    pub running: bool,
    /// Its volumes are those of a cache that is kept.
    pub reusable: bool,
}

impl SimulatedEngine {
    /// All that is there; asking again costs nothing as long as nothing changed.
    pub fn view(&self) -> Arc<EngineView> {
        let mut state = self.state();
        let view = state.view.clone().unwrap_or_else(|| Arc::new(EngineView::of(&state)));
        state.show(&view);
        view
    }

    /// All containers, sorted by name.
    pub fn containers(&self) -> Vec<ContainerView> {
        view::containers(&self.state())
    }

    /// All volumes, sorted by name.
    pub fn volumes(&self) -> Vec<ObjectView> {
        view::volumes(&self.state())
    }

    /// All networks, sorted by name.
    pub fn networks(&self) -> Vec<ObjectView> {
        view::networks(&self.state())
    }

    /// The jobs that living runners have, sorted by id.
    pub fn running_jobs(&self) -> Vec<RunningJob> {
        view::running_jobs(&self.state())
    }

    /// How much exists, for asserting that nothing does.
    pub fn counts(&self) -> Counts {
        let state = self.state();
        Counts {
            containers: state.containers.len(),
            volumes: state.volumes.len(),
            networks: state.networks.len(),
        }
    }

    /// All that was asked of the engine and happened on it, one line each, oldest first: the same
    /// text for the same seed and history. Only the newest 50 000 are kept.
    pub fn operations(&self) -> Vec<String> {
        self.state().history.iter().cloned().collect()
    }

    /// Puts an image on the host.
    pub fn add_image(&self, image: &str) {
        self.state().images.insert(image.to_owned());
    }

    /// Puts an image into the registry, from where it can be pulled.
    pub fn publish_image(&self, image: &str) {
        self.state().published.insert(image.to_owned());
    }

    /// Puts an image with that gitlab-runner into the registry, whatever its name tells.
    pub fn publish_image_of(&self, image: &str, version: Version) {
        self.publish_image(image);
        self.state().versions.insert(image.to_owned(), version);
    }

    /// Removes an image from the host, as `docker image prune` does.
    pub fn prune_image(&self, image: &str) {
        self.state().images.remove(image);
    }

    /// Removes an image from the host and from the registry.
    pub fn forget_image(&self, image: &str) {
        let mut state = self.state();
        state.images.remove(image);
        state.published.remove(image);
    }

    /// Sets how far the engine's clock is ahead of the simulation's.
    pub fn set_skew(&self, skew: SignedDuration) {
        self.state().skew = skew;
    }

    /// Lets AutoGit reach the engine, or not; its containers run on all the same.
    pub fn set_reachable(&self, reachable: bool) {
        self.state().reachable = reachable;
    }

    /// Fills the disk, or frees it again.
    pub fn set_disk_full(&self, full: bool) {
        self.state().disk_full = full;
    }

    /// Scripts what the next call of `operation` meets; faults queue up by operation.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.state().faults.push(operation, fault);
    }

    /// Ends a running container at once, as the kernel does; what its jobs made is left as it is.
    /// Code 137 counts as want of memory.
    pub fn kill_container(&self, id: &WorkloadId, code: i64) -> Result<(), EngineError> {
        let mut state = self.state();
        let told = format!("hand kills {}", state.container(id.as_str())?.name);
        state.note(&told);
        state.exited(id.as_str(), code, code == KILLED);
        Ok(())
    }

    /// `docker pause` of a runner, or `docker unpause`. What its jobs made goes on.
    pub fn pause_by_hand(&self, id: &WorkloadId, paused: bool) -> Result<(), EngineError> {
        let state = self.state();
        if let Some(process) = &state.container(id.as_str())?.process {
            process.freeze.set(paused);
        }
        Ok(())
    }

    /// From now on the runner does not heed SIGQUIT.
    pub fn deafen(&self, id: &WorkloadId) -> Result<(), EngineError> {
        if let Some(process) = &mut self.state().container_mut(id.as_str())?.process {
            process.deaf = true;
        }
        Ok(())
    }

    /// Removes a container whatever it does, as `docker rm --force --volumes`.
    pub fn remove_by_hand(&self, id: &WorkloadId) -> Result<(), EngineError> {
        let mut state = self.state();
        let told = format!("hand removes {}", state.container(id.as_str())?.name);
        state.note(&told);
        state.remove(id.as_str());
        Ok(())
    }

    /// The engine tells a container's state in that word; `None`: in one that is known.
    pub fn say_of_state(&self, id: &WorkloadId, word: Option<&str>) -> Result<(), EngineError> {
        let odd = word.map(|word| Odd::State(word.to_owned()));
        self.state().container_mut(id.as_str())?.odd = odd;
        Ok(())
    }

    /// The engine tells nothing that can be read of that label of AutoGit's (`slot`), until it is
    /// asked to tell of a state.
    pub fn spoil_label(&self, id: &WorkloadId, label: &str) -> Result<(), EngineError> {
        self.state().container_mut(id.as_str())?.odd = Some(Odd::Label(label.to_owned()));
        Ok(())
    }

    /// Hides a container from AutoGit, or shows it again.
    pub fn hide(&self, id: &WorkloadId, hiding: Hiding) -> Result<(), EngineError> {
        self.state().container_mut(id.as_str())?.hiding = hiding;
        Ok(())
    }

    /// Renames a container.
    pub fn rename_by_hand(&self, id: &WorkloadId, name: &str) -> Result<(), EngineError> {
        let mut state = self.state();
        state.expect_free(name)?;
        let container = state.container_mut(id.as_str())?;
        name.clone_into(&mut container.name);
        let labels = container.labels.clone();
        state.event("rename", name, &labels);
        Ok(())
    }

    /// Restarts dockerd: all that runs is ended, and nothing is started again.
    pub fn restart_engine(&self) {
        let mut state = self.state();
        state.note("hand restarts the engine");
        let all: Vec<ContainerId> = state.containers.keys().cloned().collect();
        for id in all {
            state.exited(id.as_str(), KILLED, false);
        }
    }

    /// Adds a running container that does nothing, with any labels.
    pub fn add_foreign_container(
        &self,
        name: &str,
        labels: Labels,
    ) -> Result<WorkloadId, EngineError> {
        let mut state = self.state();
        let container = Container {
            name: name.to_owned(),
            image: "foreign".to_owned(),
            labels,
            network: None,
            volumes: Vec::new(),
            created_at: state.now(),
            state: ContainerState::Created,
            hiding: Hiding::None,
            odd: None,
            refused: None,
            task: None,
            process: None,
        };
        let id = state.create(container)?;
        state.started(id.as_str(), None);
        Ok(id.into())
    }

    /// Adds a volume with any labels.
    pub fn add_foreign_volume(&self, name: &str, labels: Labels) {
        self.state().add_volume(name, labels);
    }

    /// Adds a network with any labels.
    pub fn add_foreign_network(&self, name: &str, labels: Labels) {
        self.state().add_network(name, labels);
    }

    /// Adds what a runner that was killed during a job leaves: two containers and a service, two
    /// volumes and a network.
    pub fn add_job_leftovers(&self, left: &JobLeftovers) -> Result<(), EngineError> {
        let footprint = left.footprint();
        let mut state = self.state();
        if let Some((name, labels)) = footprint.network {
            state.add_network(&name, labels);
        }
        for volume in footprint.volumes {
            state.add_volume(&volume.name, volume.labels);
        }
        let others = footprint.services.iter().chain([&footprint.predefined]);
        for new in others.chain([&footprint.build]) {
            let container = machine::job_container(new, state.now());
            let id = state.create(container)?;
            state.started(id.as_str(), None);
            let ended = new.name == footprint.predefined.name
                || (new.name == footprint.build.name && !left.running);
            if ended {
                state.exited(id.as_str(), 0, false);
            }
        }
        Ok(())
    }
}

impl JobLeftovers {
    fn footprint(&self) -> Footprint {
        let identity = JobIdentity {
            job: self.job,
            url: format!("https://gitlab.example/group/project/-/jobs/{}", self.job),
            sha: "0000000000000000000000000000000000000000".to_owned(),
            ref_name: "main".to_owned(),
            timeout: Duration::from_hours(1),
            project: self.project,
            pipeline: 1,
            runner: "leftovers".to_owned(),
            system_id: self.system_id.clone(),
        };
        let around = Surroundings {
            version: self.version,
            network_per_job: true,
            network: None,
            disable_cache: !self.reusable,
            container_labels: Labels::new(),
            services: 1,
            image_arch: None,
        };
        Footprint::of(&identity, &around, (Duration::ZERO, 0))
    }
}
