//! The `pools` section, and `defaults`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RawJob, RawProxy, RawPullPolicy};

/// A pool of runners.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawPool {
    /// False drains the pool's runners and keeps its registration. Default: true.
    pub(in crate::spec) enabled: Option<bool>,
    /// Tags of the jobs it takes; each architecture adds its own. Needed unless `run_untagged`.
    #[schemars(extend("uniqueItems" = true))]
    pub(in crate::spec) tags: Option<Vec<String>>,
    /// Its architectures. Default: the hosts'.
    #[schemars(extend("uniqueItems" = true))]
    pub(in crate::spec) architectures: Option<Vec<RawArch>>,
    /// Takes jobs without tags, with its first architecture. Default: false.
    pub(in crate::spec) run_untagged: Option<bool>,
    /// Takes only jobs on protected refs. Default: false.
    pub(in crate::spec) protected: Option<bool>,
    /// Whose jobs it takes: instance, {group: path} or {project: path}. Default: instance.
    pub(in crate::spec) scope: Option<RawScope>,
    /// Live runners at most, over architectures and hosts. Default: 4.
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::spec) max: Option<u32>,
    /// Idle runners kept beyond the demand: a number (of the first architecture), or by
    /// architecture, or by schedule. They give way to a job that lacks their room. Default: 0.
    pub(in crate::spec) warm: Option<RawWarm>,
    /// How long a runner may be idle beyond the demand; 0s drains at once. Default: 5m.
    #[schemars(extend("format" = "time-span"))]
    pub(in crate::spec) cooldown: Option<String>,
    /// Jobs after which a runner ends; 1 is ephemeral, 0 is no limit. Default: 0.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::spec) jobs_per_runner: Option<u32>,
    /// How long a runner may take to make contact with GitLab. Default: 2m.
    #[schemars(extend("format" = "time-span"))]
    pub(in crate::spec) startup_timeout: Option<String>,
    /// Limit on a job's duration, at least 10m.
    #[schemars(extend("format" = "time-span"))]
    pub(in crate::spec) maximum_timeout: Option<String>,
    /// Pools with a higher one are served first. Default: 0.
    #[schemars(range(min = -1_000, max = 1_000))]
    pub(in crate::spec) priority: Option<i32>,
    /// The runner's image, gitlab-runner 18.4 or newer. Default: a pinned one.
    #[schemars(length(min = 1))]
    pub(in crate::spec) runner_image: Option<String>,
    /// When the runner's image is pulled. Default: if-not-present.
    pub(in crate::spec) pull_policy: Option<RawPullPolicy>,
    /// What a job and each of its services may use. Default: no limits.
    pub(in crate::spec) resources: Option<RawResources>,
    /// GPUs for each job.
    pub(in crate::spec) gpu: Option<RawGpu>,
    /// May run on a host of another architecture through QEMU. Default: false.
    pub(in crate::spec) emulate: Option<bool>,
    /// Whether clone and cache survive a job. Default: keep.
    pub(in crate::spec) cache: Option<RawCache>,
    /// A runner token of your own (glrt-…) instead of a registration by AutoGit.
    pub(in crate::spec) runner_token: Option<String>,
    /// File that holds the runner token.
    pub(in crate::spec) runner_token_file: Option<String>,
    /// What happens to a job whose runner died. `retry` takes a token of a Maintainer with the scope
    /// `api` (a Developer before GitLab 17.0), and does not work with GitLab 17.0 to 17.10, where a
    /// cancelled job waits for its dead runner. Default: report.
    pub(in crate::spec) lost_jobs: Option<RawLostJobs>,
    /// Its own proxy, instead of that of the file; empty: none.
    pub(in crate::spec) proxy: Option<RawProxy>,
    /// Labels for its runners' containers and, through gitlab-runner, for those of their jobs, so
    /// that what watches containers can be told to leave them alone. Default: none.
    pub(in crate::spec) labels: Option<BTreeMap<String, String>>,
    /// How jobs run.
    pub(in crate::spec) job: Option<RawJob>,
    /// Anything else that gitlab-runner knows under [[runners]], merged in last.
    pub(in crate::spec) runner_config: Option<serde_json::Map<String, serde_json::Value>>,
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
    /// Times with another number.
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
#[expect(dead_code, reason = "part of the published schema; schedules are not supported yet")]
pub(in crate::spec) struct RawScheduled {
    /// Days, as in mon-fri or sat,sun.
    days: Option<String>,
    /// Start, as in "08:00".
    #[schemars(required)]
    from: Option<String>,
    /// End, as in "18:00".
    #[schemars(required)]
    to: Option<String>,
    /// Time zone, as in Europe/Berlin. Default: UTC.
    timezone: Option<String>,
    /// Idle runners in that time.
    #[schemars(required, range(min = 0, max = 100_000))]
    warm: Option<u32>,
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
#[expect(dead_code, reason = "part of the published schema; GPUs are not supported yet")]
pub(in crate::spec) struct RawGpu {
    /// Whose GPUs.
    #[schemars(required)]
    vendor: Option<RawVendor>,
    /// How many. Default: 1.
    #[schemars(range(min = 1, max = 64))]
    count: Option<u32>,
}

/// A maker of GPUs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::spec) enum RawVendor {
    Nvidia,
    Amd,
    Intel,
}

/// Whether clone and cache survive a job in their slot.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::spec) enum RawCache {
    Keep,
    Discard,
}

/// What happens to a job whose runner died.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::spec) enum RawLostJobs {
    Report,
    Retry,
}
