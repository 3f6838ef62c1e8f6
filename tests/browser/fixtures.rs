//! Worlds to look at.

use std::sync::Arc;

use autogit::spec::{Arch, Credential, Resources, Spec, Warm};
use autogit::view::View;
use autogit::world::JobId;
use jiff::{SignedDuration, Timestamp};

use crate::harness::TOKEN;
use crate::support::world::{Doing, Fixture, NOW};

/// Changes a fixture's spec.
pub(crate) trait With {
    fn with(self, change: impl FnOnce(&mut Spec)) -> Self;
}

impl With for Fixture {
    fn with(mut self, change: impl FnOnce(&mut Spec)) -> Self {
        change(&mut self.spec);
        self
    }
}

/// The same, with a token for the operator.
pub(crate) fn with_token(fixture: Fixture) -> Fixture {
    fixture.with(|spec| spec.api.token = Some(Credential::Value(TOKEN.to_owned().into())))
}

/// Runners and no job: nothing to complain of.
pub(crate) fn calm() -> Fixture {
    Fixture::new()
        .pool("linux", "docker", |_| {})
        .runner("linux", 0, "local", Doing::Busy(40, 75))
        .runner("linux", 1, "local", Doing::Idle(30))
}

/// A working day: each phase once, jobs that are served and jobs that wait.
pub(crate) fn day() -> Fixture {
    let job = |fixture: Fixture, id: u64, project: &str, tags: &[&str], seconds, name: &str| {
        let mut fixture = fixture.job(id, project, tags, seconds);
        fixture.jobs.last_mut().unwrap().name = name.into();
        fixture
    };
    let mut fixture = Fixture::new()
        .host("rack", Arch::Amd64)
        .pool("linux", "docker", |pool| {
            pool.max = 10;
            pool.resources = Some(share(1.0, 2));
        })
        .pool("docs", "docs", |pool| pool.warm = Warm::Count(1))
        .pool("cuda", "cuda", |pool| {
            pool.max = 1;
            pool.resources = Some(share(2.0, 8));
        })
        .runner("linux", 0, "local", Doing::Busy(8781, 391))
        .runner("linux", 1, "local", Doing::Busy(8786, 122))
        .runner("linux", 2, "rack", Doing::Busy(8793, 64))
        .runner("linux", 3, "rack", Doing::Starting(7))
        .runner("linux", 4, "rack", Doing::Busy(8797, 12))
        .runner("linux", 5, "local", Doing::Draining(20))
        .runner("docs", 0, "local", Doing::Idle(95))
        .runner("docs", 1, "local", Doing::Idle(221))
        .runner("cuda", 0, "rack", Doing::Busy(8790, 1884));
    for (id, project, tags, seconds, name) in [
        (8812, "team/app", "cuda", 250, "train"),
        (8815, "team/app", "cuda", 64, "evaluate"),
        (8818, "team/app", "docker", 6, "unit tests"),
        (8819, "team/site", "docker", 5, "lint"),
        (8820, "infra/images", "docker", 3, "build image"),
    ] {
        fixture = job(fixture, id, project, &[tags], seconds, name);
    }
    for (id, name) in [
        (8781, "integration tests"),
        (8786, "package"),
        (8790, "fine-tune"),
        (8793, "unit tests"),
        (8797, "lint"),
    ] {
        fixture.memory.job_facts.get_mut(&JobId(id)).unwrap().name = name.into();
    }
    with_token(fixture)
}

/// What a job may use.
fn share(cpus: f64, gibibytes: u64) -> Resources {
    Resources { cpus: Some(cpus), memory: Some(gibibytes << 30), services: None }
}

/// A day on which a host is away, a newer spec was refused and a job can be taken by nobody.
pub(crate) fn ill() -> View {
    let fixture =
        day().job(8641, "infra/os", &["macos"], 7380).lose_host("rack", 41, "connect timed out");
    let mut view = fixture.view();
    view.spec.pending_fault = Some(FAULT.to_owned());
    view
}

/// A fault as the spec's renderer writes it.
pub(crate) const FAULT: &str = "error: pool `build`: `warm` is 5 but `max` is 2
   ┌─ autogit.yaml:21:11
20 │     max: 2
21 │     warm: ${MAX_IDLE_RUNNERS:-0}
   │           ^^^^^^^^^^^^^^^^^^^^^^ 5, from MAX_IDLE_RUNNERS
   hint: set `max` to at least 5";

/// A thousand runners and ten thousand jobs.
pub(crate) fn big() -> Fixture {
    let mut fixture = Fixture::new();
    for host in 0..20 {
        fixture = fixture.host(&format!("host-{host}"), Arch::Amd64);
    }
    for pool in 0..10 {
        fixture =
            fixture.pool(&format!("pool-{pool}"), &format!("tag-{pool}"), |pool| pool.max = 100);
    }
    for number in 0..1000 {
        let doing = match number % 10 {
            0 => Doing::Idle(30),
            1 => Doing::Starting(5),
            _ => Doing::Busy(100_000 + number, i64::try_from(number).unwrap()),
        };
        let slot = u32::try_from(number / 10).unwrap();
        let host = format!("host-{}", number % 20);
        fixture = fixture.runner(&format!("pool-{}", number % 10), slot, &host, doing);
    }
    for id in 0..10_000 {
        let tag = format!("tag-{}", id % 11);
        let project = format!("group-{}/project-{}", id % 7, id % 41);
        fixture = fixture.job(id, &project, &[&tag], i64::try_from(id % 3600).unwrap());
    }
    fixture
}

/// The same view, as if it had been taken at that time.
pub(crate) fn taken_at(view: View, at: Timestamp) -> View {
    let world = view.world.changed(|look| look.now = at);
    View { world: Arc::new(world), ..view }
}

/// An hour before [`NOW`] with ups and downs, look by look.
pub(crate) fn hour() -> impl Iterator<Item = View> {
    // Up and down once in a period, with some unrest.
    let level = |step: i64, period: i64, most: i64| {
        let phase = (step % period) * 2 - period;
        let unrest = (step / 3 * 7919 % 13) / 6;
        u32::try_from((most + unrest - (most + 1) * phase.abs() / period).max(0)).unwrap()
    };
    (0..240).map(move |step| {
        let mut fixture = Fixture::new().pool("linux", "docker", |pool| pool.max = 12);
        let (busy, idle) = (level(step + 40, 117, 7), level(step + 70, 71, 2));
        for slot in 0..busy {
            fixture = fixture.runner("linux", slot, "local", Doing::Busy(slot.into(), 20));
        }
        for slot in busy..busy + idle {
            fixture = fixture.runner("linux", slot, "local", Doing::Idle(20));
        }
        for id in 0..level(step + 25, 117, 9).saturating_sub(4) {
            fixture = fixture.job(id.into(), "team/app", &["docker"], 10);
        }
        taken_at(fixture.view(), NOW - SignedDuration::from_secs(3600 - step * 15))
    })
}
