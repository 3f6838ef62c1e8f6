//! One history: first everything may fail and nothing may break a promise, then nothing fails and
//! all that the spec asks for must come about.

use std::time::Duration;

use crate::invariants::{Broken, Fixture, REST, Snapshot, first_broken};
use autogit::sandbox::rng::Rng;

use crate::chaos::{Chaos, Kind};
use crate::edits::Editor;
use crate::harness::{Harness, Setup};
use crate::knobs::Knobs;
use crate::mutations::Mutation;
use crate::process::Process;
use crate::tamper::Tampering;

/// Seconds within which all is at rest once nothing fails any more and the last job ended. The
/// longest waits in a row: a name that is taken (10 min) or a variant that backs off (12.5 min),
/// then a job (5 min), a runner's sleep after a refusal (5 min) and the cooldown (3 min).
const REST_WITHIN: u64 = 40 * 60;
/// Seconds without any action or job's end after which it is never reached: no single wait is
/// longer.
const STALLED: u64 = 15 * 60;
/// Seconds for which all must stay as it is then.
const STAYS: u64 = 90;

/// What came of a history.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) broken: Option<Broken>,
    pub(crate) lines: Vec<String>,
    pub(crate) ticks: u64,
    /// Seconds from the end of the faults to rest.
    pub(crate) rested_after: u64,
}

/// Lets the history of these knobs happen.
pub(crate) fn happen(knobs: &Knobs) -> Outcome {
    happen_within(knobs, None, REST_WITHIN)
}

/// The same with a deliberate bug, and with so many seconds to come to rest.
pub(crate) fn happen_within(
    knobs: &Knobs,
    mutation: Option<&'static Mutation>,
    rest_within: u64,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(history(knobs, mutation, rest_within))
}

async fn history(knobs: &Knobs, mutation: Option<&'static Mutation>, rest_within: u64) -> Outcome {
    let harness = Harness::new(Setup {
        seed: knobs.seed,
        text: knobs.text(),
        hosts: knobs.hosts,
        spare: &[],
        chaos: Chaos::new(knobs.seed, knobs.rates.clone()),
        page_size: knobs.page_size,
        mutation,
    });
    harness.gitlab().set_runner_token_lifetime(knobs.token_lifetime);
    let [of_gitlab, of_hosts] = knobs.skews;
    harness.gitlab().set_clock_skew(of_gitlab);
    harness.engines().values().for_each(|engine| engine.set_skew(of_hosts));
    let log = harness.recorder().catch_log();
    let mut told = History::new(knobs, harness.clone());
    told.fail().await;
    told.mend().await;
    let rested_after = told.rest(rest_within).await;
    if told.is_broken() {
        told.tell_views();
    }
    for autogit in told.autogits.drain(..) {
        autogit.kill(&harness).await;
    }
    drop(log);
    let mut recorder = harness.recorder();
    let operations = harness.engines().iter().flat_map(|(host, engine)| {
        engine.operations().into_iter().map(move |line| format!("{host}: {line}"))
    });
    let mut lines = std::mem::take(&mut recorder.lines);
    let broken = recorder.broken.clone();
    if broken.is_none() {
        lines.extend(operations);
    }
    Outcome { broken, lines, ticks: recorder.ticks, rested_after }
}

struct History<'a> {
    knobs: &'a Knobs,
    harness: Harness,
    rng: Rng,
    editor: Editor,
    hands: Tampering,
    autogits: Vec<Process>,
    /// When those that crashed are started again.
    again: Vec<(u64, String)>,
    lives: u64,
}

impl<'a> History<'a> {
    fn new(knobs: &'a Knobs, harness: Harness) -> Self {
        let mut autogits = vec![Process::start(&harness, "autogit")];
        if knobs.twins {
            harness.recorder().injected.twins = true;
            autogits.push(Process::start(&harness, "twin"));
        }
        Self {
            knobs,
            harness,
            rng: Rng::new(knobs.seed ^ 0x10ad),
            editor: Editor::new(knobs),
            hands: Tampering::default(),
            autogits,
            again: Vec::new(),
            lives: 1,
        }
    }

    /// Everything may fail.
    async fn fail(&mut self) {
        self.harness.chaos().set_active(true);
        let mut arrivals: Vec<u64> =
            (0..self.knobs.jobs).map(|_| self.rng.below(self.knobs.fault_secs)).collect();
        arrivals.sort_unstable();
        for second in 0..self.knobs.fault_secs {
            while arrivals.first().is_some_and(|at| *at <= second) {
                arrivals.remove(0);
                self.job();
            }
            if self.harness.chaos().strikes(Kind::JobWithheld) {
                let tags = self.harness.chaos().pick(Kind::JobWithheld, &["docker", "docs"]);
                self.harness.withheld_job(&tags.into_iter().collect::<Vec<_>>());
            }
            self.hands.work(&self.harness, second);
            self.editor.work(&self.harness);
            if self.harness.chaos().strikes(Kind::Crash) {
                self.crash_one(second).await;
            }
            self.start_again(second);
            let offset = self.harness.chaos().below(Kind::Crash, 1_000);
            self.pass(second, Duration::from_millis(500 + offset)).await;
            if self.is_broken() {
                return;
            }
        }
    }

    /// From here on nothing fails.
    async fn mend(&mut self) {
        self.harness.chaos().set_active(false);
        self.hands.mend_all(&self.harness);
        self.editor.end_maintenance(&self.harness);
        let stood: Vec<Process> = std::mem::take(&mut self.autogits);
        for autogit in stood {
            if autogit.has_crashed() || !self.autogits.is_empty() {
                autogit.kill(&self.harness).await;
            } else {
                self.autogits.push(autogit);
            }
        }
        if self.autogits.is_empty() {
            self.begin();
        }
        self.harness.end_of_twins();
        self.harness.note("nothing fails any more");
    }

    /// Waits for rest and sees whether it lasts; the seconds that it took.
    async fn rest(&mut self, within: u64) -> u64 {
        let (mut since, mut acted, mut ended, mut jobs) = (None, 0, 0, 0);
        for second in 0.. {
            if self.is_broken() {
                return second;
            }
            let snapshot = self.pass(second, Duration::from_secs(1)).await;
            let unrest = self.unrest(&snapshot);
            let jobs_now = snapshot.jobs.iter().filter(|job| !job.status.is_open()).count();
            if std::mem::replace(&mut jobs, jobs_now) != jobs_now {
                (acted, ended) = (second, second);
            }
            if second - ended > within {
                break;
            }
            acted = if self.harness.recorder().empty_plans == 0 { second } else { acted };
            if unrest.is_some() && second > acted + STALLED {
                break;
            }
            match (unrest.is_none(), since) {
                (true, Some(began)) if second - began >= STAYS => return began,
                (true, None) => since = Some(second),
                (true, Some(_)) => {}
                (false, _) => since = None,
            }
        }
        let broken = self.unrest(&self.harness.snapshot()).unwrap_or(Broken {
            promise: "rest_lasts",
            sentence: "once all is as the spec asks, it stays so",
            how: "it does not".to_owned(),
        });
        self.harness.broke(Some(broken));
        within
    }

    /// What each AutoGit saw last, and says of it.
    fn tell_views(&self) {
        let views: Vec<_> = self.autogits.iter().filter_map(Process::view).collect();
        for view in views {
            for decision in &view.plan.decisions {
                self.harness.note(&format!("plan: {:?}: {}", decision.action, decision.facts));
            }
            for held in &view.plan.held_jobs {
                self.harness.note(&format!("held: job {}: {}", held.job, held.hold));
            }
            for held in &view.plan.held_runners {
                self.harness.note(&format!("held: {}: {}", held.runner, held.hold));
            }
            for record in view.world.records.last().into_iter().flatten() {
                self.harness.note(&format!("saw {record:?}"));
            }
        }
    }

    /// What is not yet as the spec asks.
    fn unrest(&self, snapshot: &Snapshot) -> Option<Broken> {
        let recorder = self.harness.recorder();
        if recorder.empty_plans < 2 {
            let how = "it is not".to_owned();
            let sentence = "the plan is empty once all is as the spec asks";
            return Some(Broken { promise: "the_plan_is_empty", sentence, how });
        }
        let fixture = Fixture {
            snapshot,
            injected: &recorder.injected,
            fresh: &[],
            made_lately: 0,
            records_made: 0,
        };
        first_broken(REST, |check| check(&fixture))
    }

    fn is_broken(&self) -> bool {
        self.harness.recorder().broken.is_some()
    }

    fn job(&mut self) {
        let tags: [&[&str]; 8] = [
            &["docker"],
            &["docker"],
            &["docker", "build"],
            &["build"],
            &["docs"],
            &["more"],
            &[],
            &["windows"],
        ];
        let tags = *self.rng.pick(&tags).unwrap();
        let longest = *self.rng.pick(&[5, 30, 120, 300]).unwrap();
        let seconds = 1 + self.rng.below(longest);
        let fails = self.rng.below(6) == 0;
        self.harness.job(tags, Duration::from_secs(seconds), fails);
    }

    /// Lets time pass; an AutoGit that crashes meanwhile is started again later.
    async fn pass(&mut self, second: u64, time: Duration) -> Snapshot {
        let (harness, clock) = (self.harness.clone(), self.harness.clock().clone());
        let passes = clock.sleep(time);
        tokio::pin!(passes);
        loop {
            tokio::select! {
                biased;
                () = &mut passes => break,
                () = harness.crash() => self.bury(second).await,
            }
        }
        assert!(!self.autogits.iter().any(Process::has_ended), "AutoGit panicked");
        let snapshot = harness.check();
        harness.hung().keep(|id| snapshot.live_runners().any(|(_, runner)| runner.id == *id));
        snapshot
    }

    /// Ends those that stand still where they crashed.
    async fn bury(&mut self, second: u64) {
        let all = std::mem::take(&mut self.autogits);
        for autogit in all {
            if autogit.has_crashed() {
                autogit.kill(&self.harness).await;
                self.schedule(second);
            } else {
                self.autogits.push(autogit);
            }
        }
    }

    async fn crash_one(&mut self, second: u64) {
        if self.autogits.is_empty() {
            return;
        }
        let all: Vec<usize> = (0..self.autogits.len()).collect();
        let index = self.harness.chaos().pick(Kind::Crash, &all).unwrap();
        self.autogits.remove(index).kill(&self.harness).await;
        self.schedule(second);
    }

    fn schedule(&mut self, second: u64) {
        self.harness.recorder().watch.forget_starts();
        let wait = self.rng.below(40);
        self.again.push((second + wait, format!("autogit-{}", self.lives)));
        self.lives += 1;
    }

    fn start_again(&mut self, second: u64) {
        let (now, later) =
            std::mem::take(&mut self.again).into_iter().partition(|(at, _)| *at <= second);
        self.again = later;
        let now: Vec<(u64, String)> = now;
        for (_, name) in now {
            self.autogits.push(Process::start(&self.harness, &name));
        }
    }

    fn begin(&mut self) {
        self.again.clear();
        self.autogits.push(Process::start(&self.harness, "autogit at last"));
    }
}
