//! A spec that changes while jobs run: busy runners finish first.

use autogit::view::View;
use autogit::world::Phase;

use crate::end_to_end::harness::{until, with_harness};
use crate::end_to_end::operator::Operator;

/// Waits until a spec with that many pools is in force while a runner has a job, and was acted on.
async fn until_met(operator: &Operator, pools: usize) {
    let look = |view: &View| {
        let taken_up = view.world.spec.pools.len() == pools;
        let has_job = |phase: &Phase| {
            matches!(phase, Phase::Busy { .. } | Phase::Draining { busy: true, .. })
        };
        let found = view.world.runners().iter().any(|view| has_job(&view.phase));
        (taken_up && found).then_some(())
    };
    operator.until("the new spec meets the busy runner", look).await;
    operator.until_looked_again().await;
}

#[tokio::test]
async fn a_changed_pool_lets_its_busy_runner_finish_and_starts_the_next_one_anew() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], job: {environment: {WORD: old}}}");
        let busy = harness.queue_gated(&["docker"], "busy");
        let operator = Operator::start(&harness);
        harness.until_begun(busy).await;
        let before = harness.engine.found().await.runners;

        harness
            .save("linux: {tags: [docker], job: {environment: {WORD: new}}}\nother: {tags: [x]}");
        until_met(&operator, 2).await;
        let next = harness.queue(&["docker"], &["echo word=$WORD"]);
        let next = harness.until_succeeded(next).await;
        assert!(next.trace.contains("word=new\n"), "{}", next.trace);
        assert!(harness.engine.found().await.runners.starts_with(&before), "{before:?} runs on");
        harness.gates.open("busy");
        harness.until_succeeded(busy).await;
    })
    .await;
}

#[tokio::test]
async fn a_removed_pool_lets_its_busy_runner_finish_and_takes_its_record_along() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker]}\nother: {tags: [x]}");
        let job = harness.queue_gated(&["docker"], "busy");
        let operator = Operator::start(&harness);
        harness.until_begun(job).await;
        harness.save("other: {tags: [x]}");
        until_met(&operator, 1).await;
        assert_eq!(harness.gitlab.running(), [job]);
        harness.gates.open("busy");
        harness.until_succeeded(job).await;
        harness.until_nothing_is_left().await;
        until("the record goes, too", async || (harness.gitlab.records().len() == 1).then_some(()))
            .await;
    })
    .await;
}
