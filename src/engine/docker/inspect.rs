//! What the engine and its machine are, for who examines a set-up.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::client::{Client, READ_LIMIT};
use super::gpus::{self, Ways};
use super::local;
use crate::engine::EngineError;
use crate::engine::inspection::{
    AddressPool, Cgroups, Disk, ImageSeen, Inspected, NetworkSeen, subnet,
};
use crate::spec::Arch;

const ATTEMPT: &str = "tell about itself";

/// What the engine and its machine are.
pub(super) async fn inspect(
    client: &Client,
    images: &BTreeSet<String>,
) -> Result<Inspected, EngineError> {
    let before = client.clock().now();
    let told = client.get(ATTEMPT, READ_LIMIT, "/info").await?;
    let after = client.clock().now();
    let version = client.get("say its version", READ_LIMIT, "/version").await?;
    let networks = client.get("list networks", READ_LIMIT, "/networks").await?;
    let halfway = before.saturating_add(after.duration_since(before) / 2).unwrap_or(after);
    let mut inspected = of_itself(&told, halfway);
    inspected.endpoint = client.endpoint().to_string();
    inspected.api_version = text(&version, "ApiVersion");
    inspected.podman = list(&version, "Components")
        .any(|part| part.get("Name").and_then(Value::as_str) == Some("Podman Engine"));
    inspected.networks = networks.as_array().into_iter().flatten().filter_map(network).collect();
    for image in images {
        inspected.images.insert(image.clone(), image_seen(client, image).await);
    }
    let ways = Ways { runtimes: inspected.runtimes.clone(), devices: inspected.devices.clone() };
    inspected.gpus = gpus::seen(client, text(&told, "Name").as_deref(), &ways).await;
    if client.endpoint().unix_path().is_some()
        && local::is_here(text(&told, "Name").as_deref().unwrap_or_default()).await
    {
        inspected.disk = inspected.root_dir.as_deref().and_then(disk);
        inspected.emulates = local::emulated().await;
    }
    Ok(inspected)
}

/// What `/info` tells.
fn of_itself(told: &Value, ours: Timestamp) -> Inspected {
    let options: Vec<&str> = list(told, "SecurityOptions").filter_map(Value::as_str).collect();
    let has = |name: &str| options.iter().any(|option| option.split(',').any(|part| part == name));
    let runtimes = told.get("Runtimes").and_then(Value::as_object);
    let devices = list(told, "DiscoveredDevices").filter_map(|device| text(device, "ID"));
    let warnings = list(told, "Warnings").filter_map(Value::as_str).map(str::to_owned);
    let theirs = text(told, "SystemTime").and_then(|time| time.parse::<Timestamp>().ok());
    Inspected {
        version: text(told, "ServerVersion").unwrap_or_default(),
        arch: text(told, "Architecture").and_then(|word| Arch::parse(&word)),
        cpus: told.get("NCPU").and_then(Value::as_u64).and_then(|cpus| cpus.try_into().ok()),
        rootless: has("name=rootless"),
        user_namespaces: has("name=userns"),
        cgroups: Cgroups {
            version: text(told, "CgroupVersion"),
            driver: text(told, "CgroupDriver"),
            memory: told.get("MemoryLimit").and_then(Value::as_bool),
            cpus: told.get("CpuCfsQuota").and_then(Value::as_bool),
        },
        runtimes: runtimes.into_iter().flat_map(|runtimes| runtimes.keys().cloned()).collect(),
        devices: devices.collect(),
        warnings: warnings.collect(),
        clock_ahead: theirs.map(|theirs| theirs.duration_since(ours)),
        address_pools: list(told, "DefaultAddressPools").filter_map(address_pool).collect(),
        root_dir: text(told, "DockerRootDir").map(PathBuf::from),
        ..Inspected::default()
    }
}

fn text(told: &Value, key: &str) -> Option<String> {
    let text = told.get(key)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn list<'v>(told: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    told.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn address_pool(told: &Value) -> Option<AddressPool> {
    let size = told.get("Size")?.as_u64()?.try_into().ok()?;
    AddressPool::parse(told.get("Base")?.as_str()?, size)
}

fn network(told: &Value) -> Option<NetworkSeen> {
    let parts = told.get("IPAM").into_iter().flat_map(|ipam| list(ipam, "Config"));
    let subnets = parts.filter_map(|part| subnet(part.get("Subnet")?.as_str()?));
    Some(NetworkSeen { name: text(told, "Name")?, subnets: subnets.collect() })
}

/// What the engine knows of an image; its reference is one that was checked, and so no other path.
async fn image_seen(client: &Client, image: &str) -> Result<Option<ImageSeen>, Arc<str>> {
    let shown = client.get("show an image", READ_LIMIT, &format!("/images/{image}/json")).await;
    match shown {
        Ok(told) => {
            let config = told.get("Config");
            let labels = config.and_then(|config| config.get("Labels"));
            let arch = text(&told, "Architecture").and_then(|word| Arch::parse(&word));
            let version =
                labels.and_then(|labels| text(labels, "org.opencontainers.image.version"));
            Ok(Some(ImageSeen { arch, version }))
        }
        Err(failure) if failure.status() == Some(404) => Ok(None),
        Err(failure) => Err(EngineError::from(failure).to_string().into()),
    }
}

pub(super) fn disk(path: &Path) -> Option<Disk> {
    let told = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Some(Disk { free: bytes(told.f_bavail), size: bytes(told.f_blocks) })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_engine_without_root_tells_is_read() {
        let told = json!({
            "ServerVersion": "27.3.1", "Architecture": "x86_64", "NCPU": 4,
            "CgroupDriver": "none", "CgroupVersion": "1", "MemoryLimit": false,
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
            "Runtimes": {"runc": {}, "nvidia": {}}, "DockerRootDir": "/home/u/.local/share/docker",
            "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}],
            "DefaultAddressPools": [{"Base": "10.8.0.0/16", "Size": 24}],
            "Warnings": ["WARNING: No memory limit support"],
            "SystemTime": "2026-01-02T03:05:05Z",
        });
        let seen = of_itself(&told, "2026-01-02T03:04:05Z".parse().unwrap());
        assert!(seen.rootless && !seen.user_namespaces);
        assert_eq!((seen.arch, seen.cpus), (Some(Arch::Amd64), Some(4)));
        assert_eq!(seen.cgroups.driver.as_deref(), Some("none"));
        assert_eq!((seen.cgroups.memory, seen.cgroups.cpus), (Some(false), None));
        assert!(seen.runtimes.contains("nvidia") && seen.devices.contains("nvidia.com/gpu=0"));
        assert_eq!(seen.address_pools, [AddressPool::parse("10.8.0.0/16", 24).unwrap()]);
        assert_eq!(seen.clock_ahead, Some(SignedDuration::from_mins(1)));
        assert_eq!(seen.warnings.len(), 1);
    }

    #[test]
    fn an_engine_that_tells_nothing_is_not_taken_for_one_that_says_no() {
        let seen = of_itself(&json!({"Warnings": null}), Timestamp::UNIX_EPOCH);
        assert_eq!(seen.cgroups, Cgroups::default());
        assert!(seen.disk.is_none() && seen.emulates.is_none() && seen.clock_ahead.is_none());
    }
}
