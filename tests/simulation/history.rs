//! One history: first everything may fail and nothing may break a promise, then nothing fails and
//! all that the spec asks for must come about.

use std::time::Duration;

use crate::invariants::{Broken, Moment, REST, Scene, first_broken};
use autogit::sandbox::dice::Dice;

use crate::chaos::{Chaos, Kind};
use crate::edits::Editor;
use crate::hands::Hands;
use crate::knobs::Knobs;
use crate::mutations::Mutation;
use crate::process::Process;
use crate::stage::{Setup, Stage};

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
    let stage = Stage::new(Setup {
        seed: knobs.seed,
        text: knobs.text(),
        hosts: knobs.hosts,
        chaos: Chaos::new(knobs.seed, knobs.rates.clone()),
        page_size: knobs.page_size,
        mutation,
    });
    stage.gitlab().set_runner_token_lifetime(knobs.token_lifetime);
    let [of_gitlab, of_hosts] = knobs.skews;
    stage.gitlab().set_clock_skew(of_gitlab);
    stage.engines().values().for_each(|engine| engine.set_skew(of_hosts));
    let log = stage.recorder().catch_log();
    let mut told = History::new(knobs, stage.clone());
    told.fail().await;
    told.mend().await;
    let rested_after = told.rest(rest_within).await;
    if told.is_broken() {
        told.tell_views();
    }
    for autogit in told.autogits.drain(..) {
        autogit.kill(&stage).await;
    }
    drop(log);
    let mut recorder = stage.recorder();
    let operations = stage.engines().iter().flat_map(|(host, engine)| {
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
    stage: Stage,
    dice: Dice,
    editor: Editor,
    hands: Hands,
    autogits: Vec<Process>,
    /// When those that crashed are started again.
    again: Vec<(u64, String)>,
    lives: u64,
}

impl<'a> History<'a> {
    fn new(knobs: &'a Knobs, stage: Stage) -> Self {
        let mut autogits = vec![Process::start(&stage, "autogit")];
        if knobs.twins {
            stage.recorder().ledger.twins = true;
            autogits.push(Process::start(&stage, "twin"));
        }
        Self {
            knobs,
            stage,
            dice: Dice::new(knobs.seed ^ 0x10ad),
            editor: Editor::new(knobs),
            hands: Hands::default(),
            autogits,
            again: Vec::new(),
            lives: 1,
        }
    }

    /// Everything may fail.
    async fn fail(&mut self) {
        self.stage.chaos().set_active(true);
        let mut arrivals: Vec<u64> =
            (0..self.knobs.jobs).map(|_| self.dice.below(self.knobs.fault_secs)).collect();
        arrivals.sort_unstable();
        for second in 0..self.knobs.fault_secs {
            while arrivals.first().is_some_and(|at| *at <= second) {
                arrivals.remove(0);
                self.job();
            }
            if self.stage.chaos().strikes(Kind::JobWithheld) {
                let tags = self.stage.chaos().pick(Kind::JobWithheld, &["docker", "docs"]);
                self.stage.withheld_job(&tags.into_iter().collect::<Vec<_>>());
            }
            self.hands.work(&self.stage, second);
            self.editor.work(&self.stage);
            if self.stage.chaos().strikes(Kind::Crash) {
                self.crash_one(second).await;
            }
            self.start_again(second);
            let offset = self.stage.chaos().below(Kind::Crash, 1_000);
            self.pass(second, Duration::from_millis(500 + offset)).await;
            if self.is_broken() {
                return;
            }
        }
    }

    /// From here on nothing fails.
    async fn mend(&mut self) {
        self.stage.chaos().set_active(false);
        self.hands.mend_all(&self.stage);
        let stood: Vec<Process> = std::mem::take(&mut self.autogits);
        for autogit in stood {
            if autogit.has_crashed() || !self.autogits.is_empty() {
                autogit.kill(&self.stage).await;
            } else {
                self.autogits.push(autogit);
            }
        }
        if self.autogits.is_empty() {
            self.begin();
        }
        self.stage.end_of_twins();
        self.stage.note("nothing fails any more");
    }

    /// Waits for rest and sees whether it lasts; the seconds that it took.
    async fn rest(&mut self, within: u64) -> u64 {
        let (mut since, mut acted, mut ended, mut jobs) = (None, 0, 0, 0);
        for second in 0.. {
            if self.is_broken() {
                return second;
            }
            let moment = self.pass(second, Duration::from_secs(1)).await;
            let unrest = self.unrest(&moment);
            let jobs_now = moment.jobs.iter().filter(|job| !job.status.is_open()).count();
            if std::mem::replace(&mut jobs, jobs_now) != jobs_now {
                (acted, ended) = (second, second);
            }
            if second - ended > within {
                break;
            }
            acted = if self.stage.recorder().empty_plans == 0 { second } else { acted };
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
        let broken = self.unrest(&self.stage.moment()).unwrap_or(Broken {
            promise: "rest_lasts",
            sentence: "once all is as the spec asks, it stays so",
            how: "it does not".to_owned(),
        });
        self.stage.broke(Some(broken));
        within
    }

    /// What each AutoGit saw last, and says of it.
    fn tell_views(&self) {
        let views: Vec<_> = self.autogits.iter().filter_map(Process::view).collect();
        for view in views {
            for decision in &view.plan.decisions {
                self.stage.note(&format!("plan: {:?}: {}", decision.action, decision.facts));
            }
            for held in &view.plan.held_jobs {
                self.stage.note(&format!("held: job {}: {}", held.job, held.hold));
            }
            for held in &view.plan.held_runners {
                self.stage.note(&format!("held: {}: {}", held.runner, held.hold));
            }
            for record in view.world.records.last().into_iter().flatten() {
                self.stage.note(&format!("saw {record:?}"));
            }
        }
    }

    /// What is not yet as the spec asks.
    fn unrest(&self, moment: &Moment) -> Option<Broken> {
        let recorder = self.stage.recorder();
        if recorder.empty_plans < 2 {
            let how = "it is not".to_owned();
            let sentence = "the plan is empty once all is as the spec asks";
            return Some(Broken { promise: "the_plan_is_empty", sentence, how });
        }
        let scene =
            Scene { moment, ledger: &recorder.ledger, fresh: &[], made_lately: 0, records_made: 0 };
        first_broken(REST, |check| check(&scene))
    }

    fn is_broken(&self) -> bool {
        self.stage.recorder().broken.is_some()
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
        let tags = *self.dice.pick(&tags).unwrap();
        let longest = *self.dice.pick(&[5, 30, 120, 300]).unwrap();
        let seconds = 1 + self.dice.below(longest);
        let fails = self.dice.below(6) == 0;
        self.stage.job(tags, Duration::from_secs(seconds), fails);
    }

    /// Lets time pass; an AutoGit that crashes meanwhile is started again later.
    async fn pass(&mut self, second: u64, time: Duration) -> Moment {
        let (stage, clock) = (self.stage.clone(), self.stage.clock().clone());
        let passes = clock.sleep(time);
        tokio::pin!(passes);
        loop {
            tokio::select! {
                biased;
                () = &mut passes => break,
                () = stage.crash() => self.bury(second).await,
            }
        }
        assert!(!self.autogits.iter().any(Process::has_ended), "AutoGit panicked");
        let moment = stage.check();
        stage.hung().keep(|id| moment.live_runners().any(|(_, runner)| runner.id == *id));
        moment
    }

    /// Ends those that stand still where they crashed.
    async fn bury(&mut self, second: u64) {
        let all = std::mem::take(&mut self.autogits);
        for autogit in all {
            if autogit.has_crashed() {
                autogit.kill(&self.stage).await;
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
        let index = self.stage.chaos().pick(Kind::Crash, &all).unwrap();
        self.autogits.remove(index).kill(&self.stage).await;
        self.schedule(second);
    }

    fn schedule(&mut self, second: u64) {
        self.stage.recorder().watch.forget_starts();
        let wait = self.dice.below(40);
        self.again.push((second + wait, format!("autogit-{}", self.lives)));
        self.lives += 1;
    }

    fn start_again(&mut self, second: u64) {
        let (now, later) =
            std::mem::take(&mut self.again).into_iter().partition(|(at, _)| *at <= second);
        self.again = later;
        let now: Vec<(u64, String)> = now;
        for (_, name) in now {
            self.autogits.push(Process::start(&self.stage, &name));
        }
    }

    fn begin(&mut self) {
        self.again.clear();
        self.autogits.push(Process::start(&self.stage, "autogit at last"));
    }
}
