//! One pool: whether its values go together, and GitLab takes them.

use std::time::Duration;

use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::values::{RUNNER_VERSION_MIN, runner_version};
use crate::spec::words::value;
use crate::spec::{Arch, JobNetwork, Pool};

/// GitLab refuses a runner with more.
const TAGS_MAX: usize = 50;
/// GitLab refuses a shorter one.
const MAXIMUM_TIMEOUT_MIN: Duration = Duration::from_mins(10);
/// GitLab's standard limit of requests per runner token: idle runners of one record beyond this
/// many ask more often than that (2000 a minute, 18.5).
const RUNNERS_MAX: u32 = 100;

pub(super) fn check(pool: &Pool, path: &Path, subject: &str, context: &mut Context<'_>) {
    let mut findings = Vec::new();
    tags(pool, path, &mut findings);
    size(pool, path, context, &mut findings);
    runner(pool, path, context, &mut findings);
    openings(pool, path, &mut findings);
    emulation(pool, path, &mut findings);
    // Before the first is taken: it makes its value faulty, and would hide the others of it.
    findings.retain(|(needs, _)| needs.iter().all(|path| context.sound(path)));
    for (needs, finding) in findings {
        if let Some(at) = needs.first() {
            context.add(at, finding.about(subject));
        }
    }
}

/// The paths that a finding follows from, the one it is shown at first.
pub(super) type Findings = Vec<(Vec<Path>, Finding)>;

/// Without `architectures` a pool has those of its hosts, which run them natively.
fn emulation(pool: &Pool, path: &Path, findings: &mut Findings) {
    if pool.emulate && pool.architectures.is_empty() {
        let message = "`emulate` does nothing without `architectures`";
        let finding = Finding::warning(Code::Doubtful, message)
            .hint("name the architectures of its jobs, as in `architectures: [amd64, arm64]`");
        findings.push((vec![path.join("emulate"), path.join("architectures")], finding));
    }
}

fn tags(pool: &Pool, path: &Path, findings: &mut Findings) {
    let tags = path.join("tags");
    if pool.tags.is_empty() && !pool.run_untagged {
        let message = "without `tags` it takes no job";
        let finding = Finding::error(Code::MissingKey, message)
            .hint("give it a tag, or set `run_untagged: true`");
        findings.push((vec![tags.clone(), path.join("run_untagged")], finding));
    }
    // Each architecture adds its own.
    if pool.tags.len() >= TAGS_MAX {
        let message = format!("{} tags, but GitLab takes {TAGS_MAX}", value(pool.tags.len() + 1));
        let finding = Finding::error(Code::BadValue, message)
            .hint("the architecture adds one to those of the file");
        findings.push((vec![tags.clone()], finding));
    }
    for (index, tag) in pool.tags.iter().enumerate() {
        let fits = !tag.trim().is_empty() && tag.trim() == tag && !tag.contains(',');
        if !fits || tag.chars().count() > 255 {
            let shown = format!("`{}`", value(tag));
            let shown = if tag.is_empty() { "an empty text" } else { &shown };
            let finding = Finding::error(Code::BadValue, format!("{shown} is no tag"))
                .hint("a tag has no comma, and no space around it");
            findings.push((vec![tags.join(&index.to_string())], finding));
        }
    }
}

fn size(pool: &Pool, path: &Path, context: &Context<'_>, findings: &mut Findings) {
    super::warm::check(pool, path, context, findings);
    if pool.max > RUNNERS_MAX {
        let message = format!(
            "`max` is {}: beyond {RUNNERS_MAX} runners of one record GitLab turns down some of their requests",
            value(pool.max)
        );
        let finding = Finding::warning(Code::Doubtful, message).hint("split it into two pools");
        findings.push((vec![path.join("max")], finding));
    }
}

fn runner(pool: &Pool, path: &Path, context: &Context<'_>, findings: &mut Findings) {
    if pool.maximum_timeout.is_some_and(|limit| limit < MAXIMUM_TIMEOUT_MIN) {
        let message = "`maximum_timeout` is shorter than GitLab takes";
        let finding = Finding::error(Code::BadValue, message).hint("set it to at least `10m`");
        findings.push((vec![path.join("maximum_timeout")], finding));
    }
    // It would be sent without them, and differ from what the file says for ever.
    if pool.maximum_timeout.is_some_and(|limit| limit.subsec_nanos() > 0) {
        let message = "`maximum_timeout` has a part of a second, and GitLab keeps whole ones";
        let finding = Finding::error(Code::BadValue, message).hint("write it as in `90m`");
        findings.push((vec![path.join("maximum_timeout")], finding));
    }
    if let Some(version) = runner_version(&pool.runner_image)
        && version < RUNNER_VERSION_MIN
    {
        let message =
            format!("gitlab-runner {} is too old", value(format!("{}.{}", version.0, version.1)));
        let finding = Finding::error(Code::BadValue, message)
            .hint("18.4 is the first that marks what jobs leave behind with its runner");
        findings.push((vec![path.join("runner_image")], finding));
    }
    if pool.architectures.contains(&Arch::Armv7) && !context.given(&path.join("runner_image")) {
        let message = "the standard `runner_image` is not built for armv7";
        let finding = Finding::error(Code::Conflict, message)
            .hint("name an image of your own that is, or remove the architecture");
        findings.push((vec![path.join("architectures"), path.join("runner_image")], finding));
    }
}

/// What lowers the wall between a job and its host.
fn openings(pool: &Pool, path: &Path, findings: &mut Findings) {
    let job = path.join("job");
    let openings = [
        ("privileged", pool.job.privileged, "`privileged` gives its jobs the host"),
        (
            "docker_socket",
            pool.job.docker_socket,
            "`docker_socket` gives its jobs the host's engine, and so the host",
        ),
        (
            "network",
            pool.job.network == JobNetwork::Host,
            "`network: host` lets its jobs reach all that the host can, our API too",
        ),
    ];
    for (key, open, message) in openings {
        if open {
            let finding = Finding::warning(Code::Unsafe, message)
                .hint("limit it to those you trust: `protected: true`, or a `scope`");
            findings.push((vec![job.join(key)], finding));
        }
    }
}
