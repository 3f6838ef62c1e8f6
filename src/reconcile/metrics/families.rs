//! Every metric with its name and what it says. Those with a closed set of labels are there from
//! the start, at zero, so that a rate over the first one is seen.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use super::labels::{
    Endpoint, Event, Host, Kind, PhaseLabel, Pool, Reason, RuleLabel, Source, State, VariantLabel,
    Version,
};
use super::{BearerRefusal, Described, WebhookEvent, WebhookRefusal};
use crate::error_policy::ErrorKind;
use crate::plan::Rule;

/// From one poll at its fastest to the hour after which GitLab drops a job.
const WAIT_BUCKETS: [f64; 12] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

/// From a warm engine to twice the default `startup_timeout`.
const START_BUCKETS: [f64; 11] = [0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0, 60.0, 120.0, 240.0];

/// From an idle tick to the timeout of one call.
const TICK_BUCKETS: [f64; 11] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

pub(super) type Decimal = Gauge<f64, AtomicU64>;
/// No label at all.
pub(super) type Bare = [(&'static str, &'static str); 0];
type PerPool = Family<Pool, Histogram, fn() -> Histogram>;

pub(super) struct Families {
    pub(super) runners: Family<PhaseLabel, Gauge>,
    pub(super) pool_max: Family<Pool, Gauge>,
    pub(super) pool_warm: Family<Pool, Gauge>,
    pub(super) queue: Family<Pool, Gauge>,
    pub(super) queue_oldest: Family<Pool, Decimal>,
    pub(super) unmatched: Gauge,
    pub(super) held: Family<Reason, Gauge>,
    pub(super) backing_off: Family<VariantLabel, Gauge>,
    pub(super) budget_runners: Family<Host, Gauge>,
    pub(super) used_runners: Family<Host, Gauge>,
    pub(super) budget_cpus: Family<Host, Decimal>,
    pub(super) used_cpus: Family<Host, Decimal>,
    pub(super) budget_memory: Family<Host, Gauge>,
    pub(super) used_memory: Family<Host, Gauge>,
    pub(super) budget_disk: Family<Host, Gauge>,
    pub(super) used_disk: Family<Host, Gauge>,
    pub(super) free_disk: Family<Host, Gauge>,
    pub(super) budget_gpus: Family<Host, Gauge>,
    pub(super) used_gpus: Family<Host, Gauge>,
    pub(super) known: Family<Source, Gauge>,
    pub(super) age: Family<Source, Decimal>,
    pub(super) spec_valid: Gauge,
    /// A token that never ends has no value here, and zero would be 1970.
    pub(super) token_ends: Family<Bare, Gauge>,
    pub(super) runner_token_ends: Family<VariantLabel, Gauge>,
    /// None before the first look.
    pub(super) last_look: Family<Bare, Gauge>,
    pub(super) job_wait: PerPool,
    pub(super) runner_start: PerPool,
    pub(super) tick: Histogram,
    pub(super) decisions: Family<RuleLabel, Counter>,
    pub(super) failures: Family<Kind, Counter>,
    pub(super) lost_jobs: Family<Pool, Counter>,
    pub(super) requests: Family<Endpoint, Counter>,
    pub(super) runner_seconds: Family<State, Counter<f64, AtomicU64>>,
    pub(super) webhooks: Family<Event, Counter>,
    pub(super) webhooks_refused: Family<Reason, Counter>,
    pub(super) bearers_refused: Family<Reason, Counter>,
}

impl Families {
    /// Registers all of them; and what they are called.
    #[expect(clippy::too_many_lines, reason = "a list: each metric is a line or two of it")]
    pub(super) fn register(registry: &mut Registry) -> (Self, Vec<Described>) {
        let version = Version { version: env!("CARGO_PKG_VERSION") };
        registry.register("build", "AutoGit's version", Info::new(version));
        let version = described("build_info", "AutoGit's version", "info");
        let mut add = Adding { registry, described: vec![version] };
        let per_pool = |buckets: fn() -> Histogram| PerPool::new_with_constructor(buckets);
        let families = Self {
            runners: add.one("runners", "Runners by what they do"),
            pool_max: add.one("pool_max", "Runners that a pool may have"),
            pool_warm: add.one("pool_warm", "Idle runners that a pool keeps now beyond the demand"),
            queue: add.one("queue_jobs", "Pending jobs by the pool they wait for"),
            queue_oldest: add
                .one("queue_oldest_seconds", "How long the oldest pending job of a pool waits"),
            unmatched: add.one(
                "queue_unmatched_jobs",
                "Pending jobs that no pool may take, nor another runner",
            ),
            held: add.one("held_jobs", "Pending jobs without a runner, by what they wait for"),
            backing_off: add.one("pool_backing_off", "1 while a pool that failed is left alone"),
            budget_runners: add.one("host_budget_runners", "Runners that a host may have"),
            used_runners: add.one("host_used_runners", "Runners that a host has"),
            budget_cpus: add.one("host_budget_cpus", "Cpus that jobs may use of a host"),
            used_cpus: add.one("host_used_cpus", "Cpus that runners' jobs are given of a host"),
            budget_memory: add
                .one("host_budget_memory_bytes", "Memory that jobs may use of a host"),
            used_memory: add
                .one("host_used_memory_bytes", "Memory that runners' jobs are given of a host"),
            budget_disk: add
                .one("host_budget_disk_bytes", "What runners and their jobs may take of a disk"),
            used_disk: add.one(
                "host_used_disk_bytes",
                "What runners, their jobs and caches take of a disk whose use is limited",
            ),
            free_disk: add
                .one("host_free_disk_bytes", "What is free of a disk whose use is limited"),
            budget_gpus: add.one("host_budget_gpus", "GPUs that jobs may get of a host"),
            used_gpus: add.one("host_used_gpus", "GPUs that runners' jobs are given of a host"),
            known: add.one("source_known", "1 if a source could be read at the last look"),
            age: add.one("observation_age_seconds", "Time since a source could be read"),
            spec_valid: add.one("spec_valid", "1 if the spec's file as it is now passes"),
            token_ends: add
                .one("gitlab_token_expiry_timestamp_seconds", "When AutoGit's own token ends"),
            runner_token_ends: add
                .one("runner_token_expiry_timestamp_seconds", "When a pool's runner token ends"),
            last_look: add.one("last_look_timestamp_seconds", "When the loop last looked"),
            job_wait: add.this(
                "job_wait_seconds",
                "From pending to picked up by a runner of ours",
                per_pool(|| Histogram::new(WAIT_BUCKETS)),
            ),
            runner_start: add.this(
                "runner_start_seconds",
                "From the decision to start a runner to its contact with GitLab",
                per_pool(|| Histogram::new(START_BUCKETS)),
            ),
            tick: add.this("tick_seconds", "How long a tick takes", Histogram::new(TICK_BUCKETS)),
            decisions: add.one("decisions", "Decisions that were made"),
            failures: add.one("apply_failures", "Decisions that could not be carried out"),
            lost_jobs: add.one("lost_jobs", "Jobs whose runner died"),
            requests: add.one("gitlab_requests", "Requests sent to GitLab"),
            runner_seconds: add.one("runner_seconds", "Time that runners spent"),
            webhooks: add.one("webhooks", "Webhooks that were authentic"),
            webhooks_refused: add.one("webhooks_refused", "Webhooks that were refused"),
            bearers_refused: add.one("bearers_refused", "Requests whose bearer token was refused"),
        };
        families.begin_at_zero();
        (families, add.described)
    }

    fn begin_at_zero(&self) {
        for rule in Rule::ALL {
            let _ = self.decisions.get_or_create(&RuleLabel { rule: rule.as_str() });
        }
        for kind in ErrorKind::ALL {
            let _ = self.failures.get_or_create(&Kind { kind: kind.as_str() });
        }
        for event in WebhookEvent::ALL {
            let _ = self.webhooks.get_or_create(&Event { event: event.as_str() });
        }
        for why in WebhookRefusal::ALL {
            let _ = self.webhooks_refused.get_or_create(&Reason { reason: why.as_str() });
        }
        for why in BearerRefusal::ALL {
            let _ = self.bearers_refused.get_or_create(&Reason { reason: why.as_str() });
        }
        self.spec_valid.set(1);
    }
}

fn described(name: &str, meaning: &str, kind: &str) -> Described {
    let (name, meaning) = (format!("autogit_{name}"), meaning.to_owned());
    Described { name, kind: kind.to_owned(), meaning }
}

/// Registers one metric after the other.
struct Adding<'r> {
    registry: &'r mut Registry,
    described: Vec<Described>,
}

impl Adding<'_> {
    fn one<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.this(name, help, M::default())
    }

    fn this<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.registry.register(name, help, metric.clone());
        self.described.push(described(name, help, metric.metric_type().as_str()));
        metric
    }
}
