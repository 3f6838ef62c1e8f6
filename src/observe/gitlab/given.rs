//! The records behind the operator's own tokens.

use crate::spec::Pool;
use crate::tokens::{Given, Tokens};
use crate::world::{Observed, Origin, Owner, Record, Token, Variant, World, record_settings};

/// One record per variant of each pool that brings its own token, of those that GitLab took.
pub(super) fn records(world: &World, given: &[Given]) -> Vec<Record> {
    let variants = world.variants().into_iter();
    let records = variants.filter_map(|(variant, pool)| {
        let token = pool.runner_token.as_ref()?.value()?;
        let given = given.iter().find(|given| given.is(token))?;
        Some(given_record(world, given, variant, pool))
    });
    records.collect()
}

/// Says once of each that it ends soon: AutoGit cannot make a new one.
pub(super) fn warn(world: &World, records: &[Record], tokens: &mut Tokens) {
    for record in records.iter().filter(|record| record.origin == Origin::Given) {
        if let Some(at) = record.token_expires_at
            && world.token_ends_soon(record)
            && tokens.warns_of(record.id)
        {
            tracing::warn!(pool = %record.variant.pool, %at, "the pool's `runner_token` ends soon, and its runners with it\nhint: make a new one in GitLab and set it");
        }
    }
}

fn given_record(world: &World, given: &Given, variant: Variant, pool: &Pool) -> Record {
    Record {
        id: given.record,
        settings: record_settings(pool, variant.arch, world.is_first(pool, variant.arch)),
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
