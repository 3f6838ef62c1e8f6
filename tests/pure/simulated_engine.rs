//! The simulated gitlab-runner on the simulated engine: a job's whole life, and every way to end;
//! and AutoGit in that world, one step at a time.

mod apply;
mod architecture;
mod disks;
mod fixture;
mod harness;
mod images;
mod log;
mod names;
mod observe;
mod others;
mod port;
mod slow;
mod standstill;
mod tokens;
mod under_way;

use std::time::Duration;

use autogit::engine::Engine;
use autogit::world::{ContainerState, JobId, VolumeKind};

use harness::{Harness, job, job_with};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_job_lives_from_its_pick_up_to_the_removal_of_what_it_made() {
    let harness = Harness::new(1);
    harness.gitlab.push(job_with(41, 10_000, &[("CI_PIPELINE_ID", "7")]));
    let runner = harness.runner("linux", 0).await;

    harness.pass(5 * SECOND).await;
    assert_eq!(harness.engine.running_jobs()[0].job, JobId(41));
    let objects = harness.engine.jobs().await.unwrap();
    let kinds: Vec<_> = objects.containers.iter().map(|c| (c.kind.as_str(), c.running)).collect();
    assert!(kinds.contains(&("build", true)) && kinds.contains(&("predefined", false)));
    assert_eq!((objects.volumes.len(), objects.networks.len()), (2, 1));
    let build = harness.build_container();
    let label = |name: &str| build.labels[&format!("com.gitlab.gitlab-runner.{name}")].clone();
    assert_eq!(label("job.url"), "http://gitlab.sim/team/app/-/jobs/41");
    assert_eq!((label("pipeline.id"), label("runner.id")), ("7".into(), "secretsec".into()));
    assert_eq!(build.labels["io.autogit.runner"], "autogit-runner-linux-amd64-0");

    harness.pass(10 * SECOND).await;
    assert_eq!(harness.gitlab.states(41), ["running", "success"]);
    assert!(harness.gitlab.trace(41).ends_with("Job succeeded\n"));
    let log = harness.engine.runner_log(&runner).await.unwrap();
    assert_eq!((log.received.unwrap().0, log.jobs_ended), (JobId(41), 1));
    assert!(log.ended > log.received.map(|(_, at)| at));
    let objects = harness.engine.jobs().await.unwrap();
    assert!(objects.containers.is_empty() && objects.networks.is_empty());
    assert!(objects.volumes.iter().all(|volume| volume.kind == VolumeKind::Reusable));
    assert!(harness.engine.running_jobs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_log_is_the_json_that_gitlab_runner_writes() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 1_000));
    let runner = harness.runner("linux", 0).await;
    harness.pass(10 * SECOND).await;
    let tail = harness.engine.log_tail(&runner, 2).await.unwrap();
    let lines: Vec<serde_json::Value> =
        tail.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["msg"], "Checking for jobs... received");
    assert_eq!(lines[0]["repo_url"], "http://gitlab.sim/team/app.git");
    assert_eq!((&lines[1]["msg"], &lines[1]["job"]), (&"Job succeeded".into(), &41.into()));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_is_reported_with_its_exit_code() {
    let harness = Harness::new(1);
    harness.gitlab.push(job_with(41, 1_000, &[("SIMULATED_FAILS", "true")]));
    let runner = harness.runner("linux", 0).await;
    harness.pass(10 * SECOND).await;
    assert_eq!(harness.gitlab.states(41), ["running", "failed script_failure 1"]);
    assert!(
        harness.engine.log_tail(&runner, 1).await.unwrap()[0].contains("Job failed: exit code 1")
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_ends_and_leaves_nothing_but_its_cache() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 600_000));
    harness.runner("linux", 0).await;
    harness.pass(10 * SECOND).await;
    harness.gitlab.cancel(41);
    harness.pass(5 * SECOND).await;
    assert!(harness.engine.running_jobs().is_empty());
    assert!(harness.engine.jobs().await.unwrap().containers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_container_is_taken_away_fails() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 600_000));
    harness.runner("linux", 0).await;
    harness.pass(10 * SECOND).await;
    harness.engine.remove_by_hand(&harness.build_container().id).unwrap();
    harness.pass(5 * SECOND).await;
    assert_eq!(harness.gitlab.states(41).last().unwrap(), "failed runner_system_failure");
}

#[tokio::test(start_paused = true)]
async fn a_job_is_ended_at_its_timeout() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 2 * 3_600_000));
    harness.runner("linux", 0).await;
    harness.pass(3610 * SECOND).await;
    assert_eq!(harness.gitlab.states(41).last().unwrap(), "failed job_execution_timeout");
    assert!(harness.engine.jobs().await.unwrap().containers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_gitlab_ends_no_job() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 60_000));
    harness.runner("linux", 0).await;
    harness.pass(10 * SECOND).await;
    harness.gitlab.set_down(true);
    harness.pass(120 * SECOND).await;
    assert_eq!(harness.engine.running_jobs().len(), 1);
    harness.gitlab.set_down(false);
    harness.pass(5 * SECOND).await;
    assert_eq!(harness.gitlab.states(41).last().unwrap(), "success");
    assert!(harness.gitlab.trace(41).ends_with("Job succeeded\n"));
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_not_kept_goes_with_its_job() {
    let harness = Harness::new(1).without_cache();
    harness.gitlab.push(job(41, 5_000));
    harness.runner("linux", 0).await;
    harness.pass(4 * SECOND).await;
    assert!(
        harness
            .engine
            .jobs()
            .await
            .unwrap()
            .volumes
            .iter()
            .all(|volume| volume.kind == VolumeKind::Temporary)
    );
    harness.pass(10 * SECOND).await;
    assert!(harness.engine.jobs().await.unwrap().volumes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_gitlab_runner_tells_what_its_volumes_are_for_by_label_or_by_name() {
    for (version, labels) in [("18.4.0", 0), ("18.6.2", 0), ("19.2.0", 2), ("19.4.0", 2)] {
        for (cache, kind) in [(true, VolumeKind::Reusable), (false, VolumeKind::Temporary)] {
            let harness = Harness::new(1).of_version(version);
            let harness = if cache { harness } else { harness.without_cache() };
            harness.gitlab.push(job(41, 60_000));
            harness.runner("linux", 0).await;
            harness.pass(10 * SECOND).await;
            let volumes = harness.engine.jobs().await.unwrap().volumes;
            assert_eq!(volumes.len(), 2, "{version}");
            assert!(volumes.iter().all(|volume| volume.kind == kind), "{version} {volumes:?}");
            let label = "com.gitlab.gitlab-runner.reusable";
            let views = harness.engine.volumes();
            let labelled = views.iter().filter(|volume| volume.labels.contains_key(label));
            assert_eq!(labelled.count(), labels, "{version}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_runner_of_a_slot_finds_the_volumes_of_the_one_before() {
    for version in ["18.4.0", "19.4.0"] {
        let harness = Harness::new(1).of_version(version);
        let new = harness.new_runner("linux", 0);
        let names = async |job_id| {
            harness.gitlab.push(job(job_id, 1_000));
            let runner = harness.start(&new).await;
            harness.pass(10 * SECOND).await;
            harness.engine.drain(&runner).await.unwrap();
            harness.pass(60 * SECOND).await;
            harness.engine.remove_container(&runner).await.unwrap();
            let volumes = harness.engine.jobs().await.unwrap().volumes;
            volumes.into_iter().map(|volume| volume.name).collect::<Vec<_>>()
        };
        let first = names(41).await;
        assert_eq!((first.len(), names(42).await), (2, first), "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_job_of_the_project_finds_the_slots_volumes_again() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 1_000));
    harness.gitlab.push(job(42, 1_000));
    harness.runner("linux", 0).await;
    harness.pass(30 * SECOND).await;
    assert_eq!(harness.gitlab.states(42).last().unwrap(), "success");
    assert_eq!(harness.engine.jobs().await.unwrap().volumes.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_idle_runner_leaves_within_three_seconds_of_sigquit() {
    let harness = Harness::new(1);
    let runner = harness.runner("linux", 0).await;
    harness.engine.drain(&runner).await.unwrap();
    harness.engine.drain(&runner).await.unwrap();
    harness.pass(3 * SECOND).await;
    assert_eq!(harness.exit_code(&runner), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_runner_in_a_long_poll_leaves_when_the_poll_ends() {
    let harness = Harness::new(1);
    let runner = harness.runner("linux", 0).await;
    harness.pass(10 * SECOND).await;
    harness.engine.drain(&runner).await.unwrap();
    harness.pass(30 * SECOND).await;
    assert_eq!(harness.exit_code(&runner), None);
    harness.pass(23 * SECOND).await;
    assert_eq!(harness.exit_code(&runner), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_job_handed_over_in_the_long_poll_of_a_draining_runner_is_run_to_its_end() {
    let harness = Harness::new(1);
    let runner = harness.runner("linux", 0).await;
    harness.pass(10 * SECOND).await;
    harness.engine.drain(&runner).await.unwrap();
    harness.gitlab.push(job(41, 60_000));
    harness.pass(55 * SECOND).await;
    assert_eq!(harness.exit_code(&runner), None);
    harness.pass(15 * SECOND).await;
    assert_eq!(harness.gitlab.states(41).last().unwrap(), "success");
    assert_eq!(harness.exit_code(&runner), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_draining_runner_finishes_its_job_and_takes_no_other() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 20_000));
    harness.gitlab.push(job(42, 1_000));
    let runner = harness.runner("linux", 0).await;
    harness.pass(5 * SECOND).await;
    harness.engine.drain(&runner).await.unwrap();
    harness.pass(10 * SECOND).await;
    assert_eq!(harness.exit_code(&runner), None);
    harness.pass(20 * SECOND).await;
    assert_eq!(harness.exit_code(&runner), Some(0));
    assert_eq!(harness.gitlab.states(41).last().unwrap(), "success");
    assert!(harness.gitlab.states(42).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_runner_sleeps_five_minutes_and_leaves_only_then() {
    let harness = Harness::new(1);
    harness.gitlab.set_forbidden(true);
    let runner = harness.runner("linux", 0).await;
    harness.pass(SECOND).await;
    assert!(
        harness.engine.log_tail(&runner, 1).await.unwrap()[0].contains("Runner is not healthy!")
    );
    harness.engine.drain(&runner).await.unwrap();
    harness.pass(290 * SECOND).await;
    assert_eq!(harness.exit_code(&runner), None);
    harness.pass(13 * SECOND).await;
    assert_eq!(harness.exit_code(&runner), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_runner_leaves_after_its_last_job() {
    let harness = Harness::new(1).with_jobs_max(2);
    (41..44).for_each(|id| harness.gitlab.push(job(id, 1_000)));
    let runner = harness.runner("linux", 0).await;
    harness.pass(30 * SECOND).await;
    assert_eq!(harness.exit_code(&runner), Some(0));
    assert_eq!(harness.gitlab.states(42).last().unwrap(), "success");
    assert!(harness.gitlab.states(43).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_runner_with_an_unusable_config_exits_with_one() {
    let harness = Harness::new(1);
    let mut new = harness.new_runner("linux", 0);
    new.config = "[[runners]]\nname = \"another\"\n".to_owned().into();
    let runner = harness.start(&new).await;
    harness.pass(SECOND).await;
    assert_eq!(harness.exit_code(&runner), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_sent_to_another_server_reaches_nothing_and_stays() {
    let harness = Harness::new(1);
    let mut new = harness.new_runner("linux", 0);
    new.config = harness::config(&new.name, "http://elsewhere.sim", false).into();
    let runner = harness.start(&new).await;
    harness.pass(60 * SECOND).await;
    assert_eq!((harness.exit_code(&runner), harness.gitlab.polls()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_killed_runner_leaves_all_that_its_job_made() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 30_000));
    let runner = harness.runner("linux", 0).await;
    harness.pass(10 * SECOND).await;
    let before = harness.engine.counts();
    harness.engine.kill_container(&runner, 137).unwrap();
    assert!(harness.engine.running_jobs().is_empty());
    let killed = harness.engine.containers().into_iter().find(|it| it.id == runner).unwrap();
    assert!(matches!(killed.state, ContainerState::Exited { code: 137, oom_killed: true, .. }));
    assert!(matches!(harness.build_container().state, ContainerState::Running { .. }));

    harness.pass(60 * SECOND).await;
    assert_eq!(harness.engine.counts(), before);
    assert!(matches!(harness.build_container().state, ContainerState::Exited { code: 0, .. }));
    assert_eq!(harness.gitlab.states(41).last().unwrap(), "running");
}

#[tokio::test(start_paused = true)]
async fn a_restarted_engine_runs_nothing() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 600_000));
    harness.runner("linux", 0).await;
    harness.runner("linux", 1).await;
    harness.pass(10 * SECOND).await;
    harness.engine.restart_engine();
    assert!(harness.engine.running_jobs().is_empty());
    let exited = |it: &_| matches!(it, ContainerState::Exited { .. });
    assert!(harness.engine.containers().iter().all(|it| exited(&it.state)));
}

#[tokio::test(start_paused = true)]
async fn runners_end_with_the_last_clone_of_their_engine() {
    let harness = Harness::new(1);
    harness.runner("linux", 0).await;
    harness.pass(10 * SECOND).await;
    let Harness { engine, gitlab, clock, .. } = harness;
    drop(engine);
    clock.sleep(60 * SECOND).await;
    let polls = gitlab.polls();
    clock.sleep(600 * SECOND).await;
    assert_eq!(gitlab.polls(), polls);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_history() {
    let first = history(1).await;
    assert!(first.iter().any(|line| line.ends_with("wrote Job succeeded")), "{first:#?}");
    assert_eq!(first, history(1).await);
    assert_ne!(first, history(2).await);
}

/// Two runners, three jobs, a kill and a drain.
async fn history(seed: u64) -> Vec<String> {
    let harness = Harness::new(seed);
    (41..44).for_each(|id| harness.gitlab.push(job(id, 20_000)));
    let runners = [harness.runner("linux", 0).await, harness.runner("docs", 0).await];
    harness.pass(10 * SECOND).await;
    harness.engine.kill_container(&runners[1], 137).unwrap();
    harness.pass(30 * SECOND).await;
    harness.engine.drain(&runners[0]).await.unwrap();
    harness.pass(120 * SECOND).await;
    harness.engine.operations()
}
