//! One look at GitLab: the queue, and the records with their managers and tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::Ports;
use super::callers::Callers;
use crate::engine::{EngineError, runner_config};
use crate::gitlab::{ErrorKind, GitlabError, Server};
use crate::spec::{Credential, Pool, Scope, Spec};
use crate::tokens::Tokens;
use crate::world::{
    Backoff, Cause, Memory, Observed, Origin, Owner, Place, Record, RecordId, SystemId, Token,
    Variant, World, record_settings,
};

/// What the observer knows of GitLab between two looks.
#[derive(Debug, Default)]
pub(super) struct GitlabSide {
    probed: bool,
    /// When AutoGit's own token ends.
    pub(super) token_ends: Option<Timestamp>,
    /// What server and token these are, by the last probe that passed.
    pub(super) server: Option<Server>,
    /// The records behind the operator's own tokens.
    given: Vec<Given>,
    callers: Callers,
}

/// What the pools' scopes are. What was told once stays while GitLab cannot be asked, also by the
/// way to it that a new spec made.
pub(super) async fn scopes(
    ports: &Ports,
    spec: &Spec,
    before: &BTreeMap<Scope, Result<Place, Arc<str>>>,
) -> BTreeMap<Scope, Result<Place, Arc<str>>> {
    let scopes = spec.pools.iter().map(|pool| pool.scope.clone());
    let scopes: BTreeSet<Scope> = scopes.filter(|scope| *scope != Scope::Instance).collect();
    let told = ports.gitlab.places(&scopes).await.into_iter().map(|(scope, told)| {
        let place = told.or_else(|error| match before.get(&scope) {
            Some(Ok(place)) if error.kind() == ErrorKind::Unreachable => Ok(place.clone()),
            _ => Err(words(&error)),
        });
        (scope, place)
    });
    told.collect()
}

/// An operator's own token, as GitLab took it.
#[derive(Debug, Clone)]
struct Given {
    token: SecretString,
    id: RecordId,
    /// When it was taken: GitLab does not tell when it was made.
    since: Timestamp,
    expires_at: Option<Timestamp>,
    /// The operator was told that it ends soon.
    warned: bool,
}

impl GitlabSide {
    /// The pending jobs.
    pub(super) async fn queue(&mut self, ports: &Ports) -> Result<crate::world::Queue, Arc<str>> {
        self.probe(ports).await.map_err(|error| words(&error))?;
        let queue = ports.gitlab.queue().await;
        self.note(&queue);
        queue.map_err(|error| words(&error))
    }

    /// Our records, with their managers, and those of the operator's tokens.
    pub(super) async fn records(
        &mut self,
        ports: &Ports,
        world: &World,
        tokens: &mut Tokens,
        memory: &mut Memory,
    ) -> Result<Vec<Record>, Arc<str>> {
        let Some(installation) = world.installation() else {
            return Err(
                "the first host was not reached yet, so this installation is not known".into()
            );
        };
        self.probe(ports).await.map_err(|error| words(&error))?;
        let named = self.named(world, tokens);
        let records = ports.gitlab.records(&installation, &named).await;
        self.note(&records);
        let mut records = records.map_err(|error| words(&error))?;
        // What was asked for by its id and is not told is gone.
        let told: BTreeSet<RecordId> = records.iter().map(|record| record.id).collect();
        let kept: Vec<RecordId> = tokens.serving().keys().copied().collect();
        for id in kept.into_iter().filter(|id| named.contains_key(id) && !told.contains(id)) {
            tokens.forget(id);
        }
        records.extend(self.given(ports, world, tokens, memory).await);
        for record in &mut records {
            if record.origin == Origin::Ours {
                record.token = find_token(ports, world, record, tokens).await;
                if record.token == Token::AtHand {
                    tokens.serves(record.id, &record.variant);
                }
            }
        }
        self.fill_managers(ports, world.now, &mut records).await;
        self.callers.name(ports, world, &mut records).await;
        Ok(records)
    }

    async fn probe(&mut self, ports: &Ports) -> Result<(), GitlabError> {
        if !self.probed {
            let server = ports.gitlab.probe().await?;
            let (version, user) = (&server.version, &server.user);
            let instance = server.administrator && !server.is_fine_grained();
            let queue = if instance { "instance" } else { "projects" };
            tracing::info!(%version, %user, queue, "GitLab answers");
            if server.is_fine_grained() {
                tracing::warn!(
                    "the token is a fine-grained one: the queue is read project by project, and a job that was not seen waiting cannot be found by its id\nhint: a token with the scope `api`, or `read_api`, `create_runner` and `manage_runner`, can do both"
                );
            }
            self.token_ends = server.token_expires_at;
            self.server = Some(server);
            self.probed = true;
        }
        Ok(())
    }

    /// After a failure the next look asks again what server and token these are.
    fn note<T>(&mut self, result: &Result<T, GitlabError>) {
        if let Err(
            GitlabError::Unauthorized { .. }
            | GitlabError::Forbidden { .. }
            | GitlabError::NotGitlab { .. },
        ) = result
        {
            self.probed = false;
        }
    }

    /// The records of which a container or the cache has the token, but for those of an operator's
    /// own tokens: whether these are good is asked by the token.
    fn named(&self, world: &World, tokens: &Tokens) -> BTreeMap<RecordId, Variant> {
        let states = world.hosts.values().filter_map(|host| host.state.last());
        let runners = states.flat_map(|state| &state.runners);
        let given = |id: RecordId| self.given.iter().any(|given| given.id == id);
        let named = runners.filter(|runner| !given(runner.record));
        let named = named.map(|runner| (runner.record, runner.variant.clone()));
        let kept = tokens.serving().iter().map(|(id, variant)| (*id, variant.clone()));
        kept.chain(named).collect()
    }

    /// One record per variant of each pool that brings its own token.
    ///
    /// A token that GitLab does not take is said once and asked for again after a pause that grows;
    /// until then that is what the pool waits for.
    async fn given(
        &mut self,
        ports: &Ports,
        world: &World,
        tokens: &mut Tokens,
        memory: &mut Memory,
    ) -> Vec<Record> {
        let mut records = Vec::new();
        for (variant, pool) in world.variants() {
            let Some(Credential::Value(token)) = &pool.runner_token else { continue };
            let backoff = memory.backoffs.get(&variant).cloned();
            if backoff
                .as_ref()
                .is_some_and(|one| one.cause == Cause::Record && one.until > world.now)
            {
                continue;
            }
            match self.verified(ports, world, &variant, token).await {
                Ok(mut given) => {
                    tokens.keep(given.id, token.clone());
                    memory.backoffs.retain(|of, one| *of != variant || one.cause != Cause::Record);
                    self.given.retain(|known| known.id != given.id);
                    if tokens.has(given.id) {
                        let record = given_record(world, &given, variant, pool);
                        given.warn(world, &record);
                        records.push(record);
                        self.given.push(given);
                    }
                }
                // GitLab is away, and each source says so.
                Err(error) if error.kind() == ErrorKind::Unreachable => {}
                Err(error) => {
                    let words: Arc<str> =
                        format!("the pool's `runner_token` is not usable: {error}").into();
                    if backoff.as_ref().is_none_or(|backoff| backoff.error != words) {
                        tracing::warn!(%variant, "{words}");
                    }
                    let previous = backoff.as_ref();
                    let now = world.now;
                    let next = Backoff::after(previous, &variant, Cause::Record, words, now);
                    memory.backoffs.insert(variant, next);
                }
            }
        }
        records
    }

    /// What GitLab says of an operator's token: asked once, with a system id that is no slot's, whose
    /// manager row goes again at once.
    async fn verified(
        &mut self,
        ports: &Ports,
        world: &World,
        variant: &Variant,
        token: &SecretString,
    ) -> Result<Given, GitlabError> {
        let same = |known: &&Given| known.token.expose_secret() == token.expose_secret();
        if let Some(given) = self.given.iter().find(same) {
            return Ok(given.clone());
        }
        let installation =
            world.installation().unwrap_or_else(|| crate::world::Installation::from_observed(""));
        let keeper = SystemId::keeper(&world.spec.instance, &installation, variant);
        let told = ports.gitlab.verify(token, &keeper).await?;
        ports.gitlab.delete_manager(token, &keeper).await?;
        Ok(Given {
            token: token.clone(),
            id: told.id.unwrap_or_else(|| RecordId::untold(token.expose_secret())),
            since: world.now,
            expires_at: told.token_expires_at,
            warned: false,
        })
    }

    async fn fill_managers(&mut self, ports: &Ports, now: Timestamp, records: &mut [Record]) {
        let asked = |record: &&Record| {
            matches!(record.origin, Origin::Ours | Origin::Given) && record.id.is_told()
        };
        let ids: Vec<RecordId> = records.iter().filter(asked).map(|record| record.id).collect();
        let read =
            if ids.is_empty() { Ok(BTreeMap::new()) } else { ports.gitlab.managers(&ids).await };
        self.note(&read);
        let read = read.map_err(|error| words(&error));
        for record in records {
            let rows = match &read {
                Ok(rows) => rows.get(&record.id).cloned().ok_or("GitLab does not show them"),
                Err(error) => Err(&**error),
            };
            record.managers = match rows {
                Ok(value) => Observed::Known { at: now, value },
                Err(error) => Observed::Unknown { since: now, error: error.into(), last: None },
            };
        }
    }
}

/// Whether the record's token is at hand, looking for it in the containers made with it.
async fn find_token(ports: &Ports, world: &World, record: &Record, tokens: &mut Tokens) -> Token {
    if tokens.has(record.id) {
        return Token::AtHand;
    }
    let mut found = Token::Lost;
    for (name, host) in &world.hosts {
        let (Some(state), Some(engine)) = (host.state.known(), ports.engines.get(name)) else {
            continue;
        };
        let with_token = state.runners.iter().filter(|runner| runner.record == record.id);
        for runner in with_token {
            match engine.read_config(&runner.id).await {
                Ok(config) => {
                    if let Some(token) = runner_config::token_of(&config) {
                        tokens.keep(record.id, token);
                    }
                    if tokens.has(record.id) {
                        return Token::AtHand;
                    }
                }
                Err(EngineError::NotFound { .. }) => {}
                Err(error) => {
                    let error = error.to_string();
                    let error = error.lines().next().unwrap_or_default();
                    let what =
                        format!("the token that `{}` has cannot be read: {error}", runner.name);
                    found = Token::Unread { error: what.into() };
                }
            }
        }
    }
    if found == Token::Lost && tokens.is_assumed(record.id) {
        return Token::AtHand;
    }
    found
}

impl Given {
    /// Says once that the token ends soon: AutoGit cannot make a new one.
    fn warn(&mut self, world: &World, record: &Record) {
        if let Some(at) = self.expires_at
            && !self.warned
            && world.token_ends_soon(record)
        {
            self.warned = true;
            tracing::warn!(pool = %record.variant.pool, %at, "the pool's `runner_token` ends soon, and its runners with it\nhint: make a new one in GitLab and set it");
        }
    }
}

fn given_record(world: &World, given: &Given, variant: Variant, pool: &Pool) -> Record {
    let first = world.architectures(pool).first() == Some(&variant.arch);
    Record {
        id: given.id,
        settings: record_settings(pool, variant.arch, first),
        variant,
        origin: Origin::Given,
        owner: world.place(&pool.scope).map_or(Owner::Instance, |place| place.owner()),
        created_at: Some(given.since),
        token_expires_at: given.expires_at,
        token: Token::AtHand,
        managers: Observed::Unknown { since: world.now, error: "not asked yet".into(), last: None },
        unseen: None,
    }
}

fn words(error: &GitlabError) -> Arc<str> {
    error.to_string().into()
}
