//! The records behind the operator's own tokens.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::gitlab::{ErrorKind, Gitlab, GitlabError};
use crate::spec::{Credential, Pool};
use crate::tokens::Tokens;
use crate::world::{
    Backoff, Cause, Memory, Observed, Origin, Owner, Record, RecordId, SystemId, Token, Variant,
    World, record_settings,
};

/// An operator's own token, as GitLab took it.
#[derive(Debug, Clone)]
pub(super) struct Given {
    token: SecretString,
    pub(super) id: RecordId,
    /// When it was taken: GitLab does not tell when it was made.
    since: Timestamp,
    expires_at: Option<Timestamp>,
    /// The operator was told that it ends soon.
    warned: bool,
}

/// What became of the token of a variant.
#[derive(Debug)]
pub(super) struct Tried {
    variant: Variant,
    came: Result<Given, Arc<str>>,
}

/// One record per variant of each pool that brings its own token, and what became of each token that
/// was tried. `known` are those that GitLab took before.
pub(super) async fn records(
    gitlab: &dyn Gitlab,
    world: &World,
    known: &[Given],
) -> (Vec<Record>, Vec<Tried>) {
    let (mut records, mut tried) = (Vec::new(), Vec::new());
    for (variant, pool) in world.variants() {
        let Some(Credential::Value(token)) = &pool.runner_token else { continue };
        let waits = |one: &Backoff| one.cause == Cause::Record && one.until > world.now;
        if world.memory.backoffs.get(&variant).is_some_and(waits) {
            continue;
        }
        let came = match verified(gitlab, world, &variant, token, known).await {
            Ok(given) => {
                records.push(given_record(world, &given, variant.clone(), pool));
                Ok(given)
            }
            // GitLab is away, and each source says so.
            Err(error) if error.kind() == ErrorKind::Unreachable => continue,
            Err(error) => Err(format!("the pool's `runner_token` is not usable: {error}").into()),
        };
        tried.push(Tried { variant, came });
    }
    (records, tried)
}

/// What GitLab says of an operator's token: asked once, with a system id that is no slot's, whose
/// manager row goes again at once.
async fn verified(
    gitlab: &dyn Gitlab,
    world: &World,
    variant: &Variant,
    token: &SecretString,
    known: &[Given],
) -> Result<Given, GitlabError> {
    let same = |known: &&Given| known.token.expose_secret() == token.expose_secret();
    if let Some(given) = known.iter().find(same) {
        return Ok(given.clone());
    }
    let installation =
        world.installation().unwrap_or_else(|| crate::world::Installation::from_observed(""));
    let keeper = SystemId::keeper(&world.spec.instance, &installation, variant);
    let told = gitlab.verify(token, &keeper).await?;
    gitlab.delete_manager(token, &keeper).await?;
    Ok(Given {
        token: token.clone(),
        id: told.id.unwrap_or_else(|| RecordId::untold(token.expose_secret())),
        since: world.now,
        expires_at: told.token_expires_at,
        warned: false,
    })
}

/// Takes up what became of the tokens that were tried, of which `given` are those that GitLab took.
///
/// A token that it does not take is said once and asked for again after a pause that grows; until
/// then that is what the pool waits for.
pub(super) fn take(
    given: &mut Vec<Given>,
    tried: Vec<Tried>,
    (world, records): (&World, &mut Vec<Record>),
    tokens: &mut Tokens,
    memory: &mut Memory,
) {
    for Tried { variant, came } in tried {
        match came {
            Ok(mut taken) => {
                tokens.keep(taken.id, taken.token.clone());
                memory.backoffs.retain(|of, one| *of != variant || one.cause != Cause::Record);
                given.retain(|known| known.id != taken.id);
                if tokens.has(taken.id) {
                    let mut its = records.iter();
                    if let Some(record) = its.find(|record| record.id == taken.id) {
                        taken.warn(world, record);
                    }
                    given.push(taken);
                } else {
                    records.retain(|it| it.origin != Origin::Given || it.id != taken.id);
                }
            }
            Err(words) => {
                let previous = memory.backoffs.get(&variant);
                if previous.is_none_or(|backoff| backoff.error != words) {
                    tracing::warn!(%variant, "{words}");
                }
                let next = Backoff::after(previous, &variant, Cause::Record, words, world.now);
                memory.backoffs.insert(variant, next);
            }
        }
    }
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
