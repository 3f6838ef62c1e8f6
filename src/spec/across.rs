//! Checks over several values at once, and the limits that GitLab sets.

mod api;
mod gitlab;
mod pool;
mod pools;
mod runner_config;

use super::Spec;
use super::context::Context;

/// Adds what is wrong with `spec` as a whole. Each check is skipped where a value that it needs
/// is faulty itself.
pub(super) fn check(spec: &Spec, context: &mut Context<'_>) {
    gitlab::check(spec, context);
    for pool in &spec.pools {
        pool::check(pool, context);
        runner_config::check(pool, context);
    }
    pools::check(spec, context);
    api::check(spec, context);
}
