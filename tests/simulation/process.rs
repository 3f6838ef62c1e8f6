//! An AutoGit that runs: the real controller over ports on which things go wrong. To end it is to
//! drop it wherever it waits, as `kill -9` does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::invariants::{FailedReads, Look, PLANS, Snapshot, first_broken, no_secret_in};
use autogit::gitlab::http::{GitlabSettings, HttpGitlab};
use autogit::observe::Ports;
use autogit::reconcile::{Controller, Tick};
use autogit::spec::{HostName, QueueSource, Spec};
use autogit::view::{SpecInfo, View};
use autogit::world::{Leftover, Observed, RecordId, WorkloadId, World, leftovers};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{Id, JoinHandle, try_id};

use crate::chaos::Kind;
use crate::engine_side::EngineSide;
use crate::gitlab_side::GitlabSide;
use crate::harness::Harness;
use crate::rivals;

/// The loop's own pause after a tick that did something.
const AFTER_PROGRESS: Duration = Duration::from_secs(1);

/// An AutoGit that runs.
#[derive(Debug)]
pub(crate) struct Process {
    task: JoinHandle<()>,
    attempt: Arc<Attempt>,
}

/// What one life of an AutoGit does at the moment.
pub(crate) struct Attempt {
    pub(crate) name: String,
    pub(crate) began: Timestamp,
    state: Mutex<State>,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[derive(Default)]
struct State {
    views: Option<watch::Receiver<Option<Arc<View>>>>,
    /// The task that looks; what it does acts in others.
    looks: Option<Id>,
    reads: FailedReads,
    /// What was published when each task made its first call.
    bases: BTreeMap<Option<Id>, Arc<View>>,
    jobs_read: BTreeSet<HostName>,
    drained: BTreeSet<WorkloadId>,
    made: BTreeSet<WorkloadId>,
    records: BTreeSet<RecordId>,
    crashed: bool,
}

impl Attempt {
    /// While it looks: notes what it could not read.
    pub(crate) fn failed(&self, note: impl FnOnce(&mut FailedReads)) {
        if !self.acts() {
            note(&mut self.state.lock().unwrap().reads);
        }
    }

    /// Who asks does what a plan says.
    pub(crate) fn acts(&self) -> bool {
        self.state.lock().unwrap().looks != try_id()
    }

    /// What it published last.
    pub(crate) fn view(&self) -> Option<Arc<View>> {
        let state = self.state.lock().unwrap();
        state.views.as_ref().and_then(|views| views.borrow().clone())
    }

    /// What was published when the task that asks began: it goes on while others look again.
    pub(crate) fn acts_on(&self) -> Option<Arc<View>> {
        let mut state = self.state.lock().unwrap();
        let view = state.views.as_ref()?.borrow().clone()?;
        Some(Arc::clone(state.bases.entry(try_id()).or_insert(view)))
    }

    /// It has read what jobs made on that host, in this tick.
    pub(crate) fn note_jobs_read(&self, host: &HostName) {
        self.state.lock().unwrap().jobs_read.insert(host.clone());
    }

    /// Whether what jobs made there was read since the runners were.
    pub(crate) fn takes_jobs_read(&self, host: &HostName) -> bool {
        self.state.lock().unwrap().jobs_read.remove(host)
    }

    /// That runner was asked to leave.
    pub(crate) fn note_drained(&self, id: &WorkloadId) {
        self.state.lock().unwrap().drained.insert(id.clone());
    }

    pub(crate) fn has_drained(&self, id: &WorkloadId) -> bool {
        self.state.lock().unwrap().drained.contains(id)
    }

    /// It made that container.
    pub(crate) fn note_made(&self, id: &WorkloadId) {
        self.state.lock().unwrap().made.insert(id.clone());
    }

    pub(crate) fn has_made(&self, id: &WorkloadId) -> bool {
        self.state.lock().unwrap().made.contains(id)
    }

    /// It made that record.
    pub(crate) fn note_record(&self, id: RecordId) {
        self.state.lock().unwrap().records.insert(id);
    }

    pub(crate) fn has_made_record(&self, id: RecordId) -> bool {
        self.state.lock().unwrap().records.contains(&id)
    }

    fn has_crashed(&self) -> bool {
        self.state.lock().unwrap().crashed
    }

    /// What failed of a read that goes on from one look to the next is of both.
    fn begin_tick(&self, waits: &Waits) {
        let mut state = self.state.lock().unwrap();
        state.looks = try_id();
        let before = std::mem::take(&mut state.reads);
        if !waits.hosts.is_empty() {
            state.reads.hosts = before.hosts;
            state.reads.hosts.retain(|host| waits.hosts.contains(host));
            state.reads.logs = before.logs;
            state.reads.unlisted = before.unlisted;
            state.reads.unlisted_jobs = before.unlisted_jobs;
        }
        if waits.records {
            (state.reads.records, state.reads.managers) = (before.records, before.managers);
            state.reads.unread = before.unread;
        }
        if waits.queue {
            (state.reads.queue, state.reads.queue_page) = (before.queue, before.queue_page);
        }
    }

    /// Ends here and now, if that kind of crash strikes.
    pub(crate) async fn may_crash(&self, harness: &Harness, kind: Kind) {
        if self.has_crashed() {
            std::future::pending::<()>().await;
        }
        if harness.chaos().strikes(kind) {
            self.state.lock().unwrap().crashed = true;
            harness.crashed();
            std::future::pending::<()>().await;
        }
    }
}

impl Process {
    /// Starts an AutoGit that knows nothing yet.
    pub(crate) fn start(harness: &Harness, name: &str) -> Self {
        Self::spawn(harness, name, None)
    }

    /// Starts one with a spec of its own, whose looks are not checked.
    pub(crate) fn start_with(harness: &Harness, name: &str, spec: Arc<Spec>) -> Self {
        Self::spawn(harness, name, Some(spec))
    }

    fn spawn(harness: &Harness, name: &str, own: Option<Arc<Spec>>) -> Self {
        let attempt = Arc::new(Attempt {
            name: name.to_owned(),
            began: harness.clock().now(),
            state: Mutex::default(),
        });
        harness.note(&format!("{name}: starts"));
        let (harness, noted) = (harness.clone(), Arc::clone(&attempt));
        let task = match own {
            Some(spec) => tokio::spawn(live_apart(harness, noted, spec)),
            None => tokio::spawn(live(harness, noted)),
        };
        Self { task, attempt }
    }

    /// What it published last.
    pub(crate) fn view(&self) -> Option<Arc<View>> {
        self.attempt.view()
    }

    /// It stands still where it crashed.
    pub(crate) fn has_crashed(&self) -> bool {
        self.attempt.has_crashed()
    }

    /// Ends it wherever it is.
    pub(crate) async fn kill(self, harness: &Harness) {
        self.task.abort();
        let ended = self.task.await;
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
        harness.note(&format!("{}: is gone", self.attempt.name));
    }

    /// Whether it ended by itself, which it never does but by panicking.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

async fn live(harness: Harness, attempt: Arc<Attempt>) {
    let mut spec = harness.wanted();
    let first = ports(&harness, &attempt, &spec);
    let mut controller = Controller::new(first, harness.our_clock(), info(&harness, &spec));
    if let Some(planner) = harness.planner() {
        controller = controller.with_planner(planner);
    }
    harness.takes_up(&spec, &attempt.name);
    attempt.state.lock().unwrap().views = Some(controller.views());
    let mut seen = Seen::default();
    loop {
        let tick = one_tick(&harness, &attempt, &mut controller, &mut seen).await;
        let interval = harness.spec().gitlab.poll_interval;
        let busy = tick.made_progress();
        let mut pause = if busy { AFTER_PROGRESS.min(interval) } else { interval };
        // By a webhook or an event, that may come once more or never.
        if harness.chaos().strikes(Kind::WokenEarly) {
            let whole = u64::try_from(pause.as_millis()).unwrap();
            pause = Duration::from_millis(harness.chaos().below(Kind::WokenEarly, whole));
        }
        let edit = harness.edit();
        if Arc::ptr_eq(&spec, &harness.wanted()) {
            tokio::select! {
                biased;
                () = edit => {}
                () = controller.something_ended() => {
                    harness.clock().sleep(AFTER_PROGRESS.min(pause)).await;
                }
                () = harness.clock().sleep(pause) => {}
            }
        }
        let before = std::mem::replace(&mut spec, harness.wanted());
        if before.hosts != spec.hosts {
            controller.reconnect(ports(&harness, &attempt, &spec));
        }
        controller.adopt(info(&harness, &spec));
        harness.takes_up(&spec, &attempt.name);
    }
}

/// A neighbour with a spec of its own.
async fn live_apart(harness: Harness, attempt: Arc<Attempt>, spec: Arc<Spec>) {
    let ports = ports(&harness, &attempt, &spec);
    let mut controller = Controller::new(ports, harness.our_clock(), info(&harness, &spec));
    attempt.state.lock().unwrap().views = Some(controller.views());
    loop {
        attempt.begin_tick(&Waits::default());
        controller.tick().await;
        harness.clock().sleep(spec.gitlab.poll_interval).await;
    }
}

/// What the looks before this one leave to it.
#[derive(Debug, Default)]
struct Seen {
    /// What they found left over.
    left: BTreeSet<Leftover>,
    /// What still waits for an answer, and the truth when the first look of these began.
    waits: Waits,
    since: Option<Snapshot>,
}

/// Sources that are still being read: what they tell later is from before.
#[derive(Debug, Default, PartialEq, Eq)]
struct Waits {
    hosts: BTreeSet<HostName>,
    records: bool,
    queue: bool,
}

async fn one_tick(
    harness: &Harness,
    attempt: &Attempt,
    controller: &mut Controller,
    seen: &mut Seen,
) -> Tick {
    attempt.begin_tick(&seen.waits);
    harness.begin_tick();
    let before = seen.since.take().unwrap_or_else(|| harness.snapshot());
    let tick = controller.tick().await;
    if attempt.has_crashed() {
        std::future::pending::<()>().await;
    }
    let after = harness.snapshot();
    let world = &tick.view.world;
    let waits = Waits::of(world);
    let mut failed = attempt.state.lock().unwrap().reads.clone();
    // Whatever the slow part of a read is, nothing of it counts yet.
    failed.hosts.extend(waits.hosts.iter().cloned());
    check_tick(harness, attempt, &tick, &seen.left, (&before, &after, &failed));
    seen.left = leftovers(world).into_iter().chain(left_unseen(world, &seen.left)).collect();
    seen.waits = waits;
    seen.since = (seen.waits != Waits::default()).then_some(before);
    tick
}

/// Of what was found left over, that of which this look could not tell.
fn left_unseen(world: &World, left: &BTreeSet<Leftover>) -> BTreeSet<Leftover> {
    let unseen = |leftover: &&Leftover| match leftover {
        Leftover::JobContainer(host, _)
        | Leftover::JobVolume(host, _)
        | Leftover::JobNetwork(host, _)
        | Leftover::KeptImage(host, _) => {
            world.hosts.get(host).is_some_and(|host| host.state.known().is_none())
        }
        Leftover::Network(..) => !world.all_hosts_known(),
        Leftover::Manager(..) | Leftover::Record(_) => {
            world.records.known().is_none() || !world.all_hosts_known()
        }
    };
    left.iter().filter(unseen).cloned().collect()
}

impl Waits {
    fn of(world: &World) -> Self {
        fn waits<T>(source: &Observed<T>) -> bool {
            let Observed::Unknown { error, .. } = source else { return false };
            error.contains("did not answer yet")
        }
        let hosts = world.hosts.iter().filter(|(_, host)| waits(&host.state));
        Self {
            hosts: hosts.map(|(name, _)| name.clone()).collect(),
            records: waits(&world.records),
            queue: waits(&world.queue),
        }
    }
}

type Truth<'a> = (&'a Snapshot, &'a Snapshot, &'a FailedReads);

fn check_tick(
    harness: &Harness,
    attempt: &Attempt,
    tick: &Tick,
    left_before: &BTreeSet<Leftover>,
    (before, after, failed): Truth<'_>,
) {
    let view = &tick.view;
    for outcome in &tick.outcomes {
        let decision = &outcome.decision;
        let result = match &outcome.result {
            Ok(effect) => format!("{effect:?}"),
            Err(error) => error.to_string().replace('\n', " "),
        };
        let what = decision.action.runner().map(ToString::to_string).unwrap_or_default();
        let line =
            format!("{}: {} {what} ({}): {result}", attempt.name, decision.rule, decision.facts);
        harness.note(&line);
    }
    let look = Look {
        view,
        before,
        after,
        failed,
        left_before,
        steady: harness.jumps() == 0,
        alone: !harness.has_twins(),
    };
    harness.broke(first_broken(PLANS, |check| check(&look)));
    rivals::may_start(harness, attempt, &look);
    harness.saw(view);
    harness.check();
    if !tick.outcomes.is_empty() {
        let shown = format!("{:?} {:?}", tick.outcomes, view.plan);
        if let Err(how) = no_secret_in(&harness.secrets(), &shown, "what is shown of a plan") {
            harness.break_promise("no_secret_is_told", "no token is in a plan or an outcome", how);
        }
    }
}

fn info(harness: &Harness, spec: &Arc<Spec>) -> SpecInfo {
    SpecInfo {
        source: "autogit.yaml".to_owned(),
        hash: "simulated".to_owned(),
        loaded_at: harness.clock().now(),
        commit: None,
        pending_fault: None,
        spec: Arc::clone(spec),
    }
}

fn ports(harness: &Harness, attempt: &Arc<Attempt>, spec: &Spec) -> Ports {
    let settings = GitlabSettings {
        url: spec.gitlab.url.clone(),
        token: harness.api_token(),
        registration_token: None,
        instance: spec.instance.clone(),
        queue_source: QueueSource::Auto,
        limits: BTreeSet::new(),
        needs_protection: false,
        instance_records: true,
        makes_records: true,
    };
    let transport = GitlabSide { harness: harness.clone(), attempt: Arc::clone(attempt) };
    let gitlab = HttpGitlab::new(settings, Arc::new(transport), harness.our_clock());
    let side = |host: &HostName| EngineSide::connect(harness, attempt, host);
    let declared = harness.engines().keys().filter(|host| spec.hosts.contains_key(*host));
    let engines = declared.map(|host| (host.clone(), side(host)));
    Ports { gitlab: Arc::new(gitlab), engines: engines.collect() }
}
