//! What takes room on the engine's disk, by `/system/df`.
//!
//! Up to API 1.51 it answers with `Containers` and `Volumes`; from 1.52 on with `ContainerUsage` and
//! `VolumeUsage`, whose `Items` it tells where `verbose` is asked for. Engines before API 1.42 do not
//! know `type`, and measure images and build caches, too.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::client::{Client, READ_LIMIT};
use super::jobs::SYSTEM_ID as OF_A_JOB;
use super::{inspect, labels, listed, local};
use crate::engine::EngineError;
use crate::spec::InstanceName;
use crate::world::{ContainerUse, DiskUse, SystemId, VolumeUse};

/// The engine walks through all files of all volumes.
const LIMIT: Duration = Duration::from_mins(10);

const ATTEMPT: &str = "tell what takes room on its disk";

pub(super) async fn read(client: &Client, instance: &InstanceName) -> Result<DiskUse, EngineError> {
    let facts = client.facts().await?;
    let path = "/system/df?type=container&type=volume&verbose=1";
    let told = client.get(ATTEMPT, LIMIT, path).await?;
    let unreadable = || EngineError::from(Client::unreadable(ATTEMPT));
    let containers = items(&told, "Containers", "ContainerUsage").ok_or_else(unreadable)?;
    let volumes = items(&told, "Volumes", "VolumeUsage").ok_or_else(unreadable)?;
    let volumes = volumes.iter().filter_map(|item| {
        let (name, volume) = volume(item)?;
        let created_at = volume.created_at.map(|at| facts.ours(at));
        Some((name, VolumeUse { created_at, ..volume }))
    });
    Ok(DiskUse {
        volumes: volumes.collect(),
        containers: containers.iter().filter_map(|item| container(item, instance)).collect(),
        free: free(client).await,
    })
}

/// `null`, or nothing, stands for none where the other of the two is there.
fn items<'a>(told: &'a Value, key: &str, newer: &str) -> Option<&'a [Value]> {
    let found = match told.get(newer) {
        Some(usage) => usage.get("Items"),
        None => Some(told.get(key)?),
    };
    match found {
        None | Some(Value::Null) => Some(&[]),
        Some(items) => items.as_array().map(Vec::as_slice),
    }
}

fn volume(item: &Value) -> Option<(String, VolumeUse)> {
    let name = item.get("Name")?.as_str()?.to_owned();
    listed::labels(item.get("Labels")).get(OF_A_JOB)?;
    // -1 where its driver does not tell.
    let bytes = item.get("UsageData")?.get("Size")?.as_i64()?;
    let created = item.get("CreatedAt").and_then(Value::as_str);
    let created_at = created.and_then(|at| at.parse::<Timestamp>().ok());
    Some((name, VolumeUse { bytes: u64::try_from(bytes).ok()?, created_at }))
}

fn container(item: &Value, instance: &InstanceName) -> Option<(String, ContainerUse)> {
    let id = item.get("Id")?.as_str()?.to_owned();
    let labels = listed::labels(item.get("Labels"));
    let of_ours = labels.get(labels::INSTANCE).is_some_and(|its| its == instance.as_str());
    let system_id = labels.get(OF_A_JOB).or_else(|| {
        let own = labels.get(labels::SYSTEM_ID);
        own.filter(|_| of_ours)
    })?;
    // Nothing is told of one that wrote nothing.
    let bytes = item.get("SizeRw").and_then(Value::as_u64).unwrap_or(0);
    Some((id, ContainerUse { system_id: SystemId::from_observed(system_id), bytes }))
}

/// What is free under the engine's folder, where that is on this machine.
async fn free(client: &Client) -> Option<u64> {
    client.endpoint().unix_path()?;
    let told = client.get("tell about itself", READ_LIMIT, "/info").await.ok()?;
    if !local::is_here(told.get("Name").and_then(Value::as_str).unwrap_or_default()).await {
        return None;
    }
    let folder = told.get("DockerRootDir").and_then(Value::as_str)?;
    inspect::disk(Path::new(folder)).map(|disk| disk.free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_answer_are_read() {
        let volume_item = serde_json::json!({
            "Name": "cache-1", "CreatedAt": "2026-01-02T03:04:05Z",
            "Labels": { "com.gitlab.gitlab-runner.runner.system_id": "r_1" },
            "UsageData": { "Size": 7, "RefCount": 0 },
        });
        let older = serde_json::json!({ "Containers": null, "Volumes": [volume_item] });
        let newer = serde_json::json!({
            "ContainerUsage": { "TotalCount": 0 },
            "VolumeUsage": { "Items": [volume_item] },
        });
        for told in [older, newer] {
            assert_eq!(items(&told, "Containers", "ContainerUsage").map(<[Value]>::len), Some(0));
            let volumes = items(&told, "Volumes", "VolumeUsage").unwrap();
            let (name, found) = volume(&volumes[0]).unwrap();
            assert_eq!((name.as_str(), found.bytes), ("cache-1", 7));
            assert!(found.created_at.is_some());
        }
        assert_eq!(items(&serde_json::json!({}), "Volumes", "VolumeUsage"), None);
    }

    #[test]
    fn what_a_driver_does_not_measure_is_not_counted() {
        let label = serde_json::json!({ "com.gitlab.gitlab-runner.runner.system_id": "r_1" });
        let unmeasured =
            serde_json::json!({ "Name": "a", "Labels": label, "UsageData": { "Size": -1 } });
        let foreign = serde_json::json!({ "Name": "b", "Labels": {}, "UsageData": { "Size": 9 } });
        assert_eq!(volume(&unmeasured), None);
        assert_eq!(volume(&foreign), None);
    }
}
