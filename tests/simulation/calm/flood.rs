//! A queue that is longer than what a look reads hides nobody's job for long.

use autogit::sandbox::gitlab::Status;

use super::Calm;

/// Two pools of which neither takes what the other does.
const POOLS: &str = "
  linux: {tags: [docker], max: 3, cooldown: 30s}
  docs: {tags: [docs], max: 2, cooldown: 10s}
";

/// More than the ten pages of a look.
const FLOOD: u64 = 1_300;

/// A job behind a flood runs within a minute, whether GitLab tells what our
/// records may take (18.1) or not.
async fn is_served_behind(tag: &str, version: &str) {
    let calm = Calm::of(POOLS);
    calm.harness.gitlab().set_version(version);
    calm.pass(15).await;
    for _ in 0..FLOOD {
        calm.job(&[tag], 3_600);
    }
    let job = calm.job(&["docs"], 5);
    calm.until(60, "the job runs", |_| calm.status(job) != Status::Pending).await;
    calm.until_succeeds(job, 60).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_other_peoples_jobs_hides_none_of_ours() {
    is_served_behind("of-others", "18.6.0").await;
    is_served_behind("of-others", "17.11.0").await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_pools_jobs_hides_none_of_another_pool() {
    is_served_behind("docker", "18.6.0").await;
    is_served_behind("docker", "17.11.0").await;
}
