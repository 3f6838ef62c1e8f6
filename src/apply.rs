//! A [`Plan`] to port calls: one outcome per decision, no choices left to make.
//!
//! Networks and records come first, because runners need them; volumes and networks go last, because
//! Docker refuses while a container has them; everything else is done at once in between, under a
//! limit. Each step is safe to lose half-way and to repeat; one that fails never stops the others.

mod reap;
mod start;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use crate::engine::runner_config::RunnerConfigError;
use crate::engine::{Engine, EngineError, RunnerList};
use crate::gitlab::{ErrorKind, GitlabError, NewRecord};
use crate::observe::Ports;
use crate::plan::{Action, Decision, Plan, Rule};
use crate::spec::HostName;
use crate::tokens::Tokens;
use crate::world::{
    ContainerId, Leftover, Record, RecordId, RunnerName, SystemId, Variant, World, record_settings,
};

/// Actions that run at the same time: an engine starts containers one after the other inside, so
/// more only lengthens each call; fewer would let one slow pull hold up the rest.
const ACTIONS_AT_ONCE: usize = 16;

/// What came of one decision.
#[derive(Debug)]
pub struct Outcome {
    /// The decision.
    pub decision: Decision,
    /// Its effect, or why it has none.
    pub result: Result<Effect, ApplyError>,
}

/// What a decision brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// What it says.
    Done,
    /// A runner runs in that container.
    Started(ContainerId),
    /// A record was made.
    Recorded(RecordId),
    /// Nothing yet: the engine is at it, and a later look shows what comes of that.
    Pending,
    /// Nothing: what it was to act on is gone, or in use after all.
    Skipped(&'static str),
}

/// Why a decision had no effect, or an unknown one.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// GitLab.
    #[error(transparent)]
    Gitlab(#[from] GitlabError),
    /// An engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No `config.toml` can be made for the pool.
    #[error(transparent)]
    Config(#[from] RunnerConfigError),
    /// The variant has no record with a token.
    #[error("`{0}` has no record yet")]
    NoRecord(Variant),
    /// What the pool's scope is at GitLab is not known.
    #[error("what the pool's scope holds is not known: {0}")]
    Scope(Arc<str>),
    /// A living container has the slot: another AutoGit under this name was faster.
    #[error(
        "the slot of `{0}` is taken by another container\nhint: does a second AutoGit run under this `instance`?"
    )]
    SlotTaken(RunnerName),
    /// What was made on the way could not be removed again, so it still counts.
    #[error(transparent)]
    NotUndone(Box<Self>),
    /// The plan names a host that there is no port to.
    #[error("host `{0}` is not connected")]
    NoHost(HostName),
}

impl ApplyError {
    /// Who has to act.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Gitlab(error) => error.kind(),
            Self::Engine(error) => error.kind(),
            Self::Config(_) => ErrorKind::Yours,
            Self::NoRecord(_) | Self::Scope(_) | Self::SlotTaken(_) => ErrorKind::Refused,
            Self::NotUndone(error) => error.kind(),
            Self::NoHost(_) => ErrorKind::Ours,
        }
    }

    /// The effect may have come about although no answer came.
    pub fn in_doubt(&self) -> bool {
        match self {
            Self::Gitlab(error) => error.in_doubt(),
            Self::Engine(error) => error.in_doubt(),
            Self::NotUndone(_) => true,
            Self::Config(_)
            | Self::NoRecord(_)
            | Self::Scope(_)
            | Self::SlotTaken(_)
            | Self::NoHost(_) => false,
        }
    }
}

/// Does what `plan` says about `world`.
pub async fn apply(ports: &Ports, world: &World, plan: Plan, tokens: &mut Tokens) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(plan.decisions.len());
    let (before, after): (Vec<Decision>, Vec<Decision>) =
        plan.decisions.into_iter().partition(is_preparation);
    let (last, after): (Vec<Decision>, Vec<Decision>) = after.into_iter().partition(frees_last);
    for (decision, result) in at_once(before, |decision| prepare(ports, world, decision)).await {
        let result = result.map(|(effect, created)| {
            if let Some((id, token)) = created {
                tokens.keep(id, token);
            }
            effect
        });
        outcomes.push(Outcome { decision, result });
    }
    let records = current_records(world, &outcomes, tokens);
    let act = |decision| act(ports, world, &records, decision);
    for decisions in [after, last] {
        for (decision, result) in at_once(decisions, act).await {
            if let (Action::DeleteRecord { record, .. }, Ok(Effect::Done)) =
                (&decision.action, &result)
            {
                tokens.forget(*record);
            }
            outcomes.push(Outcome { decision, result });
        }
    }
    for record in doubtful_records(world, &outcomes) {
        check_token(ports, world, record, tokens).await;
    }
    outcomes
}

/// Records whose runner made no contact, or whose token did not do for deleting a row.
fn doubtful_records<'a>(world: &'a World, outcomes: &[Outcome]) -> Vec<&'a Record> {
    let states = world.hosts.values().filter_map(|host| host.state.known());
    let runners: Vec<_> = states.flat_map(|state| &state.runners).collect();
    let in_doubt = |Outcome { decision, result }: &Outcome| match (&decision.action, result) {
        (Action::Drain { id, .. }, _) if decision.rule == Rule::DrainFailed => {
            runners.iter().find(|runner| runner.id == *id).map(|runner| runner.record)
        }
        (
            Action::Sweep { leftover: Leftover::Manager(record, _) },
            Err(ApplyError::Gitlab(GitlabError::Forbidden { .. })),
        ) => Some(*record),
        _ => None,
    };
    let ids: BTreeSet<RecordId> = outcomes.iter().filter_map(in_doubt).collect();
    let records = world.records.last().into_iter().flatten();
    records.filter(|record| ids.contains(&record.id)).collect()
}

/// Asks GitLab whether it still takes the record's token: where a person reset it, new runners need
/// a new record.
async fn check_token(ports: &Ports, world: &World, record: &Record, tokens: &mut Tokens) {
    let (id, variant) = (record.id, &record.variant);
    let (Some(installation), Some(token)) = (world.installation(), tokens.find(id)) else { return };
    let keeper = SystemId::keeper(&world.spec.instance, &installation, variant);
    let verified = ports.gitlab.verify(&token, &keeper).await;
    let checked = match verified {
        Ok(_) => ports.gitlab.delete_manager(&token, &keeper).await,
        Err(GitlabError::Forbidden { .. }) => {
            tracing::warn!(record = %id, %variant, "GitLab does not take the record's token any more: a person reset it, or deleted the record");
            tokens.refuse(id);
            Ok(())
        }
        Err(error) => Err(error),
    };
    if let Err(error) = checked {
        tracing::debug!(record = %id, %error, "the record's token was not checked; the next failure asks again");
    }
}

/// What runners need before they start.
fn is_preparation(decision: &Decision) -> bool {
    matches!(
        decision.action,
        Action::CreateNetwork { .. } | Action::CreateRecord { .. } | Action::UpdateRecord { .. }
    )
}

/// What containers may have that this plan removes.
fn frees_last(decision: &Decision) -> bool {
    matches!(
        decision.action,
        Action::Sweep {
            leftover: Leftover::JobVolume(..) | Leftover::JobNetwork(..) | Leftover::Network(..)
        }
    )
}

/// Runs `act` on all decisions, at most [`ACTIONS_AT_ONCE`] at a time; outcomes in their order.
async fn at_once<T, F, Fut>(
    decisions: Vec<Decision>,
    act: F,
) -> Vec<(Decision, Result<T, ApplyError>)>
where
    F: Fn(Decision) -> Fut,
    Fut: Future<Output = (Decision, Result<T, ApplyError>)>,
{
    let futures: Vec<_> = decisions.into_iter().map(act).collect();
    stream::iter(futures).buffered(ACTIONS_AT_ONCE).collect().await
}

type Created = Option<(RecordId, secrecy::SecretString)>;

/// Networks and records.
async fn prepare(
    ports: &Ports,
    world: &World,
    decision: Decision,
) -> (Decision, Result<(Effect, Created), ApplyError>) {
    let result = match &decision.action {
        Action::CreateNetwork { host } => create_network(ports, world, host).await,
        Action::CreateRecord { variant } => create_record(ports, world, variant).await,
        Action::UpdateRecord { record, settings, .. } => {
            let updated = ports.gitlab.update_record(*record, settings).await;
            updated.map(|()| (Effect::Done, None)).map_err(ApplyError::from)
        }
        Action::DeleteRecord { .. }
        | Action::Start { .. }
        | Action::Drain { .. }
        | Action::Reap { .. }
        | Action::Sweep { .. } => Ok((Effect::Skipped("not a preparation"), None)),
    };
    (decision, result)
}

async fn create_network(
    ports: &Ports,
    world: &World,
    host: &HostName,
) -> Result<(Effect, Created), ApplyError> {
    engine(ports, host)?.create_network(&world.spec.network, &world.spec.instance).await?;
    Ok((Effect::Done, None))
}

async fn create_record(
    ports: &Ports,
    world: &World,
    variant: &Variant,
) -> Result<(Effect, Created), ApplyError> {
    let no_record = || ApplyError::NoRecord(variant.clone());
    let pool = world.spec.pool(&variant.pool).ok_or_else(no_record)?;
    let first = world.architectures(pool).first() == Some(&variant.arch);
    let lists = containers_now(ports, world).await;
    if lists.as_deref().is_some_and(|lists| is_served_meanwhile(world, variant, lists)) {
        return Ok((Effect::Skipped("a container that was made meanwhile has a token"), None));
    }
    let old = world.records.known().into_iter().flatten();
    let old = old.filter(|record| !world.may_be_anothers(record)).map(|record| record.id);
    let record = NewRecord {
        variant: variant.clone(),
        installation: world.installation().ok_or_else(no_record)?,
        place: world.place(&pool.scope).map_err(ApplyError::Scope)?,
        settings: record_settings(pool, variant.arch, first),
        in_use: lists.and_then(|lists| records_in_use(world, &lists)),
        old: old.collect(),
    };
    let created = ports.gitlab.create_record(&record).await?;
    Ok((Effect::Recorded(created.id), Some((created.id, created.token))))
}

/// What all hosts list right now, if they all tell.
async fn containers_now(ports: &Ports, world: &World) -> Option<Vec<RunnerList>> {
    let mut lists = Vec::new();
    for engine in ports.engines.values() {
        lists.push(engine.runners(&world.spec.instance).await.ok()?);
    }
    Some(lists)
}

/// A container that was not there at the look has the token of a record of the variant, which is
/// found there: no other is needed.
fn is_served_meanwhile(world: &World, variant: &Variant, lists: &[RunnerList]) -> bool {
    let before = world.records_in_use();
    let mut runners = lists.iter().flat_map(|list| &list.runners);
    runners.any(|runner| runner.variant == *variant && !before.contains(&runner.record))
}

/// Records whose token a container has, as seen at the look and as listed right now: GitLab's side
/// deletes what it takes for lost. `None`: one does not tell which it has.
fn records_in_use(world: &World, lists: &[RunnerList]) -> Option<BTreeSet<RecordId>> {
    if world.hides_a_record() {
        return None;
    }
    let mut in_use = world.records_in_use();
    for list in lists {
        in_use.extend(list.runners.iter().map(|runner| runner.record));
        // What one that is set aside has may be any.
        in_use.extend(list.aside.iter().map(|aside| aside.record).collect::<Option<Vec<_>>>()?);
    }
    Some(in_use)
}

/// The record and token that new runners of each variant get: those just made, else the current.
fn current_records(
    world: &World,
    outcomes: &[Outcome],
    tokens: &mut Tokens,
) -> BTreeMap<Variant, start::Registration> {
    let mut records = BTreeMap::new();
    for (variant, pool) in world.variants() {
        let made =
            outcomes.iter().find_map(|outcome| match (&outcome.decision.action, &outcome.result) {
                (Action::CreateRecord { variant: of }, Ok(Effect::Recorded(id)))
                    if *of == variant =>
                {
                    Some(*id)
                }
                _ => None,
            });
        let current = made.or_else(|| world.current_record(&variant, pool).map(|record| record.id));
        if let Some(record) = current
            && let Some(token) = tokens.find(record)
        {
            records.insert(variant, start::Registration { record, token });
        }
    }
    records
}

/// Everything that is not a preparation.
async fn act(
    ports: &Ports,
    world: &World,
    records: &BTreeMap<Variant, start::Registration>,
    decision: Decision,
) -> (Decision, Result<Effect, ApplyError>) {
    let result = match &decision.action {
        Action::Start { host, runner, variant, slot, system_id } => match records.get(variant) {
            Some(registration) => {
                let start =
                    start::Start { host, runner, variant, slot: *slot, system_id, registration };
                start.run(ports, world).await
            }
            None => Err(ApplyError::NoRecord(variant.clone())),
        },
        Action::Drain { host, id, runner, .. } => {
            if decision.rule == Rule::DrainFailed {
                tell_last_words(ports, host, id, runner).await;
            }
            drain(ports, host, id).await
        }
        Action::Reap { host, runner, discard_cache, lost_job } => match engine(ports, host) {
            Ok(engine) => {
                let reap = reap::Reap {
                    runner,
                    discard_cache: *discard_cache,
                    lost_job: lost_job.as_ref(),
                };
                reap.run(ports, world, engine).await
            }
            Err(error) => Err(error),
        },
        Action::Sweep { leftover } => sweep::sweep(ports, world, records, leftover).await,
        Action::DeleteRecord { record, .. } => sweep::delete_record(ports, world, *record).await,
        Action::CreateNetwork { .. }
        | Action::CreateRecord { .. }
        | Action::UpdateRecord { .. } => Ok(Effect::Skipped("a preparation")),
    };
    (decision, result.or_else(pending_is_no_failure))
}

fn pending_is_no_failure(error: ApplyError) -> Result<Effect, ApplyError> {
    let pending = matches!(error, ApplyError::Engine(EngineError::BeingRemoved { .. }));
    if pending { Ok(Effect::Pending) } else { Err(error) }
}

/// Lines of the log of a runner that never made contact which are kept in ours.
const TAIL_LINES: usize = 10;

/// Why a runner makes no contact is in its own log and nowhere else, and that goes with it.
async fn tell_last_words(ports: &Ports, host: &HostName, id: &ContainerId, runner: &RunnerName) {
    let Ok(engine) = engine(ports, host) else { return };
    let tail = engine.log_tail(id, TAIL_LINES).await.unwrap_or_default();
    tracing::warn!(%runner, %host, log = tail.join("\n"), "the runner never made contact with GitLab");
}

async fn drain(ports: &Ports, host: &HostName, id: &ContainerId) -> Result<Effect, ApplyError> {
    engine(ports, host)?.drain(id).await?;
    Ok(Effect::Done)
}

fn engine<'a>(ports: &'a Ports, host: &HostName) -> Result<&'a dyn Engine, ApplyError> {
    let engine = ports.engines.get(host).ok_or_else(|| ApplyError::NoHost(host.clone()))?;
    Ok(engine.as_ref())
}
