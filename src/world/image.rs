//! The images of runners on the hosts.

use std::sync::Arc;

use super::Look;
use crate::spec::{Arch, HostName, Pool, Spec};

/// Whether an engine has an image for the architecture of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageState {
    /// It has.
    Here,
    /// It has none of that name.
    Absent,
    /// What it has under that name is for another architecture.
    OtherArch(Arch),
}

/// The enabled pools whose runners may run on a host of that architecture, emulated ones included:
/// their runners are native, too. What their images are is looked for there.
pub fn pools_on<'s>(
    spec: &'s Spec,
    host: &'s HostName,
    arch: Arch,
) -> impl Iterator<Item = &'s Pool> {
    let of_arch = move |pool: &&Pool| {
        pool.architectures.is_empty() || pool.architectures.contains(&arch) || pool.emulate
    };
    let pools = spec.pools.iter().filter(|pool| pool.enabled).filter(of_arch);
    pools.filter(move |pool| serves(spec, host, pool))
}

/// As [`Look::serves`].
pub(super) fn serves(spec: &Spec, host: &HostName, pool: &Pool) -> bool {
    let declared = spec.hosts.get(host);
    declared.is_some_and(|host| host.pools.has(&pool.name))
}

impl Look {
    /// What the host told of the image, or why it did not; `None`: it was not seen, or not asked.
    pub fn image(&self, host: &HostName, image: &str) -> Option<&Result<ImageState, Arc<str>>> {
        self.hosts.get(host)?.state.known()?.images.get(image)
    }
}
