//! Jobs that ended before they began, for their image is for another architecture.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::{JobId, Look, RefusedJob};
use crate::spec::{Arch, HostName};

/// For how long it is remembered of a job.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Of how many jobs; the youngest.
const KEPT_MAX: usize = 100;

/// The image of a job that its host did not execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongImage {
    /// The host.
    pub host: HostName,
    /// The architecture of the image, as the engine shows it.
    pub image: Arch,
    /// The architecture of the host.
    pub machine: Arch,
    /// When it was seen.
    pub at: Timestamp,
}

/// Remembers the jobs of ours of which the engine shows that. An image for the host's own
/// architecture may be broken in other ways, which its log tells.
pub(super) fn note(look: &Look, noted: &mut BTreeMap<JobId, WrongImage>) {
    let prefixes = look.prefixes();
    let known = look.hosts.iter().filter_map(|(name, host)| Some((name, host.state.known()?)));
    for (host, state) in known {
        let machine = state.engine.node.arch;
        for RefusedJob { job, system_id, image } in &state.jobs.refused {
            if prefixes.has(system_id) && *image != machine {
                let (host, image) = (host.clone(), *image);
                let found = || WrongImage { host, image, machine, at: look.now };
                noted.entry(*job).or_insert_with(found);
            }
        }
    }
    noted.retain(|_, wrong| look.now.duration_since(wrong.at) <= KEPT);
    while noted.len() > KEPT_MAX {
        let oldest = noted.iter().min_by_key(|(job, wrong)| (wrong.at, **job));
        let Some(oldest) = oldest.map(|(job, _)| *job) else { break };
        noted.remove(&oldest);
    }
}

impl fmt::Display for WrongImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, image, machine, at: _ } = self;
        write!(
            f,
            "its image is for {image}, which host `{host}` ({machine}) does not run: `exec format error` \
             before its script; hint: in the job, set `image: {{name: IMAGE, docker: {{platform: {}}}}}`, \
             or name the tag of a pool for {image}, or register QEMU there, as with `docker run \
             --privileged --rm tonistiigi/binfmt --install all`",
            machine.platform()
        )
    }
}
