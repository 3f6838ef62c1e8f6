//! One pool.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::hidden::named;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::runner_config::reserved_label;
use crate::spec::section::{RawArch, RawGpu, RawPool, RawResources, RawScope};
use crate::spec::values;
use crate::spec::{
    Arch, Cache, GpuSpec, LostJobs, Pool, PoolName, PullPolicy, Resources, Scope, ServiceResources,
    Warm,
};

/// The runner's image unless the file names one. Pinned, so that an upgrade is a decision.
pub(super) const RUNNER_IMAGE: &str = "gitlab/gitlab-runner:alpine-v19.3.0";

pub(super) fn build(name: PoolName, raw: RawPool, path: &Path, context: &mut Context<'_>) -> Pool {
    let mut duration =
        |key: &str, word, default| context.duration(&path.join(key), word).unwrap_or(default);
    // No idle runner keeps a GPU from the others, and none has it with a job that needs it not.
    let gpu = raw.gpu.as_ref().and_then(gpu);
    let (cooldown, jobs) =
        if gpu.is_some() { (Duration::ZERO, 1) } else { (Duration::from_mins(5), 0) };
    let cooldown = duration("cooldown", raw.cooldown, cooldown);
    let startup_timeout = duration("startup_timeout", raw.startup_timeout, Duration::from_mins(2));
    let image_refresh = duration("image_refresh", raw.image_refresh, Duration::from_hours(24));
    let images = raw.images.map(|raw| images(raw, &path.join("images"), context));
    Pool {
        name,
        enabled: raw.enabled.unwrap_or(true),
        tags: raw.tags.unwrap_or_default(),
        architectures: raw.architectures.unwrap_or_default().into_iter().map(arch).collect(),
        run_untagged: raw.run_untagged.unwrap_or(false),
        protected: raw.protected.unwrap_or(false),
        scope: scope(raw.scope, &path.join("scope"), context),
        max: raw.max.unwrap_or(4),
        warm: raw
            .warm
            .map_or(Warm::Count(0), |raw| super::warm::build(raw, &path.join("warm"), context)),
        cooldown,
        jobs_per_runner: raw.jobs_per_runner.unwrap_or(jobs),
        startup_timeout,
        maximum_timeout: context.duration(&path.join("maximum_timeout"), raw.maximum_timeout),
        priority: raw.priority.unwrap_or(0),
        runner_image: context
            .read(&path.join("runner_image"), raw.runner_image, values::image)
            .unwrap_or_else(|| RUNNER_IMAGE.to_owned()),
        pull_policy: raw.pull_policy.unwrap_or(PullPolicy::IfNotPresent),
        images,
        image_refresh,
        resources: raw.resources.map(|raw| resources(raw, &path.join("resources"), context)),
        gpu,
        emulate: raw.emulate.unwrap_or(false),
        cache: raw.cache.unwrap_or(Cache::Keep),
        runner_token: context.credential(
            path,
            "runner_token",
            raw.runner_token,
            raw.runner_token_file,
        ),
        lost_jobs: raw.lost_jobs.unwrap_or(LostJobs::Report),
        proxy: raw.proxy.map(|raw| super::proxy::build(raw, &path.join("proxy"), context)),
        labels: labels(raw.labels.unwrap_or_default(), &path.join("labels"), context),
        job: super::job::build(raw.job.unwrap_or_default(), &path.join("job"), context),
        runner_config: raw.runner_config.unwrap_or_default(),
    }
}

fn images(images: Vec<String>, path: &Path, context: &mut Context<'_>) -> Vec<String> {
    let read = |(index, image): (usize, String)| {
        context.read(&path.join(&index.to_string()), Some(image), values::image)
    };
    images.into_iter().enumerate().filter_map(read).collect()
}

/// The operator's own labels. A reserved one would make a container somebody else's.
fn labels(
    labels: BTreeMap<String, String>,
    path: &Path,
    context: &mut Context<'_>,
) -> BTreeMap<String, String> {
    for (name, text) in &labels {
        let bad = |text: &str| text.contains(char::is_control);
        let finding = if let Some(owner) = reserved_label(name) {
            let message = format!("`labels.{}` is written by {owner}", named(name));
            Finding::error(Code::Conflict, message).hint("give it a name of your own, or remove it")
        } else if name.trim() != name || name.is_empty() || name.contains('=') || bad(name) {
            let message = format!("`{}` is no label's name", named(name));
            Finding::error(Code::BadValue, message).hint("write it as in `com.example.team`")
        } else if bad(text) {
            let message = format!("`labels.{}` holds a control character", named(name));
            Finding::error(Code::BadValue, message).hint("write it in one line")
        } else {
            continue;
        };
        context.add_at_key(&path.join(name), finding);
    }
    labels
}

/// Without a vendor it is a fault already.
fn gpu(raw: &RawGpu) -> Option<GpuSpec> {
    Some(GpuSpec { vendor: raw.vendor?, count: raw.count.unwrap_or(1) })
}

pub(super) fn arch(raw: RawArch) -> Arch {
    match raw {
        RawArch::Amd64 => Arch::Amd64,
        RawArch::Arm64 => Arch::Arm64,
        RawArch::ArmV7 | RawArch::Armv7 => Arch::Armv7,
        RawArch::Riscv64 => Arch::Riscv64,
        RawArch::S390x => Arch::S390x,
        RawArch::Ppc64le => Arch::Ppc64le,
    }
}

fn scope(raw: Option<RawScope>, path: &Path, context: &mut Context<'_>) -> Scope {
    let map = match raw {
        None | Some(RawScope::Word(_)) => return Scope::Instance,
        Some(RawScope::Map(map)) => map,
    };
    match (map.group, map.project) {
        (Some(group), None) => {
            super::gitlab::full_path(&group, &path.join("group"), context);
            Scope::Group(group)
        }
        (None, Some(project)) => {
            let path = path.join("project");
            super::gitlab::full_path(&project, &path, context);
            let by_id = project.bytes().all(|byte| byte.is_ascii_digit());
            if !project.contains('/') && !by_id && context.sound(&path) {
                let message = format!("{} is no project's full path", context.shown(&path));
                let finding = Finding::error(Code::BadValue, message)
                    .hint("write its group or user too, as in `team/app`, or its id");
                context.add(&path, finding);
            }
            Scope::Project(project)
        }
        (group, _) => {
            let message = match group {
                Some(_) => "`scope` names both a group and a project",
                None => "`scope` names neither a group nor a project",
            };
            let finding = Finding::error(Code::Conflict, message)
                .hint("write `instance`, `{group: path}` or `{project: path}`");
            if context.sound(path) {
                context.add_at_key(path, finding);
            }
            Scope::Instance
        }
    }
}

fn resources(raw: RawResources, path: &Path, context: &mut Context<'_>) -> Resources {
    let services = raw.services.map(|raw| ServiceResources {
        max: raw.max.unwrap_or(0),
        cpus: raw.cpus,
        memory: memory(raw.memory, &path.join("services").join("memory"), context),
    });
    Resources {
        cpus: raw.cpus,
        memory: memory(raw.memory, &path.join("memory"), context),
        services,
    }
}

/// The memory of a container. Docker refuses less than 6 MiB, at each job's start.
fn memory(word: Option<String>, path: &Path, context: &mut Context<'_>) -> Option<u64> {
    let bytes = context.read(path, word, values::size)?;
    if bytes < 6 << 20 {
        let message =
            format!("`memory` is {}, but Docker needs at least 6MiB", context.shown(path));
        context.add(path, Finding::error(Code::BadValue, message));
    }
    Some(bytes)
}
