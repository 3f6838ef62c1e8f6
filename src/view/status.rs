//! How everything stands, as JSON: pools with their counts and reasons, hosts with their budgets.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AsOf, HeldGroupOutput, ProxyOutput, SourceOutput, UnplacedOutput, View, WarmNowOutput, proxies,
    words,
};
use crate::gitlab::Commit;
use crate::plan::{HostRoom, host_rooms};
use crate::spec::{Cost, HostName, Pool, PoolName, Scope};
use crate::world::{Observed, Phase, RunnerView, pools_on};

/// How everything stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StatusOutput {
    /// When it was looked at, in UTC.
    pub at: String,
    /// The moment of the ages, in UTC: that of the answer.
    #[serde(default)]
    pub as_of: String,
    /// The instance's name.
    pub instance: String,
    /// AutoGit's version.
    pub version: Cow<'static, str>,
    /// The spec in force.
    pub spec: SpecStatusOutput,
    /// What it is known from.
    pub sources: BTreeMap<String, SourceOutput>,
    /// The declared pools.
    pub pools: BTreeMap<String, PoolOutput>,
    /// What waiting jobs wait for, by pool and reason.
    #[serde(default)]
    pub held: Vec<HeldGroupOutput>,
    /// The declared hosts.
    pub hosts: BTreeMap<String, HostOutput>,
    /// Containers that are left alone, for they cannot be told; left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// Runners that a person froze, or that do not exit though they were asked to, with a hint
    /// each; left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standstills: Vec<String>,
    /// The proxies that runners and jobs use; left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<ProxyOutput>,
    /// What stands in the way of the work, with a hint each.
    #[serde(default)]
    pub notices: Vec<String>,
    /// Seconds between two looks, where nothing wakes AutoGit earlier.
    pub poll_interval_secs: u64,
    /// The first pool's cooldown in minutes, rounded up.
    pub cooldown_minutes: u64,
    /// Runners that did not end.
    pub total_runners: usize,
    /// Runners without a job.
    pub idle_runners: usize,
    /// Runners with a job.
    pub busy_runners: usize,
    /// Pending jobs; none where the queue is unknown.
    pub queue_pending: Option<usize>,
    /// How long it takes to see each pending job once, where the queue is too long for a look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_round: Option<String>,
}

/// The spec in force, and what is wrong with the one that is not.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SpecStatusOutput {
    /// The file as it was named.
    pub source: String,
    /// A short hash of it.
    pub hash: String,
    /// The commit that has it; left out where it comes from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitOutput>,
    /// When it came into force, in UTC.
    pub loaded_at: String,
    /// The file as it is now passes.
    pub valid: bool,
    /// The fault of a newer file that was refused.
    pub pending_fault: Option<String>,
}

/// A commit in a project at GitLab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommitOutput {
    /// Its hash.
    pub id: String,
    /// Its author, as the commit says.
    pub author: String,
    /// When it was committed, in UTC, as the commit says; none where it does not.
    pub at: Option<String>,
}

impl CommitOutput {
    fn of(commit: &Commit) -> Self {
        let Commit { id, author, at, protected: _ } = commit;
        Self { id: id.clone(), author: author.clone(), at: at.map(words::instant) }
    }

    /// In one line.
    pub fn in_words(&self) -> String {
        let id: String = self.id.chars().take(SHORT).collect();
        let author = words::plain(&self.author);
        let at = self.at.as_ref().map(|at| format!(" of {at}")).unwrap_or_default();
        format!("{id}{at} by {author}")
    }
}

/// Digits of a hash that tell a commit from others.
const SHORT: usize = 12;

/// A commit for the log.
pub fn commit_words(commit: &Commit) -> String {
    format!("commit {}", CommitOutput::of(commit).in_words())
}

/// A pool as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolOutput {
    /// Runners at most.
    pub max: u32,
    /// Idle runners kept beyond the demand.
    pub warm: u32,
    /// Why it is that many now, and for how long; left out where no schedule says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_now: Option<WarmNowOutput>,
    /// Pending jobs that wait for it.
    pub pending: usize,
    /// Runners that are not in contact yet.
    pub starting: usize,
    /// Runners without a job.
    pub idle: usize,
    /// Runners with a job.
    pub busy: usize,
    /// Runners that were asked to exit.
    pub draining: usize,
    /// Why it has its size.
    pub why: String,
    /// Who uses its records and is on no host; left out where there is nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unplaced: Vec<UnplacedOutput>,
    /// Its place in the file, from 0.
    #[serde(default)]
    pub position: usize,
    /// Its tags, without the architecture that each of its runners adds.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whose jobs it takes: `instance`, or the path of a group or project.
    #[serde(default)]
    pub scope: String,
    /// It may have runners at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// It takes jobs on protected refs only.
    #[serde(default)]
    pub protected: bool,
}

/// What an AutoGit that does not tell is taken to say.
fn yes() -> bool {
    true
}

/// A host as it stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HostOutput {
    /// What runners may use; none while the host was never seen.
    pub budget: Option<BudgetOutput>,
    /// What they use.
    pub used: BudgetOutput,
    /// `maintenance`: nothing is started there; `leaving`: the spec does not have it any more, and
    /// something of ours is left there; left out else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Cow<'static, str>>,
    /// What one more runner of each pool that may run there would cost; left out where that is
    /// nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub next: BTreeMap<String, NextOutput>,
    /// What they take of its disk; left out where its budget does not limit that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskOutput>,
}

/// What runners and their jobs take of a host's disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiskOutput {
    /// Bytes; none where it is not known.
    pub used_bytes: Option<u64>,
    /// What they may take; none: no limit.
    pub budget_bytes: Option<u64>,
    /// What is free; none where it cannot be seen.
    pub free_bytes: Option<u64>,
    /// What has to stay free; none: nothing.
    pub keep_free_bytes: Option<u64>,
    /// Nothing is started there for it.
    pub full: bool,
    /// Why something of it is not known; nothing follows from it then.
    pub unknown: Option<String>,
}

/// What one more runner of a pool would cost a host.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NextOutput {
    /// Cpus of its job and the job's services.
    pub cpus: f64,
    /// Memory of its job and the job's services.
    pub memory_bytes: u64,
    /// GPUs of its job.
    #[serde(default)]
    pub gpus: u32,
    /// How many more such runners the host has room for.
    pub room_for: u32,
}

/// What runners may use or use of a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetOutput {
    /// Live runners.
    pub runners: u32,
    /// Cpus of their jobs.
    pub cpus: f64,
    /// Memory of their jobs.
    pub memory_bytes: u64,
    /// GPUs of their jobs.
    #[serde(default)]
    pub gpus: u32,
}

impl AsOf<'_> {
    /// How everything stands, as JSON.
    pub fn status_output(&self) -> StatusOutput {
        let runners = self.world.runners();
        let idle = runners.iter().filter(|view| matches!(view.phase, Phase::Idle { .. }));
        let cooldown = self.world.spec.pools.first().map_or(0, |pool| pool.cooldown.as_secs());
        StatusOutput {
            at: words::instant(self.world.now),
            as_of: self.moment(),
            instance: self.world.spec.instance.to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            spec: SpecStatusOutput {
                source: self.spec.source.clone(),
                hash: self.spec.hash.clone(),
                commit: self.spec.commit.as_ref().map(CommitOutput::of),
                loaded_at: words::instant(self.spec.loaded_at),
                valid: self.spec.pending_fault.is_none(),
                pending_fault: self.spec.pending_fault.clone(),
            },
            sources: self.sources(),
            pools: self
                .pools(&runners)
                .into_iter()
                .map(|(name, p)| (name.to_string(), p))
                .collect(),
            held: self.held_groups(),
            hosts: self.hosts(&runners),
            unread: self.unread_lines(),
            standstills: self.standstills(&runners),
            proxies: proxies(&self.world.spec),
            notices: self.notices(),
            poll_interval_secs: self.world.spec.gitlab.poll_interval.as_secs(),
            cooldown_minutes: cooldown.div_ceil(60),
            total_runners: runners.iter().filter(|view| view.is_live()).count(),
            idle_runners: idle.count(),
            busy_runners: runners.iter().filter(|view| has_job(view)).count(),
            queue_round: self.world.queue.known().and_then(|queue| queue.round).map(words::age),
            queue_pending: self.world.queue.known().map(|queue| queue.jobs.len()),
        }
    }

    /// The declared pools, by name.
    pub(crate) fn pools(&self, runners: &[RunnerView<'_>]) -> BTreeMap<&PoolName, PoolOutput> {
        let offers = self.world.offers();
        let mut pending: BTreeMap<&PoolName, usize> = BTreeMap::new();
        for waiting in self.waiting(&offers) {
            if let Some(offer) = waiting.offer {
                *pending.entry(&offer.pool.name).or_default() += 1;
            }
        }
        let pool_output = |position: usize, pool: &'_ Pool| {
            let count = |fits: fn(&Phase) -> bool| {
                let of_pool = runners.iter().filter(|view| view.runner.variant.pool == pool.name);
                of_pool.filter(|view| fits(&view.phase)).count()
            };
            PoolOutput {
                max: pool.max,
                warm: pool.warm.total(self.world.now),
                warm_now: WarmNowOutput::of(pool, self.world.now),
                pending: pending.get(&pool.name).copied().unwrap_or(0),
                starting: count(|phase| matches!(phase, Phase::Starting { .. })),
                idle: count(|phase| matches!(phase, Phase::Idle { .. })),
                busy: count(|phase| matches!(phase, Phase::Busy { .. })),
                draining: count(|phase| matches!(phase, Phase::Draining { .. })),
                why: self.why_of(pool),
                unplaced: self.unplaced_of(&pool.name),
                position,
                tags: pool.tags.clone(),
                scope: scope_words(&pool.scope),
                enabled: pool.enabled,
                protected: pool.protected,
            }
        };
        let pools = self.world.spec.pools.iter().enumerate();
        pools.map(|(position, pool)| (&pool.name, pool_output(position, pool))).collect()
    }

    /// `autogit-runner-linux-amd64-0: its container is paused for 3m; hint: …`
    fn standstills(&self, runners: &[RunnerView<'_>]) -> Vec<String> {
        let found = runners.iter().filter_map(|view| self.world.standstill(view));
        let found = found.map(|standstill| standstill.later(self.view_age()));
        found.map(|standstill| format!("{}: {standstill}", standstill.runner)).collect()
    }
}

impl View {
    /// The declared hosts, by name.
    pub(crate) fn host_outputs(&self) -> BTreeMap<String, HostOutput> {
        self.hosts(&self.world.runners())
    }

    fn hosts(&self, runners: &[RunnerView<'_>]) -> BTreeMap<String, HostOutput> {
        let rooms = host_rooms(&self.world, runners);
        let output = |name: &HostName| {
            let room = rooms.get(name);
            let used = room.map(|HostRoom { used, .. }| BudgetOutput {
                runners: used.runners,
                cpus: used.cost.cpus.decimal(),
                memory_bytes: used.cost.memory,
                gpus: used.cost.gpus.count(),
            });
            let budget = room.map(|HostRoom { budget, .. }| BudgetOutput {
                runners: budget.runners,
                cpus: budget.cpus.decimal(),
                memory_bytes: budget.memory,
                gpus: budget.gpus_most,
            });
            let declared = self.world.spec.hosts.contains_key(name);
            let state = match (declared, self.world.in_maintenance(name)) {
                (false, _) => Some("leaving".into()),
                (true, true) => Some("maintenance".into()),
                (true, false) => None,
            };
            let next = room.filter(|_| state.is_none());
            let next = next.map(|room| self.next_on(name, room)).unwrap_or_default();
            let budget = budget.filter(|_| declared);
            let disk = self.disk(name);
            HostOutput { budget, used: used.unwrap_or_default(), disk, state, next }
        };
        self.world.hosts.keys().map(|name| (name.to_string(), output(name))).collect()
    }
}

impl View {
    fn disk(&self, host: &HostName) -> Option<DiskOutput> {
        let budget = &self.world.spec.hosts.get(host)?.budget;
        if budget.disk.is_none() && budget.disk_free.is_none() {
            return None;
        }
        let room = self.world.disk_room(host);
        let told = self.world.disks.get(host);
        let unknown = match (room, told) {
            (_, Some(Observed::Unknown { error, .. })) => Some(words::plain_lines(error)),
            (Some(room), _) if room.free.is_none() && room.least.is_some() => Some(
                "what is free cannot be seen from here, so `disk_free` has no effect".to_owned(),
            ),
            (Some(_), _) => None,
            (None, _) => Some("it was not read yet".to_owned()),
        };
        Some(DiskOutput {
            used_bytes: room.map(|room| room.used),
            budget_bytes: budget.disk,
            free_bytes: room.and_then(|room| room.free),
            keep_free_bytes: budget.disk_free,
            full: room.is_some_and(|room| room.is_full()),
            unknown,
        })
    }

    /// What one more runner of each pool would cost that host.
    fn next_on(&self, name: &HostName, room: &HostRoom) -> BTreeMap<String, NextOutput> {
        let world = &self.world;
        let arch = world.hosts.get(name).and_then(|host| host.node()).map(|node| node.arch);
        let pools = arch.into_iter().flat_map(|arch| pools_on(&world.spec, name, arch));
        let next = pools.filter_map(|pool| {
            let Cost { cpus, memory, gpus: _ } = Cost::of(pool);
            let gpus = pool.gpu.map_or(0, |gpu| gpu.count);
            let room_for = room.how_many_more(pool);
            let next = NextOutput { cpus: cpus.decimal(), memory_bytes: memory, gpus, room_for };
            let costs = gpus > 0 || Cost::of(pool) != Cost::default();
            costs.then(|| (pool.name.to_string(), next))
        });
        next.collect()
    }
}

fn scope_words(scope: &Scope) -> String {
    match scope {
        Scope::Instance => "instance".to_owned(),
        Scope::Group(path) | Scope::Project(path) => path.clone(),
    }
}

/// A draining runner that finishes its job has one, too.
fn has_job(view: &RunnerView<'_>) -> bool {
    matches!(view.phase, Phase::Busy { .. } | Phase::Draining { busy: true, .. })
}
