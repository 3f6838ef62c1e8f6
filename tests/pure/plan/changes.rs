//! What of a pool needs a new container when it changes, and what is set on its record.

use std::collections::BTreeSet;
use std::time::Duration;

use autogit::plan::{Action, Facts, plan};
use autogit::spec::{Arch, HostName};
use autogit::world::{
    Access, EngineId, RecordSettings, SpecHash, World, record_settings, spec_hash,
};

use crate::plan::harness::{look, records_of, spec};

fn hash(fields: &str) -> SpecHash {
    let spec = spec(&format!("pools: {{linux: {{tags: [docker], {fields}}}}}"));
    let (host, engine) = (HostName::new("local").unwrap(), EngineId::from_observed("engine"));
    spec_hash(&spec, &spec.pools[0], &host, &engine)
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

/// What the record of a plain pool is to have.
fn plain() -> RecordSettings {
    RecordSettings {
        tags: vec!["amd64".to_owned(), "docker".to_owned()],
        run_untagged: false,
        access: Access::NotProtected,
        maximum_timeout: None,
        paused: false,
        marks: BTreeSet::new(),
    }
}

/// The pool's tags are given in no order, and one of them twice.
#[test]
fn a_record_has_what_the_pool_says() {
    let tags = |tags: [&str; 3]| tags.map(str::to_owned).to_vec();
    let amd64 = RecordSettings { tags: tags(["amd64", "docker", "fast"]), ..plain() };
    let arm64 = RecordSettings { tags: tags(["arm64", "docker", "fast"]), ..plain() };
    let untagged = RecordSettings { run_untagged: true, ..amd64.clone() };
    let protected = RecordSettings { access: Access::RefProtected, ..amd64.clone() };
    let two_hours = Some(Duration::from_hours(2));
    let limited = RecordSettings { maximum_timeout: two_hours, ..amd64.clone() };
    for (fields, arch, first, expected) in [
        ("", Arch::Amd64, true, &amd64),
        ("", Arch::Arm64, false, &arm64),
        ("run_untagged: true", Arch::Amd64, true, &untagged),
        ("run_untagged: true", Arch::Arm64, false, &arm64),
        ("protected: true", Arch::Amd64, true, &protected),
        ("protected: false", Arch::Amd64, true, &amd64),
        ("maximum_timeout: 2h", Arch::Amd64, true, &limited),
    ] {
        let mut spec = spec(&format!("pools: {{linux: {{tags: [fast, docker], {fields}}}}}"));
        let pool = &mut spec.pools[0];
        pool.tags.push("fast".to_owned());
        assert_eq!(record_settings(pool, arch, first), *expected, "{fields} at {arch}");
    }
}

#[test]
fn each_setting_of_a_record_that_differs_is_corrected() {
    let hour = Some(Duration::from_hours(1));
    for (name, drifted) in [
        ("tags", RecordSettings { tags: vec!["docker".to_owned()], ..plain() }),
        ("run_untagged", RecordSettings { run_untagged: true, ..plain() }),
        ("protected", RecordSettings { access: Access::RefProtected, ..plain() }),
        ("maximum_timeout", RecordSettings { maximum_timeout: hour, ..plain() }),
    ] {
        let mut look = look(spec("pools: {linux: {tags: [docker]}}"), |_| Arch::Amd64);
        records_of(&mut look)[0].settings = drifted;
        let plan = plan(&World::of(look));
        let [decision] = plan.decisions.as_slice() else { panic!("{name}: {:?}", plan.decisions) };
        let Action::UpdateRecord { settings, .. } = &decision.action else { panic!("{name}") };
        assert_eq!(*settings, plain(), "{name}");
        assert_eq!(decision.facts, Facts::Drift { settings: vec![name] });
    }
}
