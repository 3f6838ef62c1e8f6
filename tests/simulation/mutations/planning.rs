//! Bugs in what is seen and decided: the world is made another before the plan, or the plan after.

use std::sync::Arc;

use autogit::plan::{
    Action, Decision, Facts, HeldJob, HeldRunner, JobHold, Plan, Rule, RunnerHold, plan,
};
use autogit::spec::{Cache, Cost, LostJobs, Spec, Warm};
use autogit::world::{
    Condition, ContainerState, HostState, JobObjects, Leftover, Look, Made, Observed, Origin,
    Phase, Queue, RunnerMemory, Slot, Token, World, leftovers,
};
use jiff::SignedDuration;

/// The jobs that a look reads in a row where pages are small.
const JOBS_OF_A_LOOK: usize = 60;

fn seeing(world: &World, change: impl FnOnce(&mut Look)) -> Plan {
    plan(&world.changed(change))
}

fn asking(world: &World, change: impl FnOnce(&mut Spec)) -> Plan {
    seeing(world, |look| {
        let mut spec = Spec::clone(&look.spec);
        change(&mut spec);
        look.spec = Arc::new(spec);
    })
}

fn without(world: &World, unwanted: impl Fn(&Decision) -> bool) -> Plan {
    let mut plan = plan(world);
    let (dropped, kept) = plan.decisions.into_iter().partition(unwanted);
    plan.decisions = kept;
    let dropped: Vec<Decision> = dropped;
    // Something is said of each runner all the same.
    plan.held_runners.extend(dropped.into_iter().filter_map(|decision| {
        let (host, runner) = (decision.action.host()?.clone(), decision.action.runner()?.clone());
        Some(HeldRunner { host, runner, hold: RunnerHold::Warm, trouble: None, standstill: None })
    }));
    plan
}

fn memories(look: &mut Look) -> impl Iterator<Item = &mut RunnerMemory> {
    look.memory.runners.values_mut()
}

fn states(look: &mut Look) -> impl Iterator<Item = &mut HostState> {
    look.hosts.values_mut().filter_map(|host| match &mut host.state {
        Observed::Known { value, .. } => Some(value),
        Observed::Unknown { last, .. } => last.as_mut(),
    })
}

pub(super) fn busy_is_idle(world: &World) -> Plan {
    seeing(world, |look| {
        if let Observed::Known { value, .. } = &mut look.records {
            for record in value {
                if let Observed::Known { value, .. } = &mut record.managers {
                    for row in value {
                        row.busy = false;
                    }
                }
            }
        }
        for state in states(look) {
            state.jobs.containers.iter_mut().for_each(|container| container.running = false);
            state.runners.iter_mut().for_each(|runner| runner.log = None);
        }
    })
}

pub(super) fn drains_are_forgotten(world: &World) -> Plan {
    seeing(world, |look| memories(look).for_each(|runner| runner.draining = None))
}

pub(super) fn unknown_queue_is_empty(world: &World) -> Plan {
    seeing(world, |look| {
        if look.queue.known().is_none() {
            look.queue = Observed::Known { at: look.now, value: Queue::default() };
        }
    })
}

/// Of a queue that is longer than a look reads, only the oldest jobs are served, which are others';
/// something is said of each of the rest all the same.
pub(super) fn flood_is_waited_out(world: &World) -> Plan {
    let mut behind = Vec::new();
    let mut plan = seeing(world, |look| {
        if let Observed::Known { value, .. } = &mut look.queue
            && value.more
        {
            let read = value.jobs.len().min(JOBS_OF_A_LOOK);
            behind = value.jobs.split_off(read);
        }
    });
    plan.held_jobs.extend(behind.into_iter().map(|job| HeldJob {
        job: job.id,
        hold: Arc::new(JobHold::Unseen { what: "the queue is long".into() }),
        dropped_in: None,
    }));
    plan
}

pub(super) fn unknown_host_is_empty(world: &World) -> Plan {
    seeing(world, |look| {
        for host in look.hosts.values_mut() {
            if let Observed::Unknown { last: Some(last), .. } = &host.state {
                let engine = last.engine.clone();
                let jobs = JobObjects::default();
                let value = HostState {
                    engine,
                    jobs,
                    runners: Vec::new(),
                    aside: Vec::new(),
                    missing: std::collections::BTreeMap::new(),
                    network: None,
                    old_networks: Vec::new(),
                    images: last.images.clone(),
                    kept_images: last.kept_images.clone(),
                };
                host.state = Observed::Known { at: look.now, value };
            }
        }
    })
}

pub(super) fn unknown_records_are_none(world: &World) -> Plan {
    seeing(world, |look| {
        if look.records.known().is_none() {
            look.records = Observed::Known { at: look.now, value: Vec::new() };
        }
    })
}

pub(super) fn unread_record_is_none(world: &World) -> Plan {
    seeing(world, |look| {
        if let Observed::Known { value, .. } = &mut look.records {
            value.retain(|record| record.unseen.is_none());
        }
    })
}

pub(super) fn unknown_managers_are_none(world: &World) -> Plan {
    seeing(world, |look| {
        let at = look.now;
        if let Observed::Known { value, .. } = &mut look.records {
            for record in value.iter_mut().filter(|record| record.managers.known().is_none()) {
                record.managers = Observed::Known { at, value: Vec::new() };
            }
        }
        memories(look).for_each(|runner| runner.contacted = false);
        look.memory.leftovers = leftovers(look);
    })
}

pub(super) fn draining_is_gone(world: &World) -> Plan {
    seeing(world, |look| {
        let memories = look.memory.runners.clone();
        for state in states(look) {
            let gone = |runner: &autogit::world::Runner| {
                matches!(runner.state, ContainerState::Running { .. })
                    && memories.get(&runner.id).is_some_and(|it| it.draining.is_some())
            };
            state.runners.retain(|runner| !gone(runner));
        }
    })
}

pub(super) fn starting_is_gone(world: &World) -> Plan {
    let starting =
        |view: &autogit::world::RunnerView<'_>| matches!(view.phase, Phase::Starting { .. });
    let views = world.runners().into_iter().filter(starting);
    let ids: Vec<_> = views.map(|view| view.runner.id.clone()).collect();
    seeing(world, |look| {
        for state in states(look) {
            state.runners.retain(|runner| !ids.contains(&runner.id));
        }
    })
}

pub(super) fn failed_is_supply(world: &World) -> Plan {
    seeing(world, |look| {
        let runners = states(look).flat_map(|state| &state.runners);
        let ids: Vec<_> = runners.map(|runner| runner.id.clone()).collect();
        for id in &ids {
            look.memory.runner_mut(id).contacted = true;
        }
        memories(look).for_each(|runner| {
            runner.since.remove(&Condition::Silent);
        });
    })
}

pub(super) fn foreign_is_ours(world: &World) -> Plan {
    seeing(world, |look| {
        if let Observed::Known { at, value } = &mut look.records {
            for record in value.iter_mut().filter(|record| record.origin == Origin::Foreign) {
                record.origin = Origin::Ours;
                record.managers = Observed::Known { at: *at, value: Vec::new() };
            }
        }
        look.memory.leftovers = leftovers(look);
    })
}

pub(super) fn max_plus_one(world: &World) -> Plan {
    asking(world, |spec| spec.pools.iter_mut().for_each(|pool| pool.max += 1))
}

pub(super) fn no_budget(world: &World) -> Plan {
    asking(world, |spec| {
        spec.hosts.values_mut().for_each(|host| host.budget.runners = Some(99));
    })
}

pub(super) fn runners_cost_nothing(world: &World) -> Plan {
    seeing(world, |look| {
        let runners = states(look).flat_map(|state| &mut state.runners);
        runners.for_each(|runner| runner.cost = Some(Cost::default()));
    })
}

pub(super) fn no_maintenance(world: &World) -> Plan {
    // The promise is checked by what the world was, not by what the planner was told.
    asking(world, |spec| spec.hosts.values_mut().for_each(|host| host.maintenance = false))
}

pub(super) fn no_start_rate(world: &World) -> Plan {
    seeing(world, |look| {
        look.memory.starts.clear();
        memories(look).for_each(|runner| runner.made = None);
    })
}

pub(super) fn nothing_is_unclaimed(world: &World) -> Plan {
    seeing(world, |look| look.memory.unclaimed.clear())
}

pub(super) fn caches_go(world: &World) -> Plan {
    asking(world, |spec| spec.pools.iter_mut().for_each(|pool| pool.cache = Cache::Discard))
}

pub(super) fn lost_jobs_are_retried(world: &World) -> Plan {
    asking(world, |spec| spec.pools.iter_mut().for_each(|pool| pool.lost_jobs = LostJobs::Retry))
}

pub(super) fn no_room_is_made(world: &World) -> Plan {
    without(world, |decision| decision.rule == Rule::MakeRoom)
}

pub(super) fn no_warm(world: &World) -> Plan {
    asking(world, |spec| spec.pools.iter_mut().for_each(|pool| pool.warm = Warm::Count(0)))
}

pub(super) fn no_cooldown(world: &World) -> Plan {
    asking(world, |spec| {
        spec.pools.iter_mut().for_each(|pool| pool.cooldown = std::time::Duration::ZERO);
    })
}

pub(super) fn tokens_are_lost(world: &World) -> Plan {
    seeing(world, |look| {
        if let Observed::Known { value, .. } = &mut look.records {
            for record in value {
                record.token = Token::Lost;
            }
        }
    })
}

pub(super) fn nothing_is_awaited(world: &World) -> Plan {
    seeing(world, |look| look.memory.own_records.newest_before = None)
}

pub(super) fn young_records_go(world: &World) -> Plan {
    seeing(world, |look| {
        let records = look.records.known().into_iter().flatten();
        let made = records.map(|record| (record.id, Made { at: look.now, shown: true }));
        let made: Vec<_> = made.collect();
        look.memory.own_records.made.extend(made);
        let found = leftovers(look);
        look.memory.leftovers.extend(found);
    })
}

/// Of what may be done too often, nothing is remembered.
pub(super) fn no_brake(world: &World) -> Plan {
    tokens_are_lost(&world.changed(|look| look.memory.efforts.clear()))
}

/// Every start goes into the first slot.
pub(super) fn slot_zero(world: &World) -> Plan {
    let mut plan = plan(world);
    for decision in &mut plan.decisions {
        if let Action::Start { slot, .. } = &mut decision.action {
            *slot = Slot(0);
        }
    }
    plan
}

pub(super) fn job_is_not_mentioned(world: &World) -> Plan {
    let mut plan = plan(world);
    plan.held_jobs.pop();
    plan
}

pub(super) fn runner_is_not_mentioned(world: &World) -> Plan {
    let mut plan = plan(world);
    plan.held_runners.pop();
    plan
}

pub(super) fn surplus_stays(world: &World) -> Plan {
    without(world, |decision| decision.rule == Rule::DrainSurplus)
}

pub(super) fn orphans_stay(world: &World) -> Plan {
    without(world, |decision| decision.rule == Rule::DrainOrphan)
}

pub(super) fn changed_stay(world: &World) -> Plan {
    without(world, |decision| decision.rule == Rule::DrainChanged)
}

pub(super) fn nothing_is_corrected(world: &World) -> Plan {
    without(world, |decision| decision.rule == Rule::CorrectRecord)
}

pub(super) fn notes_stay(world: &World) -> Plan {
    without(world, |decision| decision.facts == Facts::Drift { settings: vec!["maintenance_note"] })
}

pub(super) fn nothing_is_reaped(world: &World) -> Plan {
    without(world, |decision| decision.rule == Rule::ReapExited)
}

pub(super) fn nothing_is_swept(world: &World) -> Plan {
    without(world, |decision| decision.rule == Rule::SweepLeftover)
}

pub(super) fn records_stay(world: &World) -> Plan {
    without(world, |decision| matches!(decision.action, Action::DeleteRecord { .. }))
}

pub(super) fn one_look_sweeps(world: &World) -> Plan {
    seeing(world, |look| look.memory.leftovers = leftovers(look))
}

pub(super) fn gone_is_gone_at_once(world: &World) -> Plan {
    seeing(world, |look| {
        let long_ago = look.now - SignedDuration::from_mins(2);
        look.memory.gone.values_mut().for_each(|since| *since = long_ago);
        let before = look.memory.leftovers.clone();
        look.memory.leftovers = leftovers(look);
        look.memory.leftovers.extend(before);
    })
}

pub(super) fn others_are_swept(world: &World) -> Plan {
    let mut plan = plan(world);
    for (name, host) in &world.hosts {
        let Some(state) = host.state.known() else { continue };
        let held = |id| state.runners.iter().any(|runner| runner.system_id == id);
        let jobs = state.jobs.containers.iter();
        for container in jobs.filter(|container| !held(container.system_id.clone())) {
            let leftover = Leftover::JobContainer(name.clone(), container.id.clone());
            plan.decisions.push(sweep(Action::Sweep { leftover }));
        }
    }
    plan
}

pub(super) fn current_record_goes(world: &World) -> Plan {
    let mut plan = plan(world);
    for (variant, pool) in world.variants() {
        if let Some(record) = world.current_record(&variant, pool)
            && world.records.known().is_some()
        {
            let action = Action::DeleteRecord { record: record.id, variant };
            plan.decisions.push(sweep(action));
        }
    }
    plan
}

fn sweep(action: Action) -> Decision {
    let facts = Facts::Leftover { what: "a deliberate bug".to_owned() };
    Decision { action, rule: Rule::SweepLeftover, facts }
}
