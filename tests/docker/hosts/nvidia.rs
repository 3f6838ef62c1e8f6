//! GPUs of NVIDIA, by an engine that believes to have their hook.
//!
//! Docker hands such GPUs to a container if it found `nvidia-container-runtime-hook` when it started:
//! it tells the container's first process which ones in `NVIDIA_VISIBLE_DEVICES`, and leaves the rest
//! to the hook (moby's `daemon/nvidia_linux.go`, 20.10 to 28). A hook that does nothing is enough to
//! see who is told what.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::hosts::harness::Harness;
use crate::hosts::own_engine::OwnEngine;
use crate::hosts::require::Folder;
use crate::support::docker::settings;
use crate::support::image;

const TOLD: &str = "NVIDIA_VISIBLE_DEVICES=";
const TAGS: [&str; 3] = ["docker", "gpu", "nvidia"];

/// An engine with the hook.
async fn engine() -> Option<OwnEngine> {
    let folder = Folder::new();
    fs::create_dir(folder.file("bin")).unwrap();
    let hook = folder.write("bin/nvidia-container-runtime-hook", "#!/bin/sh\ncat >/dev/null\n");
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    OwnEngine::start(folder, &[]).await
}

#[tokio::test]
async fn the_engine_hands_each_job_its_gpus_by_their_ids() {
    let Some(images) = image::ensure() else { return };
    let Some(engine) = engine().await else { return };
    let harness = Harness::new(&engine, images).await;
    let settings = settings(Some(&format!("unix://{}", engine.socket().display())));
    let uuid = |digit: u32| format!("GPU-{digit}a2b3c4d-0000-1111-2222-1a2b3c4d5e6f");
    let gpus = (0..4).map(|digit| format!("{{vendor: nvidia, id: {}}}", uuid(digit)));
    let budget = format!("runners: 9, gpus: [{}]", gpus.collect::<Vec<_>>().join(", "));
    let _operator = harness.operator_with(&budget, &settings, "gpu: {vendor: nvidia, count: 2}");
    let show = format!("echo {TOLD}${}", TOLD.trim_end_matches('='));
    let jobs = [harness.queue_after(&show, &TAGS), harness.queue_after(&show, &TAGS)];
    let mut told = BTreeSet::new();
    for job in jobs {
        let trace = harness.until_begun(job).await.trace;
        let ids = trace.lines().find_map(|line| line.strip_prefix(TOLD)).unwrap().to_owned();
        assert_eq!(ids.split(',').count(), 2, "{ids}");
        told.extend(ids.split(',').map(str::to_owned));
    }
    assert_eq!(told, (0..4).map(uuid).collect());
    for runner in harness.runners().await {
        let shown = engine.docker().inspect_container(&runner, None).await.unwrap();
        assert_eq!(shown.host_config.unwrap().device_requests.unwrap_or_default(), []);
    }
    harness.open_gate();
    for job in jobs {
        harness.until_succeeded(job).await;
    }
    harness.until_nothing_is_left().await;
}
