//! Pools against each other, and against the hosts.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::ExposeSecret as _;

use super::{path_of, shared_tag, subject};
use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::words::value;
use crate::spec::{Cost, Cpus, HostSpec, Pool, Scope, Spec};

pub(super) fn check(spec: &Spec, context: &mut Context<'_>) {
    let mut above = Vec::new();
    for pool in &spec.pools {
        let matched = Matched::of(pool);
        shadowed(&matched, &above, context);
        trusted_with_plain_jobs(pool, &spec.pools, context);
        fits_no_host(pool, spec, context);
        if matched.known(context) {
            above.push(matched);
        }
    }
    uncounted(spec, context);
    of_one_record(&spec.pools, context);
}

/// GitLab knows one set of tags for a runner token, and one limit on its requests.
fn of_one_record(pools: &[Pool], context: &mut Context<'_>) {
    let token = |pool: &Pool| {
        let token = pool.runner_token.as_ref()?.value()?.expose_secret();
        (!token.is_empty()).then(|| token.to_owned())
    };
    let mut above: BTreeMap<String, &Pool> = BTreeMap::new();
    for pool in pools {
        let Some(token) = token(pool) else { continue };
        let Some(first) = above.get(&token) else {
            above.insert(token, pool);
            continue;
        };
        let message = format!("`runner_token` is that of pool `{}`, too", first.name);
        let finding = Finding::warning(Code::Conflict, message).about(subject(pool)).hint(
            "GitLab gives its jobs to either of them: make a runner of its own for each pool",
        );
        context.add(&path_of(pool).join("runner_token"), finding);
    }
}

fn sound(pool: &Pool, keys: &[&str], context: &Context<'_>) -> bool {
    keys.iter().all(|key| context.sound(&path_of(pool).join(key)))
}

const MATCHING: [&str; 6] =
    ["enabled", "tags", "architectures", "run_untagged", "protected", "scope"];

/// A pool with its tags in order: each is compared with all above it.
struct Matched<'p> {
    pool: &'p Pool,
    tags: BTreeSet<&'p str>,
}

impl<'p> Matched<'p> {
    fn of(pool: &'p Pool) -> Self {
        Self { pool, tags: pool.tags.iter().map(String::as_str).collect() }
    }

    /// What it takes can be judged.
    fn known(&self, context: &Context<'_>) -> bool {
        self.pool.enabled && sound(self.pool, &MATCHING, context)
    }
}

/// Of two pools that fit a job equally well, the upper one gets it.
fn shadowed(matched: &Matched<'_>, above: &[Matched<'_>], context: &mut Context<'_>) {
    if !matched.known(context) {
        return;
    }
    let pool = matched.pool;
    if let Some(upper) = above.iter().find(|upper| takes_all(upper, matched)) {
        let message = format!(
            "takes the same jobs as pool `{}` above, and so none while that has room",
            upper.pool.name
        );
        let finding = Finding::warning(Code::Doubtful, message)
            .hint("give it a tag of its own, or remove it")
            .about(subject(pool));
        context.add_at_key(&path_of(pool), finding);
    }
}

fn takes_all(upper: &Matched<'_>, lower: &Matched<'_>) -> bool {
    let same_tags = upper.tags == lower.tags;
    let (upper, lower) = (upper.pool, lower.pool);
    let architectures = upper.architectures == lower.architectures
        || (!lower.architectures.is_empty()
            && lower.architectures.iter().all(|arch| upper.architectures.contains(arch)));
    same_tags
        && architectures
        && (upper.run_untagged || !lower.run_untagged)
        && (!upper.protected || lower.protected)
        && covers(&upper.scope, &lower.scope)
}

fn covers(upper: &Scope, lower: &Scope) -> bool {
    // For a warning only: what the names stand for, GitLab alone knows.
    let below = |group: &str, path: &str| {
        let (group, path) = (group.to_lowercase(), path.to_lowercase());
        path.strip_prefix(&group).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match (upper, lower) {
        (Scope::Instance, _) => true,
        (Scope::Group(group), Scope::Group(path) | Scope::Project(path)) => below(group, path),
        (Scope::Project(one), Scope::Project(other)) => one.eq_ignore_ascii_case(other),
        (Scope::Project(_), Scope::Instance | Scope::Group(_))
        | (Scope::Group(_), Scope::Instance) => false,
    }
}

/// A pool whose jobs are given the host, and which also takes jobs that were written for another.
fn trusted_with_plain_jobs(pool: &Pool, pools: &[Pool], context: &mut Context<'_>) {
    let gives_host = |pool: &Pool| pool.job.privileged || pool.job.docker_socket;
    if !gives_host(pool) || !pool.enabled || !sound(pool, &["tags", "job", "run_untagged"], context)
    {
        return;
    }
    let plain = |other: &Pool| !gives_host(other) && sound(other, &["tags", "job"], context);
    if let Some((tag, other)) = shared_tag(pool, pools, plain) {
        let message = format!(
            "it gives its jobs the host, and also takes those that ask for `{}` only, as pool `{}` does",
            value(tag),
            other.name
        );
        let finding = Finding::warning(Code::Doubtful, message)
            .hint("give it only tags that no other pool has")
            .about(subject(pool));
        context.add(&path_of(pool).join("tags"), finding);
    }
}

fn serves(host: &HostSpec, pool: &Pool) -> bool {
    host.pools.has(&pool.name)
}

fn fits_no_host(pool: &Pool, spec: &Spec, context: &mut Context<'_>) {
    if !context.sound(&Path::of("hosts")) || !sound(pool, &["resources"], context) {
        return;
    }
    let path = path_of(pool);
    let mut serving = spec.hosts.values().filter(|host| serves(host, pool)).peekable();
    if serving.peek().is_none() {
        let finding = Finding::error(Code::Conflict, "no host serves it")
            .hint("add it to the `pools` of a host")
            .about(subject(pool));
        context.add_at_key(&path, finding);
        return;
    }
    let Some(resources) = &pool.resources else { return };
    let cost = Cost::of_resources(resources);
    if !serving.any(|host| fits(&cost, host)) {
        let finding = Finding::error(
            Code::Conflict,
            format!("one runner costs {}, more than any host's budget", value(cost)),
        )
        .hint("a job and all of its services count; raise `budget`, or lower `resources`")
        .about(subject(pool));
        context.add(&path.join("resources"), finding);
    }
}

/// What one runner costs is no more than the host's whole budget, as far as the file has it.
fn fits(cost: &Cost, host: &HostSpec) -> bool {
    host.budget.cpus.is_none_or(|cpus| cost.cpus <= Cpus::at_most(cpus))
        && host.budget.memory.is_none_or(|memory| cost.memory <= memory)
}

/// An explicit budget counts what pools say they use; one that says nothing goes uncounted.
fn uncounted(spec: &Spec, context: &mut Context<'_>) {
    for (name, host) in &spec.hosts {
        let budget = Path::of("hosts").join(name.as_str()).join("budget");
        let explicit = host.budget.cpus.is_some() || host.budget.memory.is_some();
        if !explicit || !context.sound(&budget) {
            continue;
        }
        for pool in spec.pools.iter().filter(|pool| pool.resources.is_none() && serves(host, pool))
        {
            if !sound(pool, &["resources"], context) {
                continue;
            }
            let message = format!(
                "sets no `resources`, so host `{name}` does not count it against its budget"
            );
            let finding = Finding::warning(Code::Doubtful, message)
                .hint("set `resources`, for all pools in `defaults`")
                .about(subject(pool));
            context.add_at_key(&path_of(pool), finding);
        }
    }
}
