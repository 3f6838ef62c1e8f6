//! What is there to set up with: the machine, its GPUs, and a GitLab on the same engine.

use serde_json::Value;

use super::client::{Client, READ_LIMIT};
use super::info;
use crate::engine::EngineError;
use crate::engine::setup::{GitlabContainer, Surveyed};

/// Images of GitLab, by the last part of their names: its own, and the one that was there before.
const IMAGES: [&str; 3] = ["gitlab-ce", "gitlab-ee", "gitlab"];
/// What AutoGit's own examples call GitLab's container.
const NAME: &str = "autogit-git-server";
/// Networks in which no container finds another by its name.
const NAMELESS: [&str; 4] = ["bridge", "host", "none", "podman"];
/// The port of git over ssh.
const SSH: u16 = 22;

pub(super) async fn survey(client: &Client) -> Result<Surveyed, EngineError> {
    let itself = info::info(client).await?;
    let told = client.get("tell about itself", READ_LIMIT, "/info").await?;
    let containers = client.get("list containers", READ_LIMIT, "/containers/json").await?;
    let options = told.get("SecurityOptions").and_then(Value::as_array).into_iter().flatten();
    let rootless = options.filter_map(Value::as_str).any(|option| option.contains("name=rootless"));
    let node = itself.node;
    Ok(Surveyed {
        endpoint: client.endpoint().to_string(),
        version: itself.version,
        arch: node.arch,
        cpus: told.get("NCPU").and_then(Value::as_u64).unwrap_or(1),
        memory: node.memory,
        rootless,
        gpus: ["nvidia", "amd", "intel"]
            .into_iter()
            .filter(|vendor| hands_out(&told, vendor))
            .map(str::to_owned)
            .collect(),
        gitlabs: containers.as_array().into_iter().flatten().filter_map(gitlab).collect(),
    })
}

/// By a runtime of that vendor's (nvidia-container-toolkit, amd-container-toolkit), or by a device of
/// the Container Device Interface (Engine 28.3 and newer list these).
fn hands_out(told: &Value, vendor: &str) -> bool {
    let runtimes = told.get("Runtimes").and_then(Value::as_object);
    let runtime = runtimes.is_some_and(|runtimes| runtimes.keys().any(|name| name == vendor));
    let devices = told.get("DiscoveredDevices").and_then(Value::as_array).into_iter().flatten();
    let ids = devices.filter_map(|device| device.get("ID")?.as_str());
    runtime || ids.into_iter().any(|id| id.starts_with(&format!("{vendor}.com/gpu")))
}

fn gitlab(container: &Value) -> Option<GitlabContainer> {
    let names = container.get("Names")?.as_array()?.iter().filter_map(Value::as_str);
    let mut names = names.map(|name| name.trim_start_matches('/'));
    let name = names.find(|name| !name.contains('/'))?;
    let image = container.get("Image").and_then(Value::as_str).unwrap_or_default();
    let image = image.split('@').next().unwrap_or_default();
    let image = image.rsplit('/').next().and_then(|image| image.split(':').next());
    let is_gitlab = name == NAME || image.is_some_and(|image| IMAGES.contains(&image));
    let ports = container.get("Ports").and_then(Value::as_array).into_iter().flatten();
    let mut ports: Vec<(u16, u16)> = ports.filter_map(published).collect();
    ports.sort_unstable();
    let networks = container.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    let mut networks = networks.into_iter().flat_map(|networks| networks.keys());
    is_gitlab.then(|| GitlabContainer {
        name: name.to_owned(),
        port: ports.first().copied(),
        network: networks.find(|network| !NAMELESS.contains(&network.as_str())).cloned(),
    })
}

/// The port in the container, and that on the machine.
fn published(port: &Value) -> Option<(u16, u16)> {
    let number = |key: &str| port.get(key)?.as_u64()?.try_into().ok();
    let (private, public) = (number("PrivatePort")?, number("PublicPort")?);
    let tcp = port.get("Type").and_then(Value::as_str) == Some("tcp");
    (tcp && private != SSH).then_some((private, public))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gitlabs_container_is_known_by_its_image_or_its_name() {
        let container = |name: &str, image: &str| {
            gitlab(&json!({
                "Names": [format!("/{name}")],
                "Image": image,
                "Ports": [
                    {"PrivatePort": 22, "PublicPort": 2222, "Type": "tcp"},
                    {"PrivatePort": 3000, "PublicPort": 8929, "Type": "tcp"},
                    {"PrivatePort": 443, "Type": "tcp"},
                ],
                "NetworkSettings": {"Networks": {"bridge": {}, "home": {}}},
            }))
        };
        let found = container("git", "registry.lan:5000/gitlab/gitlab-ce:18.6.0-ce.0").unwrap();
        assert_eq!(found.port, Some((3000, 8929)));
        assert_eq!(found.network.as_deref(), Some("home"));
        assert!(container("autogit-git-server", "own/image@sha256:00").is_some());
        assert!(container("runner", "gitlab/gitlab-runner:alpine").is_none());
    }

    #[test]
    fn gpus_are_told_by_runtimes_and_devices() {
        let nvidia = json!({"Runtimes": {"runc": {}, "nvidia": {}}});
        assert!(hands_out(&nvidia, "nvidia") && !hands_out(&nvidia, "amd"));
        let devices = json!({"DiscoveredDevices": [{"Source": "cdi", "ID": "amd.com/gpu=0"}]});
        assert!(hands_out(&devices, "amd") && !hands_out(&devices, "nvidia"));
    }
}
