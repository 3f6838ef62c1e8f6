//! Up with the jobs and down to nothing, but for what the next ones find again.

use crate::end_to_end::harness::{until, with_harness};
use crate::end_to_end::operator::Operator;

#[tokio::test]
async fn five_jobs_over_two_pools_succeed_and_leave_nothing_behind() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], max: 2}\ndocs: {tags: [docs], max: 2}");
        let numbers = ["seq 1 300", "echo done"];
        let jobs: Vec<_> = ["docker", "docs", "docker", "docker", "docs"]
            .map(|tag| harness.queue(&[tag], &numbers))
            .into();
        let _operator = Operator::start(&harness);
        let all: Vec<String> = (1..=300).map(|number| number.to_string()).collect();
        let all = all.join("\n");
        for job in jobs {
            let job = harness.until_succeeded(job).await;
            assert!(job.trace.contains(&format!("{all}\ndone\n")), "{}", job.trace);
        }
        harness.until_nothing_is_left().await;
        assert_eq!(harness.gitlab.records().len(), 2, "the records of declared pools stay");
    })
    .await;
}

#[tokio::test]
async fn the_next_runner_of_a_slot_finds_the_clone_and_the_cache_of_the_one_before() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], max: 1, cache: keep, jobs_per_runner: 1}");
        let first = harness.queue(&["docker"], &["touch /builds/clone", "touch /cache/packages"]);
        let operator = Operator::start(&harness);
        let first = harness.until_succeeded(first).await;
        until("its runner is gone", async || {
            harness.engine.runners().await.is_empty().then_some(())
        })
        .await;
        // A sweep takes two looks.
        operator.until_looked_again().await;
        operator.until_looked_again().await;
        let second = harness.queue(&["docker"], &["ls /builds /cache"]);
        operator.wake();
        let second = harness.until_succeeded(second).await;
        assert_eq!(first.system_id, second.system_id, "one slot serves both");
        assert!(second.trace.contains("clone\n"), "{}", second.trace);
        assert!(second.trace.contains("packages\n"), "{}", second.trace);
    })
    .await;
}
