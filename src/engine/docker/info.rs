//! What the engine says of itself.

use std::collections::BTreeSet;

use bollard::models::SystemInfo;
use jiff::{SignedDuration, Timestamp};

use super::client::{Client, Facts, READ_LIMIT};
use super::gpus::{self, Ways};
use super::local;
use crate::engine::EngineError;
use crate::spec::{Arch, Cpus};
use crate::world::{EngineId, EngineInfo, GpusSeen, Node};

const ATTEMPT: &str = "tell about itself";

/// Differences below this are the answer's way here, not the clocks'. Corrected times would
/// otherwise move a little at each look.
const NOISE: SignedDuration = SignedDuration::from_secs(1);

/// Asks the engine about itself, and keeps what other calls need.
pub(super) async fn info(client: &Client) -> Result<EngineInfo, EngineError> {
    let before = client.clock().now();
    let told =
        client.call(ATTEMPT, READ_LIMIT, |docker| async move { docker.info().await }).await?;
    let after = client.clock().now();
    let middle = before.saturating_add(after.duration_since(before) / 2).unwrap_or(after);
    let known = client.known_facts();
    let podman = match known {
        Some(known) => known.podman,
        None => is_podman(client).await?,
    };
    let last = known.unwrap_or_default().skew;
    let facts = Facts { podman, ..facts(&told, skew(&told, middle, last)) };
    let ways = ways(&told);
    let gpus = gpus::seen(client, told.name.as_deref(), &ways).await;
    let here = client.endpoint().unix_path().is_some()
        && local::is_here(told.name.as_deref().unwrap_or_default()).await;
    let emulates = if here { local::emulated().await.unwrap_or_default() } else { BTreeSet::new() };
    let info = EngineInfo { emulates, gpus, ..engine_info(told, facts)? };
    client.learn(facts);
    Ok(info)
}

async fn is_podman(client: &Client) -> Result<bool, EngineError> {
    let told = client
        .call("say its version", READ_LIMIT, |docker| async move { docker.version().await })
        .await?;
    let parts = told.components.unwrap_or_default();
    Ok(parts.iter().any(|part| part.name == "Podman Engine"))
}

/// What stays the same as long as the engine does.
///
/// Podman (4 and 5) makes up an id for each answer. Its host's name and its own folder stay, which
/// is as good unless two hosts are called the same.
fn id(told: &SystemInfo, podman: bool) -> Option<String> {
    let id = if podman {
        let (name, root) = (told.name.as_deref()?, told.docker_root_dir.as_deref()?);
        format!("podman:{name}:{root}")
    } else {
        told.id.clone()?
    };
    Some(id).filter(|id| !id.is_empty())
}

fn skew(told: &SystemInfo, ours: Timestamp, last: SignedDuration) -> SignedDuration {
    let theirs = told.system_time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
    let measured = theirs.map_or(last, |theirs| theirs.duration_since(ours));
    if (measured - last).abs() < NOISE { last } else { measured }
}

fn facts(told: &SystemInfo, skew: SignedDuration) -> Facts {
    let options = told.security_options.as_deref().unwrap_or_default();
    let has = |name: &str| {
        let name = format!("name={name}");
        options.iter().any(|option| option.split(',').any(|part| part == name))
    };
    Facts {
        skew,
        selinux: has("selinux"),
        user_namespaces: has("userns"),
        rootless: has("rootless"),
        podman: false,
    }
}

fn ways(told: &SystemInfo) -> Ways {
    let devices = told.discovered_devices.iter().flatten();
    Ways {
        runtimes: told.runtimes.iter().flatten().map(|(name, _)| name.clone()).collect(),
        devices: devices.filter_map(|device| device.id.clone()).collect(),
    }
}

fn engine_info(told: SystemInfo, facts: Facts) -> Result<EngineInfo, EngineError> {
    let lacks = |what: &str| EngineError::Refused {
        attempt: ATTEMPT.to_owned(),
        problem: format!("its answer lacks {what}"),
    };
    let id = id(&told, facts.podman).ok_or_else(|| lacks("its id"))?;
    let word = told.architecture.unwrap_or_default();
    let arch = Arch::parse(&word)
        .ok_or_else(|| lacks(&format!("an architecture that AutoGit knows (`{word}`)")))?;
    let cpus = told.ncpu.and_then(|cpus| u32::try_from(cpus).ok());
    let memory = told.mem_total.and_then(|bytes| u64::try_from(bytes).ok());
    Ok(EngineInfo {
        id: EngineId::from_observed(&id),
        node: Node {
            arch,
            cpus: cpus.map(Cpus::of_count).ok_or_else(|| lacks("its cpus"))?,
            memory: memory.ok_or_else(|| lacks("its memory"))?,
        },
        emulates: BTreeSet::new(),
        version: told.server_version.unwrap_or_default(),
        gpus: GpusSeen::default(),
        skew: facts.skew,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(time: &str) -> SystemInfo {
        SystemInfo { system_time: Some(time.to_owned()), ..SystemInfo::default() }
    }

    #[test]
    fn a_clock_that_goes_wrong_by_a_second_or_more_is_noticed_and_less_is_not() {
        let ours: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let skew = |time: &str, last: i64| {
            skew(&told(time), ours, SignedDuration::from_secs(last)).as_secs()
        };
        assert_eq!(skew("2026-01-02T03:04:05.9Z", 0), 0);
        assert_eq!(skew("2026-01-02T05:04:35+02:00", 0), 30);
        assert_eq!(skew("2026-01-02T03:04:34.5Z", 30), 30);
        assert_eq!(skew("not a time", 30), 30);
    }

    #[test]
    fn security_options_are_read_by_name() {
        let options = ["name=seccomp,profile=default", "name=selinux", "name=userns"];
        let told = SystemInfo {
            security_options: Some(options.map(str::to_owned).to_vec()),
            ..SystemInfo::default()
        };
        let facts = facts(&told, SignedDuration::ZERO);
        assert!(facts.selinux && facts.user_namespaces && !facts.rootless);
    }
}
