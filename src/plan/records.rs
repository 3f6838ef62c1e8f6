//! `keep-record`, `correct-record`: each declared variant has a record with the spec's settings.
//! Records are made early, so that no call to GitLab stands between a job and its container.

use std::sync::Arc;

use jiff::SignedDuration;

use super::draft::Draft;
use super::placement::hosts_of;
use super::{Action, Facts, JobHold, RecordReason, Rule};
use crate::world::{
    LEFT_ALONE, Observed, Offer, Origin, Record, RecordSettings, Token, World, record_settings,
};

const NO_HOST: &str = "no host was reached yet, so it is not known which records are ours";

pub(super) fn keep_records(draft: &mut Draft<'_>) {
    let world = draft.world();
    for id in draft.supply_ids() {
        let offer = draft.supply(id).offer().clone();
        let decision = match braked(world, &offer, verdict(world, &offer)) {
            Verdict::Fine => None,
            Verdict::Correct(record, settings, differing) => {
                let action = Action::UpdateRecord {
                    variant: offer.variant.clone(),
                    record: record.id,
                    settings,
                };
                Some((action, Rule::CorrectRecord, Facts::Drift { settings: differing }))
            }
            Verdict::Create(reason) => {
                let action = Action::CreateRecord { variant: offer.variant.clone() };
                Some((action, Rule::KeepRecord, Facts::Record { reason }))
            }
            Verdict::Blocked(hold) => {
                draft.block(id, hold);
                None
            }
        };
        if let Some((action, rule, facts)) = decision {
            draft.decide(action, rule, facts);
        }
    }
}

/// What was done again and again of late waits; where nothing starts meanwhile, it says so.
fn braked<'a>(world: &World, offer: &Offer<'_>, verdict: Verdict<'a>) -> Verdict<'a> {
    let waits = match &verdict {
        Verdict::Create(_) => world.making_waits_until(&offer.variant),
        Verdict::Correct(record, settings, _) => world.changing_waits_until(record.id, settings),
        Verdict::Fine | Verdict::Blocked(_) => None,
    };
    let Some(until) = waits else { return verdict };
    if world.current_record(&offer.variant, offer.pool).is_some() {
        return Verdict::Fine;
    }
    Verdict::Blocked(JobHold::BackingOff {
        variant: offer.variant.clone(),
        until,
        left: until.duration_since(world.now),
        error: "records were made for it again and again, and none stayed".into(),
    })
}

enum Verdict<'a> {
    Fine,
    Correct(&'a Record, RecordSettings, Vec<&'static str>),
    Create(RecordReason),
    Blocked(JobHold),
}

fn verdict<'a>(world: &'a World, offer: &Offer<'_>) -> Verdict<'a> {
    let unseen = |what: &str| Verdict::Blocked(JobHold::Unseen { what: what.into() });
    if world.marks().is_empty() {
        return unseen(NO_HOST);
    }
    let current = world.current_record(&offer.variant, offer.pool);
    if let Some(backoff) = world.backoff(&offer.variant) {
        return Verdict::Blocked(JobHold::BackingOff {
            variant: offer.variant.clone(),
            until: backoff.until,
            left: backoff.until.duration_since(world.now),
            error: Arc::clone(&backoff.error),
        });
    }
    let records = match (&world.records, current) {
        (Observed::Known { value, .. }, _) => value,
        (Observed::Unknown { .. }, Some(_)) => return Verdict::Fine,
        (Observed::Unknown { error, .. }, None) => {
            let what = format!("GitLab's records could not be read: {error}").into();
            return Verdict::Blocked(JobHold::Unseen { what });
        }
    };
    // What an operator made counts only where the pool asks for it.
    let asked_for = |record: &&Record| {
        record.variant == offer.variant
            && (record.origin != Origin::Given || offer.pool.runner_token.is_some())
    };
    let named: Vec<&Record> = records.iter().filter(asked_for).collect();
    if let Some(foreign) = named.iter().find(|record| record.origin == Origin::Foreign) {
        let (variant, record) = (offer.variant.clone(), foreign.id);
        return Verdict::Blocked(JobHold::ForeignRecord { variant, record });
    }
    let unseen_record = named.iter().find_map(|record| Some((record.id, record.unseen.as_ref()?)));
    match (current, unseen_record) {
        (Some(_) | None, None) => {}
        // It serves as it was seen last; beside it nothing is made or changed meanwhile.
        (Some(_), Some(_)) => return Verdict::Fine,
        (None, Some((id, why))) => return unseen(&format!("record {id} is not seen: {why}")),
    }
    match current {
        Some(record) if record.origin == Origin::Given => Verdict::Fine,
        Some(record) if record.settings.paused => {
            Verdict::Blocked(JobHold::Paused { variant: offer.variant.clone(), record: record.id })
        }
        Some(record) if world.token_ends_soon(record) => {
            // Another one is on its way.
            match world.awaited_record(&offer.variant, offer.pool, None) {
                Some(_) => Verdict::Fine,
                None => Verdict::Create(RecordReason::TokenEndsSoon),
            }
        }
        Some(record) => match world.awaited_record(&offer.variant, offer.pool, Some(record)) {
            Some(awaited) => another_autogit(world, awaited),
            None => correction(record, offer),
        },
        None => creation(world, offer, &named),
    }
}

fn another_autogit<'a>(world: &World, awaited: &Record) -> Verdict<'a> {
    Verdict::Blocked(JobHold::AnotherAutogit {
        variant: awaited.variant.clone(),
        record: awaited.id,
        left: LEFT_ALONE.saturating_sub(world.unused_for(awaited)),
    })
}

fn correction<'a>(record: &'a Record, offer: &Offer<'_>) -> Verdict<'a> {
    let marks = record.settings.marks.clone();
    let wanted = record_settings(offer.pool, offer.variant.arch, offer.first);
    let wanted = RecordSettings { marks, ..wanted };
    let is = &record.settings;
    let differing = [
        (is.tags != wanted.tags, "tags"),
        (is.run_untagged != wanted.run_untagged, "run_untagged"),
        (is.access != wanted.access, "protected"),
        (is.maximum_timeout != wanted.maximum_timeout, "maximum_timeout"),
    ];
    let differing: Vec<&'static str> =
        differing.into_iter().filter_map(|(differs, name)| differs.then_some(name)).collect();
    if differing.is_empty() { Verdict::Fine } else { Verdict::Correct(record, wanted, differing) }
}

/// For how long a host that cannot be read is waited for, because a container there may have a
/// record's token: it may only be slow, and a record that is made needlessly has to be removed again.
const AWAY_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Each host that cannot be read has been so for long.
fn is_away_for_long(world: &World) -> bool {
    let all_connected = world.spec.hosts.keys().all(|name| world.hosts.contains_key(name));
    all_connected
        && world.hosts.values().all(|host| match host.state {
            Observed::Known { .. } => true,
            Observed::Unknown { since, .. } => world.now.duration_since(since) >= AWAY_FOR,
        })
}

fn creation<'a>(world: &World, offer: &Offer<'_>, named: &[&Record]) -> Verdict<'a> {
    let unseen = |what: &str| Verdict::Blocked(JobHold::Unseen { what: what.into() });
    if offer.pool.runner_token.is_some() {
        return unseen("the pool's `runner_token` was not verified with GitLab yet");
    }
    let place = match &offer.place {
        Ok(place) => place,
        Err(error) => {
            let (pool, error) = (offer.pool.name.clone(), Arc::clone(error));
            return Verdict::Blocked(JobHold::ScopeUnresolved { pool, error });
        }
    };
    if named.is_empty() {
        return Verdict::Create(RecordReason::Missing);
    }
    if let Some(awaited) = world.awaited_record(&offer.variant, offer.pool, None) {
        return another_autogit(world, awaited);
    }
    if named.iter().any(|record| place.is_of(&record.owner)) {
        // A host that cannot be read may hold a container with the token. It may also be away for
        // good, and is not waited for where another host can serve.
        if !world.all_hosts_known()
            && (!is_away_for_long(world) || hosts_of(world, offer).is_empty())
        {
            return unseen("the record's token may be on a host that cannot be read");
        }
        let unread = named.iter().find_map(|record| match &record.token {
            Token::Unread { error } => Some(error),
            Token::AtHand | Token::Lost => None,
        });
        if let Some(error) = unread {
            return unseen(error);
        }
        return Verdict::Create(RecordReason::TokenLost);
    }
    Verdict::Create(RecordReason::ScopeChanged)
}
