//! The `pools` section, and `defaults`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Change::{InPlace, Record, Runners};
use super::Kind::{Field, Section};
use super::Pushed::{Allowed, ByVariable, Freely, InFolder};
use super::Secrecy::{OfTheFile, Open, Secret};
use super::{JobSpec, Proxy, RawJob, RawProxy, section};
use crate::spec::diff;
use crate::spec::{
    Arch, Cache, Credential, GpuSpec, LostJobs, PoolName, PullPolicy, Resources, Scope, Vendor,
    Warm,
};

section! {
    /// A pool of runners.
    RawPool;
    /// One pool of runners.
    Pool {
        /// Its name.
        pub name: PoolName,
    }

    /// False drains the pool's runners and keeps its record. Default: true.
    enabled: bool => bool, Field(Open, InPlace, Freely);
    /// Tags of the jobs it takes; each architecture adds its own. Needed unless `run_untagged`.
    #[schemars(extend("uniqueItems" = true))]
    tags: Vec<String> => Vec<String>, Field(Open, Record, Freely);
    /// Its architectures. Default: the hosts'.
    #[schemars(extend("uniqueItems" = true))]
    architectures: Vec<RawArch> => Vec<Arch>, Field(Open, InPlace, Freely);
    /// Takes jobs without tags, with its first architecture. Default: false.
    run_untagged: bool => bool, Field(Open, Record, Freely);
    /// Takes only jobs on protected refs. Default: false.
    protected: bool => bool, Field(Open, Record, Freely);
    /// Whose jobs it takes: instance, {group: path} or {project: path}. Default: instance.
    scope: RawScope => Scope, Field(Open, Runners, Freely);
    /// Live runners at most, over architectures and hosts; one that had the last of its
    /// `jobs_per_runner` counts no more. Default: 4.
    #[schemars(range(min = 1, max = 100_000))]
    max: u32 => u32, Field(Open, InPlace, Freely);
    /// Idle runners kept beyond the demand: a number (of the first architecture), or by
    /// architecture, or by schedule. They give way to a job that lacks their room. Default: 0.
    warm: RawWarm => Warm, Field(Open, InPlace, Freely);
    /// How long a runner may be idle beyond the demand; 0s drains at once. Default: 5m, with GPUs 0s.
    #[schemars(extend("format" = "time-span"))]
    cooldown: String => Duration, Field(Open, InPlace, Freely);
    /// Jobs after which a runner ends; 1 is ephemeral, 0 is no limit. Default: 0, with GPUs 1.
    #[schemars(range(min = 0, max = 1_000_000))]
    jobs_per_runner: u32 => u32, Field(Open, Runners, Freely);
    /// How long a runner may take to make contact with GitLab. Default: 2m.
    #[schemars(extend("format" = "time-span"))]
    startup_timeout: String => Duration, Field(Open, InPlace, Freely);
    /// Limit on a job's duration, at least 10m.
    #[schemars(extend("format" = "time-span"))]
    maximum_timeout: String => Option<Duration>, Field(Open, Record, Freely);
    /// Pools with a higher one are served first. Default: 0.
    #[schemars(range(min = -1_000, max = 1_000))]
    priority: i32 => i32, Field(Open, InPlace, Freely);
    /// The runner's image, gitlab-runner 18.4 or newer. Default: a pinned one.
    #[schemars(length(min = 1))]
    runner_image: String => String,
        Field(OfTheFile, Runners, Allowed("what is in that image has the engine, and so the host"));
    /// When the runner's image is pulled. Default: if-not-present.
    pull_policy: PullPolicy => PullPolicy, Field(Open, InPlace, Freely);
    /// Images of jobs that each of its hosts has before a job needs them, and with them the helper
    /// image of its gitlab-runner: `[]` is that one alone. Pulled with AutoGit's own credentials; what
    /// it pulled goes once no pool names it and no job runs there. Default: none.
    #[schemars(extend("uniqueItems" = true))]
    images: Vec<String> => Option<Vec<String>>, Field(OfTheFile, InPlace, Freely);
    /// How often its `images` are pulled again, while the host has room for one more runner; 0s: only
    /// where they are missing. Default: 24h.
    #[schemars(extend("format" = "time-span"))]
    image_refresh: String => Duration, Field(Open, InPlace, Freely);
    /// What a job and each of its services may use. Default: no limits.
    resources: RawResources => Option<Resources>, Field(Open, Runners, Freely);
    /// GPUs for each job. Its runners have the tags `gpu` and that of the vendor.
    gpu: RawGpu => Option<GpuSpec>, Field(Open, Runners, Freely);
    /// Where no host of one of its `architectures` has room, its runners may go to a host that runs
    /// that one through QEMU; jobs name their platform, as in `image: {docker: {platform:
    /// linux/arm64}}`. Default: false.
    emulate: bool => bool, Field(Open, InPlace, Freely);
    /// Whether clone and cache survive a job. Default: keep.
    cache: Cache => Cache, Field(Open, Runners, Freely);
    /// A runner token of your own (glrt-…) instead of a record by AutoGit.
    runner_token: String => Option<Credential>, Field(Secret, Runners, ByVariable);
    /// File that holds the runner token.
    runner_token_file: String, Field(Secret, Runners, InFolder);
    /// What happens to a job whose runner died. `retry` takes a token of a Maintainer with the scope
    /// `api` (a Developer before GitLab 17.0), and does not work with GitLab 17.0 to 17.10, where a
    /// cancelled job waits for its dead runner. Default: report.
    lost_jobs: LostJobs => LostJobs, Field(Open, InPlace, Freely);
    /// Its own proxy, instead of that of the file; empty: none.
    proxy: RawProxy => Option<Proxy>, Section(RawProxy::ROWS);
    /// Labels for its runners' containers and, through gitlab-runner, for those of their jobs, so
    /// that what watches containers can be told to leave them alone. Default: none.
    labels: BTreeMap<String, String> => BTreeMap<String, String>,
        Field(Secret, Runners, Allowed("other programs on the host follow labels"));
    /// How jobs run.
    job: RawJob => JobSpec, Section(RawJob::ROWS);
    /// Anything else that gitlab-runner knows under `[[runners]]`, merged in last.
    runner_config: Map<String, Value> => Map<String, Value>,
        Field(Secret, Runners, Allowed("all that gitlab-runner can do stands open there"));
}

impl Pool {
    /// How many slots each of its variants fills by turns, and so how many keep their caches. A
    /// runner without a limit of jobs is alone in its slot; one that exits after its last job has its
    /// successor in another slot before its own is free.
    pub fn slots(&self) -> u32 {
        if self.jobs_per_runner == 0 { self.max } else { self.max.saturating_mul(2) }
    }

    /// Whether all that goes into containers and is shown to nobody is as in `other`, but for the
    /// token.
    pub fn is_hidden_part_as_in(&self, other: &Self) -> bool {
        let other = Self { runner_token: self.runner_token.clone(), ..self.with_hidden_of(other) };
        diff::is_same(self, &other)
    }

    /// What a pool with GPUs adds to its tags.
    pub(crate) fn gpu_tags(&self) -> impl Iterator<Item = &'static str> {
        self.gpu.into_iter().flat_map(|gpu| ["gpu", gpu.vendor.as_str()])
    }

    /// The variants' tags: the pool's, the architecture and those of its GPUs.
    pub fn tags_for(&self, arch: Arch) -> Vec<String> {
        let mut tags = self.tags.clone();
        for tag in std::iter::once(arch.as_str()).chain(self.gpu_tags()) {
            if !tags.iter().any(|it| it == tag) {
                tags.push(tag.to_owned());
            }
        }
        tags
    }
}

/// An architecture.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::spec) enum RawArch {
    Amd64,
    Arm64,
    #[serde(rename = "arm/v7")]
    ArmV7,
    Armv7,
    Riscv64,
    S390x,
    Ppc64le,
}

/// Whose jobs a pool takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::spec) enum RawScope {
    /// Everyone's.
    Word(RawScopeWord),
    /// A group's or a project's.
    Map(RawScopeMap),
}

/// Everyone's jobs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::spec) enum RawScopeWord {
    Instance,
}

/// The jobs of a group or of a project.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawScopeMap {
    /// Full path of the group in any letter case, or its id.
    pub(in crate::spec) group: Option<String>,
    /// Full path of the project in any letter case, or its id.
    pub(in crate::spec) project: Option<String>,
}

/// Idle runners kept beyond the demand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::spec) enum RawWarm {
    /// So many of the first architecture.
    Count(#[schemars(range(min = 0, max = 100_000))] u32),
    /// By architecture, or by schedule.
    Map(RawWarmMap),
}

/// Idle runners by architecture, or by schedule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawWarmMap {
    /// Outside the schedule's times. Default: 0.
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::spec) base: Option<u32>,
    /// Times with another number, of the first architecture. The first entry that is on counts.
    #[schemars(length(max = 50))]
    pub(in crate::spec) schedule: Option<Vec<RawScheduled>>,
    /// Of amd64.
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::spec) amd64: Option<u32>,
    /// Of arm64.
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::spec) arm64: Option<u32>,
    /// Of arm/v7.
    #[serde(rename = "arm/v7")]
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::spec) arm_v7: Option<u32>,
    /// Of arm/v7.
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::spec) armv7: Option<u32>,
    /// Of riscv64.
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::spec) riscv64: Option<u32>,
    /// Of s390x.
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::spec) s390x: Option<u32>,
    /// Of ppc64le.
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::spec) ppc64le: Option<u32>,
}

/// A time with another number of warm runners.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawScheduled {
    /// The days on which it begins, as in mon-fri, sat,sun or daily. Default: daily.
    pub(in crate::spec) days: Option<String>,
    /// When it begins, as in "08:00".
    #[schemars(required)]
    pub(in crate::spec) from: Option<String>,
    /// When it ends, as in "18:00": on the next day, where that is before `from`. "24:00" is the end
    /// of the day.
    #[schemars(required)]
    pub(in crate::spec) to: Option<String>,
    /// The time zone of both, as in Europe/Berlin or UTC.
    #[schemars(required)]
    pub(in crate::spec) timezone: Option<String>,
    /// Idle runners in that time.
    #[schemars(required, range(min = 0, max = 100_000))]
    pub(in crate::spec) warm: Option<u32>,
}

/// What a job and each of its services may use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawResources {
    /// Cpus of a job, as in 2 or 0.5.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 100_000))]
    pub(in crate::spec) cpus: Option<f64>,
    /// Memory of a job, as in 4GiB.
    #[schemars(extend("format" = "byte-size"))]
    pub(in crate::spec) memory: Option<String>,
    /// Limits of its services.
    pub(in crate::spec) services: Option<RawServiceResources>,
}

/// Limits of a job's services.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawServiceResources {
    /// Services that a job may have.
    #[schemars(required, range(min = 0, max = 1_000))]
    pub(in crate::spec) max: Option<u32>,
    /// Cpus of each.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 100_000))]
    pub(in crate::spec) cpus: Option<f64>,
    /// Memory of each, as in 1GiB.
    #[schemars(extend("format" = "byte-size"))]
    pub(in crate::spec) memory: Option<String>,
}

/// GPUs for each job.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawGpu {
    /// Whose GPUs.
    #[schemars(required)]
    pub(in crate::spec) vendor: Option<Vendor>,
    /// How many. Default: 1.
    #[schemars(range(min = 1, max = 64))]
    pub(in crate::spec) count: Option<u32>,
}
