//! GPUs that are device nodes: which job has which, seen in its container and by the engine.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use autogit::plan::{JobHold, Lack};

use crate::end_to_end::harness::{Harness, with_harness};
use crate::end_to_end::limits::until_held;
use crate::end_to_end::operator::Operator;
use crate::hosts::require;

const GPUS: &str = "io.autogit.gpus";
const TAGS: [&str; 3] = ["docker", "gpu", "intel"];

/// Device nodes of the test's own, each a `/dev/null` that is in no container by itself.
fn nodes(harness: &Harness, names: &[&str]) -> PathBuf {
    let folder = harness.folder.join("dri");
    std::fs::create_dir(&folder).unwrap();
    for name in names {
        let made = Command::new("mknod").arg(folder.join(name)).args(["c", "1", "3"]).output();
        assert!(made.as_ref().unwrap().status.success(), "{made:?}");
    }
    folder
}

/// Devices that the engine gave to that container.
async fn devices(harness: &Harness, container: &str) -> BTreeSet<String> {
    let shown = harness.engine.docker.inspect_container(container, None).await.unwrap();
    let devices = shown.host_config.unwrap().devices.unwrap_or_default().into_iter();
    devices.filter_map(|device| device.path_on_host).collect()
}

/// The GPUs in the labels of the runners.
async fn labelled(harness: &Harness) -> BTreeSet<String> {
    let runners = harness.engine.runners().await.into_iter();
    runners.filter_map(|runner| runner.labels?.remove(GPUS)).collect()
}

/// What the job said that it sees in the folder of the devices.
fn seen(trace: &str) -> String {
    let line = trace.lines().find_map(|line| line.strip_prefix("gpus="));
    line.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn each_job_has_a_gpu_of_its_own_and_its_manager_has_none() {
    if !require::has("MKNOD", &["mknod"]) {
        return;
    }
    with_harness(async |harness| {
        let folder = nodes(&harness, &["renderD128", "renderD129", "renderD130"]);
        let node = |number: u32| folder.join(format!("renderD{number}")).display().to_string();
        let [first, second] =
            [128, 129].map(|number| format!("{{vendor: intel, devices: [{}]}}", node(number)));
        let amd = format!("{{vendor: amd, devices: [{}]}}", node(130));
        harness.save_with_budget(
            &format!("runners: 50, gpus: [{first}, {second}, {amd}]"),
            "linux: {tags: [docker], gpu: {vendor: intel, count: 1}}",
        );
        let queue = |gate: &str| {
            let look = format!("echo gpus=$(cd {} && echo *)", folder.display());
            harness.queue_gated_after(&look, &TAGS, gate)
        };
        let (one, other, third) = (queue("one"), queue("other"), queue("third"));
        let operator = Operator::start(&harness);
        let has = [harness.until_begun(one).await, harness.until_begun(other).await];
        let has = has.map(|job| seen(&job.trace));
        assert_eq!(BTreeSet::from(has.clone()).len(), 2, "{has:?}");
        assert!(
            has.iter().all(|it| ["renderD128", "renderD129"].contains(&it.as_str())),
            "{has:?}"
        );
        until_held(&operator, third, |hold| {
            matches!(hold, JobHold::HostBudget { lacks: Lack::Gpus(_), .. })
        })
        .await;
        operator.until_looked_again().await;

        let found = harness.engine.found().await;
        let both = BTreeSet::from([node(128), node(129)]);
        assert_eq!(found.runners.len(), 2);
        assert_eq!(labelled(&harness).await, both);
        for runner in &found.runners {
            assert_eq!(devices(&harness, runner).await, BTreeSet::new(), "{runner}");
        }
        let mut given = Vec::new();
        for job in &found.jobs {
            given.push(devices(&harness, job).await);
        }
        assert!(given.iter().all(|devices| devices.len() == 1), "{given:?}");
        assert_eq!(given.into_iter().flatten().collect::<BTreeSet<_>>(), both);

        harness.gates.open("one");
        harness.until_succeeded(one).await;
        let then = harness.until_begun(third).await;
        assert_eq!(seen(&then.trace), has[0]);
        harness.gates.open("other");
        harness.gates.open("third");
        harness.until_succeeded(other).await;
        harness.until_succeeded(third).await;
        harness.until_nothing_is_left().await;
    })
    .await;
}
