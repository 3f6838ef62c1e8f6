//! The actions that are under way: a task each, so that nobody waits for the slow ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::Shared;
use jiff::Timestamp;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{Id, JoinError, JoinSet};

use super::act::Means;
use super::start::RecordToken;
use super::{ApplyError, Effect, Outcome};
use crate::gitlab::GitlabError;
use crate::observe::Ports;
use crate::plan::{Action, Decision, Plan, Rule};
use crate::spec::HostName;
use crate::tokens::{Given, Tokens};
use crate::world::{Deed, Leftover, RecordId, Variant, WorkloadId, World};

/// Actions on one host, and on GitLab, that run at the same time: an engine starts containers one
/// after the other inside, so more only lengthens each call.
const ACTIONS_AT_ONCE: usize = 16;

/// Set when what others wait for is over. Its waiters wake in the order in which they wait.
type Gate<T> = Shared<oneshot::Receiver<T>>;

/// The actions that are under way.
#[derive(Debug, Default)]
pub struct Work {
    tasks: JoinSet<Done>,
    begun: BTreeMap<Id, Begun>,
    ended: Vec<(Begun, Done)>,
    checks: JoinSet<Check>,
    checking: BTreeSet<RecordId>,
    /// By host, pulls and starts apart: a pull takes minutes, also where a start asks for the newest
    /// image, and nothing else waits for it.
    places: BTreeMap<(Option<HostName>, Pace), Arc<Semaphore>>,
    /// Networks that are being made.
    networks: BTreeMap<HostName, Gate<()>>,
    /// Records that are being made; a failure makes none.
    records: BTreeMap<Variant, Gate<Option<Arc<RecordToken>>>>,
    count: u64,
}

/// Whether an action may take long, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    Quick,
    Start,
    Pull,
}

impl Pace {
    fn of(action: &Action) -> Self {
        match action {
            Action::Start { .. } => Self::Start,
            Action::PullImage { .. } | Action::KeepImage { .. } => Self::Pull,
            Action::VerifyToken { .. }
            | Action::CreateNetwork { .. }
            | Action::CreateRecord { .. }
            | Action::UpdateRecord { .. }
            | Action::DeleteRecord { .. }
            | Action::Drain { .. }
            | Action::Reap { .. }
            | Action::Sweep { .. } => Self::Quick,
        }
    }
}

#[derive(Debug)]
struct Begun {
    number: u64,
    decision: Decision,
    at: Timestamp,
    world: Arc<World>,
}

#[derive(Debug)]
struct Done {
    result: Result<Effect, ApplyError>,
    made: Option<Arc<RecordToken>>,
}

/// Whether GitLab still takes a record's token.
#[derive(Debug)]
struct Check {
    record: RecordId,
    variant: Variant,
    refused: bool,
}

/// What an action waits for.
#[derive(Debug, Default)]
struct Needs {
    network: Option<Gate<()>>,
    record: Option<Gate<Option<Arc<RecordToken>>>>,
    containers: Vec<Gate<()>>,
}

impl Work {
    /// Begins all that `plan` says about `world`.
    pub fn begin(
        &mut self,
        ports: &Ports,
        world: &Arc<World>,
        plan: &Plan,
        tokens: &mut Tokens,
        now: Timestamp,
    ) {
        let (first, later): (Vec<&Decision>, Vec<&Decision>) =
            plan.decisions.iter().partition(|decision| is_preparation(decision));
        let (last, then): (Vec<&Decision>, Vec<&Decision>) =
            later.into_iter().partition(|decision| frees_last(decision));
        let mut removals: BTreeMap<HostName, Vec<Gate<()>>> = BTreeMap::new();
        for decision in first.into_iter().chain(then).chain(last) {
            let needs = self.needs(decision, &removals);
            let record_token = record_token(world, decision, tokens);
            let over = self.spawn(ports, world, decision, (needs, record_token), now);
            if let Some(host) = decision.action.host().filter(|_| removes_container(decision)) {
                removals.entry(host.clone()).or_default().push(over);
            }
        }
    }

    fn needs(&self, decision: &Decision, removals: &BTreeMap<HostName, Vec<Gate<()>>>) -> Needs {
        match &decision.action {
            Action::Start { host, variant, .. } => Needs {
                network: self.networks.get(host).cloned(),
                record: self.records.get(variant).cloned(),
                containers: Vec::new(),
            },
            Action::Sweep { .. } if frees_last(decision) => {
                let its = decision.action.host().and_then(|host| removals.get(host));
                Needs { containers: its.cloned().unwrap_or_default(), ..Needs::default() }
            }
            Action::VerifyToken { .. }
            | Action::CreateNetwork { .. }
            | Action::PullImage { .. }
            | Action::KeepImage { .. }
            | Action::CreateRecord { .. }
            | Action::UpdateRecord { .. }
            | Action::DeleteRecord { .. }
            | Action::Drain { .. }
            | Action::Reap { .. }
            | Action::Sweep { .. } => Needs::default(),
        }
    }

    /// Begins one; hands back what is set when it is over.
    fn spawn(
        &mut self,
        ports: &Ports,
        world: &Arc<World>,
        decision: &Decision,
        (needs, record_token): (Needs, Option<Arc<RecordToken>>),
        now: Timestamp,
    ) -> Gate<()> {
        let (over, is_over) = gate();
        let (made, is_made) = gate();
        if let Action::CreateNetwork { host } = &decision.action {
            self.networks.insert(host.clone(), is_over.clone());
        }
        if let Action::CreateRecord { variant } = &decision.action {
            self.records.insert(variant.clone(), is_made);
        }
        let kind = (decision.action.host().cloned(), Pace::of(&decision.action));
        let at_once = || Arc::new(Semaphore::new(ACTIONS_AT_ONCE));
        let places = Arc::clone(self.places.entry(kind).or_insert_with(at_once));
        let (ports, seen, asked) = (ports.clone(), Arc::clone(world), decision.clone());
        let task = self.tasks.spawn(async move {
            let record_token = needs.met().await.or(record_token);
            // It is never closed.
            let _place = places.acquire().await;
            let means = Means { ports: &ports, world: &seen, record_token };
            let result = means.act(&asked).await;
            let (result, new) = match result {
                Ok((effect, new)) => (Ok(effect), new.map(Arc::new)),
                Err(error) => (Err(error), None),
            };
            // Nobody may wait for it.
            let _ = (made.send(new.clone()), over.send(()));
            Done { result, made: new }
        });
        self.count += 1;
        let (number, decision) = (self.count, decision.clone());
        self.begun.insert(task.id(), Begun { number, decision, at: now, world: Arc::clone(world) });
        is_over
    }

    /// What is under way or ended and is not collected yet, and since when.
    pub fn under_way(&self) -> BTreeMap<Deed, Timestamp> {
        let ended = self.ended.iter().map(|(begun, _)| begun);
        let all = self.begun.values().chain(ended);
        all.map(|begun| (begun.decision.action.deed(), begun.at)).collect()
    }

    /// Nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.begun.is_empty() && self.ended.is_empty() && self.checks.is_empty()
    }

    /// Waits until another action ends; for ever where none is under way. Dropped half-way it loses
    /// nothing.
    pub async fn one_ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.note(ended),
            None => std::future::pending().await,
        }
    }

    /// Waits until nothing is under way. Dropped half-way it loses nothing.
    pub async fn all_ended(&mut self) {
        while !self.begun.is_empty() {
            self.one_ended().await;
        }
    }

    fn note(&mut self, ended: Result<(Id, Done), JoinError>) {
        let (id, done) = match ended {
            Ok(ended) => ended,
            // A fault of ours is not to be hidden in a task.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return,
        };
        let Some(begun) = self.begun.remove(&id) else { return };
        if let Action::CreateNetwork { host } = &begun.decision.action {
            self.networks.remove(host);
        }
        if let Action::CreateRecord { variant } = &begun.decision.action {
            self.records.remove(variant);
        }
        self.ended.push((begun, done));
    }

    /// What came of the actions that ended, in the order in which they were begun. Tokens of new
    /// records are kept, and those that may not be good any more are asked about.
    ///
    /// To be called before a look and not during one: what ends while the world is read may show or
    /// not, so it counts as under way until the next look.
    pub fn collect(&mut self, ports: &Ports, tokens: &mut Tokens) -> Vec<Outcome> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.note(ended);
        }
        while let Some(check) = self.checks.try_join_next() {
            self.take_check(check, tokens);
        }
        let mut ended = std::mem::take(&mut self.ended);
        ended.sort_by_key(|(begun, _)| begun.number);
        let mut outcomes = Vec::with_capacity(ended.len());
        for (begun, Done { result, made }) in ended {
            match (&result, made) {
                (Ok(Effect::Verified { expires_at }), Some(it)) => {
                    tokens.take(Given::new(it.token.clone(), it.record, begun.at, *expires_at));
                }
                (_, Some(made)) => tokens.keep(made.record, made.token.clone()),
                (_, None) => {}
            }
            if let (Action::DeleteRecord { record, .. }, Ok(Effect::Done)) =
                (&begun.decision.action, &result)
            {
                tokens.forget(*record);
            }
            if let Some(record) = doubtful_record(&begun, &result) {
                self.check(ports, &begun.world, record, tokens);
            }
            let decision = begun.decision;
            let (memory, action) = (&begun.world.memory, &decision.action);
            let repeated = memory.is_repeated(&action.deed(), action.settings());
            outcomes.push(Outcome { seen: begun.world, repeated, decision, result });
        }
        outcomes
    }

    /// Waits for the answers about tokens. Dropped half-way it loses nothing.
    pub async fn tokens_checked(&mut self, tokens: &mut Tokens) {
        while let Some(check) = self.checks.join_next().await {
            self.take_check(check, tokens);
        }
    }

    /// Asks GitLab whether it still takes the record's token: where a person reset it, new runners
    /// need a new record.
    fn check(&mut self, ports: &Ports, world: &Arc<World>, id: RecordId, tokens: &mut Tokens) {
        let mut records = world.records.last().into_iter().flatten();
        let record = records.find(|record| record.id == id);
        let Some(record) = record else { return };
        let Some(keeper) = world.keeper(&record.variant) else { return };
        let Some(token) = tokens.find(id) else { return };
        if !self.checking.insert(id) {
            return;
        }
        let variant = record.variant.clone();
        let gitlab = Arc::clone(&ports.gitlab);
        self.checks.spawn(async move {
            let verified = gitlab.verify(&token, &keeper).await;
            let checked = match verified {
                Ok(_) => gitlab.delete_manager(&token, &keeper).await.map(|()| false),
                Err(GitlabError::Forbidden { .. }) => Ok(true),
                Err(error) => Err(error),
            };
            let refused = checked.unwrap_or_else(|error| {
                tracing::debug!(record = %id, %error, "the record's token was not checked; the next failure asks again");
                false
            });
            Check { record: id, variant, refused }
        });
    }

    fn take_check(&mut self, check: Result<Check, JoinError>, tokens: &mut Tokens) {
        let Check { record, variant, refused } = match check {
            Ok(check) => check,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return,
        };
        self.checking.remove(&record);
        if refused {
            tracing::warn!(%record, %variant, "GitLab no longer accepts the record's token: a person reset it, or deleted the record");
            tokens.refuse(record);
        }
    }
}

impl Needs {
    /// Waits for all of it; hands back the record that was made meanwhile.
    async fn met(self) -> Option<Arc<RecordToken>> {
        if let Some(network) = self.network {
            // Without it the start itself says what is wrong.
            let _ = network.await;
        }
        for container in self.containers {
            let _ = container.await;
        }
        let made = match self.record {
            Some(record) => record.await.ok(),
            None => None,
        };
        made.flatten()
    }
}

fn gate<T: Clone>() -> (oneshot::Sender<T>, Gate<T>) {
    let (set, is_set) = oneshot::channel();
    (set, is_set.shared())
}

/// The record whose token an action needs, as far as it is at hand.
fn record_token(
    world: &World,
    decision: &Decision,
    tokens: &mut Tokens,
) -> Option<Arc<RecordToken>> {
    let record = match &decision.action {
        Action::Start { variant, .. } => {
            world.current_record(variant, world.spec.pool(&variant.pool)?)?.id
        }
        Action::Sweep { leftover: Leftover::Manager(record, _) } => *record,
        Action::Sweep { .. }
        | Action::VerifyToken { .. }
        | Action::CreateNetwork { .. }
        | Action::PullImage { .. }
        | Action::KeepImage { .. }
        | Action::CreateRecord { .. }
        | Action::UpdateRecord { .. }
        | Action::DeleteRecord { .. }
        | Action::Drain { .. }
        | Action::Reap { .. } => return None,
    };
    let token = tokens.find(record)?;
    Some(Arc::new(RecordToken { record, token }))
}

/// The record whose runner made no contact, or whose token did not do for deleting a row.
fn doubtful_record(begun: &Begun, result: &Result<Effect, ApplyError>) -> Option<RecordId> {
    match (&begun.decision.action, result) {
        (Action::Drain { id, .. }, _) if begun.decision.rule == Rule::DrainFailed => {
            record_of(&begun.world, id)
        }
        (
            Action::Sweep { leftover: Leftover::Manager(record, _) },
            Err(ApplyError::Gitlab(GitlabError::Forbidden { .. })),
        ) => Some(*record),
        _ => None,
    }
}

fn record_of(world: &World, id: &WorkloadId) -> Option<RecordId> {
    let states = world.hosts.values().filter_map(|host| host.state.known());
    let mut runners = states.flat_map(|state| &state.runners);
    runners.find(|runner| runner.id == *id).map(|runner| runner.record)
}

/// What runners need before they start.
fn is_preparation(decision: &Decision) -> bool {
    matches!(
        decision.action,
        Action::VerifyToken { .. }
            | Action::CreateNetwork { .. }
            | Action::PullImage { .. }
            | Action::CreateRecord { .. }
            | Action::UpdateRecord { .. }
    )
}

/// What containers may have that this plan removes: Docker refuses while one has it.
fn frees_last(decision: &Decision) -> bool {
    matches!(
        decision.action,
        Action::Sweep {
            leftover: Leftover::JobVolume(..) | Leftover::JobNetwork(..) | Leftover::Network(..)
        }
    )
}

fn removes_container(decision: &Decision) -> bool {
    matches!(
        decision.action,
        Action::Reap { .. } | Action::Sweep { leftover: Leftover::JobContainer(..) }
    )
}
