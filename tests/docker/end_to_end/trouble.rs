//! Trouble that holds up nothing else: an engine that is away, a taken name, an image that nobody
//! has, a spec that does not pass.

use autogit::plan::JobHold;
use autogit::view::View;

use crate::end_to_end::harness::{until, with_harness};
use crate::end_to_end::limits::until_held;
use crate::end_to_end::operator::Operator;
use crate::end_to_end::program::Program;
use crate::end_to_end::tamper::Place;

#[tokio::test]
async fn an_engine_that_is_away_and_comes_back_costs_no_job() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], max: 2}");
        let busy = harness.queue_gated(&["docker"], "busy");
        let _program = Program::start(&harness);
        harness.until_begun(busy).await;
        harness.trap.cut();
        let next = harness.queue(&["docker"], &["echo next"]);
        let said = |word: &str| harness.logs()[0].contains(word).then_some(());
        until("AutoGit misses the engine", async || said("cannot be read")).await;
        harness.trap.mend();
        harness.until_succeeded(next).await;
        assert_eq!(harness.gitlab.running(), [busy]);
        harness.gates.open("busy");
        harness.until_succeeded(busy).await;
    })
    .await;
}

#[tokio::test]
async fn a_name_that_somebody_took_costs_its_slot_and_no_job() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], max: 1}");
        let network = harness.network_by_hand("elsewhere", &[]).await;
        let place = Place { network: &network, alias: None, volume: None };
        let name = format!(
            "autogit-runner-{}-linux-{}-0",
            harness.instance,
            crate::end_to_end::tamper::arch()
        );
        let taken = harness.run_by_hand("theirs", &[], place, &["sleep", "1000"]).await;
        harness.engine.docker.rename_container(&taken, named(&name)).await.unwrap();
        let job = harness.queue(&["docker"], &["echo done"]);
        let _operator = Operator::start(&harness);
        harness.until_succeeded(job).await;
        assert_eq!(harness.engine.found_by_hand().await.jobs, [name]);
    })
    .await;
}

fn named(name: &str) -> bollard::query_parameters::RenameContainerOptions {
    bollard::query_parameters::RenameContainerOptions { name: name.to_owned() }
}

#[tokio::test]
async fn an_image_that_nobody_has_holds_up_its_own_pool_only() {
    with_harness(async |harness| {
        let nowhere = "runner_image: 'localhost:1/no-such-image:1'";
        let missing = format!("missing: {{tags: [missing], {nowhere}}}");
        let pulled = format!("pulled: {{tags: [pulled], {nowhere}, pull_policy: if-not-present}}");
        harness.save(&format!("{missing}\n{pulled}\nlinux: {{tags: [docker]}}"));
        let [missing, pulled, done] =
            ["missing", "pulled", "docker"].map(|tag| harness.queue(&[tag], &["true"]));
        let operator = Operator::start(&harness);
        harness.until_succeeded(done).await;
        until_held(&operator, pulled, |hold| {
            matches!(hold, JobHold::BackingOff { error, .. } if error.contains("no-such-image"))
        })
        .await;
        until_held(&operator, missing, |hold| matches!(hold, JobHold::NoImage { .. })).await;
    })
    .await;
}

#[tokio::test]
async fn a_spec_that_does_not_pass_changes_nothing() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker]}");
        let job = harness.queue_gated(&["docker"], "busy");
        let operator = Operator::start(&harness);
        harness.until_begun(job).await;
        let before = harness.engine.found().await;
        harness.save("linux: {tags: [docker], maximum: 1}");
        let faulty = |view: &View| view.spec.pending_fault.clone();
        let fault = operator.until("the fault is shown", faulty).await;
        assert!(fault.contains("maximum"), "{fault}");
        operator.until_looked_again().await;
        assert_eq!(harness.engine.found().await, before);
        harness.gates.open("busy");
        harness.until_succeeded(job).await;
    })
    .await;
}
