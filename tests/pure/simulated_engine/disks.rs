//! What takes room on a disk: asked for rarely, and caches go where it is nearly full.

use autogit::cli::{RenderOptions, render_explain};
use autogit::engine::Engine as _;
use autogit::plan::Rule;
use autogit::reconcile::Tick;
use autogit::sandbox::engine::Operation;
use autogit::sandbox::gitlab::WaitsFor;
use autogit::spec::InstanceName;
use autogit::view::{Subject, View};
use autogit::world::{Slot, SystemId};

use crate::simulated_engine::fixture::{Fixture, linux};

const COLD: &str = "{linux: {tags: [docker], max: 6}}";
const GIB: u64 = 1 << 30;

/// A host whose runners may take so many GiB of its disk, and where each volume takes one.
fn limited(gib: u64) -> Fixture {
    let mut fixture = Fixture::new(COLD);
    fixture.change_spec(|spec| {
        let host = spec.hosts.values_mut().next().unwrap();
        host.budget.disk = Some(gib * GIB);
    });
    fixture
}

/// Adds the cache that a job of that slot left.
async fn add_cache(fixture: &Fixture, slot: u32) {
    let engine = fixture.engine().info().await.unwrap();
    let instance = InstanceName::standard();
    let id = SystemId::new(&instance, &engine.id, &linux(), Slot(slot));
    add_volume(fixture, &format!("cache-{slot}"), id.as_str());
}

fn add_volume(fixture: &Fixture, name: &str, system_id: &str) {
    let label =
        |key: &str, value: &str| (format!("com.gitlab.gitlab-runner.{key}"), value.to_owned());
    let labels =
        [label("managed", "true"), label("reusable", "true"), label("runner.system_id", system_id)];
    fixture.engine().add_foreign_volume(name, labels.into());
}

fn names(fixture: &Fixture) -> Vec<String> {
    fixture.engine().volumes().into_iter().map(|volume| volume.name).collect()
}

fn freed(view: &View) -> usize {
    view.plan.decisions.iter().filter(|decision| decision.rule == Rule::FreeDisk).count()
}

fn reasons(tick: &Tick) -> Vec<&str> {
    tick.view.plan.held_jobs.iter().map(|held| held.hold.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_gives_up_its_oldest_cache_and_then_serves_the_job() {
    let mut fixture = limited(4);
    for slot in [3, 2, 1, 0] {
        add_cache(&fixture, slot).await;
        fixture.pass(60).await;
    }
    add_volume(&fixture, "foreign", "r_someoneelse1");
    fixture.job(WaitsFor::Runner);
    let mut controller = fixture.controller().await;
    let tick = controller.tick().await;
    assert_eq!(reasons(&tick), ["disk-full"]);
    let job = tick.view.plan.held_jobs[0].job;
    let told = tick.view.as_seen().explain(&Subject::Job(job), None).unwrap();
    let told = render_explain(&told, &[], &[], &RenderOptions::bare());
    let full = "not started: the disk of host `alpha` is full: ";
    assert!(told.contains(full), "{told}");
    let mut all = 0;
    for _ in 0..6 {
        all += freed(&controller.tick().await.view);
        fixture.pass(10).await;
    }
    assert_eq!(all, 1);
    let left = names(&fixture);
    for (name, stays) in [("cache-3", false), ("cache-2", true), ("foreign", true)] {
        assert_eq!(left.iter().any(|one| one == name), stays, "{name}: {left:?}");
    }
    assert!(!fixture.container_names().is_empty(), "the job has its runner");
}

#[tokio::test(start_paused = true)]
async fn what_an_engine_does_not_measure_holds_up_nothing() {
    let mut fixture = limited(1);
    add_cache(&fixture, 1).await;
    for _ in 0..10 {
        fixture.refuse(Operation::Disk);
    }
    fixture.job(WaitsFor::Runner);
    let mut controller = fixture.controller().await;
    for _ in 0..4 {
        let tick = controller.tick().await;
        assert_eq!(freed(&tick.view), 0);
        let disk = &tick.view.as_seen().status_output().hosts["alpha"].disk;
        assert!(disk.as_ref().unwrap().unknown.is_some(), "{disk:?}");
        fixture.pass(10).await;
    }
    assert!(names(&fixture).contains(&"cache-1".to_owned()));
    assert!(!fixture.container_names().is_empty(), "the job has its runner");
}

#[tokio::test(start_paused = true)]
async fn a_disk_is_measured_rarely_and_only_where_it_is_limited() {
    let asked = |fixture: &Fixture| {
        let history = fixture.engine().operations();
        history.iter().filter(|line| line.ends_with(" disk : ok")).count()
    };
    let mut fixture = Fixture::new(COLD);
    fixture.look().await;
    assert_eq!(asked(&fixture), 0);
    let mut fixture = limited(100);
    for _ in 0..60 {
        fixture.look().await;
        fixture.pass(10).await;
    }
    assert_eq!(asked(&fixture), 2, "in ten minutes");
}
