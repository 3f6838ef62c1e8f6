//! How things stand, from a view: what a scrape between two ticks finds.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::families::{Decimal, Families};
use super::labels::{Host, PhaseLabel, Pool, Reason, Source, VariantLabel};
use crate::plan::JobHold;
use crate::view::{BudgetOutput, View};
use crate::world::{Phase, Runner};

/// Stands for the pools of runners whose pool the spec no longer has: the labels of a container are
/// no closed set. No pool can have this name.
const UNDECLARED: &str = "_undeclared";

/// The words of [`Phase::as_str`].
const PHASES: [&str; 7] = ["created", "starting", "idle", "busy", "draining", "exited", "failed"];

/// The label for a runner's pool.
pub(super) fn pool_of(view: &View, runner: &Runner) -> String {
    let pool = &runner.variant.pool;
    let declared = view.world.spec.pool(pool).is_some();
    if declared { pool.to_string() } else { UNDECLARED.to_owned() }
}

/// How many runners of each pool are busy, idle and starting.
pub(super) fn runner_states(view: &View) -> BTreeMap<(String, &'static str), usize> {
    let mut states = BTreeMap::new();
    for runner in view.world.runners() {
        let word = match runner.phase {
            Phase::Busy { .. } | Phase::Draining { busy: true, .. } => "busy",
            Phase::Idle { .. } | Phase::Draining { busy: false, .. } => "idle",
            Phase::Created | Phase::Starting { .. } | Phase::Failed { .. } => "starting",
            Phase::Exited { .. } => continue,
        };
        *states.entry((pool_of(view, runner.runner), word)).or_default() += 1;
    }
    states
}

/// The largest count that a gauge takes.
fn gauge(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

impl Families {
    /// Shows a view. What it does not have any more is not shown any more.
    pub(super) fn show(&self, view: &View, token_ends: Option<Timestamp>) {
        self.show_runners(view);
        self.show_queue(view);
        self.show_hosts(view);
        self.spec_valid.set(i64::from(view.spec.pending_fault.is_none()));
        self.last_look.get_or_create(&[]).set(view.world.now.as_second());
        self.token_ends.clear();
        if let Some(at) = token_ends {
            self.token_ends.get_or_create(&[]).set(at.as_second());
        }
        self.known.clear();
        for (source, output) in view.as_seen().sources() {
            let known = i64::from(output.is_known());
            self.known.get_or_create(&Source { source }).set(known);
        }
        self.set_ages(view, view.world.now);
    }

    /// How old what the view shows is at `now`.
    pub(super) fn set_ages(&self, view: &View, now: Timestamp) {
        self.age.clear();
        for (source, at) in view.source_times() {
            self.age.get_or_create(&Source { source }).set(secs(now.duration_since(at)));
        }
    }

    fn show_runners(&self, view: &View) {
        let world = &view.world;
        self.runners.clear();
        self.pool_max.clear();
        self.pool_warm.clear();
        self.backing_off.clear();
        self.runner_token_ends.clear();
        for pool in &world.spec.pools {
            let label = Pool { pool: pool.name.to_string() };
            self.pool_max.get_or_create(&label).set(pool.max.into());
            self.pool_warm.get_or_create(&label).set(pool.warm.total(world.now).into());
            // At zero before the first, so that a rate over it is seen.
            let _ = self.lost_jobs.get_or_create(&label);
        }
        for (variant, pool) in world.variants() {
            let (name, arch) = (variant.pool.to_string(), variant.arch.as_str());
            for phase in PHASES {
                let label = PhaseLabel { pool: name.clone(), arch, phase };
                self.runners.get_or_create(&label).set(0);
            }
            let label = VariantLabel { pool: name, arch };
            let backoff = world.memory.backoffs.get(&variant);
            let backing_off = backoff.is_some_and(|backoff| backoff.until > world.now);
            self.backing_off.get_or_create(&label).set(backing_off.into());
            let record = world.current_record(&variant, pool);
            if let Some(at) = record.and_then(|record| record.token_expires_at) {
                self.runner_token_ends.get_or_create(&label).set(at.as_second());
            }
        }
        for runner in world.runners() {
            let arch = runner.runner.variant.arch.as_str();
            let (pool, phase) = (pool_of(view, runner.runner), runner.phase.as_str());
            self.runners.get_or_create(&PhaseLabel { pool, arch, phase }).inc();
        }
    }

    fn show_queue(&self, view: &View) {
        self.queue.clear();
        self.queue_oldest.clear();
        let mut lines: BTreeMap<&str, (usize, SignedDuration)> = BTreeMap::new();
        for pool in &view.world.spec.pools {
            lines.insert(pool.name.as_str(), (0, SignedDuration::ZERO));
        }
        let mut unmatched = 0_usize;
        let offers = view.world.offers();
        for waiting in view.waiting(&offers) {
            let pool = waiting.offer.map(|offer| offer.pool.name.as_str());
            match pool.and_then(|pool| lines.get_mut(pool)) {
                Some((count, oldest)) => {
                    *count += 1;
                    *oldest = view.world.now.duration_since(waiting.job.queued_at).max(*oldest);
                }
                // What another runner may take is nobody's fault.
                None if matches!(waiting.hold, Some(JobHold::OtherRunner { .. })) => {}
                None => unmatched += 1,
            }
        }
        self.unmatched.set(gauge(unmatched));
        self.held.clear();
        for reason in JobHold::REASONS {
            self.held.get_or_create(&Reason { reason }).set(0);
        }
        for held in &view.plan.held_jobs {
            self.held.get_or_create(&Reason { reason: held.hold.as_str() }).inc();
        }
        for (pool, (count, oldest)) in lines {
            let label = Pool { pool: pool.to_owned() };
            self.queue.get_or_create(&label).set(gauge(count));
            self.queue_oldest.get_or_create(&label).set(secs(oldest));
        }
    }

    fn show_hosts(&self, view: &View) {
        for family in [&self.budget_runners, &self.used_runners] {
            family.clear();
        }
        for family in [&self.budget_cpus, &self.used_cpus] {
            family.clear();
        }
        for family in [&self.budget_memory, &self.used_memory] {
            family.clear();
        }
        let disks = [&self.budget_disk, &self.used_disk, &self.free_disk];
        for family in disks {
            family.clear();
        }
        for family in [&self.budget_gpus, &self.used_gpus] {
            family.clear();
        }
        for (host, output) in view.host_outputs() {
            let label = Host { host };
            if let Some(disk) = output.disk {
                let told = [disk.budget_bytes, disk.used_bytes, disk.free_bytes];
                for (family, bytes) in disks.iter().zip(told) {
                    if let Some(bytes) = bytes {
                        family.get_or_create(&label).set(gauge(bytes));
                    }
                }
            }
            if let Some(budget) = output.budget {
                let families = (&self.budget_runners, &self.budget_cpus, &self.budget_memory);
                set(families, &label, budget);
                self.budget_gpus.get_or_create(&label).set(budget.gpus.into());
            }
            self.used_gpus.get_or_create(&label).set(output.used.gpus.into());
            set((&self.used_runners, &self.used_cpus, &self.used_memory), &label, output.used);
        }
    }
}

type Whole =
    prometheus_client::metrics::family::Family<Host, prometheus_client::metrics::gauge::Gauge>;
type Parts = prometheus_client::metrics::family::Family<Host, Decimal>;

fn set((runners, cpus, memory): (&Whole, &Parts, &Whole), label: &Host, budget: BudgetOutput) {
    runners.get_or_create(label).set(budget.runners.into());
    cpus.get_or_create(label).set(budget.cpus);
    memory.get_or_create(label).set(gauge(budget.memory_bytes));
}

fn secs(duration: SignedDuration) -> f64 {
    duration.as_secs_f64().max(0.0)
}
