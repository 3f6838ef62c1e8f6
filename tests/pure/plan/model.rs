//! What a plan does to a world, without the world: every call succeeds, runners make contact and
//! take jobs before the next look, and jobs end before the one after.

use autogit::plan::{Action, Plan, plan};
use autogit::world::{
    ContainerState, HostState, Job, Leftover, Look, Manager, Memory, NetworkState, Observed, Offer,
    Origin, Phase, RecordId, Runner, SystemId, VolumeKind, World, note_observed,
};
use jiff::SignedDuration;

use crate::plan::harness::{deny_missing, job_container, record};

/// Between two looks, so that most cooldowns are over by the next one.
const STEP: SignedDuration = SignedDuration::from_mins(10);

/// Empty plans in a row, while nothing moves, after which nothing will be done any more: a runner may
/// be starting and then idle for as long as it may; a sweep needs two looks.
const QUIET: usize = 5;

/// A world with what the process remembers for the next look.
#[derive(Debug)]
pub(crate) struct Model {
    look: Look,
    memory: Memory,
}

/// How many looks it takes until nothing is done any more.
pub(crate) fn settle(world: &World) -> usize {
    settle_with(world, |_, _| {}).0
}

/// The same, with a word to say on each plan, and what is there in the end. Each look may find one
/// runner more to replace, each job may need a runner of its own, and each token that ends gets a
/// successor and new runners, with four looks for the life of each: start, job, cooldown, end.
pub(crate) fn settle_with(world: &World, mut check: impl FnMut(&World, &Plan)) -> (usize, World) {
    let records = world.records.last().into_iter().flatten();
    let ending = records.filter(|record| record.token_expires_at.is_some()).count();
    let jobs = world.queue.last().map_or(0, |queue| queue.jobs.len());
    let count = world.runners().len() + jobs + ending;
    let limit = 12 + 4 * count;
    let mut model = Model::of(world);
    let mut quiet = 0;
    for look in 0..limit {
        let world = World::of(model.look.clone());
        let plan = plan(&world);
        check(&world, &plan);
        quiet = if plan.is_empty() && !is_moving(&world) { quiet + 1 } else { 0 };
        if quiet == QUIET {
            return (look + 1 - QUIET, world);
        }
        model.apply(&plan);
        model.go_on();
    }
    panic!("not settled after {limit} looks: {:#?}", plan(&World::of(model.look)).decisions)
}

impl Model {
    fn of(world: &World) -> Self {
        Self { look: Look::clone(world), memory: world.next_memory() }
    }

    fn apply(&mut self, plan: &Plan) {
        let (records, others): (Vec<&Action>, Vec<&Action>) = plan
            .decisions
            .iter()
            .map(|decision| &decision.action)
            .partition(|action| matches!(action, Action::CreateRecord { .. }));
        records.into_iter().chain(others).for_each(|action| self.act(action));
    }

    fn act(&mut self, action: &Action) {
        let look = &mut self.look;
        match action {
            Action::VerifyToken { variant } => {
                let id = next_id(look);
                let mut given = record(look, id, variant);
                given.origin = Origin::Given;
                records(look).push(given);
            }
            Action::CreateNetwork { host } => {
                let id = format!("net-{host}");
                state(look, host).network = Some(NetworkState { id, ours: true, containers: 1 });
            }
            Action::CreateRecord { variant } => {
                let id = next_id(look);
                let mut made = record(look, id, variant);
                made.created_at = Some(look.now);
                self.memory.own_records.answered(variant, Some(made.id), look.now);
                records(look).push(made);
            }
            Action::UpdateRecord { record, settings, .. } => {
                let record = records(look).iter_mut().find(|one| one.id == *record).unwrap();
                record.settings.clone_from(settings);
            }
            Action::DeleteRecord { record, .. } => {
                records(look).retain(|one| one.id != *record);
            }
            Action::Start { host, .. } => {
                let runner = started(look, action);
                let state = state(look, host);
                state.runners.push(runner);
                state.runners.sort_by(|one, other| one.name.cmp(&other.name));
            }
            Action::Drain { id, .. } => {
                self.memory.runner_mut(id).draining = Some(look.now);
            }
            Action::Reap { host, runner, discard_cache, .. } => {
                let state = state(look, host);
                state.runners.retain(|one| one.id != runner.id);
                let id = &runner.system_id;
                state.jobs.containers.retain(|one| one.system_id != *id);
                let goes = |kind: VolumeKind| kind.goes(!*discard_cache);
                state.jobs.volumes.retain(|one| one.system_id != *id || !goes(one.kind));
                state.jobs.networks.retain(|one| one.system_id != *id);
                drop_row(look, id);
                self.memory.runner_mut(&runner.id).at_work = None;
            }
            Action::Sweep { leftover } => sweep(look, leftover),
        }
    }

    /// Until the next look.
    fn go_on(&mut self) {
        let look = &mut self.look;
        let seen = look.clone();
        let offers = seen.offers();
        look.now += STEP;
        let mut jobs = match &mut look.queue {
            Observed::Known { value, .. } => std::mem::take(&mut value.jobs),
            Observed::Unknown { .. } => Vec::new(),
        };
        let mut hosts = std::mem::take(&mut look.hosts);
        for host in hosts.values_mut() {
            if let Observed::Known { at, value } = &mut host.state {
                *at = look.now;
                let HostState { runners, jobs: objects, .. } = value;
                for runner in runners {
                    let ended = objects.containers.iter().position(|container| {
                        container.system_id == runner.system_id && container.running
                    });
                    let busy = ended.map(|index| objects.containers.remove(index)).is_some();
                    let taken = live(look, &self.memory, runner, busy, (&offers, &mut jobs));
                    let container = taken.map(|job| job_container(job.id, &runner.system_id, true));
                    objects.containers.extend(container);
                }
            }
        }
        look.hosts = hosts;
        if let Observed::Known { value, .. } = &mut look.queue {
            value.jobs = jobs;
        }
        self.memory.pulling.clear();
        // What was under way came to nothing.
        self.memory.under_way.clear();
        self.memory.asked.clear();
        deny_missing(look);
        look.memory = std::mem::take(&mut self.memory);
        note_observed(look);
        self.memory = World::of(look.clone()).next_memory();
    }
}

/// A runner has a job, or was asked to exit.
fn is_moving(world: &World) -> bool {
    let moves = |phase: &Phase| matches!(phase, Phase::Busy { .. } | Phase::Draining { .. });
    world.runners().iter().any(|view| view.seen && moves(&view.phase))
}

/// What a runner does until the next look; the job that it takes.
fn live(
    look: &mut Look,
    memory: &Memory,
    runner: &mut Runner,
    busy: bool,
    queue: (&[Offer<'_>], &mut Vec<Job>),
) -> Option<Job> {
    let ContainerState::Running { started_at } = runner.state else { return None };
    let asked = memory.runners.get(&runner.id).and_then(|it| it.draining);
    let asked = asked.is_some_and(|at| started_at <= at);
    let log = runner.log.get_or_insert_default();
    // A job of which the log alone tells ends like any other.
    let busy = busy || log.works;
    if busy {
        log.ended = Some(look.now);
        log.works = false;
        log.jobs_ended += 1;
    }
    let jobs_max = look.spec.pool(&runner.variant.pool).map_or(0, |pool| pool.jobs_per_runner);
    let used_up = jobs_max > 0 && log.jobs_ended >= jobs_max;
    if asked || used_up {
        let finished_at = look.now;
        runner.state = ContainerState::Exited { code: 0, finished_at, oom_killed: false };
        return None;
    }
    let taken = if busy { None } else { take(runner, queue) };
    if let Some(job) = &taken {
        let log = runner.log.get_or_insert_default();
        (log.received, log.works) = (Some((job.id, look.now)), true);
    }
    contact(look, runner, taken.is_some());
    taken
}

fn take(runner: &Runner, (offers, jobs): (&[Offer<'_>], &mut Vec<Job>)) -> Option<Job> {
    let offer = offers.iter().find(|offer| offer.variant == runner.variant)?;
    let index = jobs.iter().position(|job| offer.fits(job).is_ok())?;
    Some(jobs.remove(index))
}

fn contact(look: &mut Look, runner: &Runner, busy: bool) {
    let now = look.now;
    let Observed::Known { value: records, .. } = &mut look.records else { return };
    let Some(record) = records.iter_mut().find(|one| one.id == runner.record) else { return };
    let Observed::Known { value: rows, .. } = &mut record.managers else { return };
    rows.retain(|row| row.system_id != runner.system_id);
    let system_id = runner.system_id.clone();
    rows.push(Manager { system_id, contacted_at: Some(now), busy, job: None, caller: None });
}

fn started(look: &Look, action: &Action) -> Runner {
    let Action::Start { host, runner, variant, slot, system_id } = action else { unreachable!() };
    let pool = look.spec.pool(&variant.pool).unwrap();
    let record = look.current_record(variant, pool).expect("nothing starts without a record");
    let seconds = look.now.as_second();
    Runner {
        id: autogit::world::WorkloadId::from_observed(&format!("{host}-{runner}-{seconds}")),
        name: runner.clone(),
        variant: variant.clone(),
        slot: *slot,
        system_id: system_id.clone(),
        record: record.id,
        spec: look.spec_hash(host, pool).unwrap(),
        created_at: look.now,
        state: ContainerState::Running { started_at: look.now },
        paused: false,
        log: None,
    }
}

fn sweep(look: &mut Look, leftover: &Leftover) {
    match leftover {
        Leftover::JobContainer(host, id) => {
            state(look, host).jobs.containers.retain(|one| one.id != *id);
        }
        Leftover::JobVolume(host, name) => {
            state(look, host).jobs.volumes.retain(|one| one.name != *name);
        }
        Leftover::JobNetwork(host, id) => {
            state(look, host).jobs.networks.retain(|one| one.id != *id);
        }
        Leftover::Network(host, _) => state(look, host).network = None,
        Leftover::Manager(_, system_id) => drop_row(look, system_id),
        Leftover::Record(id) => records(look).retain(|record| record.id != *id),
    }
}

fn drop_row(look: &mut Look, system_id: &SystemId) {
    let Observed::Known { value: records, .. } = &mut look.records else { return };
    for record in records {
        if let Observed::Known { value: rows, .. } = &mut record.managers {
            rows.retain(|row| row.system_id != *system_id);
        }
    }
}

fn state<'a>(look: &'a mut Look, host: &autogit::spec::HostName) -> &'a mut HostState {
    crate::plan::harness::state_of(look, host)
}

fn records(look: &mut Look) -> &mut Vec<autogit::world::Record> {
    crate::plan::harness::records_of(look)
}

/// The id of the next record that is made.
fn next_id(look: &mut Look) -> RecordId {
    let newest = records(look).iter().map(|record| record.id.0).max().unwrap_or(16);
    RecordId(newest + 1)
}
