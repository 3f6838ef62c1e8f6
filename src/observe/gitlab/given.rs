//! The records behind the operator's own tokens.

use crate::spec::Pool;
use crate::tokens::{Given, Tokens};
use crate::world::{Look, Observed, Origin, Owner, Record, Token, Variant, record_settings};

/// One record per variant of each pool that brings its own token, of those that GitLab took.
pub(super) fn records(look: &Look, given: &[Given]) -> Vec<Record> {
    let variants = look.variants().into_iter();
    let records = variants.filter_map(|(variant, pool)| {
        let token = pool.runner_token.as_ref()?.value()?;
        let given = given.iter().find(|given| given.is(token))?;
        Some(given_record(look, given, variant, pool))
    });
    records.collect()
}

/// Says once of each that it ends soon: AutoGit cannot make a new one.
pub(super) fn warn(look: &Look, records: &[Record], tokens: &mut Tokens) {
    for record in records.iter().filter(|record| record.origin == Origin::Given) {
        if let Some(at) = record.token_expires_at
            && look.token_ends_soon(record)
            && tokens.warns_of(record.id)
        {
            tracing::warn!(pool = %record.variant.pool, %at, "the pool's `runner_token` ends soon, and its runners with it\nhint: make a new one in GitLab and set it");
        }
    }
}

fn given_record(look: &Look, given: &Given, variant: Variant, pool: &Pool) -> Record {
    Record {
        id: given.record,
        settings: record_settings(pool, variant.arch, look.is_first(pool, variant.arch)),
        variant,
        origin: Origin::Given,
        owner: look.place(&pool.scope).map_or(Owner::Instance, |place| place.owner()),
        created_at: Some(given.since),
        token_expires_at: given.expires_at,
        token: Token::AtHand,
        managers: Observed::Unknown { since: look.now, error: "not asked yet".into(), last: None },
        unseen: None,
    }
}
