//! What of a pool needs a new container when it changes, and what does not.

use autogit::world::{SpecHash, spec_hash};

use crate::stage::spec;

fn hash(fields: &str) -> SpecHash {
    let spec = spec(&format!("pools: {{linux: {{tags: [docker], {fields}}}}}"));
    spec_hash(&spec, &spec.pools[0])
}

#[test]
fn what_is_set_on_the_record_or_only_planned_with_touches_no_container() {
    let before = hash("");
    for fields in [
        "max: 9",
        "warm: 2",
        "cooldown: 9m",
        "priority: 5",
        "startup_timeout: 9m",
        "maximum_timeout: 2h",
        "protected: true",
        "run_untagged: true",
        "scope: {group: team}",
        "pull_policy: always",
    ] {
        assert_eq!(hash(fields), before, "{fields}");
    }
}

#[test]
fn what_a_runner_is_made_with_needs_a_new_one() {
    let before = hash("");
    for fields in [
        "runner_image: 'gitlab/gitlab-runner:v18.5.0'",
        "jobs_per_runner: 1",
        "cache: discard",
        "resources: {cpus: 2}",
        "job: {image: 'debian:13'}",
        "job: {environment: {A: b}}",
        "runner_config: {output_limit: 8192}",
    ] {
        assert_ne!(hash(fields), before, "{fields}");
    }
}
