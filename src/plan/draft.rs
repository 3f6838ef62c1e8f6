//! The plan so far, and what the passes share: the runners' phases, the supply that is left, and
//! the room that is left.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::room::Room;
use super::{Action, Decision, Facts, JobHold, Plan, Rule};
use crate::spec::{HostName, Warm};
use crate::world::{
    ContainerId, Offer, Phase, RunnerName, RunnerView, Slot, SystemId, World, phases,
};

/// Everything a pass may look at; it appends to `plan`.
pub(super) struct Draft<'a> {
    pub(super) world: &'a World,
    pub(super) runners: Vec<RunnerView<'a>>,
    /// The enabled variants, in file order, each with its supply.
    pub(super) lines: Vec<Line<'a>>,
    pub(super) room: Room,
    pub(super) plan: Plan,
    /// Runners that a decision is about.
    pub(super) decided: BTreeSet<&'a ContainerId>,
}

/// One enabled variant and the runners that can take a job for it.
pub(super) struct Line<'a> {
    pub(super) offer: Offer<'a>,
    /// Indices into `Draft::runners`, longest idle first.
    pub(super) idle: Vec<usize>,
    pub(super) starting: usize,
    /// How many of the idle and the starting ones a pending job needs.
    pub(super) idle_needed: usize,
    pub(super) starting_needed: usize,
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

    /// Idle runners that no pending job needs.
    pub(super) fn idle_spare(&self) -> usize {
        self.idle.len().saturating_sub(self.idle_needed)
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        let runners = phases(world);
        let room = Room::new(world, &runners);
        let lines = world.offers().into_iter().map(|offer| Line {
            offer,
            idle: Vec::new(),
            starting: 0,
            idle_needed: 0,
            starting_needed: 0,
            blocked: None,
        });
        let lines = lines.collect();
        let (plan, decided) = (Plan::default(), BTreeSet::new());
        Self { world, runners, lines, room, plan, decided }
    }

    /// Appends a decision.
    pub(super) fn decide(&mut self, action: Action, rule: Rule, facts: Facts) {
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

    /// The runners that may still be decided on: seen, and without a decision.
    pub(super) fn undecided(&self) -> impl Iterator<Item = (usize, &RunnerView<'a>)> {
        let views = self.runners.iter().enumerate();
        views.filter(|(_, view)| view.seen && !self.decided.contains(&view.runner.id))
    }

    /// Counts the supply of each line: idle runners, and starting ones that are not late.
    pub(super) fn count_supply(&mut self) {
        let mut supply: Vec<(Vec<usize>, usize)> = vec![Default::default(); self.lines.len()];
        let lines: std::collections::BTreeMap<_, usize> = self
            .lines
            .iter()
            .enumerate()
            .map(|(index, line)| (&line.offer.variant, index))
            .collect();
        for (index, view) in self.undecided() {
            let line = lines.get(&view.runner.variant).and_then(|&line| supply.get_mut(line));
            match (line, &view.phase) {
                (Some((idle, _)), Phase::Idle { .. }) => idle.push(index),
                (Some((_, starting)), Phase::Starting { late: false, .. }) => *starting += 1,
                _ => {}
            }
        }
        let runners = &self.runners;
        let idle_since = |index: &usize| match runners.get(*index).map(|view| &view.phase) {
            Some(Phase::Idle { since }) => Some(*since),
            _ => None,
        };
        for (line, (mut idle, starting)) in self.lines.iter_mut().zip(supply) {
            idle.sort_by_key(|index| (idle_since(index), *index));
            line.idle = idle;
            line.starting = starting;
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
        let Some(variant) = self.lines.get(line).map(|line| line.offer.variant.clone()) else {
            return;
        };
        let Some(installation) = self.world.installation() else { return };
        let Some(engine) = self.world.hosts.get(host).and_then(|host| host.engine()) else {
            return;
        };
        let instance = &self.world.spec.instance;
        let action = Action::Start {
            host: host.clone(),
            runner: RunnerName::new(instance, &variant, slot),
            slot,
            system_id: SystemId::new(instance, &installation, &engine.id, &variant, slot),
            variant,
        };
        self.decide(action, rule, facts);
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
    Arc::new(JobHold::NoPoolMatches { missing: BTreeSet::new() })
}
