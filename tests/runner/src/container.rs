//! The body of `POST /containers/create` for a job's build container.

use serde_json::{Value, json};

use crate::config::{Docker, Runner};
use crate::labels::Labels;

/// What differs from step to step and from job to job.
pub struct Build<'a> {
    pub labels: &'a Labels,
    pub script: &'a str,
    pub environment: &'a [String],
    /// Name and destination of each volume.
    pub volumes: &'a [(String, String)],
    /// The job's own network, where it has one.
    pub network: Option<&'a str>,
}

pub fn spec(config: &Runner, build: &Build<'_>) -> Value {
    let labels = build.labels.with_type("build").with_plain(&config.docker.container_labels);
    json!({
        "Image": config.docker.image,
        "Cmd": ["sh", "-c", build.script],
        "Env": build.environment,
        "WorkingDir": "/builds",
        "AttachStdout": true,
        "AttachStderr": true,
        "Labels": labels.into_json(),
        "HostConfig": host(&config.docker, build),
    })
}

fn host(docker: &Docker, build: &Build<'_>) -> Value {
    let mounts: Vec<Value> = build
        .volumes
        .iter()
        .map(|(name, destination)| json!({"Type": "volume", "Source": name, "Target": destination}))
        .collect();
    json!({
        "NanoCpus": docker.cpus,
        "Memory": docker.memory,
        "MemorySwap": docker.memory_swap,
        "ShmSize": docker.shm_size,
        "CapAdd": docker.cap_add,
        "CapDrop": docker.cap_drop,
        "SecurityOpt": docker.security_opt,
        "Privileged": docker.privileged,
        "UsernsMode": docker.userns_mode,
        "CgroupParent": docker.cgroup_parent,
        "NetworkMode": build.network.unwrap_or(&docker.network_mode),
        "ExtraHosts": docker.extra_hosts,
        "Devices": docker.devices.iter().map(|device| mapped(device)).collect::<Vec<_>>(),
        "DeviceRequests": requested(&docker.gpus),
        "Ulimits": docker.ulimit.iter().map(|(name, limit)| ulimit(name, limit)).collect::<Vec<_>>(),
        "Binds": docker.binds(),
        "Mounts": mounts,
    })
}

/// `"1024"` or `"1024:2048"`, soft before hard.
fn ulimit(name: &str, limit: &str) -> Value {
    let (soft, hard) = limit.split_once(':').unwrap_or((limit, limit));
    let number = |text: &str| text.parse::<i64>().unwrap_or(-1);
    json!({"Name": name, "Soft": number(soft), "Hard": number(hard)})
}

/// A device of the machine in the container: `parseDeviceString` of gitlab-runner's
/// executors/docker/docker.go (19.4).
fn mapped(device: &str) -> Value {
    let mut parts = device.split(':');
    let on_host = parts.next().unwrap_or_default();
    let inside = parts.next().unwrap_or(on_host);
    let may = parts.next().unwrap_or("rwm");
    json!({"PathOnHost": on_host, "PathInContainer": inside, "CgroupPermissions": may})
}

/// What `gpus` asks the engine for: `bindContainerDeviceRequests` of the same file, which leaves the
/// text to `GpuOpts` of docker/cli (opts/gpus.go). That reads one line of CSV, of which only the
/// field `device` is AutoGit's.
fn requested(gpus: &str) -> Vec<Value> {
    let field = gpus.trim().trim_matches('"');
    let ids = field.strip_prefix("device=").map(|ids| ids.split(',').collect::<Vec<_>>());
    ids.map(|ids| {
        json!({
            "Driver": "", "Count": 0, "DeviceIDs": ids, "Capabilities": [["gpu"]], "Options": {}
        })
    })
    .into_iter()
    .collect()
}
