//! Things that a test puts on the engine by hand, as gitlab-runner or a person would.

use autogit::spec::Arch;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, NetworkCreateRequest, NetworkingConfig,
    VolumeCreateRequest,
};
use bollard::query_parameters::CreateContainerOptions;

use crate::end_to_end::harness::Harness;

/// Things made by hand carry it, so that they are removed after the test.
pub(crate) const BY_HAND: &str = "autogit.test";

/// Labels in any map.
pub(crate) type Label<'a> = (&'a str, &'a str);

/// The labels that gitlab-runner gives to what a job of that runner made.
pub(crate) fn of_job<'a>(system_id: &'a str, kind: &'a str) -> Vec<Label<'a>> {
    vec![
        ("com.gitlab.gitlab-runner.managed", "true"),
        ("com.gitlab.gitlab-runner.job.id", "77"),
        ("com.gitlab.gitlab-runner.job.url", "http://gitlab.test/team/app/-/jobs/77"),
        ("com.gitlab.gitlab-runner.project.id", "101"),
        ("com.gitlab.gitlab-runner.runner.id", "abcdefghi"),
        ("com.gitlab.gitlab-runner.runner.system_id", system_id),
        ("com.gitlab.gitlab-runner.type", kind),
    ]
}

/// Where a container runs.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) network: &'a str,
    /// What else it is called there.
    pub(crate) alias: Option<&'a str>,
    /// What it has at `/builds`.
    pub(crate) volume: Option<&'a str>,
}

impl Harness {
    fn labels<M: FromIterator<(String, String)>>(&self, labels: &[Label<'_>]) -> M {
        let by_hand = (BY_HAND, self.instance.as_str());
        let all = labels.iter().chain([&by_hand]);
        all.map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// A container that runs; its name.
    pub(crate) async fn run_by_hand(
        &self,
        name: &str,
        labels: &[Label<'_>],
        place: Place<'_>,
        command: &[&str],
    ) -> String {
        let docker = &self.engine.docker;
        let Place { network, alias, volume } = place;
        let name = format!("{}-{name}", self.instance);
        let options = CreateContainerOptions {
            name: Some(name.clone()),
            ..CreateContainerOptions::default()
        };
        let aliases = alias.map(|alias| vec![alias.to_owned()]);
        let endpoint = EndpointSettings { aliases, ..EndpointSettings::default() };
        let body = ContainerCreateBody {
            image: Some(self.images.job.clone()),
            cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
            labels: Some(self.labels(labels)),
            host_config: Some(HostConfig {
                network_mode: Some(network.to_owned()),
                binds: volume.map(|volume| vec![format!("{volume}:/builds")]),
                ..HostConfig::default()
            }),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some([(network.to_owned(), endpoint)].into()),
            }),
            ..ContainerCreateBody::default()
        };
        let created = docker.create_container(Some(options), body).await.unwrap();
        docker.start_container(&created.id, None).await.unwrap();
        name
    }

    /// A network; its name.
    pub(crate) async fn network_by_hand(&self, name: &str, labels: &[Label<'_>]) -> String {
        let name = format!("{}-{name}", self.instance);
        let request = NetworkCreateRequest {
            name: name.clone(),
            labels: Some(self.labels(labels)),
            ..NetworkCreateRequest::default()
        };
        self.engine.docker.create_network(request).await.unwrap();
        name
    }

    /// A volume; its name.
    pub(crate) async fn volume_by_hand(&self, name: &str, labels: &[Label<'_>]) -> String {
        let name = format!("{}-{name}", self.instance);
        let request = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(self.labels(labels)),
            ..VolumeCreateRequest::default()
        };
        self.engine.docker.create_volume(request).await.unwrap();
        name
    }
}

/// The architecture of this machine, and so of its engine.
pub(crate) fn arch() -> Arch {
    if cfg!(target_arch = "aarch64") { Arch::Arm64 } else { Arch::Amd64 }
}
