//! What an engine and its machine are, for who examines a set-up. It is read on request and never
//! by the loop, so it is no part of [`super::Engine`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::EngineError;
use crate::spec::Arch;
use crate::world::GpusSeen;

/// A Docker Engine that tells what it is.
#[async_trait]
pub trait Inspection: Debug + Send + Sync {
    /// What the engine and its machine are, and what it knows of these images. Changes nothing.
    async fn inspect(&self, images: &BTreeSet<String>) -> Result<Inspected, EngineError>;
}

/// What an engine told. What is `None` was not told, which is never "no".
#[derive(Debug, Clone, Default)]
pub struct Inspected {
    /// The address that answered.
    pub endpoint: String,
    /// The engine's version, as it says it.
    pub version: String,
    /// The newest version of its API.
    pub api_version: Option<String>,
    /// It is Podman.
    pub podman: bool,
    /// Its machine's architecture.
    pub arch: Option<Arch>,
    /// Its machine's cpus.
    pub cpus: Option<u32>,
    /// It runs without root.
    pub rootless: bool,
    /// Containers have user ids of their own.
    pub user_namespaces: bool,
    /// How containers are limited.
    pub cgroups: Cgroups,
    /// The OCI runtimes, by name.
    pub runtimes: BTreeSet<String>,
    /// Devices that it can hand to containers by the Container Device Interface, such as
    /// `nvidia.com/gpu=0`.
    pub devices: BTreeSet<String>,
    /// The GPUs that it can hand to containers, as far as they can be seen.
    pub gpus: GpusSeen,
    /// What it warns of itself.
    pub warnings: Vec<String>,
    /// How far its clock is ahead of ours.
    pub clock_ahead: Option<SignedDuration>,
    /// Where the addresses of new networks come from; empty: Docker's own pools.
    pub address_pools: Vec<AddressPool>,
    /// Its networks.
    pub networks: Vec<NetworkSeen>,
    /// Where it keeps images, containers and volumes.
    pub root_dir: Option<PathBuf>,
    /// The disk under `root_dir`.
    pub disk: Option<Disk>,
    /// Architectures that its kernel runs through QEMU.
    pub emulates: Option<BTreeSet<Arch>>,
    /// The images that were asked for: what it has, or why it did not tell.
    pub images: BTreeMap<String, Result<Option<ImageSeen>, Arc<str>>>,
}

/// How an engine limits containers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cgroups {
    /// `1` or `2`.
    pub version: Option<String>,
    /// `systemd`, `cgroupfs` or `none`.
    pub driver: Option<String>,
    /// Memory can be limited.
    pub memory: Option<bool>,
    /// Cpus can be limited.
    pub cpus: Option<bool>,
}

/// A range of addresses of which each new network gets a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressPool {
    /// Its first address.
    pub base: Ipv4Addr,
    /// The length of its prefix.
    pub prefix: u8,
    /// The length of the prefix of a network's part.
    pub size: u8,
}

impl AddressPool {
    /// What Docker uses unless told otherwise (libnetwork's local scope), since 17.x.
    pub const STANDARD: [Self; 7] = [
        Self::new([172, 17, 0, 0], 16, 16),
        Self::new([172, 18, 0, 0], 16, 16),
        Self::new([172, 19, 0, 0], 16, 16),
        Self::new([172, 20, 0, 0], 14, 16),
        Self::new([172, 24, 0, 0], 14, 16),
        Self::new([172, 28, 0, 0], 14, 16),
        Self::new([192, 168, 0, 0], 16, 20),
    ];

    const fn new([a, b, c, d]: [u8; 4], prefix: u8, size: u8) -> Self {
        Self { base: Ipv4Addr::new(a, b, c, d), prefix, size }
    }

    /// `10.0.0.0/8` with parts of `size`; `None`: that is no range of IPv4.
    pub fn parse(base: &str, size: u8) -> Option<Self> {
        let (base, prefix) = subnet(base)?;
        (prefix <= size && size <= 32).then_some(Self { base, prefix, size })
    }

    /// How many networks it has room for.
    pub fn networks(&self) -> u64 {
        1 << u32::from(self.size.saturating_sub(self.prefix)).min(32)
    }

    /// A network of this subnet takes some of its room.
    pub fn meets(&self, (base, prefix): (Ipv4Addr, u8)) -> bool {
        let shorter = self.prefix.min(prefix);
        let mask = u32::MAX.checked_shl(32 - u32::from(shorter)).unwrap_or(0);
        self.base.to_bits() & mask == base.to_bits() & mask
    }
}

/// `172.17.0.0/16`; `None`: no subnet of IPv4.
pub(crate) fn subnet(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (base, prefix) = text.split_once('/')?;
    let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
    Some((base.parse().ok()?, prefix))
}

/// A network of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSeen {
    /// Its name.
    pub name: String,
    /// Its subnets of IPv4.
    pub subnets: Vec<(Ipv4Addr, u8)>,
}

/// A disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes that there are.
    pub size: u64,
}

/// An image on an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageSeen {
    /// Its architecture.
    pub arch: Option<Arch>,
    /// The version that its labels tell.
    pub version: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_own_pools_have_room_for_31_networks() {
        let room: u64 = AddressPool::STANDARD.iter().map(AddressPool::networks).sum();
        assert_eq!(room, 31);
    }

    #[test]
    fn a_network_takes_room_of_the_pool_that_its_subnet_lies_in() {
        let pool = AddressPool::parse("10.8.0.0/16", 24).unwrap();
        assert_eq!(pool.networks(), 256);
        assert!(pool.meets(subnet("10.8.7.0/24").unwrap()));
        assert!(pool.meets(subnet("10.0.0.0/8").unwrap()));
        assert!(!pool.meets(subnet("10.9.0.0/24").unwrap()));
        assert!(AddressPool::parse("fd00::/8", 64).is_none());
        assert!(AddressPool::parse("10.0.0.0/24", 16).is_none());
    }
}
