//! Hosts that the spec does not have any more, and on which something of ours is left.

use super::{Look, VolumeKind};
use crate::spec::HostName;

/// What of ours is on a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OursThere {
    /// Runners in any state, and containers that may be such.
    pub runners: usize,
    /// What their jobs made, and our network.
    pub objects: usize,
}

impl Look {
    /// The hosts that are looked at though the spec does not have them any more: their runners exit
    /// after their jobs, and what these left is removed.
    pub fn leaving_hosts(&self) -> impl Iterator<Item = &HostName> {
        self.hosts.keys().filter(|name| !self.spec.hosts.contains_key(*name))
    }

    /// What of ours is on that host, as now or last seen; volumes of which nobody of us may say what
    /// they hold stay, and do not count.
    pub fn ours_on(&self, host: &HostName) -> OursThere {
        let Some(state) = self.hosts.get(host).and_then(|host| host.state.last()) else {
            return OursThere::default();
        };
        let prefixes = self.prefixes();
        let jobs = &state.jobs;
        let volumes = jobs.volumes.iter().filter(|volume| volume.kind != VolumeKind::Other);
        let ids = (jobs.containers.iter().map(|it| &it.system_id))
            .chain(volumes.map(|it| &it.system_id))
            .chain(jobs.networks.iter().map(|it| &it.system_id));
        let networks = state.network.iter().chain(&state.old_networks);
        OursThere {
            runners: state.runners.len() + state.aside.len(),
            objects: ids.filter(|id| prefixes.has(id)).count()
                + networks.filter(|network| network.ours).count(),
        }
    }

    /// A runner may be on its way to that host.
    pub fn may_get_a_runner(&self, host: &HostName) -> bool {
        self.starts_under_way().any(|start| start.host == host)
            || self.memory.in_doubt.values().any(|doubt| doubt.host == *host)
    }
}
