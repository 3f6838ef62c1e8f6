//! Two operators of one instance by mistake: on one machine the second refuses to start; elsewhere
//! no job is lost and no slot doubled.

use crate::end_to_end::harness::{until, with_harness};
use crate::end_to_end::operator::Operator;
use crate::end_to_end::program::Program;

#[tokio::test]
async fn a_second_one_on_the_same_machine_refuses_to_start_and_names_the_first() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker]}");
        let first = Program::start(&harness);
        until("the first one looks", async || (harness.gitlab.records().len() == 1).then_some(()))
            .await;
        let second = Program::start(&harness);
        let status = second.until_dead().await;
        assert_eq!(status.code(), Some(1));
        let said = harness.logs().remove(1);
        let pid = first.pid();
        assert!(said.contains(&format!("runs here as pid {pid}")), "{said}");
    })
    .await;
}

/// The lock is a file; whoever runs on another machine has other files. Two controllers without it
/// are as far apart.
#[tokio::test]
async fn two_on_different_machines_lose_no_job_and_double_no_slot() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], max: 3}");
        let jobs: Vec<_> = (0..5).map(|_| harness.queue(&["docker"], &["echo begin"])).collect();
        let _rivals = [Operator::start(&harness), Operator::start(&harness)];
        for job in jobs {
            let job = harness.until_succeeded(job).await;
            assert_eq!(job.trace.matches("begin\n").count(), 1, "{}", job.trace);
        }
        harness.until_nothing_is_left().await;
        // The one that nobody uses goes when it is ten minutes old.
        assert!(harness.gitlab.records().len() <= 2, "each made one");
    })
    .await;
}

#[tokio::test]
async fn while_one_works_another_takes_over_its_runners_and_ends_none() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], max: 2}");
        let job = harness.queue_gated(&["docker"], "busy");
        let first = Operator::start(&harness);
        harness.until_begun(job).await;
        let before = harness.engine.found().await;
        let second = Operator::start(&harness);
        drop(first);
        for _ in 0..3 {
            second.until_looked_again().await;
        }
        assert_eq!(harness.engine.found().await, before);
        harness.gates.open("busy");
        harness.until_succeeded(job).await;
    })
    .await;
}
