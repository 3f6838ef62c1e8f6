//! What was seen, and what follows from it. A [`Look`] is plain public data: what the spec asks for,
//! what was observed, and now. A [`World`] is a look that was judged; the planner's only input.
//! Nothing here reads anything.

mod backoff;
mod brake;
mod costs;
mod derived;
mod desired;
mod disk;
mod gpus;
mod host;
mod image;
mod kept_image;
mod leaving;
mod matching;
mod memory;
mod names;
mod observed;
mod place;
mod queue;
mod record;
mod rival;
pub mod runner_config;
mod runner_log;
mod runner_memory;
mod under_way;
mod volume;
mod wrong_image;

pub use backoff::{Backoff, Cause, early_end};
pub use brake::{Deed, Efforts, RECORDS_PER_HOUR_MAX};
pub(crate) use derived::GONE_FOR;
pub use derived::{
    JobFacts, Phase, Prefixes, Question, RunnerJob, RunnerView, Standstill, StandstillKind, Unfit,
    World, job_of, leftovers, lingering, may_stop, note_observed, questions,
};
pub use desired::{record_settings, spec_hash};
pub use disk::{ContainerUse, DiskRoom, DiskUse, VolumeUse};
pub use gpus::{GpusOffered, GpusSeen};
pub use host::{
    Absence, ContainerState, EngineInfo, Host, HostState, JobContainer, JobNetworkObject,
    JobObjects, NetworkState, Node, RefusedJob, Runner, SetAside,
};
pub use image::{ImageState, pools_on};
pub use kept_image::{ImageKey, KeptImage};
pub(crate) use kept_image::{MARKS, images_kept, names, refreshed_at};
pub use leaving::OursThere;
pub use matching::{Misfit, Offer};
pub use memory::{AtWork, FailedStart, InDoubt, Leftover, Memory, Unclaimed};
pub use names::{
    ContainerId, EngineId, GroupId, HashForm, JobId, Mark, ProjectId, RecordId, RunnerName, Slot,
    SpecHash, SystemId, Variant, WorkloadId,
};
pub use observed::Observed;
pub use place::{FullPath, Owner, Place};
pub(crate) use queue::JobKind;
pub use queue::{Job, OtherRunner, Queue};
pub use record::{Access, Caller, Manager, Origin, Record, RecordSettings, Token};
pub use rival::{LEFT_ALONE, Made, OwnRecords, Sign};
pub use runner_log::{RunnerLog, Trouble};
pub use runner_memory::{Condition, RunnerMemory};
pub use under_way::StartUnderWay;
pub use volume::{JobVolume, VolumeKind};
pub use wrong_image::WrongImage;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::spec::{Arch, HostName, Pool, Scope, Spec};

/// What was seen at one time, with what this process remembers.
#[derive(Debug, Clone)]
pub struct Look {
    /// When it was observed, by our clock. Times of other machines are corrected to it.
    pub now: Timestamp,
    /// What is asked for.
    pub spec: Arc<Spec>,
    /// GitLab's pending jobs.
    pub queue: Observed<Queue>,
    /// The records that carry our mark, and those of the operator's own tokens.
    pub records: Observed<Vec<Record>>,
    /// What the pools' scopes are at GitLab, or its words for why it is not known.
    pub scopes: BTreeMap<Scope, Result<Place, Arc<str>>>,
    /// The declared hosts.
    pub hosts: BTreeMap<HostName, Host>,
    /// What takes room on the disks of those whose budget limits that; read rarely.
    pub disks: BTreeMap<HostName, Observed<DiskUse>>,
    /// What this process remembers; losing it costs time, never correctness.
    pub memory: Memory,
}

impl Look {
    /// The manager's name of a runner in that slot, once its host's engine is known.
    pub fn system_id(&self, host: &HostName, variant: &Variant, slot: Slot) -> Option<SystemId> {
        let engine = self.hosts.get(host)?.engine()?;
        Some(SystemId::new(&self.spec.instance, &engine.id, variant, slot))
    }

    /// The architectures in which `pool` is asked for: its own, else those of the hosts that
    /// serve it; empty while no host is known.
    pub fn architectures(&self, pool: &Pool) -> Vec<Arch> {
        if !pool.architectures.is_empty() {
            return pool.architectures.clone();
        }
        let mut found = Vec::new();
        for (name, host) in &self.hosts {
            if let Some(node) = host.node()
                && self.serves(name, pool)
                && !found.contains(&node.arch)
            {
                found.push(node.arch);
            }
        }
        found
    }

    /// `arch` is the first architecture of `pool`, whose variant alone takes jobs that ask for none.
    pub fn is_first(&self, pool: &Pool, arch: Arch) -> bool {
        self.architectures(pool).first() == Some(&arch)
    }

    /// The declared variants in file order.
    pub fn variants(&self) -> Vec<(Variant, &Pool)> {
        let variants = |pool| {
            let architectures: Vec<Arch> = self.architectures(pool);
            architectures.into_iter().map(move |arch| (Variant::new(&pool.name, arch), pool))
        };
        self.spec.pools.iter().flat_map(variants).collect()
    }

    /// A pool takes jobs of some projects only.
    pub(crate) fn is_scoped(&self) -> bool {
        self.spec.pools.iter().any(|pool| pool.scope != Scope::Instance)
    }

    /// What a pool's scope is at GitLab.
    ///
    /// Errors: why it is not known, in words for the operator; nothing follows from it then.
    pub fn place(&self, scope: &Scope) -> Result<Place, Arc<str>> {
        if *scope == Scope::Instance {
            return Ok(Place::Instance);
        }
        let told = self.scopes.get(scope).cloned();
        told.unwrap_or_else(|| Err("GitLab was not asked for it yet".into()))
    }

    /// What the enabled variants offer to jobs, in file order.
    pub fn offers(&self) -> Vec<Offer<'_>> {
        let enabled = self.spec.pools.iter().filter(|pool| pool.enabled);
        enabled.flat_map(|pool| self.offers_of(pool)).collect()
    }

    /// What the variants of `pool` offer, enabled or not.
    pub fn offers_of<'a>(&self, pool: &'a Pool) -> impl Iterator<Item = Offer<'a>> + use<'a> {
        let place = self.place(&pool.scope);
        let architectures = self.architectures(pool).into_iter().enumerate();
        architectures.map(move |(index, arch)| Offer::new(pool, place.clone(), arch, index == 0))
    }

    /// Whether the spec lets `pool` run on that host. A host that it does not have serves none: it
    /// is still looked at while the hosts of a new spec cannot be connected.
    pub fn serves(&self, host: &HostName, pool: &Pool) -> bool {
        image::serves(&self.spec, host, pool)
    }

    /// Whether the host runs jobs of that architecture through QEMU: it says so, or the operator does.
    pub fn emulates(&self, name: &HostName, arch: Arch) -> bool {
        let declared = self.spec.hosts.get(name).is_some_and(|host| host.emulates.contains(&arch));
        let engine = self.hosts.get(name).and_then(Host::engine);
        declared || engine.is_some_and(|engine| engine.emulates.contains(&arch))
    }

    /// The operator keeps runners away from the host for a while.
    pub fn in_maintenance(&self, host: &HostName) -> bool {
        self.spec.hosts.get(host).is_some_and(|host| host.maintenance)
    }

    /// The host was seen, and without the runners' network.
    pub fn lacks_network(&self, host: &HostName) -> bool {
        let state = self.hosts.get(host).and_then(|host| host.state.known());
        state.is_some_and(|state| state.network.is_none())
    }

    /// Runners may start on the host at any time, so that it is to have their network.
    pub fn needs_network(&self, host: &HostName) -> bool {
        let node = self.hosts.get(host).and_then(Host::node);
        node.is_some_and(|node| pools_on(&self.spec, host, node.arch).next().is_some())
    }

    /// For how long the runners' network is not made on the host, and why: it could not be.
    pub fn network_waits(&self, host: &HostName) -> Option<(SignedDuration, Arc<str>)> {
        let backoff = self.memory.networks.get(host).filter(|_| self.lacks_network(host))?;
        let left = backoff.until.duration_since(self.now);
        left.is_positive().then(|| (left, Arc::clone(&backoff.error)))
    }

    /// A host that may serve `pool` was never read, so its architecture is not known.
    pub fn may_have_more_architectures(&self, pool: &Pool) -> bool {
        let mut hosts = self.hosts.iter();
        pool.architectures.is_empty()
            && hosts.any(|(name, host)| host.engine().is_none() && self.serves(name, pool))
    }

    /// As old as the records are, with their managers: what happened since is not in them.
    pub fn records_told_at(&self) -> Timestamp {
        match self.records {
            Observed::Known { at, .. } => at.min(self.now),
            Observed::Unknown { .. } => self.now,
        }
    }

    /// Whether all hosts could be observed, those included that a new spec declares and that are not
    /// connected yet.
    pub fn all_hosts_known(&self) -> bool {
        self.hosts.values().all(|host| host.state.known().is_some())
            && self.spec.hosts.keys().all(|name| self.hosts.contains_key(name))
    }
}
