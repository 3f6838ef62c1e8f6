//! What a look makes of what cannot be read, or is seen twice.

use autogit::engine::Engine;
use autogit::plan::{Action, plan};
use autogit::sandbox::engine::{Fault, Hiding, JobLeftovers, Operation};
use autogit::sandbox::gitlab::{Status, WaitsFor};
use autogit::sandbox::runner::Version;
use autogit::spec::HostName;
use autogit::world::{Caller, JobId, Observed, Runner, RunnerLog, Slot, SystemId, Token, World};

use crate::simulated_engine::fixture::{Fixture, linux, record, token};

const WARM: &str = "{linux: {tags: [docker], max: 3, warm: 1}}";
const COLD: &str = "{linux: {tags: [docker], max: 3}}";

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

fn is_known(world: &World, host: &str) -> bool {
    world.hosts[&HostName::new(host).unwrap()].state.known().is_some()
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_be_read_leaves_the_others_known() {
    let mut fixture = Fixture::on(&["alpha", "beta"], WARM);
    let world = fixture.look().await;
    assert!(is_known(&world, "alpha") && is_known(&world, "beta"));
    fixture.engine_of("beta").set_reachable(false);
    let world = fixture.look().await;
    assert!(is_known(&world, "alpha") && !is_known(&world, "beta"));
    assert!(world.hosts.values().all(|host| host.engine().is_some()));
}

/// The engine answers after ten seconds, and says that it did not.
#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_holds_up_no_look() {
    let mut fixture = Fixture::on(&["alpha", "beta"], WARM);
    fixture.look().await;
    fixture.engine_of("beta").fail_next(Operation::Runners, Fault::AnswerLost);
    for waited in [5, 0, 0] {
        let began = fixture.clock.now();
        let world = fixture.look().await;
        assert!(is_known(&world, "alpha") && !is_known(&world, "beta"));
        assert_eq!(fixture.clock.now().duration_since(began).as_secs(), waited);
    }
    fixture.pass(60).await;
    assert!(!is_known(&fixture.look().await, "beta"), "its read was given up");
    let world = fixture.look().await;
    assert!(is_known(&world, "alpha") && is_known(&world, "beta"));
}

#[tokio::test(start_paused = true)]
async fn a_host_is_not_known_where_any_part_of_it_cannot_be_read() {
    for operation in [Operation::Info, Operation::Jobs, Operation::Runners, Operation::Network] {
        let mut fixture = Fixture::new(WARM);
        fixture.tick().await;
        fixture.refuse(operation);
        assert!(!is_known(&fixture.look().await, "alpha"), "{operation}");
        assert!(is_known(&fixture.look().await, "alpha"), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn managers_that_gitlab_does_not_show_are_unknown() {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    fixture.pass(10).await;
    let rows = |world: &World| record(world).managers.known().map(Vec::len);
    assert_eq!(rows(&fixture.look().await), Some(1));
    fixture.hide_managers(true);
    assert_eq!(rows(&fixture.look().await), None);
    fixture.hide_managers(false);
    assert_eq!(rows(&fixture.look().await), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_no_host_accounts_for_is_asked_about_once() {
    let mut fixture = Fixture::new(COLD);
    fixture.tick().await;
    fixture.poll_elsewhere("r_ofanothere1", "17.4.2").await;
    for _ in 0..3 {
        let world = fixture.look().await;
        let Observed::Known { value: rows, .. } = &record(&world).managers else { panic!() };
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        let address = Some("127.0.0.1".to_owned());
        let caller = row.caller.clone().unwrap();
        assert!(caller.created_at.is_some());
        let expected = Caller { address, version: Some("17.4.2".to_owned()), ..caller.clone() };
        assert_eq!(caller, expected);
        fixture.pass(120).await;
    }
    let asked = fixture.gitlab.requests();
    assert_eq!(asked.get("GET /api/v4/runners/{id}/managers"), Some(&1), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_managers_gitlab_does_not_show_is_not_deleted() {
    let mut fixture = Fixture::new("{linux: {tags: [docker]}, docs: {tags: [docs]}}");
    fixture.tick().await;
    fixture.change_spec(|spec| spec.pools.truncate(1));
    fixture.grow_old().await;
    fixture.hide_managers(true);
    let deletes = |world: &World| {
        let decisions = plan(world).decisions;
        decisions.iter().any(|it| matches!(it.action, Action::DeleteRecord { .. }))
    };
    assert!(!deletes(&fixture.look_twice().await));
    fixture.hide_managers(false);
    assert!(deletes(&fixture.look_twice().await));
}

#[tokio::test(start_paused = true)]
async fn the_token_is_found_again_in_a_container_that_runs_or_ended() {
    for has_ended in [false, true] {
        let mut fixture = Fixture::new(WARM);
        fixture.tick().await;
        if has_ended {
            fixture.engine().kill_container(&fixture.runner().await.id, 1).unwrap();
        }
        fixture.restart();
        assert_eq!(token(&fixture.look().await), Token::AtHand);
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_is_found_again_in_a_container_that_was_never_started() {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    let runner = fixture.runner().await;
    let config = fixture.engine().read_config(&runner.id).await.unwrap();
    fixture.engine().remove_by_hand(&runner.id).unwrap();
    fixture.create_with(&runner.system_id, runner.record, config).await;
    fixture.restart();
    assert_eq!(token(&fixture.look().await), Token::AtHand);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_no_container_has_is_lost() {
    let mut fixture = Fixture::new(COLD);
    fixture.tick().await;
    assert_eq!(token(&fixture.look().await), Token::AtHand);
    fixture.restart();
    assert_eq!(token(&fixture.look().await), Token::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_token_whose_config_cannot_be_read_is_not_lost() {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    fixture.restart();
    fixture.refuse(Operation::ReadConfig);
    let unread = token(&fixture.look().await);
    assert!(matches!(unread, Token::Unread { .. }), "{unread:?}");
    assert_eq!(token(&fixture.look().await), Token::AtHand);
}

fn log(world: &World) -> RunnerLog {
    let state = world.hosts.values().next().unwrap().state.known().unwrap();
    state.runners[0].log.clone().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_keeps_what_it_told_last() {
    let mut fixture = Fixture::new(WARM);
    let job = fixture.job(WaitsFor::Runner);
    fixture.tick().await;
    fixture.pass(10).await;
    let told = log(&fixture.look().await);
    assert_eq!(told.received.map(|(id, _)| id), Some(job));
    fixture.refuse(Operation::RunnerLog);
    assert_eq!(log(&fixture.look().await), told);
}

fn pending(world: &World) -> Vec<JobId> {
    world.queue.known().unwrap().jobs.iter().map(|job| job.id).collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_a_container_is_not_pending_though_gitlab_still_lists_it() {
    let mut fixture = Fixture::new(COLD);
    let jobs = [(); 2].map(|()| fixture.job(WaitsFor::Nobody));
    let world = fixture.look().await;
    assert_eq!(pending(&world), jobs);
    let system_id = fixture.first_slot(&world);
    let left = JobLeftovers {
        version: Version::NEWEST,
        system_id,
        job: jobs[0],
        project: 3,
        running: true,
        reusable: false,
    };
    fixture.engine().add_job_leftovers(&left).unwrap();
    assert_eq!(pending(&fixture.look().await), [jobs[1]]);
    assert_eq!(fixture.gitlab.pending(), jobs);
}

/// A runner at work that no list shows any more.
async fn hidden_at_work() -> (Fixture, Runner, JobId) {
    let mut fixture = Fixture::new(COLD);
    let job = fixture.job(WaitsFor::Runner);
    fixture.tick().await;
    fixture.pass(10).await;
    let runner = fixture.runner().await;
    fixture.look().await;
    fixture.engine().hide(&runner.id, Hiding::FromLists).unwrap();
    (fixture, runner, job)
}

fn seen(world: &World) -> Vec<&Runner> {
    world.hosts.values().filter_map(|host| host.state.known()).flat_map(|it| &it.runners).collect()
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_a_list_lacks_is_found_by_its_id_or_its_name() {
    for is_remembered in [true, false] {
        let (mut fixture, runner, job) = hidden_at_work().await;
        if !is_remembered {
            fixture.restart();
        }
        let world = fixture.look().await;
        let found = seen(&world);
        assert_eq!(found.iter().map(|it| &it.id).collect::<Vec<_>>(), [&runner.id]);
        let received = found[0].log.as_ref().unwrap().received;
        assert_eq!(received.map(|(id, _)| id), Some(job), "its log is read, too");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_on_for_as_long_as_the_list_lacks_its_runner() {
    for is_remembered in [true, false] {
        let (mut fixture, ..) = hidden_at_work().await;
        if !is_remembered {
            fixture.restart();
        }
        let before = fixture.engine().counts();
        for _ in 0..30 {
            fixture.tick().await;
            fixture.pass(10).await;
        }
        assert_eq!(fixture.engine().counts(), before);
    }
}

/// How many of those ticks, ten seconds apart, leave a job's container running.
async fn ticks_until_stopped(fixture: &mut Fixture) -> usize {
    for ticks in 0..40 {
        fixture.tick().await;
        let jobs = fixture.engine().jobs().await.unwrap();
        if !jobs.containers.iter().any(|container| container.running) {
            return ticks;
        }
        fixture.pass(10).await;
    }
    40
}

#[tokio::test(start_paused = true)]
async fn what_a_removed_runners_job_runs_is_stopped_a_minute_after_its_runner_is_gone() {
    let (mut fixture, runner, _) = hidden_at_work().await;
    fixture.engine().remove_by_hand(&runner.id).unwrap();
    let ticks = ticks_until_stopped(&mut fixture).await;
    assert!((6..=8).contains(&ticks), "{ticks}");
}

#[tokio::test(start_paused = true)]
async fn what_a_removed_runners_job_runs_is_stopped_as_soon_as_gitlab_says_that_it_is_over() {
    let (mut fixture, runner, job) = hidden_at_work().await;
    fixture.engine().remove_by_hand(&runner.id).unwrap();
    // Without its record GitLab waits for no runner to end it.
    fixture.gitlab.delete_record_by_hand(runner.record);
    fixture.gitlab.cancel_job(job);
    let ticks = ticks_until_stopped(&mut fixture).await;
    assert!((1..=2).contains(&ticks), "{ticks}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_swept_for_want_of_an_answer() {
    let (mut fixture, runner, _) = hidden_at_work().await;
    fixture.engine().remove_by_hand(&runner.id).unwrap();
    let before = format!("{:?}", fixture.engine().jobs().await);
    for _ in 0..20 {
        // By its id; the name is not asked for then.
        fixture.refuse(Operation::Find);
        fixture.look().await;
        fixture.pass(10).await;
    }
    fixture.refuse(Operation::Find);
    fixture.tick().await;
    assert_eq!(format!("{:?}", fixture.engine().jobs().await), before);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_set_aside_keeps_all_that_it_has() {
    for (label, sweeps_others) in [(None, true), (Some("slot"), true), (Some("system-id"), false)] {
        let mut fixture = Fixture::new(WARM);
        fixture.tick().await;
        fixture.pass(10).await;
        let runner = fixture.runner().await;
        let world = fixture.look().await;
        let other = world.system_id(&host("alpha"), &linux(), Slot(2)).unwrap();
        let left = JobLeftovers {
            version: Version::NEWEST,
            system_id: other.clone(),
            job: JobId(77),
            project: 3,
            running: false,
            reusable: false,
        };
        fixture.engine().add_job_leftovers(&left).unwrap();
        match label {
            None => fixture.engine().say_of_state(&runner.id, Some("stopped")).unwrap(),
            Some(label) => fixture.engine().spoil_label(&runner.id, label).unwrap(),
        }
        fixture.change_spec(|spec| spec.pools[0].max = 1);
        fixture.job(WaitsFor::Runner);
        for _ in 0..12 {
            fixture.tick().await;
            fixture.pass(10).await;
        }
        let left = fixture.engine().jobs().await.unwrap();
        let there = |id: &SystemId| left.volumes.iter().any(|volume| volume.system_id == *id);
        assert_eq!(there(&other), !sweeps_others, "{label:?}");
        let names: Vec<_> = fixture.engine().containers().into_iter().map(|it| it.name).collect();
        assert!(names.contains(&runner.name.to_string()), "{label:?}");
        // It counts against `max`, so no other is made.
        let runners = fixture.engine().containers().into_iter().filter(|it| it.runner.is_some());
        assert_eq!(runners.count(), 1, "{label:?}");
        assert_eq!(fixture.rows(runner.record), [runner.system_id], "{label:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_of_another_gitlab_with_the_same_number_hides_none() {
    let mut fixture = Fixture::new(COLD);
    let jobs = [(); 2].map(|()| fixture.job(WaitsFor::Nobody));
    let left = JobLeftovers {
        version: Version::NEWEST,
        system_id: SystemId::from_observed("r_ofsomebodys"),
        job: jobs[0],
        project: 3,
        running: true,
        reusable: false,
    };
    fixture.engine().add_job_leftovers(&left).unwrap();
    assert_eq!(pending(&fixture.look().await), jobs);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_runners_container_a_person_removed_is_queued_again() {
    let mut fixture = Fixture::new("{linux: {tags: [docker], max: 3, lost_jobs: retry}}");
    let job = fixture.job(WaitsFor::Runner);
    fixture.tick().await;
    fixture.pass(10).await;
    let runner = fixture.runner().await;
    fixture.look().await;
    fixture.engine().remove_by_hand(&runner.id).unwrap();
    for _ in 0..9 {
        fixture.tick().await;
        fixture.pass(10).await;
    }
    assert_eq!(fixture.gitlab.job(job).unwrap().status, Status::Canceled);
    let again = fixture.gitlab.jobs().into_iter().find(|other| other.id > job).unwrap();
    assert!(matches!(again.status, Status::Pending | Status::Running), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_runners_container_a_person_removed_while_nobody_looked_is_told_once() {
    for lost_jobs in ["retry", "report"] {
        let pools = format!("{{linux: {{tags: [docker], max: 3, lost_jobs: {lost_jobs}}}}}");
        let mut fixture = Fixture::new(&pools);
        let job = fixture.job(WaitsFor::Runner);
        fixture.tick().await;
        fixture.pass(10).await;
        fixture.engine().remove_by_hand(&fixture.runner().await.id).unwrap();
        let mut controller = fixture.another();
        let mut told = 0;
        for _ in 0..18 {
            let outcomes = controller.tick().await.outcomes;
            let reaps = outcomes.into_iter().filter(|outcome| {
                matches!(&outcome.decision.action, Action::Reap { lost_job: Some(lost), .. }
                    if lost.id == job && outcome.result.is_ok())
            });
            told += reaps.count();
            fixture.pass(10).await;
        }
        assert_eq!(told, 1, "{lost_jobs}");
        let jobs = fixture.gitlab.jobs();
        let again = jobs.iter().find(|other| other.id > job);
        assert_eq!(again.is_some(), lost_jobs == "retry", "{jobs:?}");
        let left = fixture.engine().jobs().await.unwrap().containers;
        assert!(left.iter().all(|container| container.job != Some(job)), "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_whose_name_was_changed_goes_with_the_last_runner_on_it() {
    let mut fixture = Fixture::new(WARM);
    fixture.tick().await;
    let names = |fixture: &Fixture| -> Vec<String> {
        fixture.engine().networks().into_iter().map(|network| network.name).collect()
    };
    let old = names(&fixture);
    fixture.change_spec(|spec| "another".clone_into(&mut spec.network));
    let mut both = false;
    for _ in 0..60 {
        fixture.tick().await;
        fixture.pass(10).await;
        both |= names(&fixture).len() == 2;
    }
    assert!(both && old.len() == 1, "{old:?}");
    assert_eq!(names(&fixture), ["another"]);
}
