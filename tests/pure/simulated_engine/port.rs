//! The rules that the simulated engine keeps as dockerd does, and its faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use autogit::engine::{Engine, EngineError, ImageRequest, Wakes};
use autogit::sandbox::engine::{Fault, JobLeftovers, Operation};
use autogit::sandbox::runner::Version;
use autogit::spec::{Arch, InstanceName, PullPolicy};
use autogit::world::{ContainerState, EngineId, JobId, Prefixes, SystemId, WorkloadId};
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;

use crate::simulated_engine::harness::{Harness, TOKEN, job};

const SECOND: Duration = Duration::from_secs(1);

fn ours() -> InstanceName {
    InstanceName::standard()
}

#[tokio::test(start_paused = true)]
async fn a_slots_name_can_be_had_once() {
    let harness = Harness::new(1);
    let new = harness.new_runner("linux", 0);
    let first = harness.engine.create_runner(&new).await.unwrap();
    let second = harness.engine.create_runner(&new).await;
    assert!(matches!(second, Err(EngineError::NameTaken { .. })));
    harness.engine.rename_by_hand(&first, "moved-away").unwrap();
    harness.engine.create_runner(&new).await.unwrap();
    let live = harness.engine.with_system_id(&ours(), &new.system_id).await.unwrap();
    assert_eq!(live.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_runner_is_found_again_with_all_that_it_was_made_with() {
    let harness = Harness::new(1);
    let new = harness.new_runner("linux", 3);
    let id = harness.engine.create_runner(&new).await.unwrap();
    let found = &harness.engine.runners(&ours()).await.unwrap().runners[0];
    assert_eq!((&found.id, &found.name, &found.variant), (&id, &new.name, &new.variant));
    assert_eq!((found.slot, &found.system_id), (new.slot, &new.system_id));
    assert_eq!((found.record, &found.spec), (new.record, &new.spec));
    assert_eq!(found.state, ContainerState::Created);
    let config = harness.engine.read_config(&id).await.unwrap();
    assert_eq!(config.expose_secret(), new.config.expose_secret());
    assert!(
        harness
            .engine
            .runners(&InstanceName::new("other").unwrap())
            .await
            .unwrap()
            .runners
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_container_is_removed_only_after_it_ended_and_its_files_go_with_it() {
    let harness = Harness::new(1);
    let empty = harness.engine.counts();
    let runner = harness.runner("linux", 0).await;
    let refused = harness.engine.remove_container(&runner).await;
    assert!(matches!(refused, Err(EngineError::Running { .. })));
    harness.engine.drain(&runner).await.unwrap();
    harness.pass(5 * SECOND).await;
    harness.engine.remove_container(&runner).await.unwrap();
    harness.engine.remove_container(&runner).await.unwrap();
    harness.engine.drain(&runner).await.unwrap();
    assert_eq!(harness.engine.counts(), empty);
}

#[tokio::test(start_paused = true)]
async fn an_image_comes_by_pulling_or_not_at_all() {
    let harness = Harness::new(1);
    let mut new = harness.new_runner("linux", 0);
    "runner:2".clone_into(&mut new.image);
    let missing = harness.engine.create_runner(&new).await;
    assert!(matches!(missing, Err(EngineError::NoImage { .. })));
    let request = |policy| ImageRequest { image: "runner:2".to_owned(), arch: Arch::Amd64, policy };
    let unknown = harness.engine.ensure_image(&request(PullPolicy::IfNotPresent)).await;
    assert!(matches!(unknown, Err(EngineError::NoImage { .. })));

    harness.engine.publish_image("runner:2");
    let never = harness.engine.ensure_image(&request(PullPolicy::Never)).await;
    assert!(matches!(never, Err(EngineError::NoImage { .. })));
    let before = harness.clock.now();
    harness.engine.ensure_image(&request(PullPolicy::IfNotPresent)).await.unwrap();
    assert_eq!(harness.clock.now().duration_since(before), SignedDuration::from_secs(5));
    harness.engine.ensure_image(&request(PullPolicy::Never)).await.unwrap();
    harness.engine.create_runner(&new).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_network_is_removed_only_when_nothing_runs_on_it() {
    let harness = Harness::new(1);
    harness.engine.create_network("ours", &ours()).await.unwrap();
    harness.engine.create_network("ours", &ours()).await.unwrap();
    let mut new = harness.new_runner("linux", 0);
    "ours".clone_into(&mut new.network);
    let runner = harness.start(&new).await;
    let network = harness.engine.network("ours", &ours()).await.unwrap().unwrap();
    assert!(network.ours && network.containers == 1);
    assert!(harness.engine.remove_network(&network.id).await.is_err());
    harness.engine.remove_by_hand(&runner).unwrap();
    harness.engine.remove_network(&network.id).await.unwrap();
    assert!(harness.engine.network("ours", &ours()).await.unwrap().is_none());
    assert!(!harness.engine.network("autogit", &ours()).await.unwrap().unwrap().ours);
}

#[tokio::test(start_paused = true)]
async fn a_runner_without_its_network_does_not_start() {
    let harness = Harness::new(1);
    let mut new = harness.new_runner("linux", 0);
    "missing".clone_into(&mut new.network);
    let id = harness.engine.create_runner(&new).await.unwrap();
    assert!(matches!(harness.engine.start(&id).await, Err(EngineError::Refused { .. })));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_runner_left_can_be_swept() {
    let harness = Harness::new(1);
    let empty = harness.engine.counts();
    let system_id = SystemId::from_observed("r_abcdefghijkl");
    let left = JobLeftovers {
        version: Version::NEWEST,
        system_id,
        job: JobId(41),
        project: 3,
        running: true,
        reusable: false,
    };
    harness.engine.add_job_leftovers(&left).unwrap();
    let objects = harness.engine.jobs().await.unwrap();
    assert!(objects.containers.iter().all(|it| it.system_id == left.system_id));
    let running = objects.containers.iter().filter(|it| it.running).count();
    assert_eq!((objects.containers.len(), running), (3, 2));

    let volume = &objects.volumes[0];
    assert!(harness.engine.remove_job_volume(volume).await.is_err());
    assert!(harness.engine.remove_job_network(&objects.networks[0]).await.is_err());
    for container in &objects.containers {
        harness.engine.remove_job_container(container).await.unwrap();
    }
    for volume in &objects.volumes {
        harness.engine.remove_job_volume(volume).await.unwrap();
    }
    harness.engine.remove_job_network(&objects.networks[0]).await.unwrap();
    assert_eq!(harness.engine.counts(), empty);
}

#[tokio::test(start_paused = true)]
async fn times_are_corrected_by_the_engines_clock() {
    let harness = Harness::new(1);
    harness.engine.set_skew(SignedDuration::from_hours(5));
    harness.gitlab.push(job(41, 1_000));
    let runner = harness.runner("linux", 0).await;
    let now = harness.clock.now();
    assert_eq!(harness.engine.info().await.unwrap().skew, SignedDuration::from_hours(5));
    let found = &harness.engine.runners(&ours()).await.unwrap().runners[0];
    assert!(found.created_at < now);
    assert!(matches!(found.state, ContainerState::Running { started_at } if started_at <= now));
    harness.pass(10 * SECOND).await;
    let log = harness.engine.runner_log(&runner).await.unwrap();
    assert!(log.received.unwrap().1 < harness.clock.now() && log.ended.unwrap() > now);
}

#[tokio::test(start_paused = true)]
async fn a_scripted_fault_comes_before_the_effect_or_takes_the_answer() {
    let harness = Harness::new(1);
    let refused = EngineError::Refused { attempt: "create".to_owned(), problem: "no".to_owned() };
    harness.engine.fail_next(Operation::CreateRunner, Fault::Refused(refused));
    harness.engine.fail_next(Operation::CreateRunner, Fault::AnswerLost);
    let new = harness.new_runner("linux", 0);
    let first = harness.engine.create_runner(&new).await;
    assert!(matches!(first, Err(EngineError::Refused { .. })));
    assert!(harness.engine.containers().is_empty());
    assert!(harness.engine.create_runner(&new).await.unwrap_err().in_doubt());
    assert_eq!(harness.engine.containers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn jobs_go_on_while_the_engine_cannot_be_reached() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 20_000));
    harness.runner("linux", 0).await;
    harness.engine.set_reachable(false);
    let unreachable = harness.engine.info().await;
    assert!(matches!(unreachable, Err(EngineError::Unreachable { .. })));
    harness.pass(30 * SECOND).await;
    harness.engine.set_reachable(true);
    harness.engine.info().await.unwrap();
    assert_eq!(harness.gitlab.states(41).last().unwrap(), "success");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_takes_no_container_and_fails_jobs() {
    let harness = Harness::new(1);
    harness.runner("linux", 0).await;
    harness.engine.set_disk_full(true);
    let refused = harness.engine.create_runner(&harness.new_runner("linux", 1)).await.unwrap_err();
    assert!(refused.to_string().ends_with("no space left on device"));
    harness.gitlab.push(job(41, 1_000));
    harness.pass(10 * SECOND).await;
    assert_eq!(harness.gitlab.states(41), ["failed runner_system_failure"]);
    assert_eq!(harness.engine.counts().networks, 1);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_woken_by_its_own_instances_containers_only() {
    let harness = Harness::new(1);
    let ((wake, mut woken), (job, mut job_woken)) = (mpsc::channel(1), mpsc::channel(1));
    let engine = harness.engine.clone();
    let wakes = Wakes::new(&ours(), wake, job);
    let prefixes = Arc::clone(&wakes.prefixes);
    let watch = tokio::spawn(async move { engine.watch(wakes).await });
    harness.pass(SECOND).await;
    harness.engine.add_foreign_container("theirs", BTreeMap::new()).unwrap();
    harness.pass(SECOND).await;
    assert!(woken.try_recv().is_err());

    let new = harness.new_runner("linux", 0);
    let id = harness.engine.create_runner(&new).await.unwrap();
    harness.pass(SECOND).await;
    woken.try_recv().unwrap();
    let of = |system_id: &str| {
        let label = "com.gitlab.gitlab-runner.runner.system_id";
        let managed = ("com.gitlab.gitlab-runner.managed".to_owned(), "true".to_owned());
        BTreeMap::from([managed, (label.to_owned(), system_id.to_owned())])
    };
    let mark = EngineId::from_observed("ENGINE").mark();
    let mine = SystemId::prefix(&ours(), &mark);
    // Nobody knows yet whose it is.
    harness.engine.add_foreign_container("early", of(&format!("{mine}BBBBBBB"))).unwrap();
    harness.pass(SECOND).await;
    assert!(job_woken.try_recv().is_err());
    *prefixes.lock().unwrap() = Prefixes::new(&ours(), [&mark]);
    harness.engine.add_foreign_container("other", of("r_elseBBBBBBBB")).unwrap();
    harness.pass(SECOND).await;
    assert!(job_woken.try_recv().is_err());
    harness.engine.add_foreign_container("job", of(&format!("{mine}CCCCCCC"))).unwrap();
    harness.pass(SECOND).await;
    job_woken.try_recv().unwrap();
    assert!(woken.try_recv().is_err());
    harness.engine.rename_by_hand(&id, "moved").unwrap();
    harness.pass(SECOND).await;
    woken.try_recv().unwrap();
    harness.engine.remove_by_hand(&id).unwrap();
    harness.pass(SECOND).await;
    woken.try_recv().unwrap();
    drop(woken);
    watch.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_said_so() {
    let harness = Harness::new(1);
    let nobody = WorkloadId::from_observed("nobody");
    assert!(matches!(harness.engine.start(&nobody).await, Err(EngineError::NotFound { .. })));
    assert!(matches!(harness.engine.read_config(&nobody).await, Err(EngineError::NotFound { .. })));
    assert!(harness.engine.kill_container(&nobody, 137).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_token_is_shown_nowhere() {
    let harness = Harness::new(1);
    harness.gitlab.push(job(41, 1_000));
    let runner = harness.runner("linux", 0).await;
    harness.pass(10 * SECOND).await;
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        harness.engine,
        harness.engine.containers(),
        harness.engine.operations(),
        harness.engine.log_tail(&runner, 99).await.unwrap(),
    );
    assert!(!shown.contains(TOKEN) && !shown.contains("job-41"));
}
