//! When things happen in a model of a world.

use autogit::model::{Durations, Model};
use autogit::plan::plan;
use autogit::world::{ContainerState, JobId, Look, World};
use jiff::{SignedDuration, Timestamp};

use crate::plan::harness::{Doing, NOW, add_runner, job, look, queue, spec};
use crate::plan::words::{arch_of, spot};

const fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

const DURATIONS: Durations =
    Durations { start: secs(20), pick_up: secs(3), job: secs(300), drain: secs(2) };

fn look_of(pool: &str) -> Look {
    let pool = format!("pools: {{linux: {{tags: [docker], cooldown: 1m, {pool}}}}}");
    look(spec(&pool), |_| arch_of("amd64"))
}

fn model(look: Look) -> Model {
    Model::new(World::of(look), DURATIONS)
}

/// Looks every ten seconds, and does what is to be done, for so long.
fn run(model: &mut Model, seconds: i64) {
    for _ in 0..seconds / 10 {
        let plan = plan(model.world());
        model.apply(&plan);
        model.advance(secs(10));
    }
}

fn after(seconds: i64) -> Timestamp {
    NOW + secs(seconds)
}

fn ended_at(model: &Model) -> Vec<Timestamp> {
    let hosts = model.world().hosts.values().filter_map(|host| host.state.known());
    let states = hosts.flat_map(|host| &host.runners).map(|runner| &runner.state);
    let ended = states.filter_map(|state| match state {
        ContainerState::Exited { finished_at, .. } => Some(*finished_at),
        _ => None,
    });
    ended.collect()
}

#[test]
fn a_job_waits_for_the_start_of_its_runner_and_for_its_poll() {
    let mut model = model(look_of("max: 1"));
    model.expect(job(7, &["docker"], -60), secs(30));
    run(&mut model, 80);
    assert_eq!(model.taken_at(JobId(7)), None);
    run(&mut model, 10);
    assert_eq!(model.taken_at(JobId(7)), Some(after(60 + 20 + 3)));
}

#[test]
fn an_idle_runner_takes_a_job_by_its_next_poll() {
    let mut model = model(look_of("max: 1, warm: 1"));
    run(&mut model, 60);
    model.expect(job(7, &["docker"], -63), secs(30));
    run(&mut model, 10);
    assert_eq!(model.taken_at(JobId(7)), Some(after(63 + 3)));
}

#[test]
fn a_runner_has_one_job_after_the_other_each_as_long_as_it_lasts() {
    let mut look = look_of("max: 1, warm: 1");
    queue(&mut look, vec![job(7, &["docker"], 60), job(8, &["docker"], 50)]);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(5));
    let mut model = model(look);
    model.expect(job(9, &["docker"], -1), secs(40));
    model.expect(job(10, &["docker"], -2), secs(40));
    run(&mut model, 700);
    let taken = [7, 8, 9, 10].map(|id| model.taken_at(JobId(id)));
    assert_eq!(taken, [3, 306, 609, 652].map(|seconds| Some(after(seconds))));
}

#[test]
fn an_idle_runner_exits_soon_after_it_was_asked_and_a_busy_one_as_its_job_ends() {
    for (doing, exits) in [(Doing::Idle(59), 2), (Doing::Busy(40, 5), 300)] {
        let mut look = look_of("enabled: false");
        add_runner(&mut look, &spot("linux/0"), doing);
        let mut model = model(look);
        let mut ended = Vec::new();
        while ended.is_empty() {
            run(&mut model, 10);
            ended = ended_at(&model);
        }
        assert_eq!(ended, [after(exits)], "{doing:?}");
    }
}

#[test]
fn equal_worlds_have_equal_futures() {
    let future = || {
        let mut look = look_of("max: 3");
        let jobs = (1..9).map(|id| job(id, &["docker"], 10 * i64::try_from(id).unwrap()));
        queue(&mut look, jobs.collect());
        let mut model = model(look);
        run(&mut model, 900);
        format!("{:?}", model.world())
    };
    assert_eq!(future(), future());
}
