//! What jobs made on the engine, by gitlab-runner's labels (18.4 and newer): seen and removed.
//!
//! Labels are read again right before each removal: what no longer carries them is not touched.

use bollard::query_parameters::RemoveVolumeOptions;
use serde_json::Value;

use super::client::{CHANGE_LIMIT, Client, READ_LIMIT};
use super::failure::gone_is_done;
use super::labels::Labels;
use super::listed::{self, Listed};
use super::{lifecycle, raw};
use crate::engine::{EngineError, runner_config};
use crate::world::{
    ContainerId, JobContainer, JobId, JobNetworkObject, JobObjects, JobVolume, ProjectId,
    RunnerName, SystemId, VolumeKind,
};

const MANAGED: &str = "com.gitlab.gitlab-runner.managed";
pub(super) const SYSTEM_ID: &str = "com.gitlab.gitlab-runner.runner.system_id";
pub(super) const JOB_ID: &str = "com.gitlab.gitlab-runner.job.id";
const JOB_URL: &str = "com.gitlab.gitlab-runner.job.url";
const PROJECT_ID: &str = "com.gitlab.gitlab-runner.project.id";
pub(super) const TYPE: &str = "com.gitlab.gitlab-runner.type";
const REUSABLE: &str = "com.gitlab.gitlab-runner.reusable";

/// Labels, whatever map the API gives them in.
struct Marked(Labels);

impl Marked {
    fn new(labels: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(labels.into_iter().collect())
    }

    fn of(item: &Value) -> Self {
        Self(listed::labels(item.get("Labels")))
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The runner whose job made it. Older gitlab-runners do not say; theirs are not ours.
    fn system_id(&self) -> Option<SystemId> {
        let managed = self.get(MANAGED) == Some("true");
        self.get(SYSTEM_ID).filter(|_| managed).map(SystemId::from_observed)
    }
}

/// Whether labels say that a job of the runner `system_id` made it.
pub(super) fn made_by(
    labels: Option<impl IntoIterator<Item = (String, String)>>,
    system_id: &SystemId,
) -> bool {
    labels.and_then(|labels| Marked::new(labels).system_id()).as_ref() == Some(system_id)
}

/// All that jobs made on the engine.
pub(super) async fn list(client: &Client) -> Result<JobObjects, EngineError> {
    let query = raw::labelled(&[format!("{MANAGED}=true")]);
    let containers = listed::containers(client, &query).await?;
    let volumes = client.get("list volumes", READ_LIMIT, &format!("/volumes?{query}")).await?;
    let networks = client.get("list networks", READ_LIMIT, &format!("/networks?{query}")).await?;
    // Docker says `null` where there is none.
    let none = Value::Array(Vec::new());
    let volumes = volumes.get("Volumes").filter(|volumes| !volumes.is_null()).unwrap_or(&none);
    let mut objects = JobObjects {
        containers: containers.into_iter().filter_map(job_container).collect(),
        volumes: listed::items("list volumes", volumes, job_volume)?,
        networks: listed::items("list networks", &networks, job_network)?,
        refused: Vec::new(),
    };
    objects.containers.sort_by(|a, b| a.id.cmp(&b.id));
    objects.volumes.sort_by(|a, b| a.name.cmp(&b.name));
    objects.networks.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(objects)
}

fn job_container(mut container: Listed) -> Option<JobContainer> {
    // What cannot be told counts as running: that is what nothing is done to.
    let running = container.may_run();
    let labels = Marked(std::mem::take(&mut container.labels));
    Some(JobContainer {
        id: container.id,
        system_id: labels.system_id()?,
        job: labels.get(JOB_ID).and_then(|id| id.parse().ok()).map(JobId),
        job_url: labels.get(JOB_URL).map(str::to_owned),
        project: labels.get(PROJECT_ID).and_then(|id| id.parse().ok()).map(ProjectId),
        runner: labels.get(runner_config::RUNNER_LABEL).map(RunnerName::from_observed),
        kind: labels.get(TYPE).unwrap_or_default().to_owned(),
        running,
    })
}

fn job_volume(volume: &Value) -> Option<JobVolume> {
    volume_with(volume.get("Name")?.as_str()?, &Marked::of(volume))
}

fn volume_with(name: &str, labels: &Marked) -> Option<JobVolume> {
    Some(JobVolume {
        system_id: labels.system_id()?,
        kind: VolumeKind::of(name, labels.get(REUSABLE)),
        name: name.to_owned(),
    })
}

fn job_network(network: &Value) -> Option<JobNetworkObject> {
    let system_id = Marked::of(network).system_id()?;
    Some(JobNetworkObject { system_id, id: network.get("Id")?.as_str()?.to_owned() })
}

/// Stops and removes a container that a job of a dead runner left.
pub(super) async fn remove_container(
    client: &Client,
    container: &JobContainer,
) -> Result<(), EngineError> {
    let id = &container.id;
    let Some(shown) = listed::container(client, id.as_str()).await? else { return Ok(()) };
    if !made_by(Some(shown.listed.labels), &container.system_id) {
        return Err(not_of_a_job(&format!("container {id}")));
    }
    if shown.runs {
        // Its job is lost to GitLab already, and no one is left to wait for it.
        let killed =
            lifecycle::signal(client, id.as_str(), "SIGKILL", "stop a job's container").await;
        match gone_is_done(killed) {
            Err(failure) if !lifecycle::is_conflict(&failure) => return Err(failure.into()),
            _ => wait_until_stopped(client, id).await?,
        }
    }
    lifecycle::remove(client, id.as_str()).await
}

/// Docker acknowledges a signal before the process is gone, and refuses to remove until then.
async fn wait_until_stopped(client: &Client, id: &ContainerId) -> Result<(), EngineError> {
    use bollard::query_parameters::WaitContainerOptions;
    use futures_util::StreamExt as _;
    let options = WaitContainerOptions { condition: "not-running".to_owned() };
    let waited = client.call("end a job's container", CHANGE_LIMIT, |docker| async move {
        let mut waiting = docker.wait_container(id.as_str(), Some(options));
        match waiting.next().await {
            // An exit code other than 0 comes as an error, and is none here.
            Some(Err(bollard::errors::Error::DockerContainerWaitError { .. }) | Ok(_)) | None => {
                Ok(())
            }
            Some(Err(error)) => Err(error),
        }
    });
    Ok(gone_is_done(waited.await)?)
}

/// Removes a volume that a job made.
pub(super) async fn remove_volume(client: &Client, volume: &JobVolume) -> Result<(), EngineError> {
    let name = &volume.name;
    let shown = client.call("show a job's volume", READ_LIMIT, |docker| async move {
        docker.inspect_volume(name).await
    });
    let shown = match shown.await {
        Err(failure) if failure.status() == Some(404) => return Ok(()),
        other => other?,
    };
    let shown = volume_with(&shown.name, &Marked::new(shown.labels));
    if shown.is_none_or(|shown| shown != *volume || shown.kind == VolumeKind::Other) {
        return Err(not_of_a_job(&format!("volume {name}")));
    }
    let removed = client.call("remove a job's volume", CHANGE_LIMIT, |docker| async move {
        docker.remove_volume(name, None::<RemoveVolumeOptions>).await
    });
    Ok(gone_is_done(removed.await)?)
}

/// The refusal to remove what does not carry the labels it was found by.
pub(super) fn not_of_a_job(object: &str) -> EngineError {
    EngineError::Refused {
        attempt: format!("get to remove {object}"),
        problem: "it does not carry the labels of that job's runner".to_owned(),
    }
}
