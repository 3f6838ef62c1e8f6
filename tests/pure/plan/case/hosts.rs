//! The words of a case file about a host.

use std::sync::Arc;

use autogit::spec::{Cpus, Gpu, GpuBudget, HostName, HostSpec, PoolName, ServedPools, Vendor};
use autogit::world::{GpusSeen, HostState, ImageKey, ImageState, KeptImage, Look, Observed};

use crate::plan::harness::{ago, known, lose, state_of};
use crate::plan::words::{Line, arch_of, number, seconds};

/// What the words say of the host's spec; the others are for the engine.
pub(super) fn declare(host: &mut HostSpec, words: &[&str]) {
    match words {
        ["budget", "runners", most] => host.budget.runners = Some(number(most)),
        ["budget", "cpus", most] => host.budget.cpus = Some(number(most)),
        ["budget", "memory", gib] => host.budget.memory = Some(number::<u64>(gib) << 30),
        ["budget", "disk", gib] => host.budget.disk = Some(number::<u64>(gib) << 30),
        ["budget", "disk", "free", gib] => host.budget.disk_free = Some(number::<u64>(gib) << 30),
        ["maintenance"] => host.maintenance = true,
        ["budget", "gpus", most] => host.budget.gpus = GpuBudget::AtMost(number(most)),
        ["declares", "qemu", "for", arch] => host.emulates = vec![arch_of(arch)],
        ["declares", ids @ ..] => {
            host.budget.gpus = GpuBudget::These(ids.iter().map(|id| gpu(id)).collect());
        }
        ["serves", pools @ ..] => {
            let pools = pools.iter().map(|pool| PoolName::new(pool).unwrap());
            host.pools = ServedPools::These(pools.collect());
        }
        _ => {}
    }
}

pub(super) fn change_host(look: &mut Look, name: &HostName, line: &Line<'_>, words: &[&str]) {
    let state = state_of(look, name);
    match words {
        ["budget" | "serves" | "lost" | "never" | "maintenance" | "declares", ..] => {}
        ["emulates", arch] => drop(state.engine.emulates.insert(arch_of(arch))),
        ["disk", "has", gib, "free"] => {
            let disk = known(look.disks.get_mut(name).unwrap());
            disk.free = Some(number::<u64>(gib) << 30);
        }
        ["disk", "unknown", error @ ..] => {
            lose(look.disks.get_mut(name).unwrap(), 60, &error.join(" "));
        }
        ["gpus", ids @ ..] => state.engine.gpus.gpus = ids.iter().map(|id| gpu(id)).collect(),
        ["no", "gpus:", why @ ..] => {
            state.engine.gpus = GpusSeen::unseen(&why.join(" ").replace(" hint", "; hint"));
        }
        ["undeclared"] => drop(Arc::make_mut(&mut look.spec).hosts.remove(name)),
        ["cpus", cpus] => state.engine.node.cpus = Cpus::at_least(number(cpus)),
        ["memory", gib] => state.engine.node.memory = number::<u64>(gib) << 30,
        ["no", "network"] => state.network = None,
        ["no", "image"] => {
            state.images.values_mut().for_each(|image| *image = Ok(ImageState::Absent));
        }
        ["lacks", image] => put_image(state, image, ImageState::Absent),
        ["keeps", image, since, found @ ..] => {
            put_image(state, image, ImageState::Here);
            let (image, pulled_at) = (ImageKey::of(image), ago(seconds(since)));
            let mark = KeptImage { image, pulled_at, found: found == ["found"] };
            state.kept_images.get_or_insert_default().push(mark);
        }
        ["kept", "images", "untold"] => state.kept_images = None,
        ["image", "for", arch] => {
            let other = ImageState::OtherArch(arch_of(arch));
            state.images.values_mut().for_each(|image| *image = Ok(other));
        }
        ["image", "untold", error @ ..] => {
            let error = Arc::<str>::from(error.join(" "));
            state.images.values_mut().for_each(|image| *image = Err(Arc::clone(&error)));
        }
        ["empty", "network"] => known_network(state).containers = 0,
        ["foreign", "network"] => known_network(state).ours = false,
        other => line.unknown(other),
    }
}

fn put_image(state: &mut HostState, image: &str, found: ImageState) {
    state.images.insert(image.to_owned(), Ok(found));
}

/// A path is that of AMD's, all else is NVIDIA's.
fn gpu(id: &str) -> Gpu {
    let (id, vendor) = (id.to_owned(), Vendor::Nvidia);
    if id.starts_with('/') {
        return Gpu::of_devices(Vendor::Amd, vec![id]).unwrap();
    }
    Gpu { vendor, id, devices: Vec::new() }
}

pub(super) fn lose_host(look: &mut Look, name: &HostName, words: &[&str]) {
    let host = look.hosts.get_mut(name).unwrap();
    match words {
        ["lost", since, error @ ..] => lose(&mut host.state, seconds(since), &error.join(" ")),
        ["never", "seen"] => {
            let error = "connect timed out".into();
            host.state = Observed::Unknown { since: ago(60), error, last: None };
        }
        _ => {}
    }
}

fn known_network(state: &mut HostState) -> &mut autogit::world::NetworkState {
    state.network.as_mut().unwrap()
}
