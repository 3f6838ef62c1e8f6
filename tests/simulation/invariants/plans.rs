//! Plans, beside what was seen and what is true.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Look, Snapshot};
use autogit::plan::{Action, Decision, JobHold, Rule, RunnerHold, is_changed};
use autogit::sandbox::gitlab::{JobView, Status};
use autogit::spec::{HostName, Warm};
use autogit::world::{
    ContainerState, Leftover, Observed, Offer, Phase, Runner, SystemId, Variant, WorkloadId,
};

/// What a clock that tells whole seconds, and the time that a call takes, may make of a time.
const SLACK: SignedDuration = SignedDuration::from_secs(15);

/// How long a job waits before a runner is asked to make room for it.
const HURRIED_AFTER: SignedDuration = SignedDuration::from_mins(44);

pub(super) fn every_job_is_served_or_held(look: &Look<'_>) -> Result<(), String> {
    let plan = &look.view.plan;
    let Some(queue) = look.view.world.queue.known() else { return Ok(()) };
    // A job that waits for a runner that starts is both.
    let both = |hold: &JobHold| matches!(hold, JobHold::Starting { .. });
    let held = plan.held_jobs.iter().filter(|held| !both(&held.hold)).count();
    let (jobs, served) = (queue.jobs.len(), plan.served_jobs);
    if jobs == served + held {
        return Ok(());
    }
    Err(format!("of {jobs} jobs {served} are served and {held} held"))
}

pub(super) fn every_runner_is_decided_or_held(look: &Look<'_>) -> Result<(), String> {
    let plan = &look.view.plan;
    let decided: BTreeSet<_> =
        plan.decisions.iter().filter_map(|decision| decision.action.runner()).collect();
    let held: BTreeSet<_> = plan.held_runners.iter().map(|held| &held.runner).collect();
    let forgotten = look
        .view
        .world
        .runners()
        .into_iter()
        .find(|view| !decided.contains(&view.runner.name) && !held.contains(&view.runner.name));
    forgotten.map_or(Ok(()), |view| Err(format!("nothing is said of {}", view.runner.name)))
}

pub(super) fn unknown_never_removes(look: &Look<'_>) -> Result<(), String> {
    let failed = look.failed;
    let wrong = look.view.plan.decisions.iter().find_map(|decision| {
        let Decision { action, rule, .. } = decision;
        if let Some(host) = action.host().filter(|host| failed.hosts.contains(*host)) {
            return Some((decision, format!("host {host}")));
        }
        let at_gitlab = matches!(
            action,
            Action::DeleteRecord { .. }
                | Action::Sweep { leftover: Leftover::Manager(..) | Leftover::Record(_) }
        );
        let changes = matches!(
            action,
            Action::VerifyToken { .. } | Action::CreateRecord { .. } | Action::UpdateRecord { .. }
        );
        let by_queue = matches!(rule, Rule::ServeDemand | Rule::DrainSurplus);
        let unread = [
            (at_gitlab && !failed.hosts.is_empty(), "a host"),
            (failed.records && (at_gitlab || changes), "records"),
            (touches_unread_record(look, action), "a record of the variant"),
            (failed.managers && at_gitlab, "managers"),
            (failed.queue && by_queue, "the queue"),
        ];
        let what = unread.into_iter().find_map(|(wrong, what)| wrong.then_some(what))?;
        Some((decision, what.to_owned()))
    });
    let queue = look.view.world.queue.known();
    if failed.queue_page && queue.is_some_and(|queue| queue.set_aside.is_empty()) {
        return Err("a page of the queue could not be read, and nothing says so".to_owned());
    }
    wrong.map_or(Ok(()), |(decision, what)| {
        Err(format!("{what} could not be read, and yet: {} {}", decision.rule, decision.facts))
    })
}

/// Beside a record that was asked for by its id and not read, none of its variant is made, changed
/// or deleted. Which variant that is goes by what AutoGit knows of it, and by its true name.
fn touches_unread_record(look: &Look<'_>, action: &Action) -> bool {
    let unread = &look.failed.unread;
    let mut seen = look.view.world.records.last().into_iter().flatten();
    let (id, variant) = match action {
        Action::CreateRecord { variant } => (None, Some(variant)),
        Action::UpdateRecord { variant, record, .. } | Action::DeleteRecord { variant, record } => {
            (Some(*record), Some(variant))
        }
        Action::Sweep { leftover: Leftover::Record(id) } => {
            (Some(*id), seen.clone().find(|one| one.id == *id).map(|one| &one.variant))
        }
        Action::VerifyToken { .. }
        | Action::CreateNetwork { .. }
        | Action::PullImage { .. }
        | Action::KeepImage { .. }
        | Action::Start { .. }
        | Action::Drain { .. }
        | Action::Reap { .. }
        | Action::Sweep { .. } => return false,
    };
    let instance = &look.view.world.spec.instance;
    let name = variant.map(|Variant { pool, arch }| format!("autogit/{instance}/{pool}-{arch}"));
    let mut there = look.before.records.iter().chain(&look.after.records);
    id.is_some_and(|id| unread.contains(&id))
        || seen.any(|one| Some(&one.variant) == variant && unread.contains(&one.id))
        || there.any(|one| Some(&one.description) == name.as_ref() && unread.contains(&one.id))
}

pub(super) fn sweeps_need_two_looks(look: &Look<'_>) -> Result<(), String> {
    let hasty = look.view.plan.decisions.iter().find(|decision| match &decision.action {
        Action::Sweep { leftover } => !look.left_before.contains(leftover),
        Action::DeleteRecord { record, .. } => {
            !look.left_before.contains(&Leftover::Record(*record))
        }
        Action::VerifyToken { .. }
        | Action::CreateNetwork { .. }
        | Action::PullImage { .. }
        | Action::KeepImage { .. }
        | Action::CreateRecord { .. }
        | Action::UpdateRecord { .. }
        | Action::Start { .. }
        | Action::Drain { .. }
        | Action::Reap { .. } => false,
    });
    hasty.map_or(Ok(()), |decision| Err(format!("{} after one look", decision.facts)))
}

pub(super) fn a_start_takes_a_free_slot(look: &Look<'_>) -> Result<(), String> {
    let mut taken = BTreeSet::new();
    for decision in &look.view.plan.decisions {
        let Action::Start { variant, slot, runner, .. } = &decision.action else { continue };
        let fills = |other: &Runner| other.variant == *variant && other.slot == *slot;
        let stays = |id: &WorkloadId| look.after.runners().any(|(_, other)| other.id == *id);
        let seen = |(host, other): &(&HostName, &Runner)| {
            !look.failed.hosts.contains(*host) && !look.failed.unlisted.contains(&other.id)
        };
        let mut seen = look.before.runners().filter(seen);
        let held = look.alone && seen.any(|(_, other)| fills(other) && stays(&other.id));
        if !taken.insert((variant, slot)) || held {
            return Err(format!("{runner} is planned into a slot that is taken"));
        }
    }
    Ok(())
}

pub(super) fn nothing_starts_in_maintenance(look: &Look<'_>) -> Result<(), String> {
    let hosts = &look.view.world.spec.hosts;
    for decision in &look.view.plan.decisions {
        let Action::Start { host, runner, .. } = &decision.action else { continue };
        if hosts.get(host).is_some_and(|host| host.maintenance) {
            return Err(format!("{runner} is planned onto {host}"));
        }
    }
    Ok(())
}

pub(super) fn no_more_starts_than_jobs(look: &Look<'_>) -> Result<(), String> {
    let world = &look.view.world;
    let mut starts: BTreeMap<&Variant, usize> = BTreeMap::new();
    let mut leaving: BTreeSet<&WorkloadId> = BTreeSet::new();
    for decision in &look.view.plan.decisions {
        match &decision.action {
            Action::Start { variant, .. } => *starts.entry(variant).or_default() += 1,
            Action::Drain { id, .. } => {
                leaving.insert(id);
            }
            Action::VerifyToken { .. }
            | Action::CreateNetwork { .. }
            | Action::PullImage { .. }
            | Action::KeepImage { .. }
            | Action::CreateRecord { .. }
            | Action::UpdateRecord { .. }
            | Action::DeleteRecord { .. }
            | Action::Reap { .. }
            | Action::Sweep { .. } => {}
        }
    }
    let supplies =
        |phase: &Phase| matches!(phase, Phase::Idle { .. } | Phase::Starting { late: false, .. });
    let used_up = |runner: &Runner| {
        let pool = world.spec.pool(&runner.variant.pool);
        pool.is_some_and(|pool| runner.is_used_up(pool))
    };
    let supply: Vec<&Variant> = world
        .runners()
        .into_iter()
        .filter(|view| view.seen && supplies(&view.phase) && !leaving.contains(&view.runner.id))
        // A frozen one takes no job, and others are started in its place.
        .filter(|view| !used_up(view.runner) && !view.runner.paused)
        .map(|view| &view.runner.variant)
        .collect();
    for offer in world.offers() {
        let started = starts.get(&offer.variant).copied().unwrap_or(0);
        let there = supply.iter().filter(|variant| ***variant == offer.variant).count();
        let wanted = waiting(look, &offer) + warm(&offer, world.now);
        if started > 0 && there + started > wanted {
            let variant = &offer.variant;
            return Err(format!("{variant}: {started} beside {there}, and {wanted} are wanted"));
        }
    }
    Ok(())
}

/// Pending jobs that the variant may take, as AutoGit sees the queue.
fn waiting(look: &Look<'_>, offer: &Offer<'_>) -> usize {
    let jobs = look.view.world.queue.known().map_or(&[][..], |queue| &queue.jobs);
    jobs.iter().filter(|job| offer.fits(job).is_ok()).count()
}

fn warm(offer: &Offer<'_>, now: Timestamp) -> usize {
    match &offer.pool.warm {
        Warm::Count(count) => *count as usize,
        Warm::PerArch(counts) => counts.values().copied().max().unwrap_or(0) as usize,
        Warm::Scheduled(schedule) => schedule.number(now) as usize,
    }
}

/// Only where the record and its rows could be read: what is unknown is held.
pub(super) fn a_runner_that_makes_no_contact_goes(look: &Look<'_>) -> Result<(), String> {
    if !look.steady || !look.alone {
        return Ok(());
    }
    let world = &look.view.world;
    let counts_as_idle = |host: &HostName, runner: &Runner| {
        let mut all = look.view.plan.held_runners.iter();
        let hold = all.find(|held| held.host == *host && held.runner == runner.name);
        hold.is_some_and(|held| {
            matches!(
                held.hold,
                RunnerHold::Needed | RunnerHold::Warm | RunnerHold::CoolingDown { .. }
            )
        })
    };
    for (host, runner) in look.before.runners() {
        let ContainerState::Running { started_at } = runner.state else { continue };
        let Some(pool) = world.spec.pool(&runner.variant.pool) else { continue };
        let time = SignedDuration::try_from(pool.startup_timeout).unwrap_or(SignedDuration::MAX);
        let late = look.before.at.duration_since(started_at) > time.saturating_add(SLACK);
        let mut seen = world.records.known().into_iter().flatten();
        let told = seen.any(|it| it.id == runner.record && it.managers.known().is_some());
        // It may make contact while the look goes on.
        let unheard = [look.before, look.after].iter().all(|snapshot| {
            let record = snapshot.records.iter().find(|record| record.id == runner.record);
            let rows = record.map(|record| &record.managers);
            rows.is_some_and(|rows| rows.iter().all(|row| row.system_id != runner.system_id))
        });
        if late && told && unheard && counts_as_idle(host, runner) {
            return Err(format!("{} is kept, and GitLab never heard of it", runner.name));
        }
    }
    Ok(())
}

/// SIGQUIT ends no job, but who is asked takes no other one.
pub(super) fn no_busy_runner_is_drained_without_cause(look: &Look<'_>) -> Result<(), String> {
    for decision in &look.view.plan.decisions {
        let Action::Drain { id, runner, host, .. } = &decision.action else { continue };
        if is_read_before(look, host) {
            continue;
        }
        let mut runners = look.before.runners().map(|(_, runner)| runner);
        let lacked =
            runners.any(|it| it.id == *id && look.failed.unlisted_jobs.contains(&it.system_id));
        let job = at_work(look.before, id).filter(|_| !lacked);
        let works = job.is_some() && job == at_work(look.after, id);
        if works && !is_not_asked_for(look, decision, id) {
            return Err(format!("{runner} has a job: {} {}", decision.rule, decision.facts));
        }
    }
    Ok(())
}

/// The read of that host began in a tick before this one: what happened there since may not show.
fn is_read_before(look: &Look<'_>, host: &HostName) -> bool {
    let state = look.view.world.hosts.get(host).map(|host| &host.state);
    let Some(Observed::Known { at, .. }) = state else { return false };
    let tick = look.after.at.duration_since(look.before.at);
    look.view.world.now.duration_since(*at) > tick
}

/// The spec asks for no such runner any more, or not for so many.
fn is_not_asked_for(look: &Look<'_>, decision: &Decision, id: &WorkloadId) -> bool {
    let world = &look.view.world;
    let views = world.runners();
    let Some(view) = views.iter().find(|view| view.runner.id == *id) else { return false };
    let variant = &view.runner.variant;
    let pool = world.spec.pool(&variant.pool);
    match decision.rule {
        Rule::DrainOrphan => {
            let serves = pool.filter(|pool| pool.enabled && world.serves(view.host, pool));
            let asked_for = serves.is_some_and(|pool| {
                let architectures = world.architectures(pool);
                architectures.is_empty() || architectures.contains(&variant.arch)
            });
            let mut records = world.records.known().into_iter().flatten();
            let kept_away = world.in_maintenance(view.host);
            !asked_for || kept_away || !records.any(|record| record.id == view.runner.record)
        }
        Rule::DrainOverMax => {
            let of_pool = |one: &&Runner| one.variant.pool == variant.pool;
            let live = look.before.live_runners().map(|(_, runner)| runner).filter(of_pool);
            pool.is_some_and(|pool| live.count() > pool.max as usize)
        }
        Rule::DrainChanged => is_changed(world, view),
        Rule::DrainAsked => world.memory.asked.contains(&view.runner.name),
        // GitLab would drop a job that waits for its room.
        Rule::MakeRoom => {
            let mut jobs = world.queue.known().into_iter().flat_map(|queue| &queue.jobs);
            jobs.any(|job| world.now.duration_since(job.queued_at) > HURRIED_AFTER)
        }
        Rule::VerifyToken
        | Rule::KeepRecord
        | Rule::CorrectRecord
        | Rule::PullImage
        | Rule::KeepImage
        | Rule::ReapExited
        | Rule::RemoveUnstarted
        | Rule::DrainFailed
        | Rule::ServeDemand
        | Rule::KeepWarm
        | Rule::DrainSurplus
        | Rule::KeepNetwork
        | Rule::SweepLeftover
        | Rule::FreeDisk => false,
    }
}

/// The job whose container runs for that runner.
fn at_work(snapshot: &Snapshot, id: &WorkloadId) -> Option<autogit::world::JobId> {
    let mut hosts = snapshot.hosts.values();
    hosts.find_map(|host| {
        let running = host.running.iter().find(|running| running.runner == *id)?;
        let mut jobs = host.containers.iter().filter_map(|container| container.job.as_ref());
        jobs.any(|job| job.running && job.job == Some(running.job)).then_some(running.job)
    })
}

pub(super) fn surplus_waits_out_its_cooldown(look: &Look<'_>) -> Result<(), String> {
    if !look.steady {
        return Ok(());
    }
    for decision in look.view.plan.decisions.iter().filter(|it| it.rule == Rule::DrainSurplus) {
        let Action::Drain { id, .. } = &decision.action else { continue };
        let runner = look.before.runners().map(|(_, runner)| runner).find(|it| it.id == *id);
        let Some(runner) = runner.filter(|_| !look.failed.logs.contains(id)) else { continue };
        let Some(pool) = look.view.world.spec.pool(&runner.variant.pool) else { continue };
        let Some(since) = idle_since(look.before, runner) else { continue };
        // Until the end of the look, whenever in it the log was read.
        let idle = look.after.at.duration_since(since);
        let cooldown = SignedDuration::try_from(pool.cooldown).unwrap_or(SignedDuration::MAX);
        if idle + SLACK < cooldown {
            return Err(format!("{} is idle for {idle:#}, {}", runner.name, decision.facts));
        }
    }
    Ok(())
}

/// Since when the runner has no job, by the simulation's clock.
fn idle_since(snapshot: &Snapshot, runner: &Runner) -> Option<Timestamp> {
    let ContainerState::Running { started_at } = runner.state else { return None };
    // A job that began before was its predecessor's in the slot, and when a person cancelled one
    // does not say when the runner was done with it.
    let its = |job: &&JobView| {
        job.system_id.as_ref() == Some(&runner.system_id)
            && job.status != Status::Canceled
            && job.started_at.is_some_and(|at| at >= started_at)
    };
    let ended = snapshot.jobs.iter().filter(its).filter_map(|job| job.finished_at);
    Some(ended.fold(started_at, Timestamp::max))
}

pub(super) fn no_living_runners_row_is_swept(look: &Look<'_>) -> Result<(), String> {
    let lives = |snapshot: &Snapshot, record, id: &SystemId| {
        let containers = snapshot.hosts.values().flat_map(|host| &host.containers);
        let seen = containers.filter(|container| !container.hidden);
        let mut runners = seen.filter_map(|container| container.runner.as_ref());
        runners.any(|runner| {
            let runs = matches!(runner.state, ContainerState::Running { .. });
            runs && runner.record == record && runner.system_id == *id
        })
    };
    let swept = look.view.plan.decisions.iter().find_map(|decision| {
        let Action::Sweep { leftover: Leftover::Manager(record, id) } = &decision.action else {
            return None;
        };
        let living = lives(look.before, *record, id) && lives(look.after, *record, id);
        living.then_some((record, id))
    });
    swept.map_or(Ok(()), |(record, id)| Err(format!("row {id} of record {record} is swept")))
}
