//! The plan so far: the runners, the supply that is left, the room that is left. Passes read it and
//! change it by its edits alone, so that what one decided is counted for all after it.

mod supply;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::host_choice::HostChoice;
use super::placement::{Placement, Room};
use super::wanted::Wanted;
use super::{Action, Decision, Facts, HeldJob, HeldRunner, JobHold, Plan, Rule, UnmetWarm};
use crate::spec::HostName;
use crate::world::{
    Backoff, Cause, JobId, Phase, RecordId, Runner, RunnerName, RunnerView, StartUnderWay,
    SystemId, Trouble, Variant, WorkloadId, World,
};
use supply::Unproven;
pub(super) use supply::VariantSupply;

/// Names a variant's supply in its draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SupplyId(usize);

/// Names a runner in its draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RunnerIndex(usize);

/// The plan so far.
pub(super) struct Draft<'a> {
    world: &'a World,
    runners: Vec<RunnerView<'a>>,
    wanted: Wanted,
    /// The enabled variants, in file order.
    supplies: Vec<VariantSupply<'a>>,
    by_variant: BTreeMap<Variant, SupplyId>,
    room: Room<'a>,
    plan: Plan,
    crowded_out: Vec<CrowdedOut>,
    urgent: Vec<Urgent>,
    /// Runners that a decision is about, or was when it was made.
    decided: BTreeSet<&'a WorkloadId>,
}

/// Jobs of one class that only lack room.
pub(super) struct CrowdedOut {
    /// Who could serve them, best first.
    pub(super) candidates: Vec<SupplyId>,
    /// How many they are.
    pub(super) jobs: usize,
}

/// A job that GitLab would drop soon, for want of a runner that is online, and that lacks room.
pub(super) struct Urgent {
    /// Who serves it.
    pub(super) by: SupplyId,
    /// Where the next room is kept for it.
    pub(super) host: HostName,
    /// When GitLab drops it.
    pub(super) dropped_in: SignedDuration,
}

impl<'a> Draft<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        let runners = world.runners();
        let offers = world.offers().into_iter();
        let supplies: Vec<_> = offers.map(|offer| VariantSupply::new(offer, world.now)).collect();
        let variants = supplies.iter().map(|supply| supply.offer().variant.clone());
        let by_variant = variants.enumerate().map(|(index, it)| (it, SupplyId(index))).collect();
        let acted_on = runners.iter().filter(|view| world.is_acted_on(&view.runner.id));
        let wanted = Wanted::of(world);
        let mut draft = Self {
            world,
            supplies,
            by_variant,
            room: Room::new(world, &runners, &wanted),
            wanted,
            plan: Plan::default(),
            crowded_out: Vec::new(),
            urgent: Vec::new(),
            decided: acted_on.map(|view| &view.runner.id).collect(),
            runners,
        };
        draft.count_supply();
        draft
    }

    /// Counts who can take a job: idle runners, and those that will be.
    fn count_supply(&mut self) {
        let mut idle: Vec<(SupplyId, Timestamp, RunnerIndex)> = Vec::new();
        let mut unproven: Vec<(SupplyId, Unproven)> = Vec::new();
        for (index, view) in self.undecided() {
            let Some(&of) = self.by_variant.get(&view.runner.variant) else { continue };
            // One that is paused takes no job until a person lets it go on.
            match view.phase {
                Phase::Idle { since } if !view.runner.paused && !self.is_ending(view.runner) => {
                    idle.push((of, since, index));
                }
                Phase::Starting { late, .. } if !view.runner.paused => {
                    unproven.push((of, Unproven { runner: Some(index), late }));
                }
                Phase::Created
                | Phase::Starting { .. }
                | Phase::Idle { .. }
                | Phase::Busy { .. }
                | Phase::Draining { .. }
                | Phase::Exited { .. }
                | Phase::Failed { .. } => {}
            }
        }
        let to_come = self.starts_to_come();
        let to_come = to_come.into_iter().filter_map(|variant| self.by_variant.get(variant));
        unproven.extend(to_come.map(|&of| (of, Unproven { runner: None, late: false })));
        idle.sort_unstable();
        for (of, _, runner) in idle {
            self.supply_mut(of).idle.push_back(runner);
        }
        for (of, runner) in unproven {
            self.supply_mut(of).add_unproven(runner);
        }
    }

    /// The variants of runners that are being started and do not run yet.
    fn starts_to_come(&self) -> Vec<&'a Variant> {
        let runs = |start: &StartUnderWay<'_>| {
            self.runners.iter().any(|view| {
                view.runner.name == *start.runner
                    && view.host == start.host
                    && view.phase != Phase::Created
            })
        };
        let starts = self.world.starts_under_way();
        starts.filter(|start| !runs(start)).map(|start| start.variant).collect()
    }

    /// What the plan is made for.
    pub(super) fn world(&self) -> &'a World {
        self.world
    }

    /// All runners, by host and name.
    pub(super) fn runners(&self) -> &[RunnerView<'a>] {
        &self.runners
    }

    /// That runner.
    #[expect(clippy::indexing_slicing, reason = "a draft names runners that it has, and keeps all")]
    pub(super) fn runner(&self, index: RunnerIndex) -> &RunnerView<'a> {
        &self.runners[index.0]
    }

    /// The supplies of the enabled variants, in file order.
    pub(super) fn supplies(&self) -> impl Iterator<Item = (SupplyId, &VariantSupply<'a>)> {
        self.supplies.iter().enumerate().map(|(index, supply)| (SupplyId(index), supply))
    }

    /// Their names.
    pub(super) fn supply_ids(&self) -> impl Iterator<Item = SupplyId> + use<> {
        (0..self.supplies.len()).map(SupplyId)
    }

    /// That supply.
    #[expect(
        clippy::indexing_slicing,
        reason = "a draft names supplies that it has, and keeps all"
    )]
    pub(super) fn supply(&self, id: SupplyId) -> &VariantSupply<'a> {
        &self.supplies[id.0]
    }

    #[expect(clippy::indexing_slicing, reason = "as in `supply`")]
    fn supply_mut(&mut self, id: SupplyId) -> &mut VariantSupply<'a> {
        &mut self.supplies[id.0]
    }

    /// The room that is left.
    pub(super) fn room(&self) -> &Room<'a> {
        &self.room
    }

    /// A decision is about that runner, or was when it was made.
    pub(super) fn is_decided(&self, runner: &Runner) -> bool {
        self.decided.contains(&runner.id)
    }

    /// A new runner of its variant would be another one.
    pub(super) fn is_outdated(&self, runner: &Runner) -> bool {
        self.wanted.differs(runner)
    }

    /// The runners that may still be decided on: seen, and without a decision.
    pub(super) fn undecided(&self) -> impl Iterator<Item = (RunnerIndex, &RunnerView<'a>)> {
        let views = self.runners.iter().enumerate();
        let views = views.filter(|(_, view)| view.seen && !self.is_decided(view.runner));
        views.map(|(index, view)| (RunnerIndex(index), view))
    }

    /// The busy runners that may still be decided on, the one whose job is oldest first.
    pub(super) fn busy(&self) -> Vec<RunnerIndex> {
        let mut busy: Vec<(Timestamp, RunnerIndex)> = self
            .undecided()
            .filter(|(_, view)| matches!(view.phase, Phase::Busy { .. }))
            .map(|(index, view)| {
                let received = view.runner.log.as_ref().and_then(|log| log.received);
                (received.map_or(view.runner.created_at, |(_, at)| at), index)
            })
            .collect();
        busy.sort_unstable();
        busy.into_iter().map(|(_, index)| index).collect()
    }

    /// As [`Wanted::is_ending`].
    pub(super) fn is_ending(&self, runner: &Runner) -> bool {
        self.wanted.is_ending(self.world, runner)
    }

    /// What the log of one of its starting runners says is wrong; asks all of them.
    pub(super) fn trouble(&self, of: SupplyId) -> Option<Trouble> {
        let runners = self.supply(of).unproven();
        runners.map(|it| self.runner(it)).find_map(|it| Trouble::of(it.runner, &it.phase))
    }

    /// Appends a decision, unless that is under way already.
    pub(super) fn decide(&mut self, action: Action, rule: Rule, facts: Facts) {
        if self.world.is_under_way(&action.deed()) {
            return;
        }
        self.plan.decisions.push(Decision { action, rule, facts });
    }

    /// Decides on a runner that is no supply: it ended, or never ran.
    pub(super) fn decide_on(
        &mut self,
        runner: &'a Runner,
        action: Action,
        rule: Rule,
        facts: Facts,
    ) {
        self.decided.insert(&runner.id);
        self.decide(action, rule, facts);
    }

    /// Decides to drain the runner; a job that it was to have must have been seen to.
    pub(super) fn drain(&mut self, index: RunnerIndex, rule: Rule, facts: Facts) {
        let lacks = self.drained(index, rule, facts);
        debug_assert!(lacks.is_none(), "a drained runner was to have a job");
    }

    /// The same; a job that it was to have waits, by `hold`.
    pub(super) fn drain_needed(
        &mut self,
        index: RunnerIndex,
        rule: Rule,
        facts: Facts,
        hold: impl FnOnce() -> JobHold,
    ) {
        if let Some(of) = self.drained(index, rule, facts) {
            self.unserve(of, Arc::new(hold()));
        }
    }

    /// Drains it; the supply that has fewer idle runners than jobs for them now.
    fn drained(&mut self, index: RunnerIndex, rule: Rule, facts: Facts) -> Option<SupplyId> {
        let RunnerView { host, runner, .. } = *self.runner(index);
        let action = Action::Drain {
            host: host.clone(),
            id: runner.id.clone(),
            runner: runner.name.clone(),
            variant: runner.variant.clone(),
        };
        debug_assert!(!self.is_decided(runner), "{} is decided on twice", runner.name);
        self.decide_on(runner, action, rule, facts);
        let of = self.by_variant.get(&runner.variant).copied()?;
        self.supply_mut(of).lose(index).then_some(of)
    }

    /// An idle runner of it may take that job.
    pub(super) fn serve(&mut self, by: SupplyId, job: JobId) {
        self.supply_mut(by).idle_jobs.push(job);
        self.plan.served_jobs += 1;
    }

    /// A job will have one of its starting runners.
    pub(super) fn serve_by_starting(&mut self, by: SupplyId) {
        self.supply_mut(by).starting_needed += 1;
        self.plan.served_jobs += 1;
    }

    /// A job will have a runner that this plan starts.
    pub(super) fn serve_by_start(&mut self) {
        self.plan.served_jobs += 1;
    }

    /// Takes back what was said of the youngest job that an idle runner was to have.
    pub(super) fn unserve(&mut self, by: SupplyId, hold: Arc<JobHold>) {
        let job = self.supply_mut(by).idle_jobs.pop();
        debug_assert!(job.is_some(), "no job was served");
        if let Some(job) = job {
            self.plan.served_jobs = self.plan.served_jobs.saturating_sub(1);
            self.hold_job(HeldJob { job, hold, dropped_in: None });
        }
    }

    /// The youngest job that an idle runner was to have goes to one that this plan starts.
    pub(super) fn pass_to_start(&mut self, by: SupplyId) {
        let job = self.supply_mut(by).idle_jobs.pop();
        debug_assert!(job.is_some(), "no job was served");
    }

    /// The job waits.
    pub(super) fn hold_job(&mut self, held: HeldJob) {
        self.plan.held_jobs.push(held);
    }

    /// Warm runners are missing.
    pub(super) fn lack_warm(&mut self, unmet: UnmetWarm) {
        self.plan.unmet_warm.push(unmet);
    }

    /// The runner stays.
    pub(super) fn hold_runner(&mut self, held: HeldRunner) {
        self.plan.held_runners.push(held);
    }

    /// No runner of it can be started.
    pub(super) fn block(&mut self, id: SupplyId, hold: JobHold) {
        self.supply_mut(id).blocked = Some(Arc::new(hold));
    }

    /// Starts no runner of a variant of which one is found to have failed: its back-off begins with
    /// this plan.
    pub(super) fn back_off(&mut self, variant: &Variant, cause: Cause, error: Arc<str>) {
        let previous = self.world.memory.backoffs.get(variant);
        let backoff = Backoff::after(previous, variant, cause, error, self.world.now);
        if let Some(&id) = self.by_variant.get(variant) {
            let left = backoff.until.duration_since(self.world.now);
            let (variant, until, error) = (variant.clone(), backoff.until, backoff.error);
            self.block(id, JobHold::BackingOff { variant, until, left, error });
        }
    }

    /// Where the next runner of it goes; takes the room for it.
    pub(super) fn place(&mut self, id: SupplyId) -> Result<Placement, Arc<JobHold>> {
        if let Some(hold) = &self.supply(id).blocked {
            return Err(Arc::clone(hold));
        }
        let offer = self.supply(id).offer().clone();
        self.room.place(self.world, &self.runners, &offer).map_err(Arc::new)
    }

    /// Appends the start of a runner of it there.
    pub(super) fn start(
        &mut self,
        id: SupplyId,
        at: Placement,
        rule: Rule,
        facts: impl FnOnce(HostChoice) -> Facts,
    ) {
        let variant = self.supply(id).offer().variant.clone();
        self.supply_mut(id).started += 1;
        let Placement { slot, system_id, cost, choice } = at;
        let runner = RunnerName::new(&self.world.spec.instance, &variant, slot);
        let host = choice.host.clone();
        let action = Action::Start { host, runner, slot, system_id, variant, cost };
        self.decide(action, rule, facts(choice));
    }

    /// Keeps the next room for a job that GitLab would drop soon; `false`: nowhere is enough.
    pub(super) fn keep_room(&mut self, by: SupplyId, dropped_in: SignedDuration) -> bool {
        let offer = self.supply(by).offer().clone();
        let Some(host) = self.room.keep_next(self.world, &offer) else { return false };
        self.urgent.push(Urgent { by, host, dropped_in });
        true
    }

    /// These jobs only lack room.
    pub(super) fn crowd_out(&mut self, jobs: CrowdedOut) {
        self.crowded_out.push(jobs);
    }

    /// The jobs that only lack room, those first that GitLab would drop soon, the next to be dropped
    /// first; to be asked once.
    pub(super) fn take_crowded_out(&mut self) -> (Vec<Urgent>, Vec<CrowdedOut>) {
        (std::mem::take(&mut self.urgent), std::mem::take(&mut self.crowded_out))
    }

    /// The hosts on which this plan starts runners, and these runners' system ids.
    pub(super) fn starts(&self) -> impl Iterator<Item = (&HostName, &SystemId)> {
        self.plan.decisions.iter().filter_map(|decision| {
            let Action::Start { host, system_id, .. } = &decision.action else { return None };
            Some((host, system_id))
        })
    }

    /// The records that it changes or deletes.
    pub(super) fn changed_records(&self) -> BTreeSet<RecordId> {
        self.plan.decisions.iter().filter_map(|decision| decision.action.record()).collect()
    }

    /// The plan.
    pub(super) fn into_plan(self) -> Plan {
        self.plan
    }
}
