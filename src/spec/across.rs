//! Checks over several values at once, and the limits that GitLab sets.

mod api;
mod gitlab;
mod gpus;
mod pool;
mod pools;
mod runner_config;
mod warm;

use super::context::Context;
use super::path::Path;
use super::{Pool, Spec};

/// Adds what is wrong with `spec` as a whole. Each check is skipped where a value that it needs
/// is faulty itself.
pub(super) fn check(spec: &Spec, context: &mut Context<'_>) {
    gitlab::check(spec, context);
    for pool in &spec.pools {
        pool_alone(pool, &path_of(pool), &subject(pool), context);
    }
    pools::check(spec, context);
    gpus::check(spec, context);
    api::check(spec, context);
}

/// Another pool that is `plain` and whose jobs may come to `pool`, by a tag that both have.
fn shared_tag<'p>(
    pool: &'p Pool,
    pools: &'p [Pool],
    plain: impl Fn(&Pool) -> bool,
) -> Option<(&'p str, &'p Pool)> {
    let mut others = pools.iter().filter(|other| other.enabled && plain(other));
    others.find_map(|other| {
        let tag = pool.tags.iter().find(|tag| other.tags.contains(tag))?;
        Some((tag.as_str(), other))
    })
}

fn path_of(pool: &Pool) -> Path {
    Path::of("pools").join(pool.name.as_str())
}

fn subject(pool: &Pool) -> String {
    format!("pool `{}`", pool.name)
}

/// What is wrong with one pool, which stands at `path`.
pub(super) fn pool_alone(pool: &Pool, path: &Path, subject: &str, context: &mut Context<'_>) {
    pool::check(pool, path, subject, context);
    runner_config::check(pool, path, subject, context);
}
