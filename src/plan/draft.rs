//! The plan so far, and what the passes share: the runners' the supply that is left, and
//! the room that is left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::room::Room;
use super::wanted::Wanted;
use super::{Action, Decision, Facts, HeldJob, JobHold, Plan, Rule};
use crate::spec::{HostName, Warm};
use crate::world::{
    Backoff, Cause, JobId, Offer, Phase, Runner, RunnerName, RunnerView, Slot, StartUnderWay,
    Trouble, Variant, WorkloadId, World,
};

/// How long after its last job a runner that may have no other is expected to be there: it cleans
/// up and exits in seconds.
const ENDS_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// Everything a pass may look at; it appends to `plan`.
pub(super) struct Draft<'a> {
    pub(super) world: &'a World,
    pub(super) runners: Vec<RunnerView<'a>>,
    pub(super) wanted: Wanted,
    /// The enabled variants, in file order, each with its supply.
    pub(super) lines: Vec<Line<'a>>,
    pub(super) room: Room<'a>,
    pub(super) plan: Plan,
    /// Jobs that only lack room, each class with the lines that could serve it and how many they are.
    pub(super) crowded_out: Vec<(Vec<usize>, usize)>,
    /// Jobs that only lack room and that GitLab would drop soon, the next to be dropped first.
    pub(super) urgent: Vec<Urgent>,
    /// Runners that a decision is about, or was when it was made.
    pub(super) decided: BTreeSet<&'a WorkloadId>,
}

/// A job that GitLab would drop soon, for want of a runner that is online, and that lacks room.
pub(super) struct Urgent {
    /// The line that serves it.
    pub(super) line: usize,
    /// Where the next room is kept for it.
    pub(super) host: HostName,
    /// When GitLab drops it.
    pub(super) dropped_in: SignedDuration,
}

/// One enabled variant and the runners that can take a job for it.
pub(super) struct Line<'a> {
    pub(super) offer: Offer<'a>,
    /// Indices into `Draft::runners`, longest idle first, less those that a pass drains.
    pub(super) idle: Vec<usize>,
    pub(super) starting: usize,
    /// Runners that are not known to have made contact yet, the late ones included.
    pub(super) unproven: usize,
    /// The pending jobs that may go to the idle ones.
    pub(super) idle_jobs: Vec<JobId>,
    /// What the log of one of the starting ones says is wrong.
    pub(super) trouble: Option<Trouble>,
    /// How many of the starting ones a pending job needs.
    pub(super) starting_needed: usize,
    /// Runners that this plan starts.
    pub(super) started: usize,
    /// Why no runner of it can be started at all; `None`: one can.
    pub(super) blocked: Option<Arc<JobHold>>,
}

impl Line<'_> {
    /// How many idle runners are kept beyond the demand.
    pub(super) fn warm(&self) -> usize {
        let warm = match &self.offer.pool.warm {
            Warm::Count(count) if self.offer.first => *count,
            Warm::Count(_) => 0,
            Warm::PerArch(counts) => counts.get(&self.offer.variant.arch).copied().unwrap_or(0),
        };
        warm.min(self.offer.pool.max) as usize
    }

    /// Idle and starting runners that no pending job needs.
    pub(super) fn spare(&self) -> usize {
        self.idle_spare() + self.starting.saturating_sub(self.starting_needed)
    }

    /// Runners that should have made contact by now, of which it is not known whether they did.
    pub(super) fn late(&self) -> usize {
        self.unproven.saturating_sub(self.starting)
    }

    /// Idle runners that no pending job needs.
    pub(super) fn idle_spare(&self) -> usize {
        self.idle.len().saturating_sub(self.idle_jobs.len())
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        let runners = world.runners();
        let room = Room::new(world, &runners);
        let lines = world.offers().into_iter().map(|offer| Line {
            offer,
            idle: Vec::new(),
            starting: 0,
            unproven: 0,
            idle_jobs: Vec::new(),
            trouble: None,
            starting_needed: 0,
            started: 0,
            blocked: None,
        });
        let (lines, wanted) = (lines.collect(), Wanted::of(world));
        let acted_on = runners.iter().filter(|view| world.is_acted_on(&view.runner.id));
        let decided = acted_on.map(|view| &view.runner.id).collect();
        Self {
            world,
            runners,
            wanted,
            lines,
            room,
            plan: Plan::default(),
            crowded_out: Vec::new(),
            urgent: Vec::new(),
            decided,
        }
    }

    /// Appends a decision, unless that is under way already.
    pub(super) fn decide(&mut self, action: Action, rule: Rule, facts: Facts) {
        if self.world.is_under_way(&action.deed()) {
            return;
        }
        self.plan.decisions.push(Decision { action, rule, facts });
    }

    /// Decides to drain the runner at `index`.
    pub(super) fn drain(&mut self, index: usize, rule: Rule, facts: Facts) {
        let Some(view) = self.runners.get(index) else { return };
        let action = Action::Drain {
            host: view.host.clone(),
            id: view.runner.id.clone(),
            runner: view.runner.name.clone(),
            variant: view.runner.variant.clone(),
        };
        self.decided.insert(&view.runner.id);
        self.decide(action, rule, facts);
    }

    /// Starts no runner of a variant of which one is found to have failed: its back-off begins with
    /// this plan.
    pub(super) fn back_off(&mut self, variant: &Variant, cause: Cause, error: Arc<str>) {
        let memory = &self.world.memory;
        let previous = memory.backoffs.get(variant);
        let backoff = Backoff::after(previous, variant, cause, error, self.world.now);
        let hold = JobHold::BackingOff {
            variant: variant.clone(),
            until: backoff.until,
            left: backoff.until.duration_since(self.world.now),
            error: backoff.error,
        };
        if let Some(line) = self.lines.iter_mut().find(|line| line.offer.variant == *variant) {
            line.blocked = Some(Arc::new(hold));
        }
    }

    /// The runners that may still be decided on: seen, and without a decision.
    pub(super) fn undecided(&self) -> impl Iterator<Item = (usize, &RunnerView<'a>)> {
        let views = self.runners.iter().enumerate();
        views.filter(|(_, view)| view.seen && !self.decided.contains(&view.runner.id))
    }

    /// The busy runners that may still be decided on, the one whose job is oldest first.
    pub(super) fn busy(&self) -> Vec<usize> {
        let mut busy: Vec<(Timestamp, usize)> = self
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

    /// Counts the supply of each line: idle runners, and starting ones that are not late.
    pub(super) fn count_supply(&mut self) {
        let lines = self.lines.iter().enumerate();
        let lines: BTreeMap<Variant, usize> =
            lines.map(|(index, line)| (line.offer.variant.clone(), index)).collect();
        let mut idle: Vec<(usize, Timestamp, usize)> = Vec::new();
        for (index, view) in self.runners.iter().enumerate() {
            let line = lines.get(&view.runner.variant).copied();
            // One that is paused takes no job until a person lets it go on.
            if !view.seen || view.runner.paused || self.decided.contains(&view.runner.id) {
                continue;
            }
            match (line, &view.phase) {
                (Some(line), Phase::Idle { since }) if !self.is_ending(view.runner) => {
                    idle.push((line, *since, index));
                }
                (Some(line), Phase::Starting { late, .. }) => {
                    let Some(line) = self.lines.get_mut(line) else { continue };
                    line.unproven += 1;
                    let trouble = Trouble::of(view.runner, &view.phase);
                    line.trouble = line.trouble.take().or(trouble);
                    line.starting += usize::from(!late);
                }
                _ => {}
            }
        }
        for variant in self.starts_to_come() {
            let line = lines.get(variant).copied().and_then(|line| self.lines.get_mut(line));
            if let Some(line) = line {
                line.unproven += 1;
                line.starting += 1;
            }
        }
        idle.sort_unstable();
        for (line, _, index) in idle {
            self.lines.get_mut(line).into_iter().for_each(|line| line.idle.push(index));
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

    /// It had as many jobs as it may have and exits by itself. One that does not, or that was made
    /// with another number of jobs, is idle like any other.
    pub(super) fn is_ending(&self, runner: &Runner) -> bool {
        let ended = runner.log.as_ref().and_then(|log| log.ended);
        ended.is_some_and(|at| self.world.now.duration_since(at) < ENDS_WITHIN)
            && self
                .world
                .spec
                .pool(&runner.variant.pool)
                .is_some_and(|pool| runner.is_used_up(pool))
            && !self.wanted.differs(runner)
    }

    /// Takes back what was said of the youngest job that an idle runner of the line was to have.
    pub(super) fn unserve(&mut self, line: usize, hold: Arc<JobHold>) {
        let job = self.lines.get_mut(line).and_then(|line| line.idle_jobs.pop());
        if let Some(job) = job {
            self.plan.served_jobs = self.plan.served_jobs.saturating_sub(1);
            self.plan.held_jobs.push(HeldJob { job, hold, dropped_in: None });
        }
    }

    /// Appends the start of a runner of the line in that slot.
    pub(super) fn start(
        &mut self,
        line: usize,
        host: &HostName,
        slot: Slot,
        rule: Rule,
        facts: Facts,
    ) {
        let Some(line) = self.lines.get_mut(line) else { return };
        let variant = line.offer.variant.clone();
        line.started += 1;
        let Some(system_id) = self.world.system_id(host, &variant, slot) else { return };
        let runner = RunnerName::new(&self.world.spec.instance, &variant, slot);
        let action = Action::Start { host: host.clone(), runner, slot, system_id, variant };
        self.decide(action, rule, facts);
    }

    /// The hosts on which this plan starts runners.
    pub(super) fn started_hosts(&self) -> BTreeSet<HostName> {
        let starts = self.plan.decisions.iter().filter_map(|decision| {
            let Action::Start { host, .. } = &decision.action else { return None };
            Some(host.clone())
        });
        starts.collect()
    }

    /// Where the line's next runner goes; takes the room for it.
    pub(super) fn take_room(&mut self, line: usize) -> Result<(HostName, Slot), Arc<JobHold>> {
        let Some(line) = self.lines.get(line) else { return Err(nowhere()) };
        if let Some(hold) = &line.blocked {
            return Err(Arc::clone(hold));
        }
        self.room.take(self.world, &line.offer).map_err(Arc::new)
    }
}

/// For an index that no line has; never reached, as indices come from the lines themselves.
fn nowhere() -> Arc<JobHold> {
    Arc::new(JobHold::NoPoolMatches { missing: BTreeSet::new(), meant: None })
}
