//! Where a candidate's variables may have values.

/// Fields of the file's top level whose values AutoGit shows in its status and plans.
const TOP: &[&str] = &["instance", "network", "starts_per_minute"];

/// Fields of a pool, or of `defaults`, whose values AutoGit shows in its status and plans. What is
/// missing here goes into containers and is shown to nobody: images, all of `job`, `labels`, `proxy`,
/// `runner_config`, `runner_token`. A field that is added to the spec is missing here until somebody argues for it.
const OF_A_POOL: &[&str] = &[
    "architectures",
    "cache",
    "cooldown",
    "enabled",
    "emulate",
    "gpu",
    "jobs_per_runner",
    "lost_jobs",
    "max",
    "maximum_timeout",
    "priority",
    "protected",
    "pull_policy",
    "resources",
    "run_untagged",
    "scope",
    "startup_timeout",
    "tags",
    "warm",
];

/// Whether AutoGit shows the value at that JSON pointer anyway.
pub(super) fn is_shown(pointer: &str) -> bool {
    let mut steps = pointer.split('/').skip(1);
    match (steps.next(), steps.next()) {
        (Some("pools"), Some(_)) => steps.next().is_some_and(|field| OF_A_POOL.contains(&field)),
        (Some("defaults"), Some(field)) => OF_A_POOL.contains(&field),
        (Some(field), None) => TOP.contains(&field),
        (_, _) => false,
    }
}

/// Whether what stands at that pointer goes into the containers of `pool`.
pub(super) fn is_hidden_of(pool: &str, pointer: &str) -> bool {
    if is_shown(pointer) {
        return false;
    }
    let mut steps = pointer.split('/').skip(1);
    match (steps.next(), steps.next()) {
        // A pool's name needs no escapes.
        (Some("pools"), Some(name)) => name == pool,
        (Some("defaults"), _) => true,
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_shown_anyway_has_values() {
        for shown in ["/network", "/pools/linux/max", "/pools/linux/tags/0", "/defaults/warm/amd64"]
        {
            assert!(is_shown(shown), "{shown}");
        }
        for hidden in [
            "",
            "/",
            "/gitlab/url",
            "/gitlab/token",
            "/hosts/local/docker",
            "/api/token",
            "/network/x",
            "/pools",
            "/pools/linux",
            "/pools/linux/runner_token",
            "/pools/linux/job/environment/KEY",
            "/pools/linux/runner_config/docker/x",
            "/pools/linux~1max",
            "/pools/linux/job/max",
            "/defaults/job/image",
            "/max",
        ] {
            assert!(!is_shown(hidden), "{hidden}");
        }
    }
}
