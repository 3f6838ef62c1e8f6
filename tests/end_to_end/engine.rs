//! What lies on the engine, seen without AutoGit's own eyes, and its removal after a test.

use autogit::spec::InstanceName;
use autogit::world::{EngineId, SystemId};
use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    ListContainersOptions, ListNetworksOptions, ListVolumesOptions, RemoveContainerOptions,
    RemoveVolumeOptions,
};

const MANAGED: &str = "com.gitlab.gitlab-runner.managed=true";
const OWNER: &str = "com.gitlab.gitlab-runner.runner.system_id";

/// The part of the engine that belongs to one instance.
pub(crate) struct OwnEngine {
    pub(crate) docker: Docker,
    instance: InstanceName,
    prefix: String,
}

/// All that an instance has on the engine.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Names of runner containers, in any state.
    pub(crate) runners: Vec<String>,
    /// Names of containers that its jobs made.
    pub(crate) jobs: Vec<String>,
    /// Names of volumes that its jobs made.
    pub(crate) volumes: Vec<String>,
    /// Names of networks: its own, and those of its jobs.
    pub(crate) networks: Vec<String>,
}

impl OwnEngine {
    pub(crate) async fn new(instance: &InstanceName) -> Self {
        let docker = Docker::connect_with_unix_defaults().unwrap();
        let docker = docker.negotiate_version().await.unwrap();
        let id = docker.info().await.unwrap().id.unwrap();
        let installation = EngineId::from_observed(&id).installation();
        let prefix = SystemId::prefix(instance, &installation);
        Self { docker, instance: instance.clone(), prefix }
    }

    /// The address at which containers on any bridge reach this machine.
    pub(crate) async fn gateway(&self) -> String {
        let bridge = self.docker.inspect_network("bridge", None).await.unwrap();
        let config = bridge.ipam.unwrap().config.unwrap().remove(0);
        // Engines that were never told one do not say it; it is the first address then.
        config.gateway.unwrap_or_else(|| first_of(&config.subnet.unwrap()))
    }

    /// The label that all of the instance carries.
    fn ours(&self) -> String {
        format!("io.autogit.instance={}", self.instance)
    }

    async fn containers(&self, label: String) -> Vec<ContainerSummary> {
        let options = ListContainersOptions {
            all: true,
            filters: Some([("label".to_owned(), vec![label])].into()),
            ..ListContainersOptions::default()
        };
        self.docker.list_containers(Some(options)).await.unwrap()
    }

    /// The runner containers of the instance.
    pub(crate) async fn runners(&self) -> Vec<ContainerSummary> {
        self.containers(self.ours()).await
    }

    /// The containers that its jobs made.
    pub(crate) async fn jobs(&self) -> Vec<ContainerSummary> {
        let all = self.containers(MANAGED.to_owned()).await.into_iter();
        all.filter(|found| self.is_of_our_job(found.labels.as_ref())).collect()
    }

    pub(crate) async fn found(&self) -> Found {
        let mut found = Found {
            runners: self.runners().await.iter().map(name_of).collect(),
            jobs: self.jobs().await.iter().map(name_of).collect(),
            volumes: self.volumes().await,
            networks: self.networks().await,
        };
        for names in [&mut found.runners, &mut found.jobs, &mut found.volumes, &mut found.networks]
        {
            names.sort();
        }
        found
    }

    async fn volumes(&self) -> Vec<String> {
        let filters = Some([("label".to_owned(), vec![MANAGED.to_owned()])].into());
        let listed = self.docker.list_volumes(Some(ListVolumesOptions { filters })).await.unwrap();
        let all = listed.volumes.unwrap_or_default().into_iter();
        all.filter(|volume| self.is_of_our_job(Some(&volume.labels)))
            .map(|volume| volume.name)
            .collect()
    }

    async fn networks(&self) -> Vec<String> {
        let all = self.docker.list_networks(None::<ListNetworksOptions>).await.unwrap();
        let ours = all.into_iter().filter(|network| {
            let labels = network.labels.as_ref();
            let instance = labels.and_then(|labels| labels.get("io.autogit.instance"));
            instance.is_some_and(|name| name == self.instance.as_str())
                || self.is_of_our_job(labels)
        });
        ours.filter_map(|network| network.name).collect()
    }

    fn is_of_our_job<'a>(
        &self,
        labels: Option<impl IntoIterator<Item = (&'a String, &'a String)>>,
    ) -> bool {
        let mut labels = labels.into_iter().flatten();
        labels.any(|(key, id)| key == OWNER && id.starts_with(&self.prefix))
    }

    /// Removes all of it by force.
    pub(crate) async fn clean_up(&self) {
        let docker = &self.docker;
        // Runners first: while one lives, it makes more.
        let runners = self.runners().await;
        for container in runners.into_iter().chain(self.jobs().await) {
            let options = RemoveContainerOptions { v: true, force: true, link: false };
            let _ = docker.remove_container(&container.id.unwrap(), Some(options)).await;
        }
        for volume in self.volumes().await {
            let _ = docker.remove_volume(&volume, None::<RemoveVolumeOptions>).await;
        }
        for network in self.networks().await {
            let _ = docker.remove_network(&network).await;
        }
    }
}

fn name_of(container: &ContainerSummary) -> String {
    let names = container.names.as_deref().unwrap_or_default();
    names.first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default()
}

/// `172.17.0.1` of `172.17.0.0/16`
fn first_of(subnet: &str) -> String {
    let network: std::net::Ipv4Addr = subnet.split('/').next().unwrap().parse().unwrap();
    std::net::Ipv4Addr::from_bits(network.to_bits() + 1).to_string()
}
