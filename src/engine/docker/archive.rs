//! The files in a runner's container, put in and taken out as tar archives. Nothing is executed
//! there, and nothing of it is on a command line, in the environment or in what `inspect` shows.

use std::io::{self, Read as _};

use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::client::{CHANGE_LIMIT, Client, READ_LIMIT};
use super::failure::Failure;
use crate::engine::runner_config::CA_PATH;
use crate::engine::{EngineError, NewRunner};
use crate::world::WorkloadId;

/// gitlab-runner's folder; a volume, for the container's root cannot be written.
pub(super) const FOLDER: &str = "/etc/gitlab-runner";
/// gitlab-runner's config.
pub(super) const CONFIG_PATH: &str = "/etc/gitlab-runner/config.toml";
const CONFIG: &str = "config.toml";
/// gitlab-runner takes its system id from nowhere else.
const SYSTEM_ID: &str = ".runner_system_id";

/// A `config.toml` has a few kilobytes; whatever is longer is none of ours.
const CONFIG_BYTES_MAX: usize = 1 << 20;

/// Puts a new runner's files into its container.
pub(super) async fn put_files(
    client: &Client,
    id: &WorkloadId,
    runner: &NewRunner,
) -> Result<(), Failure> {
    let attempt = format!("take the config of {}", runner.name);
    let tar = pack(runner, client.clock().now())
        .map_err(|error| refused(&attempt, &error.to_string()))?;
    let options = UploadToContainerOptions { path: FOLDER.to_owned(), ..Default::default() };
    client
        .call(&attempt, CHANGE_LIMIT, |docker| async move {
            // A streamed body, because bollard writes a plain one to its trace log.
            let body = bollard::body_stream(futures_util::stream::iter([tar]));
            docker.upload_to_container(id.as_str(), Some(options), body).await
        })
        .await
}

fn pack(runner: &NewRunner, now: Timestamp) -> io::Result<Bytes> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, mode: u32, content: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        // Root in the container has no right to read what is not its own.
        header.set_uid(0);
        header.set_gid(0);
        header.set_mode(mode);
        header.set_mtime(now.as_second().unsigned_abs());
        tar.append_data(&mut header, name, content.as_bytes())
    };
    add(CONFIG, 0o600, runner.config.expose_secret())?;
    add(SYSTEM_ID, 0o600, runner.system_id.as_str())?;
    if let Some(ca) = &runner.ca {
        let name = CA_PATH.rsplit('/').next().unwrap_or(CA_PATH);
        add(name, 0o644, ca)?;
    }
    Ok(tar.into_inner()?.into())
}

/// The `config.toml` in a container, running or not.
pub(super) async fn read_config(
    client: &Client,
    id: &WorkloadId,
) -> Result<SecretString, EngineError> {
    let attempt = "give back a runner's config";
    let options = DownloadFromContainerOptions { path: CONFIG_PATH.to_owned() };
    let collected = client.call(attempt, READ_LIMIT, |docker| async move {
        let mut parts = std::pin::pin!(docker.download_from_container(id.as_str(), Some(options)));
        let mut tar = Vec::new();
        while let Some(part) = parts.next().await.transpose()? {
            tar.extend_from_slice(&part);
            if tar.len() > CONFIG_BYTES_MAX {
                break;
            }
        }
        Ok(tar)
    });
    let object = || format!("{CONFIG_PATH} in {id}");
    let tar = match collected.await {
        // What Docker 20.10 says of a container whose removal is under way.
        Err(failure) if failure.answer().is_some_and(|(_, said)| said.contains("RWLayer")) => {
            return Err(EngineError::NotFound { object: object() });
        }
        tar => tar.map_err(|failure| failure.about(object))?,
    };
    if tar.len() > CONFIG_BYTES_MAX {
        return Err(refused(attempt, "it is longer than any that AutoGit writes"));
    }
    unpack(&tar).ok_or_else(|| EngineError::NotFound { object: object() })
}

fn unpack(archive: &[u8]) -> Option<SecretString> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        if entry.header().entry_type().is_file() && entry.path().ok()?.ends_with(CONFIG) {
            let mut text = String::new();
            entry.read_to_string(&mut text).ok()?;
            return Some(text.into());
        }
    }
    None
}

fn refused(attempt: &str, problem: &str) -> EngineError {
    EngineError::Refused { attempt: attempt.to_owned(), problem: problem.to_owned() }
}
