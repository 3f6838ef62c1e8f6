//! What the spec asks of a variant's record and of its containers.

use super::{Access, Record, RecordSettings, SpecHash, Token, Variant, World};
use crate::spec::{Arch, Pool, Spec};

/// Raised when the container itself is built in another way, so that idle runners are replaced.
const CONTAINER_REVISION: &str = "1";

/// The part of a token's life after which a new record takes over.
const TOKEN_LIFE_USED_MAX: f64 = 0.75;

/// The settings that the record of `pool` at `arch` must have.
pub fn record_settings(pool: &Pool, arch: Arch, first: bool) -> RecordSettings {
    let mut tags = pool.tags_for(arch);
    tags.sort();
    tags.dedup();
    RecordSettings {
        tags,
        run_untagged: pool.run_untagged && first,
        access: if pool.protected { Access::RefProtected } else { Access::NotProtected },
        maximum_timeout: pool.maximum_timeout,
        paused: false,
    }
}

/// The hash of all that needs a new container when it changes. Tags, `max`, `warm`, `cooldown`,
/// `priority` and the like change in place and are no part of it.
pub fn spec_hash(spec: &Spec, pool: &Pool) -> SpecHash {
    let gitlab = &spec.gitlab;
    let container = format!("{:?}", (&pool.runner_image, pool.jobs_per_runner, &spec.network));
    let config = format!("{:?}", (&pool.job, &pool.resources, pool.cache, &pool.runner_config));
    let reach = format!("{:?}", (&gitlab.runner_url, &gitlab.clone_url, &gitlab.ca_file));
    SpecHash::of(&[CONTAINER_REVISION, &container, &config, &reach])
}

impl World {
    /// The record whose token new runners of the variant get: of the pool's scope, with its token
    /// at hand, the newest; one whose token ends soon only if there is no other.
    pub fn current_record<'a>(&'a self, variant: &Variant, pool: &Pool) -> Option<&'a Record> {
        let place = self.place(&pool.scope).ok();
        let records = self.records.last()?.iter();
        let usable = records.filter(|record| {
            record.variant == *variant
                && record.token == Token::AtHand
                && match record.origin {
                    super::Origin::Ours => {
                        let its = place.as_ref().is_some_and(|place| place.is_of(&record.owner));
                        its && pool.runner_token.is_none()
                    }
                    super::Origin::Given => pool.runner_token.is_some(),
                    super::Origin::Foreign | super::Origin::Untold => false,
                }
        });
        usable.max_by_key(|record| (!self.token_ends_soon(record), record.id))
    }

    /// Three quarters of the token's life are over.
    pub fn token_ends_soon(&self, record: &Record) -> bool {
        let (Some(expires_at), Some(created_at)) = (record.token_expires_at, record.created_at)
        else {
            return record.token_expires_at.is_some_and(|at| at <= self.now);
        };
        let life = expires_at.duration_since(created_at).as_secs_f64();
        self.now.duration_since(created_at).as_secs_f64() >= life * TOKEN_LIFE_USED_MAX
    }
}
