//! Worlds at random: few pools, hosts and tags, so that everything meets everything.

use std::sync::LazyLock;
use std::time::Duration;

use autogit::spec::{Arch, Credential, Pool, PoolName, Resources, Scope, Spec, Warm};
use autogit::world::{Job, JobId, Look, ProjectId, World};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use secrecy::SecretString;

use crate::plan::harness::{
    deny_missing, host_spec, id_of, job, known, look, queue, records_of, spec, state_of,
};
use crate::plan::steps::{Step, hosts, losses, memories, objects, records, runners};
use crate::plan::words::host;

pub(crate) const HOSTS: [&str; 3] = ["h0", "h1", "h2"];
pub(crate) const POOLS: [&str; 3] = ["p0", "p1", "p2"];
pub(crate) const ARCHES: [Arch; 2] = [Arch::Amd64, Arch::Arm64];
const TAGS: [&str; 3] = ["a", "b", "c"];

/// Read once: the schema behind it costs more than a whole look.
static BASE: LazyLock<Spec> = LazyLock::new(|| spec("pools: {p0: {tags: [a]}}"));

/// A look as what makes it, so that it shrinks to the little that matters.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pools: Vec<Pool>,
    arches: Vec<Arch>,
    starts_per_minute: u32,
    jobs: Vec<Job>,
    steps: Vec<Step>,
}

pub(crate) fn plots() -> impl Strategy<Value = Plot> {
    use prop::collection::vec;
    let bare = (vec(pools(), 1..=3), vec(select(&ARCHES[..]), 1..=3), 1..6_u32);
    let there = (vec(hosts(), 0..3), vec(records(), 0..3), vec(runners(), 0..10));
    let rest = (vec(objects(), 0..4), vec(memories(), 0..4), vec(losses(), 0..2));
    (bare, vec(jobs(), 0..12), there, rest).prop_map(
        |((pools, arches, starts_per_minute), jobs, (hosts, records, runners), rest)| {
            let (objects, memories, losses) = rest;
            let steps = [hosts, records, runners, objects, memories, losses].concat();
            Plot { pools, arches, starts_per_minute, jobs, steps }
        },
    )
}

impl Plot {
    pub(crate) fn world(&self) -> World {
        let mut spec = BASE.clone();
        let hosts = HOSTS.iter().zip(&self.arches);
        spec.starts_per_minute = self.starts_per_minute;
        spec.hosts = hosts.map(|(name, _)| (host(name), host_spec())).collect();
        spec.pools.clone_from(&self.pools);
        for (pool, name) in spec.pools.iter_mut().zip(POOLS) {
            pool.name = PoolName::new(name).unwrap();
        }
        let mut look = look(spec, |name| {
            self.arches[HOSTS.iter().position(|one| *one == name.as_str()).unwrap()]
        });
        let mut jobs = self.jobs.clone();
        for (job, id) in jobs.iter_mut().zip(8_001..) {
            job.id = JobId(id);
        }
        queue(&mut look, jobs);
        for step in &self.steps {
            step.take(&mut look);
        }
        deny_missing(&mut look);
        World::of(look)
    }
}

fn pools() -> impl Strategy<Value = Pool> {
    let tags = subsequence(&TAGS[..], 1..=2);
    let arches = subsequence(&ARCHES[..], 0..=2);
    let flags = (prop::bool::weighted(0.9), any::<bool>(), prop::bool::weighted(0.2));
    let scopes = select(vec![Scope::Instance, Scope::Instance, Scope::Group("team".to_owned())]);
    let sizes = (0..5_u32, 0..3_u32, select(vec![0, 300, 1_800]), 0..2_u32, 0..2_i32);
    let own_token = prop::bool::weighted(0.1);
    (tags, arches, flags, scopes, sizes, (any::<bool>(), own_token)).prop_map(
        |(tags, arches, (enabled, untagged, protected), scope, sizes, (costly, own_token))| {
            let (max, warm, cooldown, jobs_per_runner, priority) = sizes;
            let mut pool = BASE.pools[0].clone();
            pool.tags = tags.into_iter().map(str::to_owned).collect();
            pool.architectures = arches;
            (pool.enabled, pool.run_untagged, pool.protected) = (enabled, untagged, protected);
            (pool.scope, pool.max, pool.warm) = (scope, max, Warm::Count(warm.min(max)));
            pool.cooldown = Duration::from_secs(cooldown);
            (pool.jobs_per_runner, pool.priority) = (jobs_per_runner, priority);
            let resources = Resources { cpus: Some(1.5), memory: Some(3 << 30), services: None };
            pool.resources = costly.then_some(resources);
            pool.images = costly.then(|| vec!["alpine:3".to_owned()]);
            let token = || Credential::Value(SecretString::from("glrt-own"));
            pool.runner_token = own_token.then(token);
            pool
        },
    )
}

fn jobs() -> impl Strategy<Value = Job> {
    let tags = subsequence(vec!["a", "b", "c", "amd64", "arm64", "none"], 0..=2);
    let maybe = || select(vec![Some(true), Some(true), Some(false), None]);
    let path = select(vec!["team/app", "team/app", "other/app"]);
    (tags, 0..8_000_i64, maybe(), maybe(), path).prop_map(
        |(tags, since, protected, instance, path)| {
            let mut job = job(0, &tags, since);
            (job.project, job.project_path) = (ProjectId(id_of(path)), path.into());
            (job.protected, job.instance_runners) = (protected, instance);
            job
        },
    )
}

/// The same world, with each list that is a set in another order.
pub(crate) fn turned(world: &World, by: usize) -> World {
    fn turn<T>(list: &mut [T], by: usize) {
        list.rotate_left(by % list.len().max(1));
    }
    let mut look = Look::clone(world);
    turn(&mut look.memory.starts, by);
    if look.records.known().is_some() {
        let records = records_of(&mut look);
        turn(records, by);
        for record in records.iter_mut().filter(|record| record.managers.known().is_some()) {
            let rows: &mut Vec<_> = known(&mut record.managers);
            turn(rows, by);
        }
    }
    let names: Vec<_> = look.hosts.keys().cloned().collect();
    for name in names {
        if look.hosts[&name].state.known().is_some() {
            turn(&mut state_of(&mut look, &name).jobs.containers, by);
        }
    }
    World::of(look)
}
