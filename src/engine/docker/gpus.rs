//! The GPUs of the engine's machine, where that is this one: what the kernel shows of them, and which
//! of them the engine can hand to containers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::client::Client;
use super::local;
use crate::spec::{Gpu, KFD, Vendor, render_node};
use crate::world::GpusSeen;

/// Where NVIDIA's driver lists its GPUs.
const NVIDIA: &str = "proc/driver/nvidia/gpus";
/// Where the kernel lists what draws or computes.
const DRM: &str = "sys/class/drm";

/// What an engine says of how it hands GPUs to containers.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// Its OCI runtimes.
    pub(super) runtimes: BTreeSet<String>,
    /// Devices of the Container Device Interface.
    pub(super) devices: BTreeSet<String>,
}

/// The GPUs that the engine can hand to containers. `name` is what it calls its machine.
pub(super) async fn seen(client: &Client, name: Option<&str>, ways: &Ways) -> GpusSeen {
    if client.endpoint().unix_path().is_none() || !local::is_here(name.unwrap_or_default()).await {
        return GpusSeen::unseen(
            "AutoGit sees the GPUs of its own machine only; hint: declare them, as in \
             `budget: {gpus: [{vendor: nvidia, id: \"0\"}]}`",
        );
    }
    of_machine(Path::new("/"), ways).await
}

async fn of_machine(root: &Path, ways: &Ways) -> GpusSeen {
    let mut seen = GpusSeen::default();
    nvidia(root, ways, &mut seen).await;
    render_nodes(root, &mut seen).await;
    seen
}

async fn nvidia(root: &Path, ways: &Ways, seen: &mut GpusSeen) {
    let mut found = BTreeSet::new();
    for slot in names(&root.join(NVIDIA)).await {
        let file = root.join(NVIDIA).join(slot).join("information");
        let told = tokio::fs::read_to_string(file).await.unwrap_or_default();
        let field = |name: &str| {
            let rest = told.lines().find_map(|line| line.strip_prefix(name));
            rest.map(|rest| rest.trim().to_owned()).unwrap_or_default()
        };
        let minor = field("Device Minor:").parse::<u32>().unwrap_or(u32::MAX);
        found.insert((minor, field("GPU UUID:")));
    }
    if found.is_empty() {
        return;
    }
    let by_device = ways.devices.iter().any(|device| device.starts_with("nvidia.com/gpu"));
    if !ways.runtimes.contains("nvidia") && !by_device {
        let why = format!(
            "its machine has {} of NVIDIA, which its engine cannot hand to containers: it has no \
             runtime `nvidia`; hint: install nvidia-container-toolkit, run `nvidia-ctk runtime \
             configure --runtime=docker`, and restart the engine",
            found.len()
        );
        seen.missing.insert(Vendor::Nvidia, why.into());
        return;
    }
    let (sound, other): (Vec<String>, Vec<String>) =
        found.into_iter().map(|(_, uuid)| uuid).partition(|uuid| Gpu::is_id(uuid));
    if !other.is_empty() {
        let why = "its driver does not tell the UUID of each GPU; hint: run `nvidia-smi -L` there, \
                   or enable nvidia-persistenced";
        seen.missing.insert(Vendor::Nvidia, why.into());
    }
    let gpu = |id| Gpu { vendor: Vendor::Nvidia, id, devices: Vec::new() };
    seen.gpus.extend(sound.into_iter().map(gpu));
}

/// AMD's and Intel's: one render node each.
async fn render_nodes(root: &Path, seen: &mut GpusSeen) {
    for name in names(&root.join(DRM)).await {
        let Some(number) = name.strip_prefix("renderD") else { continue };
        let file = root.join(DRM).join(&name).join("device/vendor");
        let told = tokio::fs::read_to_string(file).await.unwrap_or_default();
        let vendor = match told.trim() {
            "0x1002" => Vendor::Amd,
            "0x8086" => Vendor::Intel,
            _ => continue,
        };
        let node = render_node(number);
        let mut devices = vec![node.clone()];
        devices.extend((vendor == Vendor::Amd).then(|| KFD.to_owned()));
        let mut lacks = None;
        for device in &devices {
            let here = root.join(device.trim_start_matches('/'));
            if tokio::fs::metadata(here).await.is_err() {
                lacks = Some(device);
            }
        }
        if let Some(device) = lacks {
            let why: Arc<str> = format!(
                "its machine has one of them and no `{device}`; hint: load the kernel's driver, or \
                 declare its devices by `budget.gpus`"
            )
            .into();
            seen.missing.insert(vendor, why);
            continue;
        }
        seen.gpus.extend(Gpu::of_devices(vendor, devices));
    }
}

/// What is in the folder, in order.
async fn names(folder: &Path) -> Vec<String> {
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return Vec::new() };
    let mut names = BTreeSet::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        names.extend(entry.file_name().into_string());
    }
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const UUID: &str = "GPU-1a2b3c4d-0000-1111-2222-1a2b3c4d5e6f";

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("autogit-gpus-{}-{count}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn ways(runtime: &str) -> Ways {
        Ways { runtimes: [runtime.to_owned()].into(), devices: BTreeSet::new() }
    }

    fn add_nvidia(root: &Path, slot: &str, uuid: &str, minor: u32) {
        let text =
            format!("Model: \t\t NVIDIA L4\nGPU UUID: \t {uuid}\nDevice Minor: \t {minor}\n");
        write(root, &format!("{NVIDIA}/{slot}/information"), &text);
    }

    #[tokio::test]
    async fn gpus_of_nvidia_are_those_of_its_driver_in_the_order_of_their_numbers() {
        let folder = Folder::new();
        let second = UUID.replace("1a2b", "9a2b");
        add_nvidia(&folder.0, "0000:01:00.0", UUID, 1);
        add_nvidia(&folder.0, "0000:41:00.0", &second, 0);
        let seen = of_machine(&folder.0, &ways("nvidia")).await;
        let ids: Vec<&str> = seen.gpus.iter().map(|gpu| gpu.id.as_str()).collect();
        assert_eq!(ids, [second.as_str(), UUID]);
        assert!(seen.missing.is_empty());
    }

    #[tokio::test]
    async fn gpus_that_the_engine_cannot_hand_out_are_no_gpus_and_the_reason_is_told() {
        let folder = Folder::new();
        add_nvidia(&folder.0, "0000:01:00.0", UUID, 0);
        let seen = of_machine(&folder.0, &ways("runc")).await;
        assert!(seen.gpus.is_empty());
        assert!(seen.missing[&Vendor::Nvidia].contains("no runtime `nvidia`"));
    }

    #[tokio::test]
    async fn a_gpu_whose_uuid_is_not_told_is_not_offered() {
        let folder = Folder::new();
        add_nvidia(&folder.0, "0000:01:00.0", "GPU-????????-????-????-????-????????????", 0);
        let seen = of_machine(&folder.0, &ways("nvidia")).await;
        assert!(seen.gpus.is_empty() && seen.missing[&Vendor::Nvidia].contains("nvidia-smi"));
    }

    #[tokio::test]
    async fn gpus_of_amd_and_intel_are_their_render_nodes() {
        let folder = Folder::new();
        for (name, vendor) in [("renderD128", "0x8086"), ("renderD129", "0x1002")] {
            write(&folder.0, &format!("{DRM}/{name}/device/vendor"), &format!("{vendor}\n"));
            write(&folder.0, &format!("dev/dri/{name}"), "");
        }
        let seen = of_machine(&folder.0, &Ways::default()).await;
        let devices: Vec<&[String]> = seen.gpus.iter().map(|gpu| &*gpu.devices).collect();
        assert_eq!(devices, [["/dev/dri/renderD128"]]);
        assert!(seen.missing[&Vendor::Amd].contains(KFD));
        write(&folder.0, "dev/kfd", "");
        let seen = of_machine(&folder.0, &Ways::default()).await;
        assert_eq!(seen.gpus[1].devices, ["/dev/dri/renderD129", KFD]);
        assert!(seen.missing.is_empty());
    }
}
