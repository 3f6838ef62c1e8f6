//! The rules that the simulated engine keeps as dockerd does, and its faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use autogit::engine::{Engine, EngineError, ImageRequest, Wakes};
use autogit::sandbox::engine::{Fault, JobLeftovers, Operation};
use autogit::sandbox::runner::Version;
use autogit::spec::{Arch, InstanceName, PullPolicy};
use autogit::world::{ContainerId, ContainerState, JobId, SystemId};
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;

use crate::simulated_engine::stage::{Stage, TOKEN, job};

const SECOND: Duration = Duration::from_secs(1);

fn ours() -> InstanceName {
    InstanceName::standard()
}

#[tokio::test(start_paused = true)]
async fn a_slots_name_can_be_had_once() {
    let stage = Stage::new(1);
    let new = stage.new_runner("linux", 0);
    let first = stage.engine.create_runner(&new).await.unwrap();
    let second = stage.engine.create_runner(&new).await;
    assert!(matches!(second, Err(EngineError::NameTaken { .. })));
    stage.engine.rename_by_hand(&first, "moved-away").unwrap();
    stage.engine.create_runner(&new).await.unwrap();
    let live = stage.engine.with_system_id(&ours(), &new.system_id).await.unwrap();
    assert_eq!(live.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_runner_is_found_again_with_all_that_it_was_made_with() {
    let stage = Stage::new(1);
    let new = stage.new_runner("linux", 3);
    let id = stage.engine.create_runner(&new).await.unwrap();
    let found = &stage.engine.runners(&ours()).await.unwrap().runners[0];
    assert_eq!((&found.id, &found.name, &found.variant), (&id, &new.name, &new.variant));
    assert_eq!((found.slot, &found.system_id), (new.slot, &new.system_id));
    assert_eq!((found.record, &found.spec), (new.record, &new.spec));
    assert_eq!(found.state, ContainerState::Created);
    let config = stage.engine.read_config(&id).await.unwrap();
    assert_eq!(config.expose_secret(), new.config.expose_secret());
    assert!(
        stage
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
    let stage = Stage::new(1);
    let empty = stage.engine.counts();
    let runner = stage.runner("linux", 0).await;
    let refused = stage.engine.remove_container(&runner).await;
    assert!(matches!(refused, Err(EngineError::Running { .. })));
    stage.engine.drain(&runner).await.unwrap();
    stage.pass(5 * SECOND).await;
    stage.engine.remove_container(&runner).await.unwrap();
    stage.engine.remove_container(&runner).await.unwrap();
    stage.engine.drain(&runner).await.unwrap();
    assert_eq!(stage.engine.counts(), empty);
}

#[tokio::test(start_paused = true)]
async fn an_image_comes_by_pulling_or_not_at_all() {
    let stage = Stage::new(1);
    let mut new = stage.new_runner("linux", 0);
    "runner:2".clone_into(&mut new.image);
    let missing = stage.engine.create_runner(&new).await;
    assert!(matches!(missing, Err(EngineError::NoImage { .. })));
    let request = |policy| ImageRequest { image: "runner:2".to_owned(), arch: Arch::Amd64, policy };
    let unknown = stage.engine.ensure_image(&request(PullPolicy::IfNotPresent)).await;
    assert!(matches!(unknown, Err(EngineError::NoImage { .. })));

    stage.engine.publish_image("runner:2");
    let never = stage.engine.ensure_image(&request(PullPolicy::Never)).await;
    assert!(matches!(never, Err(EngineError::NoImage { .. })));
    let before = stage.clock.now();
    stage.engine.ensure_image(&request(PullPolicy::IfNotPresent)).await.unwrap();
    assert_eq!(stage.clock.now().duration_since(before), SignedDuration::from_secs(5));
    stage.engine.ensure_image(&request(PullPolicy::Never)).await.unwrap();
    stage.engine.create_runner(&new).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_network_is_removed_only_when_nothing_runs_on_it() {
    let stage = Stage::new(1);
    stage.engine.create_network("ours", &ours()).await.unwrap();
    stage.engine.create_network("ours", &ours()).await.unwrap();
    let mut new = stage.new_runner("linux", 0);
    "ours".clone_into(&mut new.network);
    let runner = stage.start(&new).await;
    let network = stage.engine.network("ours", &ours()).await.unwrap().unwrap();
    assert!(network.ours && network.containers == 1);
    assert!(stage.engine.remove_network(&network.id).await.is_err());
    stage.engine.remove_by_hand(&runner).unwrap();
    stage.engine.remove_network(&network.id).await.unwrap();
    assert!(stage.engine.network("ours", &ours()).await.unwrap().is_none());
    assert!(!stage.engine.network("autogit", &ours()).await.unwrap().unwrap().ours);
}

#[tokio::test(start_paused = true)]
async fn a_runner_without_its_network_does_not_start() {
    let stage = Stage::new(1);
    let mut new = stage.new_runner("linux", 0);
    "missing".clone_into(&mut new.network);
    let id = stage.engine.create_runner(&new).await.unwrap();
    assert!(matches!(stage.engine.start(&id).await, Err(EngineError::Refused { .. })));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_runner_left_can_be_swept() {
    let stage = Stage::new(1);
    let empty = stage.engine.counts();
    let system_id = SystemId::from_observed("r_abcdefghijkl");
    let left = JobLeftovers {
        version: Version::NEWEST,
        system_id,
        job: JobId(41),
        project: 3,
        running: true,
        reusable: false,
    };
    stage.engine.add_job_leftovers(&left).unwrap();
    let objects = stage.engine.jobs().await.unwrap();
    assert!(objects.containers.iter().all(|it| it.system_id == left.system_id));
    let running = objects.containers.iter().filter(|it| it.running).count();
    assert_eq!((objects.containers.len(), running), (3, 2));

    let volume = &objects.volumes[0];
    assert!(stage.engine.remove_job_volume(volume).await.is_err());
    assert!(stage.engine.remove_job_network(&objects.networks[0]).await.is_err());
    for container in &objects.containers {
        stage.engine.remove_job_container(container).await.unwrap();
    }
    for volume in &objects.volumes {
        stage.engine.remove_job_volume(volume).await.unwrap();
    }
    stage.engine.remove_job_network(&objects.networks[0]).await.unwrap();
    assert_eq!(stage.engine.counts(), empty);
}

#[tokio::test(start_paused = true)]
async fn times_are_corrected_by_the_engines_clock() {
    let stage = Stage::new(1);
    stage.engine.set_skew(SignedDuration::from_hours(5));
    stage.gitlab.push(job(41, 1_000));
    let runner = stage.runner("linux", 0).await;
    let now = stage.clock.now();
    assert_eq!(stage.engine.info().await.unwrap().skew, SignedDuration::from_hours(5));
    let found = &stage.engine.runners(&ours()).await.unwrap().runners[0];
    assert!(found.created_at < now);
    assert!(matches!(found.state, ContainerState::Running { started_at } if started_at <= now));
    stage.pass(10 * SECOND).await;
    let log = stage.engine.runner_log(&runner).await.unwrap();
    assert!(log.received.unwrap().1 < stage.clock.now() && log.ended.unwrap() > now);
}

#[tokio::test(start_paused = true)]
async fn a_scripted_fault_comes_before_the_effect_or_takes_the_answer() {
    let stage = Stage::new(1);
    let refused = EngineError::Refused { attempt: "create".to_owned(), problem: "no".to_owned() };
    stage.engine.fail_next(Operation::CreateRunner, Fault::Refused(refused));
    stage.engine.fail_next(Operation::CreateRunner, Fault::AnswerLost);
    let new = stage.new_runner("linux", 0);
    let first = stage.engine.create_runner(&new).await;
    assert!(matches!(first, Err(EngineError::Refused { .. })));
    assert!(stage.engine.containers().is_empty());
    assert!(stage.engine.create_runner(&new).await.unwrap_err().in_doubt());
    assert_eq!(stage.engine.containers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn jobs_go_on_while_the_engine_cannot_be_reached() {
    let stage = Stage::new(1);
    stage.gitlab.push(job(41, 20_000));
    stage.runner("linux", 0).await;
    stage.engine.set_reachable(false);
    let unreachable = stage.engine.info().await;
    assert!(matches!(unreachable, Err(EngineError::Unreachable { .. })));
    stage.pass(30 * SECOND).await;
    stage.engine.set_reachable(true);
    stage.engine.info().await.unwrap();
    assert_eq!(stage.gitlab.states(41).last().unwrap(), "success");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_takes_no_container_and_fails_jobs() {
    let stage = Stage::new(1);
    stage.runner("linux", 0).await;
    stage.engine.set_disk_full(true);
    let refused = stage.engine.create_runner(&stage.new_runner("linux", 1)).await.unwrap_err();
    assert!(refused.to_string().ends_with("no space left on device"));
    stage.gitlab.push(job(41, 1_000));
    stage.pass(10 * SECOND).await;
    assert_eq!(stage.gitlab.states(41), ["failed runner_system_failure"]);
    assert_eq!(stage.engine.counts().networks, 1);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_woken_by_its_own_instances_containers_only() {
    let stage = Stage::new(1);
    let ((wake, mut woken), (job, mut job_woken)) = (mpsc::channel(1), mpsc::channel(1));
    let engine = stage.engine.clone();
    let wakes = Wakes::new(&ours(), wake, job);
    let prefix = Arc::clone(&wakes.prefix);
    let watch = tokio::spawn(async move { engine.watch(wakes).await });
    stage.pass(SECOND).await;
    stage.engine.add_foreign_container("theirs", BTreeMap::new()).unwrap();
    stage.pass(SECOND).await;
    assert!(woken.try_recv().is_err());

    let new = stage.new_runner("linux", 0);
    let id = stage.engine.create_runner(&new).await.unwrap();
    stage.pass(SECOND).await;
    woken.try_recv().unwrap();
    let of = |system_id: &str| {
        let label = "com.gitlab.gitlab-runner.runner.system_id";
        let managed = ("com.gitlab.gitlab-runner.managed".to_owned(), "true".to_owned());
        BTreeMap::from([managed, (label.to_owned(), system_id.to_owned())])
    };
    // Nobody knows yet whose it is.
    stage.engine.add_foreign_container("early", of("r_mineBBBBBBBB")).unwrap();
    stage.pass(SECOND).await;
    assert!(job_woken.try_recv().is_err());
    prefix.set("r_mine".to_owned()).unwrap();
    stage.engine.add_foreign_container("other", of("r_elseBBBBBBBB")).unwrap();
    stage.pass(SECOND).await;
    assert!(job_woken.try_recv().is_err());
    stage.engine.add_foreign_container("job", of("r_mineCCCCCCCC")).unwrap();
    stage.pass(SECOND).await;
    job_woken.try_recv().unwrap();
    assert!(woken.try_recv().is_err());
    stage.engine.rename_by_hand(&id, "moved").unwrap();
    stage.pass(SECOND).await;
    woken.try_recv().unwrap();
    stage.engine.remove_by_hand(&id).unwrap();
    stage.pass(SECOND).await;
    woken.try_recv().unwrap();
    drop(woken);
    watch.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_said_so() {
    let stage = Stage::new(1);
    let nobody = ContainerId::from_observed("nobody");
    assert!(matches!(stage.engine.start(&nobody).await, Err(EngineError::NotFound { .. })));
    assert!(matches!(stage.engine.read_config(&nobody).await, Err(EngineError::NotFound { .. })));
    assert!(stage.engine.kill_container(&nobody, 137).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_token_is_shown_nowhere() {
    let stage = Stage::new(1);
    stage.gitlab.push(job(41, 1_000));
    let runner = stage.runner("linux", 0).await;
    stage.pass(10 * SECOND).await;
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        stage.engine,
        stage.engine.containers(),
        stage.engine.operations(),
        stage.engine.log_tail(&runner, 99).await.unwrap(),
    );
    assert!(!shown.contains(TOKEN) && !shown.contains("job-41"));
}
