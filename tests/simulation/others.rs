//! What belongs to others on the same engines and the same GitLab, planted before a history begins.

use std::collections::BTreeMap;

use crate::invariants::Others;
use autogit::sandbox::engine::{ContainerView, JobLeftovers, ObjectView, SimulatedEngine};
use autogit::sandbox::gitlab::{NewJob, NewRecord, SimulatedGitlab};
use autogit::sandbox::runner::{Labels, PREFIX, Version};
use autogit::spec::{Arch, HostName, InstanceName, PoolName, Scope};
use autogit::world::{EngineId, JobId, Slot, SystemId, Variant};

use crate::chaos::Kind;
use crate::gitlab_side::QUEUE_PAGE_MIN;
use crate::harness::Harness;

/// A plain gitlab-runner with a job, another instance's runner with a job, volumes and networks of
/// both, and records of a person, of another instance and of another installation.
pub(crate) fn plant(
    gitlab: &SimulatedGitlab,
    engines: &BTreeMap<HostName, SimulatedEngine>,
) -> Others {
    let mut others = Others::default();
    for (name, engine) in engines {
        plant_on(engine);
        plant_in_our_slot(engine, name);
        others.containers.insert(name.clone(), engine.containers());
        others.volumes.insert(name.clone(), engine.volumes());
        others.networks.insert(name.clone(), engine.networks());
    }
    for (description, tag) in [
        ("a person's own runner", "own"),
        ("autogit/other/linux-amd64", "docker"),
        ("autogit/autogit-2/linux-amd64", "elsewhere"),
        // Under our name, with the mark of nobody.
        ("autogit/autogit/unknown-amd64", "unmarked"),
    ] {
        gitlab.add_record_by_hand(NewRecord {
            scope: Scope::Instance,
            description: description.to_owned(),
            tags: vec![format!("{tag}-of-others")],
            run_untagged: false,
            protected: false,
        });
    }
    others.records = gitlab.records();
    others
}

fn plant_on(engine: &SimulatedEngine) {
    let plain = Labels::new();
    engine.add_foreign_container("gitlab-runner", plain.clone()).unwrap();
    engine.add_foreign_volume("somebodys-data", Labels::from([("of".into(), "somebody".into())]));
    engine.add_foreign_network("bridge-of-others", plain);
    let label = |name: &str, value: &str| (format!("io.autogit.{name}"), value.to_owned());
    let other = Labels::from([
        label("instance", "other"),
        label("pool", "linux"),
        label("arch", "amd64"),
        label("slot", "0"),
        label("system-id", "r_otherxxxxxxx"),
        label("record", "7"),
        label("spec", "abc"),
        label("schema", "1"),
    ]);
    engine.add_foreign_container("autogit-runner-other-linux-amd64-0", other).unwrap();
    engine.add_foreign_network("other-network", Labels::from([label("instance", "other")]));
    for (system_id, job, running) in [("r_otherxxxxxxx", 1, true), ("s_abcdefabcdef", 2, false)] {
        let left = JobLeftovers {
            system_id: SystemId::from_observed(system_id),
            job: JobId(job),
            project: job,
            running,
            reusable: job == 2,
            version: Version::NEWEST,
        };
        engine.add_job_leftovers(&left).unwrap();
    }
}

/// A volume that a job in a slot of ours made, of which nothing tells what it holds.
fn plant_in_our_slot(engine: &SimulatedEngine, host: &HostName) {
    let id = EngineId::from_observed(host.as_str());
    let variant = Variant::new(&PoolName::new("linux").unwrap(), Arch::Amd64);
    let slot = SystemId::new(&InstanceName::standard(), &id, &variant, Slot(0));
    let label = |name: &str, value: &str| (format!("{PREFIX}{name}"), value.to_owned());
    let labels = [label("managed", "true"), label("runner.system_id", slot.as_str())];
    engine.add_foreign_volume("of-a-job-for-what", Labels::from(labels));
}

/// Whether a container is not one of those.
pub(crate) fn is_planted(others: &Others, host: &HostName, container: &ContainerView) -> bool {
    others.containers.get(host).is_some_and(|all| all.iter().any(|it| it.id == container.id))
}

/// How many objects were planted, for counting what is left.
pub(crate) fn counted(objects: &BTreeMap<HostName, Vec<ObjectView>>) -> usize {
    objects.values().map(Vec::len).sum()
}

/// Pages of the queue that a look reads.
const PAGES_READ: u64 = 10;

/// Other people queue more jobs than a look reads, which no pool may take; only where pages are
/// small, for more jobs show no more.
pub(crate) fn flood(harness: &Harness) {
    let is_there = || harness.gitlab().jobs_without_logs().iter().any(|job| job.tags == [FLOOD]);
    if harness.page_size().is_none() || is_there() {
        return;
    }
    let kind = Kind::QueueFlooded;
    let project = harness.chaos().pick(kind, harness.projects()).unwrap();
    let jobs = QUEUE_PAGE_MIN * PAGES_READ + harness.chaos().below(kind, 60);
    for _ in 0..jobs {
        harness.gitlab().add_job(NewJob::new(project).tagged(&[FLOOD]));
    }
    harness.note(&format!("{jobs} jobs of others arrive"));
}

/// The tag that the jobs of a flood have, and no pool.
const FLOOD: &str = "flood-of-others";
