//! Jobs whose image is for another architecture than the machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use autogit::sandbox::gitlab::Status;
use autogit::world::JobId;

use crate::end_to_end::harness::{Harness, until, with_harness};
use crate::end_to_end::operator::Operator;
use crate::end_to_end::program::Program;
use crate::hosts::require;

/// The kernel's list of interpreters, as systemd and Debian mount it.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";
/// What Debian's qemu-user-static tells the kernel of its interpreter.
const QEMU: &str = "/usr/lib/binfmt.d/qemu-aarch64.conf";
/// A static busybox for arm64, which this machine's own packages lack.
const BUSYBOX: &str = "AUTOGIT_BUSYBOX_ARM64";

/// An image on the machine's engine; it goes with the test.
struct Image(String);

impl Image {
    /// One that says that it is for `arch`, with that program as its shell.
    fn load(harness: &Harness, arch: &str, shell: &[u8]) -> Self {
        let folder = harness.folder.join(arch);
        let root = folder.join("root");
        fs::create_dir_all(root.join("bin")).unwrap();
        fs::create_dir_all(root.join("tmp")).unwrap();
        fs::write(root.join("bin/sh"), shell).unwrap();
        for applet in ["wget", "uname"] {
            std::os::unix::fs::symlink("sh", root.join("bin").join(applet)).unwrap();
        }
        let name = format!("{}-{arch}:test", harness.instance);
        shell_words(
            &folder,
            &format!(
                r#"chmod 755 root/bin/sh && mkdir archive &&
                tar -C root --create --owner=0 --group=0 --file archive/layer.tar . &&
                layer=$(sha256sum archive/layer.tar | cut -d' ' -f1) &&
                echo '{{"os": "linux", "architecture": "{arch}", "config":
                    {{"Env": ["PATH=/bin"]}}, "rootfs": {{"type": "layers",
                    "diff_ids": ["sha256:'$layer'"]}}}}' >archive/config.json &&
                echo '[{{"Config": "config.json", "RepoTags": ["{name}"],
                    "Layers": ["layer.tar"]}}]' >archive/manifest.json &&
                tar -C archive --create . | docker load --quiet"#
            ),
        );
        Self(name)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["image", "rm", "--force", &self.0]).output();
    }
}

fn shell_words(folder: &Path, script: &str) {
    let ran = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

/// The head of a program for a machine that no kernel has, nor any interpreter.
fn program_of_nowhere() -> Vec<u8> {
    let mut head = b"\x7fELF\x02\x01\x01".to_vec();
    head.resize(16, 0);
    head.extend([2, 0, 0xff, 0xff]);
    head.resize(4096, 0);
    head
}

async fn until_failed(harness: &Harness, job: JobId) -> String {
    let job = until(&format!("job {job} ends"), async || {
        Some(harness.job(job)).filter(|job| job.finished_at.is_some())
    })
    .await;
    assert_eq!(job.status, Status::Failed, "{job:?}");
    job.trace
}

#[tokio::test]
async fn a_job_that_the_machine_does_not_execute_is_told_with_its_images_architecture() {
    with_harness(async |harness| {
        let image = Image::load(&harness, "s390x", &program_of_nowhere());
        let job = format!("{{image: '{}', pull_policy: [never]}}", image.0);
        harness.save(&format!("linux: {{tags: [docker], job: {job}}}"));
        let job = harness.queue(&["docker"], &["echo never"]);
        let _program = Program::start(&harness);
        let trace = until_failed(&harness, job).await;
        assert!(trace.contains("exec format error"), "{trace}");
        let told = "its image is for s390x, which host `local` (";
        until("the log tells why", async || harness.logs().concat().contains(told).then_some(()))
            .await;
        let asked = Program::ask(&harness, &["explain", &job.to_string()]).await;
        let said = String::from_utf8_lossy(&asked.stdout);
        assert!(said.contains(told), "{asked:?}");
        harness.until_nothing_is_left().await;
    })
    .await;
}

/// The kernel's interpreter for arm64, registered if it was not.
struct Registered {
    mounted: bool,
    registered: bool,
}

impl Registered {
    fn new() -> Self {
        let mounted = !Path::new(BINFMT).join("status").exists();
        if mounted {
            let mount = ["-t", "binfmt_misc", "binfmt_misc", BINFMT];
            let ran = Command::new("mount").args(mount).output().unwrap();
            assert!(ran.status.success(), "{ran:?}");
        }
        let registered = !Path::new(BINFMT).join("qemu-aarch64").exists();
        if registered {
            fs::write(Path::new(BINFMT).join("register"), fs::read(QEMU).unwrap()).unwrap();
        }
        Self { mounted, registered }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if self.registered {
            let _ = fs::write(Path::new(BINFMT).join("qemu-aarch64"), "-1");
        }
        if self.mounted {
            let _ = Command::new("umount").args(["--lazy", BINFMT]).stderr(Stdio::null()).status();
        }
    }
}

/// A busybox for arm64 and what runs it; nothing where the machine lacks them.
fn busybox_and_qemu() -> Option<Vec<u8>> {
    if !require::has("QEMU", &["mount", "umount"]) {
        return None;
    }
    let Some(busybox) = std::env::var_os(BUSYBOX) else {
        require::lacks("QEMU", &format!("{BUSYBOX} names no busybox for arm64"));
        return None;
    };
    if cfg!(target_arch = "aarch64") || !Path::new(QEMU).exists() {
        require::lacks("QEMU", "this machine has no QEMU for arm64");
        return None;
    }
    Some(fs::read(busybox).unwrap())
}

#[tokio::test]
async fn a_job_is_emulated_where_its_pool_says_so_and_refused_where_it_does_not() {
    let Some(busybox) = busybox_and_qemu() else { return };
    let _registered = Registered::new();
    with_harness(async |harness| {
        let image = Image::load(&harness, "arm64", &busybox);
        let job = format!("job: {{image: '{}', pull_policy: [never]}}", image.0);
        harness.save(&format!(
            "emulated: {{tags: [any], architectures: [arm64], emulate: true, {job}}}
plain: {{tags: [own], {job}}}"
        ));
        let emulated = harness.queue(&["any"], &["echo machine=$(uname -m)"]);
        let refused = harness.queue(&["own"], &["echo never"]);
        let operator = Operator::start(&harness);
        let told = harness.until_succeeded(emulated).await;
        assert!(told.trace.contains("machine=aarch64\n"), "{}", told.trace);
        let trace = until_failed(&harness, refused).await;
        assert!(trace.contains("is for amd64, and its image is for aarch64"), "{trace}");
        assert!(!trace.contains("never\n"), "{trace}");
        operator.until_looked_again().await;
        let told =
            |view: &autogit::view::View| view.world.memory.wrong_images.is_empty().then_some(());
        operator.until("it was executed, and its log says what is wrong", told).await;
        harness.until_nothing_is_left().await;
    })
    .await;
}
