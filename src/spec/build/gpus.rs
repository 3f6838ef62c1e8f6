//! `hosts.x.budget.gpus`.

use std::collections::BTreeMap;

use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::section::{RawGpus, RawHostGpu};
use crate::spec::{Gpu, GpuBudget, KFD, Vendor, is_device};

pub(super) fn build(raw: Option<RawGpus>, path: &Path, context: &mut Context<'_>) -> GpuBudget {
    match raw {
        None | Some(RawGpus::Auto(_)) => GpuBudget::Auto,
        Some(RawGpus::Count(most)) => GpuBudget::AtMost(most),
        Some(RawGpus::These(raw)) => {
            let paths = (0..raw.len()).map(|index| path.join(&index.to_string()));
            let declared = raw.into_iter().zip(paths);
            let gpus: Vec<(Gpu, Path)> = declared
                .filter_map(|(raw, path)| Some((gpu(raw, &path, context)?, path)))
                .collect();
            twice(&gpus, context);
            GpuBudget::These(gpus.into_iter().map(|(gpu, _)| gpu).collect())
        }
    }
}

fn gpu(raw: RawHostGpu, path: &Path, context: &mut Context<'_>) -> Option<Gpu> {
    // Without a vendor it is a fault already.
    let vendor = raw.vendor?;
    let mut fault = |path: &Path, message: &str, hint: &str| {
        context.add(path, Finding::error(Code::BadValue, message).hint(hint));
        None
    };
    let by_devices = "name its device nodes, as in `devices: [/dev/dri/renderD128]`";
    match (raw.id, raw.devices.filter(|devices| !devices.is_empty())) {
        (None, Some(devices)) => {
            for (index, device) in devices.iter().enumerate() {
                if !is_device(device) {
                    let path = path.join("devices").join(&index.to_string());
                    return fault(
                        &path,
                        "this is no path of a device",
                        "write it as in `/dev/dri/renderD128`",
                    );
                }
            }
            let gpu = Gpu::of_devices(vendor, devices);
            gpu.or_else(|| {
                fault(path, &format!("`{KFD}` is shared by all GPUs of AMD"), by_devices)
            })
        }
        (Some(_), None) if vendor != Vendor::Nvidia => {
            fault(path, "only GPUs of NVIDIA have an `id`", by_devices)
        }
        (Some(id), None) if Gpu::is_id(&id) && !is_device(&id) => {
            Some(Gpu { vendor, id, devices: Vec::new() })
        }
        (Some(_), None) => fault(
            &path.join("id"),
            "this is no id of a GPU",
            "write what `nvidia-smi -L` tells: its number, as in `\"0\"`, or its whole UUID, as in \
             `GPU-…`",
        ),
        (Some(_), Some(_)) => {
            fault(path, "a GPU has either an `id` or `devices`", "remove one of them")
        }
        (None, None) if vendor == Vendor::Nvidia => fault(
            path,
            "a GPU needs an `id` or `devices`",
            "write what `nvidia-smi -L` tells, as in `id: \"0\"`",
        ),
        (None, None) => fault(path, "a GPU of this vendor needs `devices`", by_devices),
    }
}

/// One GPU that is declared twice would be given to two jobs.
fn twice(gpus: &[(Gpu, Path)], context: &mut Context<'_>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, (gpu, path)) in gpus.iter().enumerate() {
        let nodes = gpu.devices.iter().map(String::as_str).filter(|device| *device != KFD);
        let own = std::iter::once(gpu.id.as_str()).chain(nodes);
        let first = own.clone().find_map(|id| Some((id, *seen.get(id)?)));
        if let Some((id, first)) = first {
            let message = format!("`{id}` is that of the GPU at {first}, too");
            let finding = Finding::error(Code::Conflict, message);
            context
                .add(path, finding.hint("each GPU is given to one job at a time: declare it once"));
        }
        own.for_each(|id| {
            seen.entry(id).or_insert(index);
        });
    }
    let mixed = gpus.iter().find(|(gpu, _)| gpus.iter().any(|(other, _)| mixed(gpu, other)));
    if let Some((_, path)) = mixed {
        let finding = Finding::error(Code::Conflict, "these ids may be of one GPU")
            .hint("name all GPUs of a vendor in one way: by number, by UUID, or by device");
        context.add(path, finding);
    }
}

/// Nobody can tell whether they are two. Whole GPUs and parts of others stand on one machine.
fn mixed(one: &Gpu, other: &Gpu) -> bool {
    let by_uuid = |gpu: &Gpu| gpu.id.starts_with("GPU-") || gpu.id.starts_with("MIG-");
    let comparable = one.id == other.id || (by_uuid(one) && by_uuid(other));
    one.vendor == other.vendor && !comparable && one.may_be(&other.id)
}
