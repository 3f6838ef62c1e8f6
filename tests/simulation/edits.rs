//! What people write into `autogit.yaml`.

use std::sync::Arc;

use autogit::sandbox::rng::Rng;
use autogit::spec::{HostName, Spec};

use crate::chaos::Kind;
use crate::harness::Harness;
use crate::knobs::{Frame, Knobs, POOL_CPUS, PoolKnobs, drawn, text};

/// The file, and who edits it.
#[derive(Debug)]
pub(crate) struct Editor {
    frame: Frame,
    pools: Vec<PoolKnobs>,
    rng: Rng,
}

/// Files that no version of AutoGit takes.
const BROKEN: &[&str] = &[
    "",
    "pools: {linux: {tags: [docker",
    "gitlab: {url: http://gitlab.sim, token: x}\npools: {linux: {tags: [docker], worm: 1}}\n",
    "gitlab: {url: http://gitlab.sim, token: x}\npools: {linux: {tags: [docker], warm: 9, max: 2}}\n",
];

/// Those of the hosts that there are; one that the file does not have is as the first.
pub(crate) fn with_hosts(mut spec: Spec, hosts: &[&str]) -> Arc<Spec> {
    if let Some(first) = spec.hosts.values().next().cloned() {
        let own = std::mem::take(&mut spec.hosts);
        let host = |name: &HostName| own.get(name).unwrap_or(&first).clone();
        spec.hosts = names(hosts).map(|name| (name.clone(), host(&name))).collect();
    }
    Arc::new(spec)
}

pub(crate) fn names(hosts: &[&str]) -> impl Iterator<Item = HostName> {
    hosts.iter().map(|host| HostName::new(host).unwrap())
}

impl Editor {
    pub(crate) fn new(knobs: &Knobs) -> Self {
        let (frame, pools) = (knobs.frame.clone(), knobs.pools.clone());
        Self { frame, pools, rng: Rng::new(knobs.seed ^ 0x5eed_ed17) }
    }

    /// One second in which the file may be edited.
    pub(crate) fn work(&mut self, harness: &Harness) {
        if harness.chaos().strikes(Kind::SpecBroken) {
            let text = harness.chaos().pick(Kind::SpecBroken, BROKEN).unwrap();
            assert!(!harness.write_spec(text), "{text}");
            harness.note("the file is broken");
        }
        if harness.chaos().strikes(Kind::HostMaintained) {
            self.maintain(harness);
        }
        if harness.chaos().strikes(Kind::SpecEdited) {
            let what = self.edit();
            let text = text(&self.frame, &self.pools);
            assert!(harness.write_spec(&text), "{what}:\n{text}");
            harness.note(&format!("the file is edited: {what}"));
        }
    }

    /// A host comes into maintenance, or out of it.
    fn maintain(&mut self, harness: &Harness) {
        let chaos = harness.chaos();
        self.frame.maintenance = match self.frame.maintenance {
            Some(_) => None,
            None => chaos.pick(Kind::HostMaintained, &["alpha", "beta"]),
        };
        assert!(harness.write_spec(&text(&self.frame, &self.pools)));
        harness.note(&format!("maintenance: {:?}", self.frame.maintenance));
    }

    /// From here on no host is in maintenance.
    pub(crate) fn end_maintenance(&mut self, harness: &Harness) {
        if self.frame.maintenance.take().is_some() {
            assert!(harness.write_spec(&text(&self.frame, &self.pools)));
        }
    }

    fn edit(&mut self) -> String {
        let gone: Vec<&str> = ["linux", "build", "docs", "extra"]
            .into_iter()
            .filter(|name| self.pools.iter().all(|pool| pool.name != *name))
            .collect();
        let choice = self.rng.below(if self.frame.cpus.is_some() { 13 } else { 10 });
        if choice == 0 && !gone.is_empty() {
            let name = *self.rng.pick(&gone).unwrap();
            let tags = match name {
                "linux" => vec!["docker"],
                "build" => vec!["docker", "build"],
                other => vec![other],
            };
            let pool = drawn(&mut self.rng, name, tags);
            self.pools.push(pool);
            return format!("pool {name} is added");
        }
        let all: Vec<usize> = (0..self.pools.len()).collect();
        let index = *self.rng.pick(&all).unwrap();
        if choice == 1 && self.pools.len() > 1 {
            let pool = self.pools.remove(index);
            return format!("pool {} is removed", pool.name);
        }
        let fresh = drawn(&mut self.rng, "drawn", Vec::new());
        let cpus = if choice < 10 { None } else { *self.rng.pick(POOL_CPUS).unwrap() };
        let fresh = PoolKnobs { cpus, ..fresh };
        let pool = &mut self.pools[index];
        let what = change(pool, &fresh, choice);
        format!("pool {}: {what}", pool.name)
    }
}

/// Changes one field of a pool to that of another; returns its name.
fn change(pool: &mut PoolKnobs, fresh: &PoolKnobs, choice: u64) -> &'static str {
    match choice {
        2 => {
            pool.enabled = !pool.enabled;
            "enabled"
        }
        3 => {
            (pool.max, pool.warm) = (fresh.max, pool.warm.min(fresh.max));
            "max"
        }
        4 => {
            pool.warm = fresh.warm.min(pool.max);
            "warm"
        }
        5 => {
            pool.cooldown = fresh.cooldown;
            "cooldown"
        }
        6 if pool.tags.contains(&"more") => {
            pool.tags.retain(|tag| *tag != "more");
            "tags"
        }
        6 => {
            pool.tags.push("more");
            "tags"
        }
        7 => {
            pool.image = if pool.image == "alpine:3" { "busybox" } else { "alpine:3" };
            "job image"
        }
        8 => {
            pool.discard = !pool.discard;
            "cache"
        }
        10.. => {
            pool.cpus = fresh.cpus;
            "resources"
        }
        _ => {
            pool.jobs_per_runner = 1 - pool.jobs_per_runner;
            "jobs per runner"
        }
    }
}
