//! Pools that ask for GPUs.

use super::{path_of, shared_tag, subject};
use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::words::value;
use crate::spec::{GpuSpec, Pool, Spec};

pub(super) fn check(spec: &Spec, context: &mut Context<'_>) {
    for pool in &spec.pools {
        let path = path_of(pool);
        let Some(gpu) = pool.gpu.filter(|_| context.sound(&path.join("gpu"))) else { continue };
        has_none(pool, gpu, spec, &path, context);
        if pool.enabled && context.sound(&path.join("tags")) {
            taken_by_plain_jobs(pool, &spec.pools, &path, context);
        }
        let job = path.join("job");
        if (pool.job.privileged || pool.job.docker_socket) && context.sound(&job) {
            let message = "its jobs are given the host, and so all of its GPUs";
            let finding = Finding::warning(Code::Doubtful, message)
                .hint("remove `job.privileged` and `job.docker_socket`")
                .about(subject(pool));
            context.add(&job, finding);
        }
    }
}

/// As far as the file says what the hosts have.
fn has_none(pool: &Pool, gpu: GpuSpec, spec: &Spec, path: &Path, context: &mut Context<'_>) {
    if !context.sound(&Path::of("hosts")) {
        return;
    }
    let mut serving = spec.hosts.values().filter(|host| host.pools.has(&pool.name)).peekable();
    let may_have = |most: Option<u32>| most.is_none_or(|most| most >= gpu.count);
    if serving.peek().is_none()
        || serving.any(|host| may_have(host.budget.gpus.most_of(gpu.vendor)))
    {
        return;
    }
    let message = format!("one runner needs {}, more than any host may give", value(gpu));
    let finding = Finding::error(Code::Conflict, message)
        .hint("raise `budget.gpus` of a host, or lower `gpu.count`")
        .about(subject(pool));
    context.add(&path.join("gpu"), finding);
}

/// GitLab gives a runner each job that its tags fit, whether that needs a GPU or not.
fn taken_by_plain_jobs(pool: &Pool, pools: &[Pool], path: &Path, context: &mut Context<'_>) {
    if pool.run_untagged {
        let finding = Finding::warning(Code::Doubtful, "jobs without tags get its GPUs, too")
            .hint("remove `run_untagged`")
            .about(subject(pool));
        context.add(&path.join("run_untagged"), finding);
    }
    let plain = |other: &Pool| other.gpu.is_none() && context.sound(&path_of(other).join("tags"));
    if let Some((tag, other)) = shared_tag(pool, pools, plain) {
        let message = format!(
            "jobs that ask for `{}` only, as those of pool `{}`, get its GPUs, too",
            value(tag),
            other.name
        );
        let finding = Finding::warning(Code::Doubtful, message)
            .hint("give it only tags that no other pool has: it has `gpu` and its vendor's anyway")
            .about(subject(pool));
        context.add(&path.join("tags"), finding);
    }
}
