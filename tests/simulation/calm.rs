//! Histories in which nothing fails but what each of them names.

mod brakes;
mod changes;
mod demand;
mod failures;
mod flood;
mod hosts;
mod identity;
mod lives;
mod neighbours;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::invariants::{Fixture, REST, Snapshot, first_broken};
use autogit::plan::JobHold;
use autogit::sandbox::gitlab::Status;
use autogit::world::{ContainerState, JobId, Runner, SystemId};
use tracing::subscriber::DefaultGuard;

use crate::chaos::Chaos;
use crate::harness::{Harness, Setup};
use crate::process::Process;

/// Two pools that differ in all that matters here.
pub(crate) const TWO_POOLS: &str = "
  linux: {tags: [docker], max: 3, cooldown: 30s}
  build: {tags: [docker, build], max: 2, cooldown: 10s, cache: discard}
";

/// A spec of one host and these pools.
pub(crate) fn spec_of(pools: &str) -> String {
    format!(
        "gitlab: {{url: http://gitlab.sim, token: glpat-of-the-spec}}
hosts:
  alpha: {{docker: unix:///run/alpha.sock, budget: {{runners: 8}}}}
defaults: {{runner_image: {image}}}
pools:{pools}",
        image = crate::harness::IMAGE
    )
}

/// A calm history with one AutoGit.
struct Calm {
    harness: Harness,
    autogit: Option<Process>,
    _log: DefaultGuard,
}

impl Calm {
    /// Begins with these pools.
    fn of(pools: &str) -> Self {
        Self::paged(pools, None)
    }

    /// Begins with these pools, and with pages of lists that are so short.
    fn paged(pools: &str, page_size: Option<u64>) -> Self {
        Self::begin(Setup { page_size, ..Self::setup(&["alpha"], pools) })
    }

    /// Begins on these hosts.
    fn on(hosts: &'static [&'static str], pools: &str) -> Self {
        Self::begin(Self::setup(hosts, pools))
    }

    fn setup(hosts: &'static [&'static str], pools: &str) -> Setup {
        Setup {
            seed: 1,
            text: spec_of(pools),
            hosts,
            spare: &[],
            chaos: Chaos::new(1, BTreeMap::new()),
            page_size: None,
            mutation: None,
        }
    }

    fn begin(setup: Setup) -> Self {
        let harness = Harness::new(setup);
        let log = harness.recorder().catch_log();
        let autogit = Some(Process::start(&harness, "autogit"));
        Self { harness, autogit, _log: log }
    }

    fn write(&self, pools: &str) {
        assert!(self.harness.write_spec(&spec_of(pools)), "{pools}");
    }

    /// Queues a job that succeeds after so many seconds.
    fn job(&self, tags: &[&str], seconds: u64) -> JobId {
        self.harness.job(tags, Duration::from_secs(seconds), false)
    }

    fn status(&self, job: JobId) -> Status {
        self.harness.gitlab().job(job).unwrap().status
    }

    /// Lets a second pass, and looks.
    async fn second(&self) -> Snapshot {
        self.harness.clock().sleep(Duration::from_secs(1)).await;
        let snapshot = self.harness.check();
        let recorder = self.harness.recorder();
        if let Some(broken) = &recorder.broken {
            panic!("{broken}\n{}", recorder.lines.join("\n"));
        }
        drop(recorder);
        let ended = self.autogit.as_ref().is_some_and(Process::has_ended);
        assert!(!ended, "AutoGit panicked\n{}", self.told());
        snapshot
    }

    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.second().await;
        }
    }

    /// Lets time pass until `reached`, for so many seconds at most.
    async fn until(&self, seconds: u64, what: &str, reached: impl Fn(&Snapshot) -> bool) {
        for _ in 0..seconds {
            if reached(&self.second().await) {
                return;
            }
        }
        panic!("not within {seconds} s: {what}\n{}", self.told());
    }

    /// Sees to it that jobs wait for a runner.
    fn feed(&self) {
        while self.harness.gitlab().pending().len() < 4 {
            self.job(&["docker"], 20);
        }
    }

    /// The same as [`Self::until`], while jobs keep coming.
    async fn under_load(&self, seconds: u64, what: &str, reached: impl Fn(&Snapshot) -> bool) {
        for _ in 0..seconds {
            self.feed();
            if reached(&self.second().await) {
                return;
            }
        }
        panic!("not within {seconds} s of load: {what}\n{}", self.told());
    }

    /// Who runs that job.
    fn runner_of(&self, job: JobId) -> SystemId {
        self.harness.gitlab().job(job).unwrap().system_id.unwrap()
    }

    async fn until_runs(&self, job: JobId) {
        self.until(60, "the job runs", |_| self.status(job) == Status::Running).await;
    }

    async fn until_succeeds(&self, job: JobId, seconds: u64) {
        self.until(seconds, "the job succeeds", |_| self.status(job) == Status::Success).await;
    }

    /// Lets time pass until all is as the spec asks, and makes sure that it stays so.
    async fn until_at_rest(&self, seconds: u64) {
        let unrest = || {
            let snapshot = self.harness.snapshot();
            let injected = self.harness.injected();
            let fixture = Fixture {
                snapshot: &snapshot,
                injected: &injected,
                fresh: &[],
                made_lately: 0,
                records_made: 0,
            };
            first_broken(REST, |check| check(&fixture))
        };
        for _ in 0..seconds {
            self.second().await;
            if unrest().is_none() && self.harness.recorder().empty_plans > 1 {
                self.pass(60).await;
                assert_eq!(unrest(), None, "{}", self.told());
                assert!(self.harness.recorder().empty_plans > 5, "{}", self.told());
                return;
            }
        }
        panic!("no rest within {seconds} s: {:?}\n{}", unrest(), self.told());
    }

    fn told(&self) -> String {
        self.harness.recorder().lines.join("\n")
    }

    /// Ends AutoGit wherever it is.
    async fn kill(&mut self) {
        self.autogit.take().unwrap().kill(&self.harness).await;
        self.harness.recorder().watch.forget_starts();
    }

    async fn restart(&mut self) {
        self.kill().await;
        self.begin_again();
    }

    /// Starts AutoGit after it was killed.
    fn begin_again(&mut self) {
        self.autogit = Some(Process::start(&self.harness, "autogit again"));
    }

    fn runners(&self) -> Vec<Runner> {
        self.harness.snapshot().runners().map(|(_, runner)| runner.clone()).collect()
    }

    fn engine(&self) -> &autogit::sandbox::engine::SimulatedEngine {
        self.harness.engines().values().next().unwrap()
    }

    /// Why a job is held, in the words of the newest log and view.
    fn hold(&self, job: JobId) -> Option<JobHold> {
        let view = self.harness.recorder().view.clone()?;
        let held = view.plan.held_jobs.iter().find(|held| held.job == job)?;
        Some(JobHold::clone(&held.hold))
    }
}

fn running(snapshot: &Snapshot) -> usize {
    let runs = |runner: &Runner| matches!(runner.state, ContainerState::Running { .. });
    snapshot.runners().filter(|(_, runner)| runs(runner)).count()
}
