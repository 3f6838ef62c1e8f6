//! Starting, draining and removing a container of ours, by its id.

use bollard::query_parameters::{
    KillContainerOptions, RemoveContainerOptions, StartContainerOptions,
};

use super::client::{CHANGE_LIMIT, Client};
use super::failure::{Failure, gone_is_done};
use super::listed;
use crate::engine::EngineError;
use crate::world::WorkloadId;

/// Starts a created container.
pub(super) async fn start(client: &Client, id: &WorkloadId) -> Result<(), EngineError> {
    let started = client.call("start a runner", CHANGE_LIMIT, |docker| async move {
        docker.start_container(id.as_str(), None::<StartContainerOptions>).await
    });
    match started.await {
        // Docker answers 404 for a missing network as well.
        Err(Failure::Answer { status: 404, message, .. }) if message.contains("container") => {
            Err(gone(id))
        }
        Err(Failure::Answer { status: 409, message, .. })
            if message.contains("marked for removal") =>
        {
            Err(gone(id))
        }
        other => Ok(other?),
    }
}

fn gone(id: &WorkloadId) -> EngineError {
    EngineError::NotFound { object: format!("container {id}") }
}

/// Asks a runner to finish what it has and exit.
pub(super) async fn drain(client: &Client, id: &WorkloadId) -> Result<(), EngineError> {
    match gone_is_done(signal(client, id.as_str(), "SIGQUIT", "drain a runner").await) {
        // It does not run (any more), so there is nothing to finish.
        Err(failure) if is_conflict(&failure) => Ok(()),
        other => Ok(other?),
    }
}

/// Whether an engine refuses for the state that a container is in: Docker by its status, Podman by
/// its words alone.
pub(super) fn is_conflict(failure: &Failure) -> bool {
    failure.answer().is_some_and(|(status, message)| {
        status == 409 || message.contains("container state improper")
    })
}

/// Sends a signal to a container's first process.
pub(super) async fn signal(
    client: &Client,
    id: &str,
    signal: &str,
    attempt: &str,
) -> Result<(), Failure> {
    let options = KillContainerOptions { signal: signal.to_owned() };
    client
        .call(attempt, CHANGE_LIMIT, |docker| async move {
            docker.kill_container(id, Some(options)).await
        })
        .await
}

/// Removes a container that does not run, with its anonymous volumes.
pub(super) async fn remove(client: &Client, id: &str) -> Result<(), EngineError> {
    // Never by force: that would kill a runner with its job.
    let options = RemoveContainerOptions { v: true, force: false, link: false };
    let removed = client.call("remove a container", CHANGE_LIMIT, |docker| async move {
        docker.remove_container(id, Some(options)).await
    });
    match gone_is_done(removed.await) {
        Err(failure) if is_conflict(&failure) => explain_conflict(client, id, failure).await,
        other => Ok(other?),
    }
}

/// Docker refuses with the same status what runs and what is being removed already.
async fn explain_conflict(client: &Client, id: &str, failure: Failure) -> Result<(), EngineError> {
    match runs(client, id).await? {
        None => Ok(()),
        Some(true) => Err(EngineError::Running { id: id.to_owned() }),
        Some(false) => match failure.answer() {
            Some((_, message)) if message.contains("in progress") => {
                Err(EngineError::BeingRemoved { id: id.to_owned() })
            }
            _ => Err(failure.into()),
        },
    }
}

/// Whether a container runs; `None`: it is gone.
pub(super) async fn runs(client: &Client, id: &str) -> Result<Option<bool>, EngineError> {
    let shown = listed::container(client, id).await?;
    Ok(shown.map(|shown| shown.runs))
}
