//! What each decision does.

use std::collections::BTreeSet;
use std::sync::Arc;

use secrecy::ExposeSecret;

use super::start::{RecordToken, Start};
use super::{ApplyError, Effect, reap, sweep};
use crate::engine::{Engine, EngineError, ImageRequest, RunnerList};
use crate::gitlab::NewRecord;
use crate::observe::Ports;
use crate::plan::{Action, Decision, Facts};
use crate::spec::{Credential, HostName, PullPolicy};
use crate::world::{
    RecordId, RecordSettings, RunnerName, Variant, WorkloadId, World, record_settings,
};

/// What an action has to work with.
pub(super) struct Means<'a> {
    pub(super) ports: &'a Ports,
    /// As it was when it was decided.
    pub(super) world: &'a World,
    /// The record and token of the variant's new runners, or of the row that is deleted.
    pub(super) record_token: Option<Arc<RecordToken>>,
}

impl Means<'_> {
    /// Does what the decision says; a record that was made or proved comes with its token.
    pub(super) async fn act(
        &self,
        decision: &Decision,
    ) -> Result<(Effect, Option<RecordToken>), ApplyError> {
        let Self { ports, world, record_token } = self;
        let effect = match &decision.action {
            Action::CreateRecord { variant } => return create_record(ports, world, variant).await,
            Action::VerifyToken { variant } => return verify_token(ports, world, variant).await,
            Action::CreateNetwork { host } => create_network(ports, world, host).await,
            Action::PullImage { host, image, arch } => {
                let (image, policy) = (image.clone(), PullPolicy::IfNotPresent);
                let request = ImageRequest { image, arch: *arch, policy };
                let pulled = engine(ports, host)?.ensure_image(&request).await;
                pulled.map(|()| Effect::Done).map_err(ApplyError::from)
            }
            Action::KeepImage { host, image, arch } => {
                let (instance, arch) = (&world.spec.instance, *arch);
                let kept = engine(ports, host)?.keep_image(instance, image, arch, world.now).await;
                kept.map(|()| Effect::Done).map_err(ApplyError::from)
            }
            Action::UpdateRecord { record, settings, .. } => {
                let updated = ports.gitlab.update_record(*record, settings).await;
                updated.map(|()| Effect::Done).map_err(ApplyError::from)
            }
            Action::Start { host, runner, variant, slot, system_id, cost } => {
                let record_token = record_token.as_deref();
                let record_token =
                    record_token.ok_or_else(|| ApplyError::NoRecord(variant.clone()))?;
                let slot = *slot;
                let start = Start { host, runner, variant, slot, system_id, cost, record_token };
                start.run(ports, world).await
            }
            Action::Drain { host, id, runner, .. } => {
                if matches!(decision.facts, Facts::NoContact { .. }) {
                    tell_last_words(ports, host, id, runner).await;
                }
                drain(ports, host, id).await
            }
            Action::Reap { host, runner, discard_cache, lost_job } => {
                let discard_cache = *discard_cache;
                let reap = reap::Reap { runner, discard_cache, lost_job: lost_job.as_ref() };
                reap.run(ports, world, engine(ports, host)?).await
            }
            Action::Sweep { leftover } => {
                sweep::sweep(ports, world, record_token.as_deref(), leftover).await
            }
            Action::DeleteRecord { record, .. } => {
                sweep::delete_record(ports, world, *record).await
            }
        };
        Ok((effect.or_else(pending_is_no_failure)?, None))
    }
}

/// Asks with a system id that is no slot's, whose manager row goes again at once.
async fn verify_token(
    ports: &Ports,
    world: &World,
    variant: &Variant,
) -> Result<(Effect, Option<RecordToken>), ApplyError> {
    let no_record = || ApplyError::NoRecord(variant.clone());
    let pool = world.spec.pool(&variant.pool).ok_or_else(no_record)?;
    let token = pool.runner_token.as_ref().and_then(Credential::value).ok_or_else(no_record)?;
    let keeper = world.keeper(variant).ok_or_else(no_record)?;
    let told = ports.gitlab.verify(token, &keeper).await.map_err(ApplyError::Token)?;
    ports.gitlab.delete_manager(token, &keeper).await.map_err(ApplyError::Token)?;
    let record = told.id.unwrap_or_else(|| RecordId::untold(token.expose_secret()));
    let proved = RecordToken { record, token: token.clone() };
    Ok((Effect::Verified { expires_at: told.token_expires_at }, Some(proved)))
}

async fn create_network(
    ports: &Ports,
    world: &World,
    host: &HostName,
) -> Result<Effect, ApplyError> {
    engine(ports, host)?.create_network(&world.spec.network, &world.spec.instance).await?;
    Ok(Effect::Done)
}

async fn create_record(
    ports: &Ports,
    world: &World,
    variant: &Variant,
) -> Result<(Effect, Option<RecordToken>), ApplyError> {
    let no_record = || ApplyError::NoRecord(variant.clone());
    let pool = world.spec.pool(&variant.pool).ok_or_else(no_record)?;
    let lists = containers_now(ports, world).await;
    if lists.as_deref().is_some_and(|lists| is_served_meanwhile(world, variant, lists)) {
        return Ok((Effect::Skipped("a container that was made meanwhile has a token"), None));
    }
    let old = world.records.known().into_iter().flatten();
    let old = old.filter(|record| !world.may_be_anothers(record)).map(|record| record.id);
    let record = NewRecord {
        variant: variant.clone(),
        place: world.place(&pool.scope).map_err(ApplyError::Scope)?,
        settings: RecordSettings {
            marks: world.marks(),
            ..record_settings(pool, variant.arch, world.is_first(pool, variant.arch))
        },
        in_use: lists.and_then(|lists| records_in_use(world, &lists)),
        old: old.collect(),
    };
    let created = ports.gitlab.create_record(&record).await?;
    let made = RecordToken { record: created.id, token: created.token };
    Ok((Effect::Recorded(made.record), Some(made)))
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

fn pending_is_no_failure(error: ApplyError) -> Result<Effect, ApplyError> {
    let pending = matches!(error, ApplyError::Engine(EngineError::BeingRemoved { .. }));
    if pending { Ok(Effect::Pending) } else { Err(error) }
}

/// Lines of the log of a runner that makes no contact which are kept in ours.
const TAIL_LINES: usize = 10;

/// Why a runner makes no contact is in its own log and nowhere else, and that goes with it.
async fn tell_last_words(ports: &Ports, host: &HostName, id: &WorkloadId, runner: &RunnerName) {
    let Ok(engine) = engine(ports, host) else { return };
    let tail = engine.log_tail(id, TAIL_LINES).await.unwrap_or_default();
    tracing::warn!(%runner, %host, log = tail.join("\n"), "the runner makes no contact with GitLab");
}

async fn drain(ports: &Ports, host: &HostName, id: &WorkloadId) -> Result<Effect, ApplyError> {
    engine(ports, host)?.drain(id).await?;
    Ok(Effect::Done)
}

pub(super) fn engine<'a>(ports: &'a Ports, host: &HostName) -> Result<&'a dyn Engine, ApplyError> {
    let engine = ports.engines.get(host).ok_or_else(|| ApplyError::NoHost(host.clone()))?;
    Ok(engine.as_ref())
}
