//! The way to GitLab: one that only the runners' network knows by name, and one that is away.

use autogit::sandbox::gitlab::Down;
use autogit::spec::Warm;
use autogit::view::View;

use crate::end_to_end::harness::{Harness, until, with_harness};
use crate::end_to_end::operator::Operator;
use crate::end_to_end::tamper::Place;

/// The name under which the runners' network knows GitLab; it resolves nowhere else.
const NAME: &str = "gitlab-of-compose";

/// The runners' network as a compose file would have made it, with GitLab on it.
async fn gitlab_on_its_network(harness: &Harness) -> String {
    let network = harness.network_by_hand("network", &[]).await;
    let (host, port) = harness.url.strip_prefix("http://").unwrap().split_once(':').unwrap();
    let place = Place { network: &network, alias: Some(NAME), volume: None };
    let forward = ["nc", "-ll", "-p", "80", "-e", "nc", host, port];
    harness.run_by_hand("gitlab", &[], place, &forward).await;
    network
}

#[tokio::test]
async fn runners_and_jobs_reach_a_gitlab_that_only_their_network_knows() {
    with_harness(async |harness| {
        let network = gitlab_on_its_network(&harness).await;
        let runner_url = format!("poll_interval: 1s\nrunner_url: http://{NAME}");
        harness.save_with(&runner_url, "linux: {tags: [docker]}");
        harness.gates.open("reached");
        let ask = format!("wget -q -O - http://{NAME}/gate/reached");
        let job = harness.queue(&["docker"], &[&ask]);
        let _operator = Operator::start(&harness);
        let job = harness.until_succeeded(job).await;
        assert!(job.trace.contains("open"), "{}", job.trace);
        harness.until_not_even_the_network_is_left().await;
        let others = harness.engine.found_by_hand().await;
        assert_eq!(others.networks, [network], "AutoGit did not make it, and leaves it");
    })
    .await;
}

#[tokio::test]
async fn while_gitlab_is_away_nothing_is_done_and_no_job_is_lost() {
    with_harness(async |harness| {
        harness.save("linux: {tags: [docker], max: 2, warm: 1}");
        let job = harness.queue_gated(&["docker"], "busy");
        let operator = Operator::start(&harness);
        harness.until_begun(job).await;
        let both = async || Some(harness.engine.found().await).filter(|it| it.runners.len() == 2);
        let before = until("a warm runner beside the busy one", both).await;
        harness.gitlab.set_down(Down::Unreachable);
        let unseen = |view: &View| view.world.queue.known().is_none().then_some(());
        operator.until("the queue is unknown", unseen).await;
        harness.save("linux: {tags: [docker], max: 2, warm: 0}");
        let adopted = |view: &View| (view.world.spec.pools[0].warm == Warm::Count(0)).then_some(());
        operator.until("the spec is taken up", adopted).await;
        operator.until_looked_again().await;
        assert_eq!(harness.engine.found().await, before);

        let next = harness.queue(&["docker"], &["echo next"]);
        harness.gitlab.set_down(Down::None);
        harness.until_succeeded(next).await;
        harness.gates.open("busy");
        harness.until_succeeded(job).await;
    })
    .await;
}
