//! Other `AutoGit`s on the same engine and GitLab.

use super::{Calm, TWO_POOLS, spec_of};
use crate::harness::parse;
use crate::process::Process;

#[tokio::test(start_paused = true)]
async fn two_instances_of_different_names_leave_each_other_alone() {
    let calm = Calm::of(TWO_POOLS);
    let text = format!(
        "instance: second\n{}",
        spec_of("\n  other: {tags: [other], cooldown: 5s, warm: 1}\n")
    );
    let second =
        Process::start_with(&calm.harness, "second", std::sync::Arc::new(parse(&text).unwrap()));
    let jobs = [calm.job(&["docker"], 60), calm.job(&["other"], 60), calm.job(&["build"], 30)];
    for job in jobs {
        calm.until_succeeds(job, 120).await;
    }
    calm.pass(300).await;
    let of = |instance: &str| {
        let containers = calm.engine().containers().into_iter();
        containers.filter(|it| it.instance.as_deref() == Some(instance)).count()
    };
    assert_eq!((of("autogit"), of("second")), (0, 1), "{}", calm.told());
    assert!(!second.has_ended());
    calm.until_at_rest(60).await;
}

#[tokio::test(start_paused = true)]
async fn a_login_page_in_gitlabs_place_does_nothing_that_was_asked_for() {
    use autogit::sandbox::gitlab::Down;
    let calm = Calm::of("\n  linux: {tags: [docker], cooldown: 5s}\n");
    let job = calm.job(&["docker"], 5);
    calm.until_succeeds(job, 60).await;
    let exited = |snapshot: &crate::invariants::Snapshot| {
        snapshot.runners().count() == 1 && snapshot.live_runners().next().is_none()
    };
    calm.until(120, "the runner exits", exited).await;
    calm.harness.gitlab().set_down(Down::Html);
    calm.pass(60).await;
    assert_eq!(calm.runners().len(), 1, "its row is still to be deleted");
    calm.harness.gitlab().set_down(Down::None);
    calm.until_at_rest(60).await;
}

#[tokio::test(start_paused = true)]
async fn two_under_one_name_by_mistake_lose_no_job_and_double_no_slot() {
    let calm = Calm::of(TWO_POOLS);
    calm.harness.recorder().injected.twins = true;
    let twin = Process::start(&calm.harness, "twin");
    let jobs: Vec<_> = (0..6).map(|n| calm.job(&["docker"], 20 + n)).collect();
    for job in jobs {
        calm.until_succeeds(job, 240).await;
    }
    twin.kill(&calm.harness).await;
    // A runner whose record the other deleted sleeps for five minutes after it was refused.
    calm.until_at_rest(360).await;
}
