//! What can be read of an engine's machine where AutoGit runs on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::spec::Arch;

/// What the kernel calls the QEMU of an architecture, as qemu-user-static and `tonistiigi/binfmt`
/// register it.
const QEMUS: [(&str, Arch); 6] = [
    ("qemu-x86_64", Arch::Amd64),
    ("qemu-aarch64", Arch::Arm64),
    ("qemu-arm", Arch::Armv7),
    ("qemu-riscv64", Arch::Riscv64),
    ("qemu-s390x", Arch::S390x),
    ("qemu-ppc64le", Arch::Ppc64le),
];

/// Where the kernel lists them.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

/// The engine's machine is this one, whose files we see: a container that AutoGit runs in has
/// another name than its host.
pub(super) async fn is_here(name: &str) -> bool {
    let ours = tokio::fs::read_to_string("/proc/sys/kernel/hostname").await.unwrap_or_default();
    let ours = ours.trim();
    !ours.is_empty() && name == ours
}

/// What this kernel runs through QEMU; `None`: it does not show.
pub(super) async fn emulated() -> Option<BTreeSet<Arch>> {
    let folder = Path::new(BINFMT);
    tokio::fs::metadata(folder.join("status")).await.ok()?;
    let mut found = BTreeMap::new();
    for (name, arch) in QEMUS {
        let told = tokio::fs::read_to_string(folder.join(name)).await.unwrap_or_default();
        found.insert(arch, told);
    }
    let works = found.into_iter().filter(|(_, told)| serves_containers(told));
    Some(works.map(|(arch, _)| arch).collect())
}

/// It is switched on, and its interpreter is kept open (`F`): else containers, which do not have
/// it, cannot start it.
fn serves_containers(told: &str) -> bool {
    let flags = told.lines().find_map(|line| line.strip_prefix("flags:"));
    told.starts_with("enabled") && flags.is_some_and(|flags| flags.contains('F'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qemu_counts_only_where_containers_can_start_it() {
        let told =
            |state: &str, flags: &str| format!("{state}\ninterpreter /usr/bin/q\nflags: {flags}\n");
        assert!(serves_containers(&told("enabled", "PF")));
        assert!(!serves_containers(&told("enabled", "P")));
        assert!(!serves_containers(&told("disabled", "PF")));
        assert!(!serves_containers(""));
    }
}
