//! One look at GitLab: the queue, and the records with their managers and tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::Ports;
use super::callers::Callers;
use crate::engine::{EngineError, runner_config};
use crate::gitlab::{ErrorKind, GitlabError};
use crate::spec::{Credential, Pool, Scope, Spec};
use crate::tokens::Tokens;
use crate::world::{
    Observed, Origin, Owner, Place, Record, RecordId, SystemId, Token, Variant, World,
    record_settings,
};

/// What the observer knows of GitLab between two looks.
#[derive(Debug, Default)]
pub(super) struct GitlabSide {
    probed: bool,
    /// When AutoGit's own token ends.
    pub(super) token_ends: Option<Timestamp>,
    /// The records behind the operator's own tokens, by token.
    given: Vec<(SecretString, RecordId)>,
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
    ) -> Result<Vec<Record>, Arc<str>> {
        let Some(installation) = world.installation() else {
            return Err(
                "the first host was not reached yet, so this installation is not known".into()
            );
        };
        self.probe(ports).await.map_err(|error| words(&error))?;
        let records = ports.gitlab.records(&installation).await;
        self.note(&records);
        let mut records = records.map_err(|error| words(&error))?;
        records.extend(self.given(ports, world, tokens).await);
        for record in &mut records {
            if record.origin == Origin::Ours {
                record.token = find_token(ports, world, record, tokens).await;
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
            let queue = if server.administrator { "instance" } else { "projects" };
            tracing::info!(%version, %user, queue, "GitLab answers");
            self.token_ends = server.token_expires_at;
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

    /// One record per variant of each pool that brings its own token.
    async fn given(&mut self, ports: &Ports, world: &World, tokens: &mut Tokens) -> Vec<Record> {
        let mut records = Vec::new();
        for (variant, pool) in world.variants() {
            let Some(Credential::Value(token)) = &pool.runner_token else { continue };
            match self.verified(ports, world, &variant, token).await {
                Ok(id) => {
                    tokens.keep(id, token.clone());
                    if tokens.has(id) {
                        records.push(given_record(world, id, variant, pool));
                    } else {
                        self.given.retain(|(_, known)| *known != id);
                    }
                }
                Err(error) => {
                    tracing::warn!(%variant, %error, "the pool's `runner_token` is not usable");
                }
            }
        }
        records
    }

    /// The record behind an operator's token: asked once, with a system id that is no slot's, whose
    /// manager row goes again at once.
    async fn verified(
        &mut self,
        ports: &Ports,
        world: &World,
        variant: &Variant,
        token: &SecretString,
    ) -> Result<RecordId, GitlabError> {
        let same =
            |(known, _): &&(SecretString, RecordId)| known.expose_secret() == token.expose_secret();
        if let Some((_, id)) = self.given.iter().find(same) {
            return Ok(*id);
        }
        let installation =
            world.installation().unwrap_or_else(|| crate::world::Installation::from_observed(""));
        let keeper = SystemId::keeper(&world.spec.instance, &installation, variant);
        let told = ports.gitlab.verify(token, &keeper).await?;
        let id = told.unwrap_or_else(|| RecordId::untold(token.expose_secret()));
        ports.gitlab.delete_manager(token, &keeper).await?;
        self.given.push((token.clone(), id));
        Ok(id)
    }

    async fn fill_managers(&mut self, ports: &Ports, now: Timestamp, records: &mut [Record]) {
        let asked = |record: &&Record| record.origin != Origin::Foreign && record.id.is_told();
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
    found
}

fn given_record(world: &World, id: RecordId, variant: Variant, pool: &Pool) -> Record {
    let first = world.architectures(pool).first() == Some(&variant.arch);
    Record {
        id,
        settings: record_settings(pool, variant.arch, first),
        variant,
        origin: Origin::Given,
        owner: world.place(&pool.scope).map_or(Owner::Instance, |place| place.owner()),
        created_at: None,
        token_expires_at: None,
        token: Token::AtHand,
        managers: Observed::Unknown { since: world.now, error: "not asked yet".into(), last: None },
    }
}

fn words(error: &GitlabError) -> Arc<str> {
    error.to_string().into()
}
