//! What lies on the engine, seen without AutoGit's own eyes, and its removal after a test.

use std::collections::BTreeMap;

use autogit::spec::InstanceName;
use autogit::world::{EngineId, Slot, SystemId, Variant};
use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    ListContainersOptions, ListNetworksOptions, ListVolumesOptions, RemoveContainerOptions,
    RemoveVolumeOptions,
};

use crate::end_to_end::tamper::BY_HAND;

const INSTANCE: &str = "io.autogit.instance";
const MANAGED: &str = "com.gitlab.gitlab-runner.managed";
const OWNER: &str = "com.gitlab.gitlab-runner.runner.system_id";

type Labels = BTreeMap<String, String>;

/// The part of the engine that belongs to one instance.
pub(crate) struct OwnEngine {
    pub(crate) docker: Docker,
    instance: InstanceName,
    id: EngineId,
    prefix: String,
}

/// Names of things on the engine, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Runner containers of the instance, in any state.
    pub(crate) runners: Vec<String>,
    /// Other containers.
    pub(crate) jobs: Vec<String>,
    pub(crate) volumes: Vec<String>,
    pub(crate) networks: Vec<String>,
}

impl Found {
    /// What is not in `other`.
    pub(crate) fn without(mut self, other: &Self) -> Self {
        self.runners.retain(|name| !other.runners.contains(name));
        self.jobs.retain(|name| !other.jobs.contains(name));
        self.volumes.retain(|name| !other.volumes.contains(name));
        self.networks.retain(|name| !other.networks.contains(name));
        self
    }
}

impl OwnEngine {
    pub(crate) async fn new(instance: &InstanceName) -> Self {
        let docker = Docker::connect_with_unix_defaults().unwrap();
        let docker = docker.negotiate_version().await.unwrap();
        let id = EngineId::from_observed(&docker.info().await.unwrap().id.unwrap());
        let prefix = SystemId::prefix(instance, &id.mark());
        Self { docker, instance: instance.clone(), id, prefix }
    }

    /// The system id of that slot.
    pub(crate) fn system_id(&self, variant: &Variant, slot: Slot) -> SystemId {
        SystemId::new(&self.instance, &self.id, variant, slot)
    }

    /// All that the instance has on the engine: its runners, its network, what its jobs made.
    pub(crate) async fn found(&self) -> Found {
        self.found_where(|labels| self.is_ours(labels) || self.is_of_our_job(labels)).await
    }

    /// All that the test made by hand.
    pub(crate) async fn found_by_hand(&self) -> Found {
        let instance = self.instance.as_str();
        self.found_where(|labels| labels.get(BY_HAND).is_some_and(|name| name == instance)).await
    }

    /// The runner containers of the instance.
    pub(crate) async fn runners(&self) -> Vec<ContainerSummary> {
        let all = self.containers().await.into_iter();
        all.filter(|container| self.is_ours(&labels(container.labels.clone()))).collect()
    }

    fn is_ours(&self, labels: &Labels) -> bool {
        labels.get(INSTANCE).is_some_and(|name| name == self.instance.as_str())
    }

    fn is_of_our_job(&self, labels: &Labels) -> bool {
        labels.get(MANAGED).is_some_and(|managed| managed == "true")
            && labels.get(OWNER).is_some_and(|id| id.starts_with(&self.prefix))
    }

    async fn containers(&self) -> Vec<ContainerSummary> {
        let options = ListContainersOptions { all: true, ..ListContainersOptions::default() };
        self.docker.list_containers(Some(options)).await.unwrap()
    }

    async fn found_where(&self, fits: impl Fn(&Labels) -> bool) -> Found {
        let mut found = Found::default();
        for container in self.containers().await {
            let labels = labels(container.labels.clone());
            let list = if self.is_ours(&labels) { &mut found.runners } else { &mut found.jobs };
            list.extend(fits(&labels).then(|| name_of(&container)));
        }
        let volumes = self.docker.list_volumes(None::<ListVolumesOptions>).await.unwrap();
        let volumes = volumes.volumes.unwrap_or_default().into_iter();
        let volumes = volumes.filter(|volume| fits(&labels(Some(volume.labels.clone()))));
        found.volumes.extend(volumes.map(|volume| volume.name));
        let networks = self.docker.list_networks(None::<ListNetworksOptions>).await.unwrap();
        let networks = networks.into_iter().filter(|network| fits(&labels(network.labels.clone())));
        found.networks.extend(networks.filter_map(|network| network.name));
        for names in [&mut found.runners, &mut found.jobs, &mut found.volumes, &mut found.networks]
        {
            names.sort();
        }
        found
    }

    /// Removes all of it by force, what was made by hand, too.
    pub(crate) async fn clean_up(&self) {
        // Runners first: while one lives, it makes more.
        for name in self.found().await.runners {
            self.remove_container(&name).await;
        }
        for found in [self.found().await, self.found_by_hand().await] {
            for name in found.runners.into_iter().chain(found.jobs) {
                self.remove_container(&name).await;
            }
            for name in found.volumes {
                let _ = self.docker.remove_volume(&name, None::<RemoveVolumeOptions>).await;
            }
            for name in found.networks {
                let _ = self.docker.remove_network(&name).await;
            }
        }
    }

    /// Removes a container by force, with its volumes.
    pub(crate) async fn remove_container(&self, name: &str) {
        let options = RemoveContainerOptions { v: true, force: true, link: false };
        let _ = self.docker.remove_container(name, Some(options)).await;
    }
}

fn labels(labels: Option<impl IntoIterator<Item = (String, String)>>) -> Labels {
    labels.into_iter().flatten().collect()
}

fn name_of(container: &ContainerSummary) -> String {
    let names = container.names.as_deref().unwrap_or_default();
    names.first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default()
}
