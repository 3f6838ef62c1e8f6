//! The loop around the controller: what wakes it, and when it ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use super::{Controller, Tick};
use crate::clock::Clock;
use crate::engine::Wakes;
use crate::lock::locked;
use crate::observe::Ports;
use crate::source::{LoadError, Loaded, Reloaded, SpecSource, Text, Watch};
use crate::spec::{Cache, Spec, Warm};
use crate::view::{SpecInfo, commit_words};
use crate::world::{Host, Prefixes};

/// The next look after one that did something: soon enough to see what came of it.
const AFTER_PROGRESS: Duration = Duration::from_secs(1);

/// Events of an engine come in bursts; one look after the burst sees all of it.
const BURST: Duration = Duration::from_millis(100);

/// The least time from one look to the next one that a wake asks for. Webhooks of a large pipeline
/// come by the hundred; the first is followed at once, and the rest share the look after this gap.
const LOOK_GAP: Duration = Duration::from_millis(250);

/// The least time from one look to the next one that a job's container asks for: short enough to see
/// a pick-up and an end as they happen, long enough for GitLab, which is asked with each look.
const JOB_EVENTS_GAP: Duration = Duration::from_secs(2);

/// When to look again after a push: GitLab makes a pipeline's jobs some time after it tells of the
/// push, and nothing tells when it has.
const AFTER_PUSH: [SignedDuration; 3] =
    [SignedDuration::from_secs(1), SignedDuration::from_secs(2), SignedDuration::from_secs(4)];

/// How often a spec at GitLab is asked for its commit where no webhook tells of a push.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// The least time from one such question to the next, whatever webhooks say.
const ASK_GAP: Duration = Duration::from_secs(1);

/// Why the loop looks before its time. A wake carries no truth: a lost one costs one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Look now.
    Reconcile,
    /// Somebody pushed, or a pipeline changed: look now, and again while its jobs appear.
    Pushed,
    /// Read the spec again, then look.
    Reload,
    /// End, and leave all runners as they are.
    Stop,
}

/// When the loop ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It goes on until it is told to stop.
    Never,
    /// When the plan is empty; jobs are not waited for.
    WhenSettled,
    /// When the plan is empty and no runner is left.
    WhenNothingIsLeft,
}

impl Ending {
    /// Whether the loop ends after that tick, and if so, whether all went well.
    pub(crate) fn reached(self, tick: &Tick) -> Option<bool> {
        let is_left =
            |host: &Host| host.state.last().is_some_and(|state| !state.runners.is_empty());
        match self {
            Self::Never => None,
            Self::WhenSettled if tick.failed() || !tick.known => Some(false),
            Self::WhenSettled => tick.settled.then_some(true),
            Self::WhenNothingIsLeft => {
                let gone = tick.settled && !tick.view.world.hosts.values().any(is_left);
                gone.then_some(true)
            }
        }
    }
}

/// How ports are made for a spec.
pub type Connect = dyn Fn(&Loaded) -> Result<Ports, String> + Send;

/// The controller with the source of its spec.
pub struct Daemon {
    controller: Controller,
    source: SpecSource,
    watch: Watch,
    connect: Box<Connect>,
    clock: Clock,
    watchers: JoinSet<()>,
    /// The spec's text, while GitLab is asked for it.
    reading: JoinSet<Result<Text, LoadError>>,
    /// What came of it, until it is taken up.
    answer: Option<Result<Result<Text, LoadError>, JoinError>>,
    /// When GitLab was last asked for it.
    asked_at: Timestamp,
    /// It is to be asked as soon as it may.
    ask: bool,
    /// When to look again after a push.
    again: Vec<Timestamp>,
    /// Events of runners' containers, and of their jobs'.
    events: (mpsc::Sender<()>, mpsc::Receiver<()>),
    job_events: (mpsc::Sender<()>, mpsc::Receiver<()>),
    /// What our system ids start with, for those who watch the engines.
    prefixes: Arc<Mutex<Prefixes>>,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("controller", &self.controller).finish_non_exhaustive()
    }
}

/// What to say of a spec that was loaded and is in force.
pub fn loaded_info(loaded: &Loaded) -> SpecInfo {
    SpecInfo {
        source: loaded.source.clone(),
        hash: loaded.hash.clone(),
        loaded_at: loaded.loaded_at,
        pending_fault: None,
        commit: loaded.commit.clone(),
        spec: Arc::clone(&loaded.spec),
    }
}

/// What to say of the spec in force, and of the one that is not.
pub fn spec_info(source: &SpecSource) -> SpecInfo {
    let pending_fault = source.fault().map(|fault| fault.text.clone());
    SpecInfo { pending_fault, ..loaded_info(source.loaded()) }
}

impl Daemon {
    /// Connects the ports of the spec in force.
    pub fn new(
        source: SpecSource,
        watch: Watch,
        connect: Box<Connect>,
        clock: Clock,
    ) -> Result<Self, String> {
        let ports = connect(source.loaded())?;
        let controller = Controller::new(ports, clock.clone(), spec_info(&source));
        controller.note_written(&source.loaded().written);
        say_commit(source.loaded());
        let asked_at = clock.now();
        let mut daemon = Self {
            controller,
            source,
            watch,
            connect,
            clock,
            watchers: JoinSet::new(),
            reading: JoinSet::new(),
            answer: None,
            asked_at,
            ask: false,
            again: Vec::new(),
            events: mpsc::channel(1),
            job_events: mpsc::channel(1),
            prefixes: Arc::default(),
        };
        daemon.watch_engines();
        daemon.watch_files();
        Ok(daemon)
    }

    /// The controller.
    pub fn controller(&self) -> &Controller {
        &self.controller
    }

    /// Where its spec comes from.
    pub fn source(&self) -> &SpecSource {
        &self.source
    }

    /// From now on the spec's pools ask for nothing: their runners drain, and no cache is kept. A
    /// spec that is read later counts again.
    pub fn retire(&mut self) {
        let info = spec_info(&self.source);
        let mut spec = Spec::clone(&info.spec);
        for pool in &mut spec.pools {
            (pool.enabled, pool.cache) = (false, Cache::Discard);
        }
        self.controller.adopt(SpecInfo { spec: Arc::new(spec), ..info });
    }

    /// Ticks until it is told to stop, or `ending` says so; whether the last tick went well.
    pub async fn run(&mut self, wakes: &mut mpsc::Receiver<Wake>, ending: Ending) -> bool {
        if ending == Ending::WhenSettled {
            self.controller.look_once();
        }
        loop {
            let mut asked = Asked::default();
            let tick = tokio::select! {
                biased;
                () = stopped(wakes, &mut asked) => return true,
                tick = self.controller.tick() => tick,
            };
            *locked(&self.prefixes) = tick.view.world.prefixes();
            if let Some(fine) = ending.reached(&tick) {
                return fine;
            }
            if !asked.look && !asked.take(self.rest(wakes, &tick).await) {
                return true;
            }
            let gap = self.left_of(LOOK_GAP, &tick);
            tokio::select! {
                biased;
                () = stopped(wakes, &mut asked) => return true,
                () = self.clock.sleep(gap) => {}
            }
            // While webhooks come without a pause nobody rests, and the file is edited all the same.
            asked.reload |= self.watch.changed().now_or_never().is_some();
            if asked.pushed {
                let now = self.clock.now();
                self.again =
                    AFTER_PUSH.iter().filter_map(|after| now.checked_add(*after).ok()).collect();
            }
            // What cannot be read may be refused for a token that was renewed since.
            if self.source.origin().is_remote() {
                self.ask |= asked.reload || asked.pushed;
                self.ask_gitlab();
            } else if asked.reload || !tick.known {
                let read = self.source.origin().read().await;
                self.reload(read);
            }
        }
    }

    /// Takes up the spec that GitLab told, and asks for it again where that is due. No look waits for
    /// the answer.
    fn ask_gitlab(&mut self) {
        match self.answer.take().or_else(|| self.reading.try_join_next()) {
            Some(Ok(read)) => self.reload(read),
            Some(Err(error)) => tracing::error!("reading the spec ended: {error}"),
            None => {}
        }
        let due = self.until_asked().is_zero();
        if due && self.reading.is_empty() {
            (self.ask, self.asked_at) = (false, self.clock.now());
            let origin = self.source.origin().clone();
            self.reading.spawn(async move { origin.read().await });
        }
    }

    /// Time to the next question for the spec's commit; whoever pushed does not wait for long.
    fn until_asked(&self) -> Duration {
        let pause = if self.ask { ASK_GAP } else { ASK_AGAIN };
        let passed = self.clock.now().duration_since(self.asked_at);
        // A clock that was set back must not make this longer.
        pause.saturating_sub(passed.try_into().unwrap_or(pause))
    }

    /// What is missing of that time since the look.
    fn left_of(&self, gap: Duration, tick: &Tick) -> Duration {
        let passed = self.clock.now().duration_since(tick.view.world.now);
        // A clock that was set back must not make this longer.
        gap.saturating_sub(passed.try_into().unwrap_or_default())
    }

    /// Waits for what the next look is for.
    async fn rest(&mut self, wakes: &mut mpsc::Receiver<Wake>, tick: &Tick) -> Wake {
        let interval = self.source.loaded().spec.gitlab.poll_interval;
        let pause = if tick.made_progress() { AFTER_PROGRESS.min(interval) } else { interval };
        let mut pause = pause.min(self.until_again(tick).unwrap_or(interval));
        pause = pause.min(self.until_scheduled(tick).unwrap_or(interval));
        if self.source.origin().is_remote() && self.reading.is_empty() {
            pause = pause.min(self.until_asked());
        }
        let mut until = Box::pin(self.clock.sleep(pause));
        let (mut soon, mut jobs_heard) = (pause <= AFTER_PROGRESS, false);
        loop {
            tokio::select! {
                biased;
                wake = wakes.recv() => return wake.unwrap_or(Wake::Stop),
                () = self.watch.changed() => return Wake::Reload,
                Some(read) = self.reading.join_next() => {
                    self.answer = Some(read);
                    return Wake::Reconcile;
                }
                Some(()) = self.events.1.recv() => {
                    self.clock.sleep(BURST).await;
                    return Wake::Reconcile;
                }
                // Pipelines of short jobs would else make a look of each container.
                Some(()) = self.job_events.1.recv(), if !jobs_heard => {
                    jobs_heard = true;
                    if !soon {
                        until = Box::pin(self.clock.sleep(self.left_of(JOB_EVENTS_GAP, tick)));
                    }
                }
                // What came of it is seen as soon as after a quick one.
                () = self.controller.something_ended(), if !soon => {
                    soon = true;
                    until = Box::pin(self.clock.sleep(AFTER_PROGRESS));
                }
                () = &mut until => return Wake::Reconcile,
            }
        }
    }

    /// Time to the next look that a push asked for; those that a look has served are over.
    fn until_again(&mut self, tick: &Tick) -> Option<Duration> {
        self.again.retain(|at| *at > tick.view.world.now);
        let next = self.again.iter().min()?;
        Some(next.duration_since(self.clock.now()).try_into().unwrap_or_default())
    }

    /// Time to when a schedule keeps another number of idle runners than at the look.
    fn until_scheduled(&self, tick: &Tick) -> Option<Duration> {
        let world = &tick.view.world;
        let changes = world.spec.pools.iter().filter_map(|pool| match &pool.warm {
            Warm::Scheduled(schedule) if pool.enabled => schedule.next(world.now),
            Warm::Scheduled(_) | Warm::Count(_) | Warm::PerArch(_) => None,
        });
        let (next, _) = changes.min()?;
        Some(next.duration_since(self.clock.now()).try_into().unwrap_or_default())
    }

    /// Takes up the spec as it was read again; a file that is not good changes nothing but what is said of it.
    fn reload(&mut self, read: Result<Text, LoadError>) {
        let (mut ports, connect) = (None, &self.connect);
        let reloaded = self.source.reload(read, |loaded| {
            ports = Some(connect(loaded)?);
            Ok(())
        });
        self.watch_files();
        match reloaded {
            Reloaded::Unchanged => {}
            Reloaded::Recovered => {
                tracing::info!("the spec in the file is the one in force again");
                self.controller.adopt(spec_info(&self.source));
            }
            Reloaded::OtherCommit => {
                say_commit(self.source.loaded());
                self.controller.adopt(spec_info(&self.source));
            }
            Reloaded::Refused { fault, repeated } => {
                if !repeated {
                    tracing::error!(
                        "the spec is refused, the last good one stays in force:\n{}",
                        fault.text
                    );
                }
                self.controller.adopt(spec_info(&self.source));
            }
            Reloaded::Changed { diff, after_restart } => {
                self.take_up(ports, &diff, &after_restart);
            }
        }
        self.controller.note_pending(self.source.pending());
    }

    fn take_up(&mut self, ports: Option<Ports>, diff: &[String], after_restart: &[&'static str]) {
        say_commit(self.source.loaded());
        for line in diff {
            tracing::info!("spec: {line}");
        }
        for field in after_restart {
            tracing::warn!("spec: `{field}` takes effect after a restart");
        }
        for warning in &self.source.loaded().warnings {
            tracing::warn!("{warning}");
        }
        if let Some(ports) = ports {
            self.controller.reconnect(ports);
            self.watch_engines();
        }
        self.controller.adopt(spec_info(&self.source));
        self.controller.note_written(&self.source.loaded().written);
    }

    /// A change of any file that the spec was made of is seen.
    fn watch_files(&self) {
        self.watch.follow(self.source.files());
    }

    /// One watcher per engine; events only wake.
    fn watch_engines(&mut self) {
        self.watchers.abort_all();
        let instance = &self.source.loaded().spec.instance;
        let wakes = Wakes::new(instance, self.events.0.clone(), self.job_events.0.clone());
        self.prefixes = Arc::clone(&wakes.prefixes);
        for engine in self.controller.ports().engines.values() {
            let (engine, wakes) = (Arc::clone(engine), wakes.clone());
            self.watchers.spawn(async move { engine.watch(wakes).await });
        }
    }
}

/// Says which commit is in force, where the spec has one.
fn say_commit(loaded: &Loaded) {
    if let Some(commit) = &loaded.commit {
        tracing::info!("spec: {} is in force", commit_words(commit));
    }
}

/// What was asked for since the last look began.
#[derive(Debug, Default)]
struct Asked {
    look: bool,
    pushed: bool,
    reload: bool,
}

impl Asked {
    /// Takes up a wake; `false`: it is the stop.
    fn take(&mut self, wake: Wake) -> bool {
        self.look = true;
        match wake {
            Wake::Reconcile => {}
            Wake::Pushed => self.pushed = true,
            Wake::Reload => self.reload = true,
            Wake::Stop => return false,
        }
        true
    }
}

/// Takes up what is asked for, until the stop.
async fn stopped(wakes: &mut mpsc::Receiver<Wake>, asked: &mut Asked) {
    while let Some(wake) = wakes.recv().await {
        if !asked.take(wake) {
            return;
        }
    }
}
