//! The loop: wake, reload, observe, plan, apply, publish.
//!
//! Level-triggered: each tick decides again from a fresh look, so nothing is lost with a wake-up,
//! a crash or a failed action. One task owns all state; others read the published [`View`].

mod daemon;
mod drains;
mod efforts;
mod history;
mod journal;
mod machines;
mod metrics;
mod neighbours;
mod outcome_memory;
mod polls;
mod token_end;
mod trend;

pub use daemon::{Connect, Daemon, Ending, Wake, loaded_info, spec_info};
pub use drains::Drains;
pub use history::{Event, EventId, History, Missed};
pub use metrics::{
    BearerRefusal, Described, Exposition, Measured, Metrics, Requests, WebhookEvent, WebhookRefusal,
};
pub use trend::Trend;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::apply::{Effect, Outcome, Work};
use crate::clock::Clock;
use crate::gitlab::Renamed;
use crate::observe::{Observer, Ports};
use crate::plan::{Action, Plan, plan};
use crate::source::{Pending, Written};
use crate::spec::{HostName, Spec};
use crate::tokens::Tokens;
use crate::view::{EventOutput, FailureOutput, SpecInfo, View, decision_output};
use crate::world::{Deed, Leftover, Memory, OwnRecords, World};

/// How long a tick stays with the actions that it began: most are over by then, and their effect is
/// told at once. No look is late for it.
const A_MOMENT: Duration = Duration::from_millis(250);

/// What decides. It is [`plan`] wherever AutoGit runs; the simulation also plans wrongly on
/// purpose, to see that it is noticed.
pub type Planner = fn(&World) -> Plan;

/// Observes, plans and applies, tick by tick.
#[derive(Debug)]
pub struct Controller {
    ports: Ports,
    planner: Planner,
    clock: Clock,
    info: SpecInfo,
    observer: Observer,
    memory: Memory,
    tokens: Tokens,
    journal: journal::Journal,
    views: watch::Sender<Option<Arc<View>>>,
    history: History,
    trend: Trend,
    drains: Drains,
    metrics: Metrics,
    in_force: watch::Sender<InForce>,
    work: Work,
    /// Actions on hosts that ended, until a read of the host that began later is over.
    ended: BTreeMap<Deed, (HostName, Timestamp)>,
    polls: polls::Polls,
    token_end: token_end::TokenEnd,
    machines: machines::Machines,
}

/// The spec in force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The spec.
    pub spec: Arc<Spec>,
    /// How it was written; none where it comes from no file.
    pub written: Option<Arc<Written>>,
    /// What the file says otherwise.
    pub pending: Arc<Pending>,
}

impl InForce {
    /// A spec that comes from no file.
    pub fn of(spec: &Arc<Spec>) -> Self {
        Self { spec: Arc::clone(spec), written: None, pending: Arc::default() }
    }
}

/// What others may see of the loop and ask of it: none of it makes the loop wait.
#[derive(Debug, Clone)]
pub struct LoopHandle {
    /// The newest view, as ticks publish it.
    pub views: watch::Receiver<Option<Arc<View>>>,
    /// The recent events.
    pub history: History,
    /// The last hour in numbers.
    pub trend: Trend,
    /// Runners that shall drain.
    pub drains: Drains,
    /// What is counted and measured.
    pub metrics: Metrics,
    /// The spec in force, from before the first look on.
    pub in_force: watch::Receiver<InForce>,
}

/// What one tick did.
#[derive(Debug)]
pub struct Tick {
    /// What was seen and planned.
    pub view: Arc<View>,
    /// What came of it.
    pub outcomes: Vec<Outcome>,
    /// All sources could be read.
    pub known: bool,
    /// The plan was empty, everything could be read, and nothing waits for a second look.
    pub settled: bool,
}

impl Tick {
    /// Something was done for the first time, and nothing that was not done before failed: the next
    /// look is worth taking soon.
    pub fn made_progress(&self) -> bool {
        let done = |outcome: &Outcome| matches!(outcome.result, Ok(ref effect) if !matches!(effect, Effect::Skipped(_) | Effect::Pending));
        let telling = self.outcomes.iter().filter(|outcome| !is_row(outcome));
        let mut telling = telling.filter(|outcome| !outcome.repeated).peekable();
        telling.peek().is_some() && telling.all(done)
    }

    /// A decision could not be carried out.
    pub fn failed(&self) -> bool {
        self.outcomes.iter().any(|outcome| outcome.result.is_err())
    }
}

impl Controller {
    /// Has looked at nothing yet.
    pub fn new(ports: Ports, clock: Clock, info: SpecInfo) -> Self {
        let cache = info.spec.gitlab.token_cache.as_deref();
        Self {
            observer: Observer::new(clock.clone()),
            memory: Memory::begun(clock.now()),
            tokens: Tokens::new(&info.spec.instance, cache),
            journal: journal::Journal::default(),
            views: watch::Sender::new(None),
            history: History::new(clock.now()),
            trend: Trend::default(),
            drains: Drains::default(),
            metrics: Metrics::default(),
            in_force: watch::Sender::new(InForce::of(&info.spec)),
            work: Work::default(),
            ended: BTreeMap::new(),
            polls: polls::Polls::default(),
            token_end: token_end::TokenEnd::default(),
            machines: machines::Machines::default(),
            ports,
            planner: plan,
            clock,
            info,
        }
    }

    /// Decides by `planner` instead.
    #[must_use]
    pub fn with_planner(self, planner: Planner) -> Self {
        Self { planner, ..self }
    }

    /// The newest view, as ticks publish it.
    pub fn views(&self) -> watch::Receiver<Option<Arc<View>>> {
        self.views.subscribe()
    }

    /// What the API shows of this loop and asks of it.
    pub fn handle(&self) -> LoopHandle {
        LoopHandle {
            views: self.views.subscribe(),
            history: self.history.clone(),
            trend: self.trend.clone(),
            drains: self.drains.clone(),
            metrics: self.metrics.clone(),
            in_force: self.in_force.subscribe(),
        }
    }

    /// The ports in use.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Another AutoGit of this instance runs on this machine and remembers tokens that this process
    /// does not see: takes each record's token as being at hand. For looking only.
    pub fn look_beside_another(&mut self) {
        self.tokens.are_elsewhere();
    }

    /// Looks with what another AutoGit of this instance remembers. For looking only.
    pub fn borrow_memory(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// This process only looks, and an AutoGit elsewhere may have tokens that it does not see.
    pub fn look_only(&mut self) {
        self.tokens.are_assumed();
    }

    /// The last look found something left over, which a second look may confirm.
    pub fn saw_leftovers(&self) -> bool {
        !self.memory.leftovers.is_empty()
    }

    /// Uses other ports from now on: the spec reaches GitLab or a host in another way. Hosts that it
    /// does not have any more stay until nothing of ours is left there.
    pub fn reconnect(&mut self, mut ports: Ports) {
        if ports.gitlab.url() == self.ports.gitlab.url() {
            let made = self.memory.own_records.made.iter();
            ports.gitlab.made_before(&made.map(|(id, made)| (*id, made.at)).collect());
            self.observer.reconnect();
        } else {
            self.memory.own_records = OwnRecords::begun(self.clock.now());
            self.tokens.forget_given();
            self.memory.over.clear();
            self.memory.job_facts.clear();
            self.observer.reconnect_to_another();
        }
        for (name, engine) in std::mem::take(&mut self.ports.engines) {
            ports.engines.entry(name).or_insert(engine);
        }
        self.ports = ports;
    }

    /// Takes up a spec, or what is now said of the one in force.
    pub fn adopt(&mut self, info: SpecInfo) {
        if !Arc::ptr_eq(&info.spec, &self.info.spec) {
            let cache = info.spec.gitlab.token_cache.as_deref();
            self.tokens.move_cache(&info.spec.instance, cache);
            // What failed under the old spec may work under the new one.
            self.memory.backoffs.clear();
            self.memory.networks.clear();
            self.memory.unkept.clear();
        }
        self.in_force.send_modify(|in_force| in_force.spec = Arc::clone(&info.spec));
        self.info = info;
    }

    /// Takes up how the spec in force was written.
    pub fn note_written(&self, written: &Arc<Written>) {
        self.in_force.send_modify(|in_force| in_force.written = Some(Arc::clone(written)));
    }

    /// Takes up what the file says otherwise than the spec in force.
    pub fn note_pending(&self, pending: &Arc<Pending>) {
        self.in_force.send_modify(|in_force| in_force.pending = Arc::clone(pending));
    }

    /// Observes and plans; changes nothing.
    pub async fn look(&mut self) -> View {
        self.look_once();
        let before = self.ports.gitlab.requests();
        let world = self.observe().await;
        let plan = (self.planner)(&world);
        self.view(world, plan, before)
    }

    /// Observes, plans, publishes and begins what is decided. What takes longer than a moment goes on
    /// while the loop looks again; what came of it is told by the tick after it ended.
    pub async fn tick(&mut self) -> Tick {
        let began = self.clock.now();
        let before = self.ports.gitlab.requests();
        let mut outcomes = self.collect();
        self.ended.retain(|_, (host, at)| {
            // What that read shows may be from before.
            self.observer.reads_since(host).is_some_and(|began| began <= *at)
        });
        self.memory.under_way = self.work.under_way();
        let ended = self.ended.iter().map(|(deed, (_, at))| (deed.clone(), *at));
        self.memory.under_way.extend(ended);
        self.memory.asked = self.drains.asked();
        let world = self.observe().await;
        self.drains.settle(&world);
        let plan = (self.planner)(&world);
        let view = Arc::new(self.view(world, plan, before));
        outcome_memory::begun(&mut self.memory, &view.plan, view.world.now);
        efforts::note(&mut self.memory, &view.plan, view.world.now);
        self.journal.say_view(&view);
        self.token_end.say(self.observer.server(), view.world.now);
        self.publish(&view);
        let now = self.clock.now();
        self.work.begin(&self.ports, &view.world, &view.plan, &mut self.tokens, now);
        tokio::select! {
            biased;
            () = self.work.all_ended() => {}
            () = self.clock.sleep(A_MOMENT) => {}
        }
        outcomes.extend(self.collect());
        self.polls.end(&self.ports, &view.world, &self.memory);
        machines::forget_left(&mut self.ports.engines, &view.world);
        let measured = Measured {
            took: self.clock.now().duration_since(began),
            requests: self.ports.gitlab.requests_by(),
            token_ends: self.observer.token_ends(),
        };
        self.metrics.observe(&view, &outcomes, measured);
        let known = is_known(&view.world);
        let settled = known
            && outcomes.is_empty()
            && view.plan.is_empty()
            && self.work.is_idle()
            && self.memory.leftovers.is_subset(&view.world.memory.leftovers);
        Tick { view, outcomes, known, settled }
    }

    /// Waits until something that is under way ends, an action or a read; for ever where nothing is.
    pub async fn something_ended(&mut self) {
        tokio::select! {
            biased;
            () = self.work.one_ended() => {}
            () = self.observer.read_over() => {}
        }
    }

    /// There is no look after the next ones: they wait for what takes long.
    pub fn look_once(&mut self) {
        self.observer.look_once();
    }

    /// Takes up what came of the actions that ended.
    fn collect(&mut self) -> Vec<Outcome> {
        let outcomes = self.work.collect(&self.ports, &mut self.tokens);
        let failures = self.journal.say_outcomes(&outcomes).into_iter().filter_map(failure);
        self.history.add(self.clock.now(), failures.collect());
        let now = self.clock.now();
        outcome_memory::outcomes(&mut self.memory, &outcomes, &self.info.spec, now);
        let actions = outcomes.iter().map(|outcome| &outcome.decision.action);
        let on_hosts =
            actions.filter_map(|action| Some((action.deed(), (action.host()?.clone(), now))));
        self.ended.extend(on_hosts);
        if outcomes.iter().any(|outcome| outcome.decision.action.host().is_none()) {
            self.observer.gitlab_changed();
        }
        for outcome in outcomes.iter().filter(|outcome| outcome.result.is_ok()) {
            if let Action::Drain { runner, .. } = &outcome.decision.action {
                self.drains.carried_out(runner);
            }
        }
        outcomes
    }

    /// Shows a view and what is new in it.
    fn publish(&self, view: &Arc<View>) {
        self.trend.add(view);
        let before = self.views.send_replace(Some(Arc::clone(view)));
        self.history.add(view.world.now, view.events_since(before.as_deref()));
    }

    async fn observe(&mut self) -> World {
        let memory = std::mem::take(&mut self.memory);
        let world =
            self.observer.look(&self.ports, &self.info.spec, &mut self.tokens, memory).await;
        self.memory = world.next_memory();
        self.machines.note(&world);
        world
    }

    /// What stands in the way of the work, beyond what could not be read.
    fn notices(&self, world: &World) -> Vec<String> {
        let server = self.observer.server();
        let token = server.and_then(|server| server.shortcoming(&world.spec));
        let ending = server.and_then(|server| token_end::notice(server, world.now));
        let token = token.into_iter().chain(ending);
        let records = world.records.last().map(Vec::as_slice).unwrap_or_default();
        let unseen = self.tokens.assumed().filter_map(|id| {
            let record = records.iter().find(|record| record.id == id)?;
            world.spec.pool(&record.variant.pool)?;
            let variant = &record.variant;
            Some(format!(
                "the token of record {id} of `{variant}` is not visible from here\n\
                 hint: this is the plan of the AutoGit that has it; one that starts without it \
                 makes a new record"
            ))
        });
        let another = world.sign_of_another().map(|sign| sign.to_string());
        let renamed = self.ports.gitlab.renamed().into_iter().map(|Renamed { id, description }| {
            let instance = &world.spec.instance;
            format!(
                "record {id} has this AutoGit's mark and is called `{description}`: somebody \
                 renamed it, and it is not used\n\
                 hint: delete it, or call it `autogit/{instance}/POOL-ARCH` again"
            )
        });
        let others = self.ports.gitlab.other_instances();
        let others = others.iter().filter_map(|other| neighbours::notice(world, other));
        let machines = self.machines.notices(world).into_iter();
        let others = renamed.chain(others).chain(machines);
        token.chain(unseen).chain(another).chain(others).collect()
    }

    fn view(&self, world: World, plan: Plan, requests_before: u64) -> View {
        let notices = self.notices(&world);
        View {
            notices,
            world: Arc::new(world),
            plan: Arc::new(plan),
            spec: self.info.clone(),
            requests: self.ports.gitlab.requests().saturating_sub(requests_before),
            gitlab_url: self.ports.gitlab.url().to_owned(),
        }
    }
}

/// What could not be carried out, as an event.
fn failure(outcome: &Outcome) -> Option<EventOutput> {
    let error = outcome.result.as_ref().err()?;
    Some(EventOutput::Failure(FailureOutput {
        decision: decision_output(&outcome.decision),
        kind: error.kind().as_str(),
        error: error.to_string(),
    }))
}

/// The sweep of a manager's row, which GitLab may refuse without saying so: an expired token deletes
/// none, and looking every second would change nothing about that.
fn is_row(outcome: &Outcome) -> bool {
    let action = &outcome.decision.action;
    matches!(action, Action::Sweep { leftover: Leftover::Manager(..) })
}

fn is_known(world: &World) -> bool {
    world.queue.known().is_some() && world.records.known().is_some() && world.all_hosts_known()
}
