//! What runners and their jobs take of a host's disk, and what is left of what they may take.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{JobVolume, Look, Observed, SystemId};
use crate::spec::HostName;

/// What things take of a host's disk, whosever runner they are of, as the engine told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Volumes that jobs made, by name.
    pub volumes: BTreeMap<String, VolumeUse>,
    /// What runners and jobs wrote into their containers, by the container's id.
    pub containers: BTreeMap<String, ContainerUse>,
    /// What is free under the engine's folder, where that is on this machine and can be seen.
    pub free: Option<u64>,
}

/// What a volume takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeUse {
    /// Bytes.
    pub bytes: u64,
    /// When it was made, by our clock, where the engine tells.
    pub created_at: Option<Timestamp>,
}

/// What was written into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerUse {
    /// The runner that it is, or whose job it is of.
    pub system_id: SystemId,
    /// Bytes.
    pub bytes: u64,
}

/// What is used of a host's disk, and what may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskRoom {
    /// Bytes of our runners and their jobs.
    pub used: u64,
    /// What they may take in all; `None`: as much as there is.
    pub most: Option<u64>,
    /// Bytes that are free; `None`: it cannot be seen.
    pub free: Option<u64>,
    /// What has to stay free; `None`: nothing.
    pub least: Option<u64>,
}

/// From which part of the limit on caches go: what jobs that run write meanwhile has the rest.
const NEAR_PERCENT: u64 = 90;

fn near(limit: u64) -> u64 {
    limit / 100 * NEAR_PERCENT
}

impl DiskRoom {
    /// Nothing more may be started.
    pub fn is_full(&self) -> bool {
        let over = self.most.is_some_and(|most| self.used >= most);
        over || self.free.zip(self.least).is_some_and(|(free, least)| free < least)
    }

    /// How many bytes caches should give back; 0: the limits are far.
    pub fn wanting(&self) -> u64 {
        let over = self.most.map_or(0, |most| self.used.saturating_sub(near(most)));
        let short = self.free.zip(self.least).map_or(0, |(free, least)| {
            least.saturating_add(least - near(least)).saturating_sub(free)
        });
        over.max(short)
    }
}

impl Look {
    /// What is used of that host's disk, where its budget has a limit and it is known; a volume or
    /// container that is gone since it was measured counts no more.
    pub fn disk_room(&self, host: &HostName) -> Option<DiskRoom> {
        let budget = &self.spec.hosts.get(host)?.budget;
        if budget.disk.is_none() && budget.disk_free.is_none() {
            return None;
        }
        let Observed::Known { value: disk, .. } = self.disks.get(host)? else { return None };
        let state = self.hosts.get(host)?.state.known()?;
        let prefixes = self.prefixes();
        let listed: BTreeMap<&str, &JobVolume> =
            state.jobs.volumes.iter().map(|volume| (volume.name.as_str(), volume)).collect();
        let (mut used, mut given_back) = (0_u64, 0_u64);
        for (name, volume) in &disk.volumes {
            match listed.get(name.as_str()) {
                Some(listed) if prefixes.has(&listed.system_id) => {
                    used = used.saturating_add(volume.bytes);
                }
                Some(_) => {}
                None => given_back = given_back.saturating_add(volume.bytes),
            }
        }
        let jobs = state.jobs.containers.iter().map(|container| container.id.as_str());
        let runners = state.runners.iter().map(|runner| runner.id.as_str());
        let there: BTreeSet<&str> = jobs.chain(runners).collect();
        for (id, container) in &disk.containers {
            if there.contains(id.as_str()) && prefixes.has(&container.system_id) {
                used = used.saturating_add(container.bytes);
            }
        }
        let free = disk.free.map(|free| free.saturating_add(given_back));
        Some(DiskRoom { used, most: budget.disk, free, least: budget.disk_free })
    }

    /// What a volume there takes, as far as that is known.
    pub fn volume_use(&self, host: &HostName, name: &str) -> Option<&VolumeUse> {
        self.disks.get(host)?.known()?.volumes.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn caches_go_from_nine_tenths_on_and_starts_pause_at_the_limit() {
        let room =
            |used| DiskRoom { used: used * GIB, most: Some(100 * GIB), ..DiskRoom::default() };
        assert_eq!((room(89).wanting(), room(89).is_full()), (0, false));
        assert_eq!(room(95).wanting(), 5 * GIB);
        assert!(!room(99).is_full());
        assert!(room(100).is_full());
    }

    #[test]
    fn what_has_to_stay_free_is_a_limit_only_where_it_is_seen() {
        let room = |free: Option<u64>| DiskRoom {
            free: free.map(|free| free * GIB),
            least: Some(10 * GIB),
            ..DiskRoom::default()
        };
        assert_eq!((room(None).wanting(), room(None).is_full()), (0, false));
        assert_eq!((room(Some(12)).wanting(), room(Some(12)).is_full()), (0, false));
        assert!(room(Some(10)).wanting() > 0 && !room(Some(10)).is_full());
        assert!(room(Some(9)).is_full());
    }
}
