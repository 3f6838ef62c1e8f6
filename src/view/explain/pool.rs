//! Why a pool has its size.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AsOf;
use crate::duration::signed;
use crate::plan::brief;
use crate::spec::{Arch, PoolName};
use crate::view::{HeldCountOutput, PoolOutput};
use crate::world::Observed;

/// Why a pool has its size.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExplainPoolOutput {
    /// The pool.
    pub pool: String,
    /// The architectures in which it is asked for.
    pub architectures: Vec<Cow<'static, str>>,
    /// How long a runner of it may be idle.
    pub cooldown: String,
    /// Higher is served first.
    pub priority: i32,
    /// The queue could be read; else nobody knows how many jobs are pending.
    #[serde(default = "yes")]
    pub queue_known: bool,
    /// Its counts, and the reason of its size.
    #[serde(flatten)]
    pub counts: PoolOutput,
    /// Runners on hosts that cannot be seen, which count against `max`.
    pub unaccounted: u32,
    /// What its jobs wait for.
    pub held: Vec<HeldCountOutput>,
    /// Its runners, each with what is done about it or why it stays.
    pub runners: Vec<PoolRunnerOutput>,
    /// Its numbers, each with where it is from.
    #[serde(default)]
    pub numbers: Vec<NumberOutput>,
}

/// A number of a pool, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NumberOutput {
    /// Its name, as the pool's other fields have it.
    pub name: Cow<'static, str>,
    /// The number.
    pub value: u64,
    /// Where it is from, and how old that is.
    pub source: String,
}

/// For an AutoGit that does not tell, whose reasons do.
fn yes() -> bool {
    true
}

/// A runner of the pool.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PoolRunnerOutput {
    /// Its name.
    pub name: String,
    /// What it does.
    pub phase: Cow<'static, str>,
    /// What is done about it, or why it stays.
    pub why: String,
}

impl AsOf<'_> {
    pub(super) fn explain_pool(&self, name: &PoolName) -> Option<ExplainPoolOutput> {
        let pool = self.world.spec.pool(name)?;
        let runners = self.world.runners();
        let counts = self.pools(&runners).remove(name)?;
        let of_pool = runners.iter().filter(|view| view.runner.variant.pool == *name);
        let unaccounted = self.world.unaccounted().iter();
        let unaccounted = unaccounted.filter(|(variant, _)| variant.pool == *name);
        let unaccounted = unaccounted.map(|(_, count)| count).sum();
        let architectures = self.world.architectures(pool);
        let whys = self.whys();
        Some(ExplainPoolOutput {
            pool: name.to_string(),
            architectures: architectures
                .into_iter()
                .map(|arch: Arch| arch.as_str().into())
                .collect(),
            cooldown: brief(signed(pool.cooldown)),
            priority: pool.priority,
            queue_known: self.world.queue.known().is_some(),
            numbers: self.numbers(&counts, unaccounted),
            counts,
            unaccounted,
            held: self.held_of(name),
            runners: of_pool
                .map(|view| PoolRunnerOutput {
                    name: view.runner.name.to_string(),
                    phase: view.phase.as_str().into(),
                    why: whys.get(&view.runner.name).cloned().unwrap_or_default(),
                })
                .collect(),
        })
    }

    /// Each number of a pool with its source.
    fn numbers(&self, counts: &PoolOutput, unaccounted: u32) -> Vec<NumberOutput> {
        let spec = &self.spec;
        let of_spec = |key: &str| format!("`{key}` in {}@{}", spec.source, spec.hash);
        let queue = match &self.world.queue {
            Observed::Known { at, .. } => format!("GitLab's queue, {} ago", self.lasting(*at)),
            Observed::Unknown { error, .. } => format!("GitLab's queue, which is unknown: {error}"),
        };
        let hosts = self.world.hosts.iter().map(|(name, host)| match &host.state {
            Observed::Known { at, .. } => format!("{name}, {} ago", self.lasting(*at)),
            Observed::Unknown { since, .. } => {
                format!("{name} as last seen, unknown for {}", self.lasting(*since))
            }
        });
        let hosts = hosts.collect::<Vec<_>>().join("; ");
        let engines = format!("containers on {hosts}");
        let number = |name: &'static str, value: usize, source: &str| NumberOutput {
            name: name.into(),
            value: u64::try_from(value).unwrap_or(u64::MAX),
            source: source.to_owned(),
        };
        vec![
            number("max", counts.max as usize, &of_spec("max")),
            number("warm", counts.warm as usize, &of_spec("warm")),
            number("pending", counts.pending, &queue),
            number("starting", counts.starting, &engines),
            number("idle", counts.idle, &engines),
            number("busy", counts.busy, &engines),
            number("draining", counts.draining, &engines),
            number(
                "unaccounted",
                unaccounted as usize,
                "GitLab's rows of managers that no host that is seen accounts for",
            ),
        ]
    }
}
