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
        let path = Path::of("pools").join(pool.name.as_str());
        pool_alone(pool, &path, &format!("pool `{}`", pool.name), context);
    }
    pools::check(spec, context);
    gpus::check(spec, context);
    api::check(spec, context);
}

/// What is wrong with one pool, which stands at `path`.
pub(super) fn pool_alone(pool: &Pool, path: &Path, subject: &str, context: &mut Context<'_>) {
    pool::check(pool, path, subject, context);
    runner_config::check(pool, path, subject, context);
}
