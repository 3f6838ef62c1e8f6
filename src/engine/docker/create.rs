//! A runner's container: how it is made and hardened. All runners are made alike; what differs is
//! in [`NewRunner`].

use std::path::Path;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::CreateContainerOptions;

use super::client::{CHANGE_LIMIT, Client, Facts};
use super::failure::Failure;
use super::{archive, labels, lifecycle};
use crate::engine::{EngineError, NewRunner};
use crate::world::WorkloadId;

/// Where gitlab-runner looks for the engine.
const SOCKET_INSIDE: &str = "/var/run/docker.sock";
/// What gitlab-runner's image needs to hand its files to its own user; the rest is dropped.
const CAPABILITIES: [&str; 3] = ["CHOWN", "SETUID", "SETGID"];
/// On an engine that remaps users, the image's own files belong to somebody else than the root that
/// the runner is, its config's folder among them.
const READS_OTHERS: &str = "DAC_READ_SEARCH";
/// Threads of a Go program and its helpers; a few dozen are usual.
const PIDS_MAX: i64 = 512;
/// What gitlab-runner writes to: a job's trace, and its home. The trace is what needs room.
const SCRATCH: [(&str, &str); 2] = [
    ("/tmp", "rw,nosuid,nodev,noexec,mode=1777,size=1g"),
    ("/home/gitlab-runner", "rw,nosuid,nodev,noexec,mode=0755,size=64m"),
];
/// A job takes about two kilobytes of log: this holds the last thousand, and is quick to search.
const LOG_SIZES: [(&str, &str); 2] = [("max-size", "1m"), ("max-file", "2")];

/// Creates a runner's container and puts its files in; what cannot have its files is removed.
pub(super) async fn create(
    client: &Client,
    runner: &NewRunner,
    socket: &Path,
) -> Result<WorkloadId, EngineError> {
    let facts = client.facts().await?;
    let options = CreateContainerOptions {
        name: Some(runner.name.to_string()),
        platform: runner.arch.platform().to_owned(),
    };
    let body = body(runner, socket, facts);
    let attempt = format!("create {}", runner.name);
    let created = client.call(&attempt, CHANGE_LIMIT, |docker| async move {
        docker.create_container(Some(options), body).await
    });
    let created = created.await.map_err(|failure| refusal(failure, runner))?;
    let id = WorkloadId::from_observed(&created.id);
    if let Err(failure) = archive::put_files(client, &id, runner).await {
        if let Err(error) = lifecycle::remove(client, id.as_str()).await {
            tracing::warn!(runner = %runner.name, %error, "a container without its config stays");
        }
        return Err(failure.into());
    }
    Ok(id)
}

fn body(runner: &NewRunner, socket: &Path, facts: Facts) -> ContainerCreateBody {
    let environment: Vec<String> =
        runner.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    ContainerCreateBody {
        image: Some(runner.image.clone()),
        cmd: Some(command(runner)),
        env: (!environment.is_empty()).then_some(environment),
        labels: Some(labels::of_runner(runner).into_iter().collect()),
        volumes: Some(vec![archive::FOLDER.to_owned()]),
        stop_signal: Some("SIGQUIT".to_owned()),
        host_config: Some(host_config(runner, socket, facts)),
        ..ContainerCreateBody::default()
    }
}

/// Arguments of gitlab-runner, which is the image's entrypoint. Global flags come first.
fn command(runner: &NewRunner) -> Vec<String> {
    let mut words: Vec<String> = ["--log-format", "json", "--log-level", "info", "run-single"]
        .into_iter()
        .chain(["--config", archive::CONFIG_PATH, "--runner", runner.name.as_str()])
        .map(str::to_owned)
        .collect();
    if runner.jobs_max > 0 {
        words.extend(["--max-builds".to_owned(), runner.jobs_max.to_string()]);
    }
    words
}

fn host_config(runner: &NewRunner, socket: &Path, facts: Facts) -> HostConfig {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    HostConfig {
        network_mode: Some(runner.network.clone()),
        // A restarted runner would have lost its job and taken the next one unseen.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        readonly_rootfs: Some(true),
        tmpfs: Some(pairs(&SCRATCH)),
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(capabilities(facts)),
        security_opt: Some(security_options(facts)),
        // Another user id than the host's root could not open the socket.
        userns_mode: facts.user_namespaces.then(|| "host".to_owned()),
        pids_limit: Some(PIDS_MAX),
        mounts: Some(vec![socket_mount(socket)]),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(pairs(&LOG_SIZES)),
        }),
        ..HostConfig::default()
    }
}

fn capabilities(facts: Facts) -> Vec<String> {
    let remapped = facts.user_namespaces.then_some(READS_OTHERS);
    CAPABILITIES.into_iter().chain(remapped).map(str::to_owned).collect()
}

fn security_options(facts: Facts) -> Vec<String> {
    let mut options = vec!["no-new-privileges:true".to_owned()];
    if facts.selinux {
        // SELinux lets no confined container open the engine's socket.
        options.push("label=disable".to_owned());
    }
    options
}

/// As a mount, not a bind: Docker refuses one without a source instead of making a folder there.
fn socket_mount(socket: &Path) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(socket.to_string_lossy().into_owned()),
        target: Some(SOCKET_INSIDE.to_owned()),
        ..Mount::default()
    }
}

fn refusal(failure: Failure, runner: &NewRunner) -> EngineError {
    let no_socket = |message: &str| {
        let hint = "set `socket` of this host to the path of Docker's socket there";
        EngineError::Refused {
            attempt: format!("create {}", runner.name),
            problem: format!("{message}\nhint: {hint}"),
        }
    };
    match failure.answer() {
        Some((409, _)) => EngineError::NameTaken { name: runner.name.to_string() },
        // Podman answers 500 here.
        Some((_, message)) if message.contains("name is already in use") => {
            EngineError::NameTaken { name: runner.name.to_string() }
        }
        Some((404, message)) => {
            EngineError::NoImage { image: runner.image.clone(), problem: message.to_owned() }
        }
        Some((_, message)) if message.contains("bind source path") => no_socket(message),
        _ => failure.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_reads_others_files_only_where_its_own_image_is_anothers() {
        let plain = capabilities(Facts::default());
        assert_eq!(plain, CAPABILITIES);
        let remapped = capabilities(Facts { user_namespaces: true, ..Facts::default() });
        assert_eq!(remapped, [&CAPABILITIES[..], &[READS_OTHERS]].concat());
    }
}
