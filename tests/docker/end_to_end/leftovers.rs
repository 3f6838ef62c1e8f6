//! What is ours and has no runner goes; what is others' stays.

use autogit::spec::PoolName;
use autogit::world::{Slot, Variant};
use bollard::query_parameters::KillContainerOptionsBuilder;

use crate::end_to_end::engine::Found;
use crate::end_to_end::harness::{Harness, until, with_harness};
use crate::end_to_end::operator::Operator;
use crate::end_to_end::tamper::{Label, Place, arch, of_job};

const SLEEP: [&str; 2] = ["sleep", "1000"];

/// A job's containers on a network of its own, whose name is returned, with a volume that is the
/// job's alone.
async fn leave(harness: &Harness, name: &str, system_id: &str) -> String {
    let network = harness.network_by_hand(&format!("{name}-network"), &of_job(system_id, "")).await;
    let volume =
        harness.volume_by_hand(&format!("{name}-volume"), &cache(system_id, "false")).await;
    let place = Place { network: &network, alias: None, volume: Some(&volume) };
    for kind in ["build", "service"] {
        let name = format!("{name}-{kind}");
        harness.run_by_hand(&name, &of_job(system_id, kind), place, &SLEEP).await;
    }
    network
}

/// The labels of a volume, as gitlab-runner 19.2 and newer give them.
fn cache<'a>(system_id: &'a str, reusable: &'a str) -> Vec<Label<'a>> {
    let mut labels = of_job(system_id, "cache");
    labels.push(("com.gitlab.gitlab-runner.reusable", reusable));
    labels
}

/// What others have on the engine: nothing of it has both gitlab-runner's mark and our prefix.
async fn leave_others_things(harness: &Harness, our_id: &str) {
    let network = leave(harness, "other", "r_0123456789ab").await;
    let place = Place { network: &network, alias: None, volume: None };
    let without = |key: &str, system_id| -> Vec<Label<'_>> {
        of_job(system_id, "build").into_iter().filter(|(name, _)| !name.ends_with(key)).collect()
    };
    let older = without("system_id", our_id);
    harness.run_by_hand("older", &older, place, &SLEEP).await;
    let unmanaged = without("managed", our_id);
    harness.run_by_hand("unmanaged", &unmanaged, place, &SLEEP).await;
    let other = format!("{}-2", harness.instance);
    let neighbour = [("io.autogit.instance", other.as_str())];
    harness.run_by_hand("neighbour", &neighbour, place, &SLEEP).await;
    harness.network_by_hand("neighbours-network", &neighbour).await;
}

#[tokio::test]
async fn leftovers_of_our_runners_go_and_those_of_others_stay() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], cache: keep, max: 1}");
        let variant = Variant::new(&PoolName::new("linux").unwrap(), arch());
        let slot = |number| harness.engine.system_id(&variant, Slot(number)).to_string();
        let (in_use, retired) = (slot(0), slot(1));
        leave(&harness, "dead", &in_use).await;
        leave(&harness, "retired", &retired).await;
        let kept = harness.volume_by_hand("kept-cache", &cache(&in_use, "true")).await;
        harness.volume_by_hand("retired-cache", &cache(&retired, "true")).await;
        // Neither a label nor its name tells what it holds.
        let untold = harness.volume_by_hand("untold", &of_job(&retired, "cache")).await;
        leave_others_things(&harness, &in_use).await;
        let ours = harness.engine.found().await;
        let others = harness.engine.found_by_hand().await.without(&ours);
        assert_eq!((others.jobs.len(), others.volumes.len(), others.networks.len()), (5, 1, 2));

        let operator = Operator::start(&harness);
        let networks = vec![harness.network()];
        let expected = Found { volumes: vec![kept, untold], networks, ..Found::default() };
        until("what is ours goes, but what is kept", async || {
            (harness.engine.found().await == expected).then_some(())
        })
        .await;
        // A sweep takes two looks.
        operator.until_looked_again().await;
        operator.until_looked_again().await;
        assert_eq!(harness.engine.found_by_hand().await.without(&expected), others);
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_was_killed_with_its_job_is_cleaned_up_after_and_replaced() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], max: 1}");
        let lost = harness.queue_gated(&["docker"], "never");
        let operator = Operator::start(&harness);
        harness.until_begun(lost).await;
        let runner = harness.engine.found().await.runners.remove(0);
        let signal = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        harness.engine.docker.kill_container(&runner, Some(signal)).await.unwrap();
        let next = harness.queue(&["docker"], &["echo next"]);
        operator.wake();
        harness.until_succeeded(next).await;
        harness.until_nothing_is_left().await;
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_was_removed_by_hand_leaves_no_job_to_the_next_one() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], max: 1}");
        let lost = harness.queue_gated(&["docker"], "never");
        let operator = Operator::start(&harness);
        harness.until_begun(lost).await;
        let runner = harness.engine.found().await.runners.remove(0);
        harness.engine.remove_container(&runner).await;
        let next = harness.queue(&["docker"], &["echo next"]);
        operator.wake();
        harness.until_succeeded(next).await;
        harness.until_nothing_is_left().await;
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_exits_is_replaced_without_waiting_for_the_poll() {
    with_harness(async |harness| {
        harness.save_with("poll_interval: 5m", "linux: {tags: [docker], warm: 1}");
        let _operator = Operator::start(&harness);
        let one = async || {
            let mut runners = harness.engine.runners().await;
            let running = runners.pop()?;
            (running.state?.to_string() == "running").then_some(running.id?)
        };
        let first = until("a warm runner runs", one).await;
        until("it makes contact", async || (!harness.managers().is_empty()).then_some(())).await;
        let signal = KillContainerOptionsBuilder::new().signal("SIGQUIT").build();
        harness.engine.docker.kill_container(&first, Some(signal)).await.unwrap();
        until("another one runs", async || one().await.filter(|id| *id != first)).await;
    })
    .await;
}
