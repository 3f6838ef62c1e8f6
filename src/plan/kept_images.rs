//! `keep-image`: images that pools name are on their hosts before a job needs them, and as new as
//! their registries have them. On each host one pull at a time, and never for a job's sake: a job
//! whose image is not ready pulls it itself, as it always does.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::draft::Draft;
use super::facts::brief;
use super::{Action, Facts, Rule};
use crate::spec::{Arch, HostName};
use crate::world::{
    Deed, DiskRoom, HostState, ImageKey, ImageState, World, images_kept, names, pools_on,
    refreshed_at,
};

/// Why an image of jobs is pulled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeptImageReason {
    /// The host lacks it.
    Missing,
    /// The host has it, and nobody knows how old it is.
    AgeUnknown,
    /// It was pulled so long ago.
    Old(SignedDuration),
}

impl fmt::Display for KeptImageReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::AgeUnknown => f.write_str("was not pulled by AutoGit, and may be old"),
            Self::Old(ago) => write!(f, "was pulled {} ago", brief(*ago)),
        }
    }
}

pub(super) fn keep_images(draft: &mut Draft<'_>) {
    let world = draft.world();
    for (host, seen) in &world.hosts {
        let Some(state) = seen.state.known() else { continue };
        let full = world.disk_room(host).is_some_and(|room| DiskRoom::is_full(&room));
        if full || world.in_maintenance(host) || is_pulling(world, host) {
            continue;
        }
        let arch = state.engine.node.arch;
        if let Some((image, why)) = next(draft, host, state, arch) {
            let facts = Facts::ImageKept { image: image.clone(), why };
            let action = Action::KeepImage { host: host.clone(), image, arch };
            draft.decide(action, Rule::KeepImage, facts);
        }
    }
}

fn is_pulling(world: &World, host: &HostName) -> bool {
    let mut deeds = world.memory.under_way.keys();
    deeds.any(|deed| matches!(deed, Deed::KeepImage { host: on, .. } if on == host))
}

/// The image that is pulled next there: what is missing goes before what is old.
fn next(
    draft: &Draft<'_>,
    host: &HostName,
    state: &HostState,
    arch: Arch,
) -> Option<(String, KeptImageReason)> {
    let world = draft.world();
    let wanted = images_kept(&world.spec, host, arch).into_iter();
    let due = wanted.filter_map(|(image, every)| {
        let pull = Deed::PullImage { host: host.clone(), image: image.clone() };
        if world.keeping_waits_until(host, &image).is_some() || world.is_under_way(&pull) {
            return None;
        }
        let Some(Ok(found)) = world.image(host, &image) else { return None };
        if *found == ImageState::Absent {
            return Some((image, KeptImageReason::Missing));
        }
        let key = ImageKey::of(&image);
        // What cannot be told of is neither old nor new.
        let marks = state.kept_images.as_ref()?;
        let Some(mark) = state.newest_mark(&key) else {
            let why = KeptImageReason::AgeUnknown;
            return (every.is_some() && has_room(draft, host, arch, &image))
                .then_some((image, why));
        };
        // A busy host keeps one older image of each, and not one of each day.
        let removes_one = marks.iter().filter(|mark| mark.image == key).count() > 1;
        let age = world.now.duration_since(mark.pulled_at);
        let is_due = |at: Timestamp| at <= world.now || age.is_negative();
        let due =
            every.is_some_and(|every| is_due(refreshed_at(mark.pulled_at, every, host, &key)));
        let begins = due && !removes_one && has_room(draft, host, arch, &image);
        begins.then_some((image, KeptImageReason::Old(age.max(SignedDuration::ZERO))))
    });
    due.min_by_key(|(_, why)| *why != KeptImageReason::Missing)
}

/// The host has room for one more runner of a pool that names the image.
fn has_room(draft: &Draft<'_>, host: &HostName, arch: Arch, image: &str) -> bool {
    let world = draft.world();
    let mut pools = pools_on(&world.spec, host, arch).filter(|pool| names(pool, arch, image));
    pools.any(|pool| draft.room().ledger().how_many_more(host, pool) > 0)
}
