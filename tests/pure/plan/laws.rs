//! What holds of every plan, whatever the world.

use std::collections::{BTreeMap, BTreeSet};

use autogit::plan::{Action, Decision, Facts, JobHold, Plan, Rule, plan};
use autogit::spec::{Cost, HostName, Pool, PullPolicy, Warm};
use autogit::world::{
    ImageState, Leftover, Origin, Phase, Runner, RunnerView, Slot, Variant, VolumeKind, WorkloadId,
    World, leftovers,
};
use jiff::SignedDuration;

pub(crate) fn check(world: &World, plan: &Plan) {
    let views = world.runners();
    for decision in &plan.decisions {
        touches_what_is_seen(world, decision);
        drains_nobody_without_cause(world, &views, decision);
        knows_before_it_deletes(world, decision);
        sweeps_what_two_looks_found(world, decision);
    }
    an_unknown_queue_scales_nothing(world, plan);
    no_more_go_than_are_over_max(world, plan, &views);
    a_change_takes_one_at_a_time_until_it_works(world, plan, &views);
    who_is_served_has_a_runner(world, plan, &views);
    starts_fit(world, plan, &views);
    slots_are_free(world, plan, &views);
    each_job_has_one_answer(world, plan);
    each_runner_has_one_answer(plan, &views);
    nothing_is_decided_again(world, plan);
    images_come_before_runners(world, plan);
}

fn nothing_is_decided_again(world: &World, plan: &Plan) {
    for Decision { action, .. } in &plan.decisions {
        assert!(!world.is_under_way(&action.deed()), "it is under way: {action:?}");
    }
}

/// An image is pulled once, where it is missing and may be pulled, and nothing starts without it.
fn images_come_before_runners(world: &World, plan: &Plan) {
    let is_here =
        |host: &HostName, image: &str| world.image(host, image) == Some(&Ok(ImageState::Here));
    let mut pulled = BTreeSet::new();
    for Decision { action, .. } in &plan.decisions {
        match action {
            Action::PullImage { host, image, .. } => {
                let may = |pool: &Pool| {
                    pool.runner_image == *image && pool.pull_policy != PullPolicy::Never
                };
                assert!(world.spec.pools.iter().any(may), "{action:?}");
                assert!(!is_here(host, image) && pulled.insert((host, image)), "{action:?}");
            }
            Action::Start { host, variant, .. } => {
                let pool = world.spec.pool(&variant.pool).unwrap();
                assert!(is_here(host, &pool.runner_image), "{action:?}");
            }
            _ => {}
        }
    }
}

fn touches_what_is_seen(world: &World, Decision { action, .. }: &Decision) {
    let host = action.host().map(|host| &world.hosts[host]);
    assert!(host.is_none_or(|host| host.state.known().is_some()), "unseen: {action:?}");
}

/// A busy runner is asked only where the spec does not ask for it, or not for so many, or not for
/// one like it.
fn drains_nobody_without_cause(world: &World, views: &[RunnerView<'_>], decision: &Decision) {
    let Decision { action: Action::Drain { id, .. }, rule, .. } = decision else { return };
    let view = views.iter().find(|view| view.runner.id == *id).unwrap();
    let phase = &view.phase;
    let fits = match rule {
        Rule::DrainFailed => matches!(phase, Phase::Failed { .. }),
        Rule::DrainOrphan => matches!(
            phase,
            Phase::Idle { .. } | Phase::Busy { .. } | Phase::Starting { .. } | Phase::Failed { .. }
        ),
        Rule::DrainAsked => {
            world.memory.asked.contains(&view.runner.name)
                && !matches!(phase, Phase::Created | Phase::Draining { .. } | Phase::Exited { .. })
        }
        Rule::DrainOverMax => matches!(phase, Phase::Idle { .. } | Phase::Busy { .. }),
        Rule::DrainChanged => {
            matches!(phase, Phase::Idle { .. } | Phase::Busy { .. }) && differs(world, view)
        }
        Rule::MakeRoom if matches!(decision.facts, Facts::Urgent { busy: true, .. }) => {
            matches!(phase, Phase::Busy { .. }) && some_job_is_dropped_soon(world)
        }
        _ => matches!(phase, Phase::Idle { .. }),
    };
    assert!(fits, "{rule} of {phase:?}");
}

fn some_job_is_dropped_soon(world: &World) -> bool {
    let mut jobs = world.queue.known().into_iter().flat_map(|queue| &queue.jobs);
    jobs.any(|job| world.now.duration_since(job.queued_at) > SignedDuration::from_mins(45))
}

/// A new runner of its variant would be another one.
fn differs(world: &World, view: &RunnerView<'_>) -> bool {
    let Runner { variant, record, spec, .. } = view.runner;
    let pool = world.spec.pool(&variant.pool).unwrap();
    let current = world.current_record(variant, pool).map(|record| record.id);
    world.spec_hash(view.host, pool).as_ref() != Some(spec)
        || current.is_some_and(|current| current != *record)
}

fn drained(plan: &Plan, rule: Rule) -> BTreeSet<&WorkloadId> {
    let decisions = plan.decisions.iter().filter(|decision| decision.rule == rule);
    let drained = decisions.filter_map(|decision| match &decision.action {
        Action::Drain { id, .. } => Some(id),
        _ => None,
    });
    drained.collect()
}

/// Of what the hosts show, as many stay as may, and none without a job while one with a job goes.
fn no_more_go_than_are_over_max(world: &World, plan: &Plan, views: &[RunnerView<'_>]) {
    let over = drained(plan, Rule::DrainOverMax);
    let others = [Rule::DrainOrphan, Rule::DrainFailed].map(|rule| drained(plan, rule));
    let others: BTreeSet<&WorkloadId> = others.into_iter().flatten().collect();
    for pool in &world.spec.pools {
        let of_pool = || views.iter().filter(|view| view.runner.variant.pool == pool.name);
        let shown = of_pool().filter(|view| {
            let leaves = matches!(
                view.phase,
                Phase::Created | Phase::Draining { .. } | Phase::Exited { .. }
            );
            view.seen && !leaves && !others.contains(&view.runner.id)
        });
        let shown: Vec<_> = shown.collect();
        let go = shown.iter().filter(|view| over.contains(&view.runner.id)).count();
        assert!(shown.len() >= go + pool.max.min(u32::try_from(shown.len()).unwrap()) as usize);
        let busy = |view: &&&RunnerView<'_>| matches!(view.phase, Phase::Busy { .. });
        if shown.iter().filter(busy).any(|view| over.contains(&view.runner.id)) {
            let offered: BTreeSet<_> =
                world.offers().into_iter().map(|offer| offer.variant).collect();
            let mut idle = shown.iter().filter(|view| matches!(view.phase, Phase::Idle { .. }));
            let kept = idle.find(|view| {
                let ends = view.runner.is_used_up(pool);
                !over.contains(&view.runner.id) && !ends && offered.contains(&view.runner.variant)
            });
            assert!(kept.is_none(), "{} is idle and stays", kept.unwrap().runner.name);
        }
    }
}

/// Until a runner of the newer spec works, one busy runner of the older at most is leaving.
fn a_change_takes_one_at_a_time_until_it_works(
    world: &World,
    plan: &Plan,
    views: &[RunnerView<'_>],
) {
    let changed = drained(plan, Rule::DrainChanged);
    for offer in world.offers() {
        let of_variant = || views.iter().filter(|view| view.runner.variant == offer.variant);
        let goes = |view: &RunnerView<'_>| changed.contains(&view.runner.id);
        let busy = |view: &RunnerView<'_>| {
            matches!(view.phase, Phase::Busy { .. }) && goes(view)
                || matches!(view.phase, Phase::Draining { busy: true, .. }) && differs(world, view)
        };
        let idle =
            of_variant().filter(|view| goes(view) && matches!(view.phase, Phase::Idle { .. }));
        assert!(idle.count() <= 1, "{}: more than one idle one goes", offer.variant);
        let works = of_variant().any(|view| {
            let in_contact = matches!(view.phase, Phase::Idle { .. } | Phase::Busy { .. });
            in_contact && !differs(world, view)
        });
        let leaving = of_variant().filter(|view| busy(view)).count();
        let asked = of_variant().any(|view| busy(view) && goes(view));
        assert!(works || !asked || leaving == 1, "{}: {leaving} busy ones go", offer.variant);
    }
}

fn knows_before_it_deletes(world: &World, Decision { action, rule, .. }: &Decision) {
    let about = match action {
        Action::DeleteRecord { record, .. }
        | Action::UpdateRecord { record, .. }
        | Action::Sweep { leftover: Leftover::Manager(record, _) } => Some(*record),
        Action::Drain { id, .. } if *rule == Rule::DrainFailed => {
            let states = world.hosts.values().filter_map(|host| host.state.known());
            let mut runners = states.flat_map(|state| &state.runners);
            runners.find(|runner| runner.id == *id).map(|runner| runner.record)
        }
        _ => None,
    };
    let Some(about) = about else { return };
    let records = world.records.known().expect("the records are known");
    let record = records.iter().find(|record| record.id == about).unwrap();
    let updates = matches!(action, Action::UpdateRecord { .. });
    assert!(updates || record.managers.known().is_some(), "rows unknown: {action:?}");
    let deletes = matches!(action, Action::DeleteRecord { .. }) || updates;
    assert!(!deletes || record.origin == Origin::Ours, "not ours: {action:?}");
}

fn sweeps_what_two_looks_found(world: &World, Decision { action, rule, .. }: &Decision) {
    let leftover = match action {
        Action::Sweep { leftover } => leftover.clone(),
        Action::DeleteRecord { record, .. } => Leftover::Record(*record),
        _ => return,
    };
    let now = match rule {
        Rule::FreeDisk => is_idle_cache(world, &leftover),
        _ => leftovers(world).contains(&leftover),
    };
    let twice = world.memory.leftovers.contains(&leftover) && now;
    assert!(twice, "seen once: {leftover:?}");
}

/// A cache of ours whose slot no container has, and none will have.
fn is_idle_cache(world: &World, leftover: &Leftover) -> bool {
    let Leftover::JobVolume(host, name) = leftover else { return false };
    let state = world.hosts[host].state.known().expect("the host is known");
    let volume = state.jobs.volumes.iter().find(|volume| volume.name == *name).unwrap();
    let coming = plan(world).decisions.into_iter().any(|decision| match decision.action {
        Action::Start { host: on, system_id, .. } => on == *host && system_id == volume.system_id,
        _ => false,
    });
    volume.kind == VolumeKind::Reusable
        && world.prefixes().has(&volume.system_id)
        && !state.holders().any(|id| *id == volume.system_id)
        && !coming
}

fn an_unknown_queue_scales_nothing(world: &World, plan: &Plan) {
    let has = |rule| plan.decisions.iter().any(|decision| decision.rule == rule);
    let queue = world.queue.known();
    assert!(queue.is_some() || !has(Rule::ServeDemand), "starts for an unknown queue");
    assert!(queue.is_some() || !has(Rule::DrainSurplus), "drains for an unknown queue");
    if queue.is_some_and(|queue| queue.more) {
        // GitLab would have given them one of the jobs that were not read.
        for Decision { facts, .. } in &plan.decisions {
            let Facts::Idle { idle, .. } = facts else { continue };
            assert!(idle.as_secs() >= 60, "drains without the whole queue");
        }
    }
}

/// No job is promised a runner that the same plan drains.
fn who_is_served_has_a_runner(world: &World, plan: &Plan, views: &[RunnerView<'_>]) {
    let drained: BTreeSet<&WorkloadId> = plan
        .decisions
        .iter()
        .filter_map(|decision| match &decision.action {
            Action::Drain { id, .. } => Some(id),
            _ => None,
        })
        .collect();
    let stays = |view: &&RunnerView<'_>| {
        let supply = matches!(view.phase, Phase::Idle { .. } | Phase::Starting { late: false, .. });
        view.seen && supply && !drained.contains(&view.runner.id)
    };
    let started = plan.decisions.iter().filter(|decision| decision.rule == Rule::ServeDemand);
    let coming = world.starts_under_way().count();
    let supply = views.iter().filter(stays).count() + started.count() + coming;
    assert!(plan.served_jobs <= supply, "{} served by {supply} runners", plan.served_jobs);
}

/// What is there when nothing is to be done any more, in a world of which all is known: nothing
/// that the spec does not ask for, and no job that waits for something that would come.
pub(crate) fn check_rest(world: &World) {
    let known = world.queue.known().is_some_and(|queue| !queue.more)
        && world
            .records
            .known()
            .is_some_and(|records| records.iter().all(|record| record.managers.known().is_some()));
    if !known || !world.all_hosts_known() {
        return;
    }
    // What came of age just now is found, and swept at the next look.
    let before = world.changed(|look| look.now -= SignedDuration::from_mins(30));
    let left: Vec<Leftover> = world.leftovers().intersection(before.leftovers()).cloned().collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let views = world.runners();
    for view in &views {
        assert!(
            matches!(view.phase, Phase::Idle { .. }),
            "{} rests {:?}",
            view.runner.name,
            view.phase
        );
    }
    for offer in world.offers() {
        let Warm::Count(warm) = offer.pool.warm else { continue };
        let warm = if offer.first { warm as usize } else { 0 };
        let idle = views.iter().filter(|view| view.runner.variant == offer.variant).count();
        assert!(idle <= warm, "{}: {idle} idle, warm {warm}", offer.variant);
    }
    for held in plan(world).held_jobs {
        let passing = matches!(
            *held.hold,
            JobHold::StartRate { .. }
                | JobHold::BackingOff { .. }
                | JobHold::Starting { .. }
                | JobHold::Unseen { .. }
                | JobHold::ImagePull { .. }
                | JobHold::NoNetwork { .. }
                | JobHold::Maintenance { .. }
        );
        assert!(!passing, "{} is left with {:?}", held.job, held.hold);
    }
}

fn starts(plan: &Plan) -> Vec<(&HostName, &Variant, Slot)> {
    let starts = plan.decisions.iter().filter_map(|decision| match &decision.action {
        Action::Start { host, variant, slot, .. } => Some((host, variant, *slot)),
        _ => None,
    });
    starts.collect()
}

fn starts_fit(world: &World, plan: &Plan, views: &[RunnerView<'_>]) {
    let starts = starts(plan);
    let live = || views.iter().filter(|view| view.is_live());
    let memory = &world.memory;
    let all = memory.starts_of_the_minute();
    let recent = all.filter(|at| (world.now - *at).as_secs() < 60);
    let under_way = world.starts_unseen();
    let recent = recent.count() + under_way.len();
    let most = (world.spec.starts_per_minute as usize).saturating_sub(recent);
    assert!(starts.len() <= most, "{} starts, at most {most}", starts.len());
    let elsewhere = world.unaccounted_managers();
    for pool in &world.spec.pools {
        let started = starts.iter().filter(|(_, variant, _)| variant.pool == pool.name).count();
        let there = live().filter(|view| view.runner.variant.pool == pool.name).count();
        let coming = under_way.iter().filter(|start| start.variant.pool == pool.name).count();
        let unseen = elsewhere.iter().filter(|(variant, _)| variant.pool == pool.name);
        let unseen: u32 = unseen.map(|(_, count)| count).sum();
        let sum = started + there + coming + unseen as usize;
        assert!(started == 0 || (pool.enabled && sum <= pool.max as usize), "{}", pool.name);
    }
    for (name, spec) in &world.spec.hosts {
        let there = live().filter(|view| view.host == name).map(|view| view.runner);
        let started =
            starts.iter().filter(|(host, ..)| *host == name).map(|(_, variant, _)| *variant);
        assert!(world.network_waits(name).is_none() || started.clone().count() == 0, "{name}");
        let coming = under_way.iter().filter(|start| start.host == name);
        let asked = |variant: &Variant| -> Cost {
            world.spec.pool(&variant.pool).map(Cost::of).unwrap_or_default()
        };
        let used: Vec<Cost> = (started.clone().map(asked))
            .chain(there.map(|runner| runner.cost.clone().unwrap()))
            .chain(coming.map(|start| start.cost.clone()))
            .collect();
        let cpus: u64 = used.iter().map(|used| used.cpus.thousandths()).sum();
        let Some(engine) = world.hosts[name].engine() else { continue };
        let costs = started.clone().any(|variant| asked(variant) != Cost::default());
        assert!(!costs || cpus <= engine.node.cpus.thousandths(), "{name}: {cpus} thousandths");
        let memory: u64 = used.iter().map(|used| used.memory).sum();
        assert!(!costs || memory <= engine.node.memory, "{name}: {memory} bytes");
        let runners = spec.budget.runners.map_or(engine.node.cpus.decimal() * 2.0, f64::from);
        let fits = f64::from(u32::try_from(used.len()).unwrap()) <= runners;
        assert!(started.count() == 0 || fits, "{name}: {} runners", used.len());
    }
}

fn slots_are_free(world: &World, plan: &Plan, views: &[RunnerView<'_>]) {
    let mut taken: BTreeSet<(&Variant, Slot)> =
        views.iter().map(|view| (&view.runner.variant, view.runner.slot)).collect();
    taken.extend(world.starts_under_way().map(|start| (start.variant, start.slot)));
    for (_, variant, slot) in starts(plan) {
        assert!(taken.insert((variant, slot)), "{variant} slot {slot} is in use");
    }
    for decision in &plan.decisions {
        if let Action::Start { host, runner, variant, system_id, .. } = &decision.action {
            let memory = &world.memory;
            let jobs = &world.hosts[host].state.known().unwrap().jobs;
            let haunted = jobs.containers.iter().any(|one| one.system_id == *system_id);
            assert!(!haunted, "{runner} would share a job's build directory");
            assert!(!memory.in_doubt.contains_key(runner) && !memory.taken.contains_key(runner));
            let backoff = memory.backoffs.get(variant).filter(|one| one.until > world.now);
            assert!(backoff.is_none(), "{variant} backs off");
            assert_eq!(world.hosts[host].engine().unwrap().node.arch, variant.arch);
            let pool = world.spec.pool(&variant.pool).unwrap();
            let made = |decision: &Decision| matches!(&decision.action, Action::CreateRecord { variant: of } if of == variant);
            let record = world.current_record(variant, pool).is_some();
            assert!(record || plan.decisions.iter().any(made), "{variant} has no record");
        }
    }
}

/// Each pending job is served or held, and held once.
fn each_job_has_one_answer(world: &World, plan: &Plan) {
    let jobs: BTreeSet<_> =
        world.queue.known().into_iter().flat_map(|queue| &queue.jobs).map(|job| job.id).collect();
    let held: BTreeSet<_> = plan.held_jobs.iter().map(|held| held.job).collect();
    assert_eq!(held.len(), plan.held_jobs.len(), "a job is held twice");
    assert!(held.is_subset(&jobs));
    let waiting = plan.held_jobs.iter();
    let waiting = waiting.filter(|held| !matches!(*held.hold, JobHold::Starting { .. })).count();
    assert_eq!(plan.served_jobs + waiting, jobs.len(), "{:?}", plan.held_jobs);
}

fn each_runner_has_one_answer(plan: &Plan, views: &[RunnerView<'_>]) {
    let mut answers: BTreeMap<&WorkloadId, usize> = BTreeMap::new();
    for decision in &plan.decisions {
        let id = match &decision.action {
            Action::Drain { id, .. } => Some(id),
            // A container that is gone is not there to be answered for.
            Action::Reap { .. } if matches!(decision.facts, Facts::Vanished { .. }) => None,
            Action::Reap { runner, .. } => Some(&runner.id),
            _ => None,
        };
        if let Some(id) = id {
            *answers.entry(id).or_default() += 1;
        }
    }
    for held in &plan.held_runners {
        let mut of_host = views.iter().filter(|view| *view.host == held.host);
        let view = of_host.find(|view| view.runner.name == held.runner).unwrap();
        *answers.entry(&view.runner.id).or_default() += 1;
    }
    for view in views {
        assert_eq!(answers.get(&view.runner.id), Some(&1), "{}", view.runner.name);
    }
    assert_eq!(answers.len(), views.len());
}
