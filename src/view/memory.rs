//! What a running AutoGit remembers, lent to a look beside it: such a look then plans as the running
//! one would. No secrets: what is here shows in reasons, too.

mod own_records;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{JobIdOutput, RecordIdOutput, View};
use crate::spec::{Arch, Cost, Cpus, GpuIds, HostName, PoolName};
use crate::world::{
    Backoff, Cause, Condition, Deed, FailedStart, InDoubt, JobId, Memory, OtherRunner,
    RunnerMemory, RunnerName, Unclaimed, Variant, WorkloadId,
};
pub use own_records::{AskedOutput, OwnRecordsOutput};

/// Since when something is so, by container.
type Since = BTreeMap<String, String>;

/// What an AutoGit remembers beyond what a look shows; times in UTC.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MemoryOutput {
    /// Runners that it asked to exit.
    pub draining: Since,
    /// Runners that have no job.
    pub idle: Since,
    /// Runners that GitLab did not hear of yet.
    pub unheard: Since,
    /// Runners of which GitLab alone says that they are busy.
    pub busy_alone: Since,
    /// Runners that GitLab has not heard of for long.
    pub silent: Since,
    /// Runners whose container is paused.
    pub paused: Since,
    /// Runners without a job that were asked to exit.
    pub leaving: Since,
    /// When GitLab failed last.
    pub gitlab_failed: Option<String>,
    /// Runners that made contact with GitLab at some time.
    pub contacted: BTreeSet<String>,
    /// When runners were started, within the last minute.
    pub starts: Vec<String>,
    /// Pools that failed and are left alone for a while.
    pub backoffs: Vec<BackoffOutput>,
    /// Hosts on which the runners' network could not be made.
    pub networks: Vec<NetworkOutput>,
    /// Jobs that no fitting idle runner took.
    pub unclaimed: Vec<UnclaimedOutput>,
    /// Jobs that wait although an idle runner had a minute to take them.
    pub overlooked: BTreeSet<JobIdOutput>,
    /// Slots whose engine call got no answer.
    pub in_doubt: Vec<DoubtOutput>,
    /// Images that it is pulling.
    pub pulls: Vec<PullOutput>,
    /// Images of jobs that could not be pulled to be kept ready.
    #[serde(default)]
    pub unkept: Vec<UnkeptOutput>,
    /// Runners of others that may take a job which no pool may take.
    pub other_runners: Vec<OtherRunnerOutput>,
    /// What it knows of the records under its mark.
    pub own_records: OwnRecordsOutput,
}

/// A pool that failed, at one architecture.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BackoffOutput {
    /// The pool.
    pub pool: String,
    /// Its architecture.
    pub arch: String,
    /// What failed: `record`, `start` or `runner`.
    pub cause: String,
    /// How often in a row.
    pub failures: u32,
    /// Until when nothing is tried.
    pub until: String,
    /// What the last failure said.
    pub error: String,
}

/// A host on which the runners' network could not be made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NetworkOutput {
    /// The host.
    pub host: String,
    /// How often in a row.
    pub failures: u32,
    /// Until when it is not tried again.
    pub until: String,
    /// What the last failure said.
    pub error: String,
}

/// An image of jobs that could not be pulled to be kept ready.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UnkeptOutput {
    /// The host.
    pub host: String,
    /// The image.
    pub image: String,
    /// How often in a row.
    pub failures: u32,
    /// Until when it is not tried again.
    pub until: String,
    /// What the last failure said.
    pub error: String,
}

/// A job that no fitting idle runner took.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UnclaimedOutput {
    /// GitLab's id.
    pub job: JobIdOutput,
    /// How often in a row.
    pub times: u32,
    /// Until when no runner is started for it.
    pub until: String,
}

/// A runner of others that may take a job which no pool may take.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OtherRunnerOutput {
    /// The job.
    pub job: JobIdOutput,
    /// GitLab's id of the runner.
    pub runner: RecordIdOutput,
    /// Its description.
    pub name: String,
}

/// A slot whose engine call got no answer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DoubtOutput {
    /// The runner's name.
    pub runner: String,
    /// Its host.
    pub host: String,
    /// When it was asked for.
    pub at: String,
    /// Thousandths of a cpu that it was made with.
    #[serde(default)]
    pub cpu_thousandths: u64,
    /// Memory that it was made with.
    #[serde(default)]
    pub memory_bytes: u64,
    /// The GPUs of it.
    #[serde(default)]
    pub gpus: Vec<String>,
}

/// A runner image that is being pulled.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PullOutput {
    /// The image.
    pub image: String,
    /// Onto which host.
    pub host: String,
    /// When the pull began, in UTC.
    pub since: String,
    /// It is kept ready for jobs; else runners need it.
    #[serde(default)]
    pub for_jobs: bool,
}

const CAUSES: [(Cause, &str); 3] =
    [(Cause::Record, "record"), (Cause::Start, "start"), (Cause::Runner, "runner")];

impl View {
    /// What was remembered at this look.
    pub fn memory_output(&self) -> MemoryOutput {
        let memory = &self.world.memory;
        let times = |of: &dyn Fn(&RunnerMemory) -> Option<Timestamp>| -> Since {
            let runners = memory.runners.iter();
            runners.filter_map(|(id, it)| Some((id.to_string(), of(it)?.to_string()))).collect()
        };
        let since = |condition| times(&|runner| runner.since.get(&condition).copied());
        let contacted = memory.runners.iter().filter(|(_, runner)| runner.contacted);
        let backoffs = memory.backoffs.iter().map(|(variant, backoff)| BackoffOutput {
            pool: variant.pool.to_string(),
            arch: variant.arch.to_string(),
            cause: word_of(backoff.cause).to_owned(),
            failures: backoff.failures,
            until: backoff.until.to_string(),
            error: backoff.error.to_string(),
        });
        let networks = memory.networks.iter().map(|(host, backoff)| NetworkOutput {
            host: host.to_string(),
            failures: backoff.failures,
            until: backoff.until.to_string(),
            error: backoff.error.to_string(),
        });
        let unkept = memory.unkept.iter().map(|((host, image), backoff)| UnkeptOutput {
            host: host.to_string(),
            image: image.clone(),
            failures: backoff.failures,
            until: backoff.until.to_string(),
            error: backoff.error.to_string(),
        });
        let unclaimed = memory.unclaimed.iter().map(|(job, unclaimed)| UnclaimedOutput {
            job: (*job).into(),
            times: unclaimed.times,
            until: unclaimed.until.to_string(),
        });
        let other_runners = memory.other_runners.iter().map(|(job, runner)| OtherRunnerOutput {
            job: (*job).into(),
            runner: runner.id.into(),
            name: runner.name.to_string(),
        });
        MemoryOutput {
            draining: times(&|runner| runner.draining),
            idle: since(Condition::Idle),
            unheard: since(Condition::Unheard),
            busy_alone: since(Condition::BusyAlone),
            silent: since(Condition::Silent),
            paused: since(Condition::Paused),
            leaving: since(Condition::Leaving),
            gitlab_failed: memory.gitlab_failed_at.map(|at| at.to_string()),
            contacted: contacted.map(|(id, _)| id.to_string()).collect(),
            starts: memory.starts.iter().map(|start| start.at.to_string()).collect(),
            backoffs: backoffs.collect(),
            networks: networks.collect(),
            unkept: unkept.collect(),
            unclaimed: unclaimed.collect(),
            overlooked: memory.overlooked.iter().copied().map(Into::into).collect(),
            in_doubt: self.doubts(),
            pulls: memory.under_way.iter().filter_map(PullOutput::of).collect(),
            other_runners: other_runners.collect(),
            own_records: OwnRecordsOutput::of(&memory.own_records),
        }
    }

    fn doubts(&self) -> Vec<DoubtOutput> {
        // A start that is under way at this moment may have its effect or not by the time of the
        // look beside this one.
        let under_way =
            self.world.starts_under_way().map(|it| (it.runner, it.host, it.since, it.cost));
        let in_doubt = self.world.memory.in_doubt.iter();
        let in_doubt = in_doubt.map(|(runner, it)| (runner, &it.host, it.at, &it.cost));
        let in_doubt = in_doubt.chain(under_way).map(|(runner, host, at, cost)| DoubtOutput {
            runner: runner.to_string(),
            host: host.to_string(),
            at: at.to_string(),
            cpu_thousandths: cost.cpus.thousandths(),
            memory_bytes: cost.memory,
            gpus: cost.gpus.iter().map(str::to_owned).collect(),
        });
        in_doubt.collect()
    }
}

fn word_of(cause: Cause) -> &'static str {
    CAUSES.iter().find(|(of, _)| *of == cause).map_or("runner", |(_, word)| word)
}

impl MemoryOutput {
    /// The memory that it was made of. What cannot be read is left out, as if it were forgotten:
    /// that costs time, never correctness.
    pub fn memory(&self) -> Memory {
        let unclaimed = self.unclaimed.iter().filter_map(|one| {
            Some((one.job.into(), Unclaimed { times: one.times, until: one.until.parse().ok()? }))
        });
        let in_doubt = self.in_doubt.iter().filter_map(|one| {
            let (host, at) = (HostName::new(&one.host).ok()?, one.at.parse().ok()?);
            let cpus = Cpus::of_thousandths(one.cpu_thousandths);
            let cost = Cost { cpus, memory: one.memory_bytes, gpus: GpuIds::of(one.gpus.clone()) };
            Some((RunnerName::from_observed(&one.runner), InDoubt { host, at, cost }))
        });
        let starts = self.starts.iter().filter_map(|at| at.parse().ok());
        let starts = starts.map(|at| FailedStart { at, of: None });
        Memory {
            runners: self.runners(),
            gitlab_failed_at: self.gitlab_failed.as_ref().and_then(|at| at.parse().ok()),
            starts: starts.collect(),
            backoffs: self.backoffs.iter().filter_map(BackoffOutput::backoff).collect(),
            networks: self.networks.iter().filter_map(NetworkOutput::backoff).collect(),
            unkept: self.unkept.iter().filter_map(UnkeptOutput::backoff).collect(),
            unclaimed: unclaimed.collect(),
            overlooked: self.overlooked.iter().copied().map(Into::into).collect(),
            in_doubt: in_doubt.collect(),
            under_way: self.pulls.iter().filter_map(PullOutput::under_way).collect(),
            other_runners: self.other_runners.iter().map(OtherRunnerOutput::runner).collect(),
            own_records: self.own_records.own_records(),
            ..Memory::default()
        }
    }

    fn runners(&self) -> BTreeMap<WorkloadId, RunnerMemory> {
        let mut runners: BTreeMap<WorkloadId, RunnerMemory> = BTreeMap::new();
        for id in &self.contacted {
            runners.entry(WorkloadId::from_observed(id)).or_default().contacted = true;
        }
        for (id, at) in &self.draining {
            runners.entry(WorkloadId::from_observed(id)).or_default().draining = at.parse().ok();
        }
        let conditions = [
            (Condition::Idle, &self.idle),
            (Condition::Unheard, &self.unheard),
            (Condition::BusyAlone, &self.busy_alone),
            (Condition::Silent, &self.silent),
            (Condition::Paused, &self.paused),
            (Condition::Leaving, &self.leaving),
        ];
        for (condition, times) in conditions {
            for (id, at) in times {
                let runner = runners.entry(WorkloadId::from_observed(id)).or_default();
                runner.since.extend(at.parse().ok().map(|at: Timestamp| (condition, at)));
            }
        }
        runners
    }
}

impl OtherRunnerOutput {
    fn runner(&self) -> (JobId, OtherRunner) {
        let name = self.name.as_str().into();
        (self.job.into(), OtherRunner { id: self.runner.into(), name, of_instance: false })
    }
}

impl PullOutput {
    fn of((deed, since): (&Deed, &Timestamp)) -> Option<Self> {
        let (host, image, for_jobs) = deed.pull()?;
        let (image, host) = (image.to_owned(), host.to_string());
        Some(Self { image, host, since: since.to_string(), for_jobs })
    }

    fn under_way(&self) -> Option<(Deed, Timestamp)> {
        let (host, image) = (HostName::new(&self.host).ok()?, self.image.clone());
        let deed = if self.for_jobs {
            Deed::KeepImage { host, image }
        } else {
            Deed::PullImage { host, image }
        };
        Some((deed, self.since.parse().ok()?))
    }
}

impl NetworkOutput {
    fn backoff(&self) -> Option<(HostName, Backoff)> {
        let (failures, until) = (self.failures, self.until.parse().ok()?);
        let (cause, error) = (Cause::Network, self.error.as_str().into());
        Some((HostName::new(&self.host).ok()?, Backoff { cause, failures, until, error }))
    }
}

impl UnkeptOutput {
    fn backoff(&self) -> Option<((HostName, String), Backoff)> {
        let (failures, until) = (self.failures, self.until.parse().ok()?);
        let (cause, error) = (Cause::Image, self.error.as_str().into());
        let of = (HostName::new(&self.host).ok()?, self.image.clone());
        Some((of, Backoff { cause, failures, until, error }))
    }
}

impl BackoffOutput {
    fn backoff(&self) -> Option<(Variant, Backoff)> {
        let variant = Variant::new(&PoolName::new(&self.pool).ok()?, Arch::parse(&self.arch)?);
        let (cause, _) = CAUSES.into_iter().find(|(_, word)| *word == self.cause)?;
        let (failures, until) = (self.failures, self.until.parse().ok()?);
        Some((variant, Backoff { cause, failures, until, error: self.error.as_str().into() }))
    }
}
