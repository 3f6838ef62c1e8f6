//! `pull-image`: each host has the images of the pools that it serves, before a runner needs them: a
//! pull of minutes holds up nothing but the starts that need it.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::{Action, Facts, JobHold, Rule};
use crate::spec::{Arch, HostName, Pool, PullPolicy};
use crate::world::{Deed, ImageState, Variant, World, pools_on};

pub(super) fn pull_images(draft: &mut Draft<'_>) {
    let world = draft.world();
    let mut decided = BTreeSet::new();
    for (host, arch, pool) in pools_of_hosts(world) {
        let (variant, image) = (Variant::new(&pool.name, arch), &pool.runner_image);
        let Some(Ok(state)) = world.image(host, image) else { continue };
        let waits = pool.pull_policy == PullPolicy::Never
            || world.in_maintenance(host)
            || world.backoff(&variant).is_some()
            || world.pulling_waits_until(host, image).is_some();
        if *state == ImageState::Here || waits || !decided.insert((host, image)) {
            continue;
        }
        let action = Action::PullImage { host: host.clone(), image: image.clone(), arch };
        let facts = Facts::ImageMissing { image: image.clone(), found: found(*state) };
        draft.decide(action, Rule::PullImage, facts);
    }
}

/// Why no runner of `pool` starts on the host: its image is not there.
pub(super) fn without_image(
    world: &World,
    host: &HostName,
    variant: &Variant,
    pool: &Pool,
) -> Option<JobHold> {
    let image = &pool.runner_image;
    let untold = |why: &str| {
        let what = format!("host `{host}` does not tell whether it has image `{image}`: {why}");
        Some(JobHold::Unseen { what: what.into() })
    };
    match world.image(host, image) {
        Some(Ok(ImageState::Here)) => return None,
        Some(Ok(ImageState::Absent | ImageState::OtherArch(_))) => {}
        Some(Err(error)) => return untold(error),
        None => return untold("it was not asked yet"),
    }
    let pull = Deed::PullImage { host: host.clone(), image: image.clone() };
    let waits = world.pulling_waits_until(host, image).filter(|_| !world.is_under_way(&pull));
    let hold = match waits {
        Some(until) => JobHold::BackingOff {
            variant: variant.clone(),
            until,
            left: until.duration_since(world.now),
            error: format!("image `{image}` was pulled again and again, and is not there").into(),
        },
        None => JobHold::ImagePull { host: host.clone(), image: image.clone() },
    };
    never_pulled(world, host, pool).or(Some(hold))
}

/// The images that are missing and that nobody but a person brings, each with its pool.
pub(crate) fn images_never_pulled(world: &World) -> impl Iterator<Item = (&Pool, JobHold)> {
    let all = pools_of_hosts(world);
    all.filter_map(|(host, _, pool)| Some((pool, never_pulled(world, host, pool)?)))
}

fn never_pulled(world: &World, host: &HostName, pool: &Pool) -> Option<JobHold> {
    let image = &pool.runner_image;
    let Some(Ok(state)) = world.image(host, image) else { return None };
    let missing = *state != ImageState::Here && pool.pull_policy == PullPolicy::Never;
    missing.then(|| JobHold::NoImage {
        host: host.clone(),
        image: image.clone(),
        found: found(*state),
    })
}

/// What is there under the image's name is for that architecture.
fn found(state: ImageState) -> Option<Arch> {
    match state {
        ImageState::OtherArch(arch) => Some(arch),
        ImageState::Here | ImageState::Absent => None,
    }
}

/// The hosts that are seen, with the pools whose runners may run there.
fn pools_of_hosts(world: &World) -> impl Iterator<Item = (&HostName, Arch, &Pool)> {
    let seen = world.hosts.iter();
    let seen = seen.filter_map(|(name, host)| Some((name, host.state.known()?.engine.node.arch)));
    seen.flat_map(|(name, arch)| {
        pools_on(&world.spec, name, arch).map(move |pool| (name, arch, pool))
    })
}
