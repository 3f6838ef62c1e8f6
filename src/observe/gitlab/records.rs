//! One look at GitLab's records, with their managers, and at what the pools' scopes are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::Shared;
use jiff::Timestamp;

use super::callers::Callers;
use super::given;
use super::probe::Probe;
use super::words;
use crate::engine::{EngineError, runner_config};
use crate::error_policy::ErrorKind;
use crate::gitlab::{Claims, Gitlab};
use crate::observe::Ports;
use crate::spec::Scope;
use crate::tokens::{Given, Tokens};
use crate::world::{Look, Observed, Origin, Place, Record, RecordId, Token, Variant};

/// What is needed beside the look to read the records.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) probe: Probe,
    pub(super) given: Vec<Given>,
    pub(super) callers: Callers,
    /// Those that are asked for by their id where the list lacks them.
    pub(super) named: BTreeMap<RecordId, Variant>,
}

/// What was told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) probe: Probe,
    pub(super) callers: Callers,
    pub(super) scopes: BTreeMap<Scope, Result<Place, Arc<str>>>,
    /// Our records, and those of the operator's tokens; whether their tokens are at hand is not told
    /// yet.
    pub(super) records: Result<Vec<Record>, Arc<str>>,
    /// Those that were asked for by their id and are gone.
    pub(super) gone: Vec<RecordId>,
}

/// Reads them, for the hosts that `look` shows.
pub(super) async fn read(gitlab: Arc<dyn Gitlab>, mut look: Look, asked: Asked) -> Told {
    let Asked { mut probe, given, mut callers, named } = asked;
    let gitlab = gitlab.as_ref();
    look.scopes = scopes(gitlab, &look).await;
    let mut gone = Vec::new();
    let records = match our_records(gitlab, &look, &mut probe, &named).await {
        Ok(mut records) => {
            // What was asked for by its id and is not told is gone.
            let told: BTreeSet<RecordId> = records.iter().map(|record| record.id).collect();
            gone.extend(named.into_keys().filter(|id| !told.contains(id)));
            records.extend(given::records(&look, &given));
            fill_managers(gitlab, look.now, &mut probe, &mut records).await;
            callers.name(gitlab, &look, &mut records).await;
            Ok(records)
        }
        Err(error) => Err(error),
    };
    Told { probe, callers, scopes: look.scopes, records, gone }
}

/// What the pools' scopes are. What was told once stays while GitLab cannot be asked, also by the
/// way to it that a new spec made.
async fn scopes(gitlab: &dyn Gitlab, look: &Look) -> BTreeMap<Scope, Result<Place, Arc<str>>> {
    let scopes = look.spec.pools.iter().map(|pool| pool.scope.clone());
    let scopes: BTreeSet<Scope> = scopes.filter(|scope| *scope != Scope::Instance).collect();
    let told = gitlab.places(&scopes).await.into_iter().map(|(scope, told)| {
        let place = told.or_else(|error| match look.scopes.get(&scope) {
            Some(Ok(place)) if error.kind() == ErrorKind::Unreachable => Ok(place.clone()),
            _ => Err(words(&error)),
        });
        (scope, place)
    });
    told.collect()
}

async fn our_records(
    gitlab: &dyn Gitlab,
    look: &Look,
    probe: &mut Probe,
    named: &BTreeMap<RecordId, Variant>,
) -> Result<Vec<Record>, Arc<str>> {
    let claims = claims(look, named);
    if claims.marks.is_empty() {
        return Err("no host was reached yet, so it is not known which of them are ours".into());
    }
    probe.ask(gitlab).await.map_err(|error| words(&error))?;
    let records = gitlab.records(&claims).await;
    probe.note(&records);
    records.map_err(|error| words(&error))
}

/// What makes a record ours, by the hosts that `look` shows.
fn claims(look: &Look, named: &BTreeMap<RecordId, Variant>) -> Claims {
    let states = look.hosts.values().filter_map(|host| host.state.last());
    let runners = states.flat_map(|state| &state.runners).map(|runner| runner.record);
    Claims {
        marks: look.marks(),
        unmarked_host: look.host_without_mark().cloned(),
        // What an operator's own token belongs to is not named, and no more ours for its containers.
        held: runners.filter(|id| named.contains_key(id)).collect(),
        named: named.clone(),
    }
}

async fn fill_managers(
    gitlab: &dyn Gitlab,
    now: Timestamp,
    probe: &mut Probe,
    records: &mut [Record],
) {
    let asked = |record: &&Record| {
        matches!(record.origin, Origin::Ours | Origin::Given) && record.id.is_told()
    };
    let ids: Vec<RecordId> = records.iter().filter(asked).map(|record| record.id).collect();
    let read = if ids.is_empty() { Ok(BTreeMap::new()) } else { gitlab.managers(&ids).await };
    probe.note(&read);
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

/// The records of which a container or the cache has the token, but for those of an operator's own
/// tokens: whether these are good is asked by the token.
pub(super) fn named(look: &Look, tokens: &Tokens) -> BTreeMap<RecordId, Variant> {
    let states = look.hosts.values().filter_map(|host| host.state.last());
    let runners = states.flat_map(|state| &state.runners);
    let given = |id: RecordId| tokens.given().iter().any(|given| given.record == id);
    let named = runners.filter(|runner| !given(runner.record));
    let named = named.map(|runner| (runner.record, runner.variant.clone()));
    let kept = tokens.serving().iter().map(|(id, variant)| (*id, variant.clone()));
    kept.chain(named).collect()
}

/// Says of each record of ours whether its token is at hand, looking for it in the containers made
/// with it. What a host does not hand out until `late` is not waited for.
pub(super) async fn find_tokens(
    ports: &Ports,
    (look, records): (&Look, &mut [Record]),
    tokens: &mut Tokens,
    late: Shared<impl Future<Output = ()>>,
) {
    for record in records.iter_mut().filter(|record| record.origin == Origin::Ours) {
        record.token = tokio::select! {
            biased;
            token = find_token(ports, look, record.id, tokens) => token,
            () = late.clone() => {
                let what = "the token that its runners have was not handed out in time";
                Token::Unread { error: what.into() }
            }
        };
        if record.token == Token::AtHand {
            tokens.serves(record.id, &record.variant);
        }
    }
}

async fn find_token(ports: &Ports, look: &Look, record: RecordId, tokens: &mut Tokens) -> Token {
    if tokens.has(record) {
        return Token::AtHand;
    }
    let mut found = Token::Lost;
    for (name, host) in &look.hosts {
        let (Some(state), Some(engine)) = (host.state.known(), ports.engines.get(name)) else {
            continue;
        };
        let with_token = state.runners.iter().filter(|runner| runner.record == record);
        for runner in with_token {
            match engine.read_config(&runner.id).await {
                Ok(config) => {
                    if let Some(token) = runner_config::token_of(&config) {
                        tokens.keep(record, token);
                    }
                    if tokens.has(record) {
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
    if found == Token::Lost && tokens.is_assumed(record) {
        return Token::AtHand;
    }
    found
}
