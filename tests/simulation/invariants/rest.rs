//! What is reached once nothing fails any more.

use std::collections::BTreeSet;

use super::bounds::cpus_of;
use super::jobs::unfinished;
use super::{Fixture, Snapshot};
use autogit::sandbox::gitlab::RecordView;
use autogit::spec::{Arch, Cache, Cost, Cpus, HostName, Pool, Spec, Warm};
use autogit::world::{
    ContainerState, EngineId, Slot, SystemId, Variant, pools_on, record_settings, spec_hash,
};
use jiff::Timestamp;

pub(super) fn every_takeable_job_ran(fixture: &Fixture<'_>) -> Result<(), String> {
    let doomed = &fixture.injected.doomed;
    let mut left = unfinished(fixture.snapshot).filter(|job| !doomed.contains(&job.id));
    left.next().map_or(Ok(()), |job| {
        Err(format!("job {} ({}) is still {}", job.id, job.tags.join(","), job.status.as_str()))
    })
}

pub(super) fn the_runners_are_those_of_the_spec(fixture: &Fixture<'_>) -> Result<(), String> {
    let snapshot = fixture.snapshot;
    let running = |state: &ContainerState| matches!(state, ContainerState::Running { .. });
    if let Some((_, runner)) = snapshot.runners().find(|(_, runner)| !running(&runner.state)) {
        return Err(format!("{} is there and does not run", runner.name));
    }
    for (_, runner) in snapshot.runners() {
        let pool = snapshot.spec.pool(&runner.variant.pool);
        if !pool.is_some_and(|pool| pool.enabled) {
            return Err(format!("{} runs, and the spec does not ask for it", runner.name));
        }
    }
    for pool in snapshot.spec.pools.iter().filter(|pool| pool.enabled) {
        let of_it =
            snapshot.runners().filter(|(_, runner)| runner.variant.pool == pool.name).count();
        let wanted = warm(pool, snapshot.at);
        // What is kept warm beyond the hosts' budgets has no place.
        let enough = of_it == wanted || of_it < wanted && is_full(snapshot, pool);
        if !enough {
            return Err(format!("pool {} has {of_it} runners, not {wanted}", pool.name));
        }
        let mut its = snapshot.runners().filter(|(_, runner)| runner.variant.pool == pool.name);
        if let Some((_, old)) = its.find(|(host, runner)| {
            runner.spec != spec_hash(&snapshot.spec, pool, host, &engine_id(host))
        }) {
            return Err(format!("{} is made from an older spec", old.name));
        }
    }
    Ok(())
}

/// Each host has so many runners that its budget does not let it have one more of the pool.
fn is_full(snapshot: &Snapshot, pool: &Pool) -> bool {
    snapshot.spec.hosts.iter().all(|(name, host)| {
        let live = || snapshot.live_runners().filter(|(on, _)| *on == name);
        let cost = Cost::of(pool).cpus;
        let cpus = live().fold(cost, |sum, (_, runner)| sum.plus(cpus_of(runner)));
        host.budget.runners.is_some_and(|most| live().count() >= most as usize)
            || host.budget.cpus.is_some_and(|most| cpus > Cpus::at_most(most))
    })
}

fn warm(pool: &Pool, at: Timestamp) -> usize {
    match &pool.warm {
        Warm::Count(count) => (*count).min(pool.max) as usize,
        Warm::PerArch(counts) => {
            counts.values().map(|count| (*count).min(pool.max)).sum::<u32>() as usize
        }
        Warm::Scheduled(schedule) => schedule.number(at).min(pool.max) as usize,
    }
}

pub(super) fn the_records_are_those_of_the_spec(fixture: &Fixture<'_>) -> Result<(), String> {
    let spec = &fixture.snapshot.spec;
    let ours: Vec<&RecordView> = our_records(fixture).collect();
    let of_twins = |record: &RecordView| fixture.injected.of_twins.contains(&record.id);
    for record in ours.iter().filter(|record| !of_twins(record)) {
        let declared = spec.pools.iter().any(|pool| record.description == description(spec, pool));
        if !declared {
            return Err(format!("record {} ({}) is left", record.id, record.description));
        }
    }
    for pool in &spec.pools {
        let name = description(spec, pool);
        let named: Vec<&&RecordView> =
            ours.iter().filter(|record| record.description == name).collect();
        let beyond = named.iter().filter(|record| !of_twins(record)).count();
        let enough = beyond <= 1 && (!pool.enabled || !named.is_empty());
        if !enough {
            return Err(format!("pool {} has {} records", pool.name, named.len()));
        }
        for record in named.into_iter().filter(|record| !of_twins(record)) {
            as_wanted(pool, record)?;
        }
    }
    Ok(())
}

fn as_wanted(pool: &Pool, record: &RecordView) -> Result<(), String> {
    let wanted = record_settings(pool, Arch::Amd64, true);
    let mut tags = record.tags.clone();
    tags.sort();
    let same = tags == wanted.tags
        && record.run_untagged == wanted.run_untagged
        && (!record.paused || !pool.enabled);
    if same || !pool.enabled {
        return Ok(());
    }
    Err(format!("record {} is not as the spec says", record.id))
}

fn description(spec: &Spec, pool: &Pool) -> String {
    format!("autogit/{}/{}-amd64", spec.instance, pool.name)
}

/// Records under our name that are not planted.
fn our_records<'a>(fixture: &'a Fixture<'_>) -> impl Iterator<Item = &'a RecordView> {
    let prefix = format!("autogit/{}/", fixture.snapshot.spec.instance);
    let planted: BTreeSet<_> = fixture.injected.others.records.iter().map(|it| it.id).collect();
    let records = fixture.snapshot.records.iter();
    records.filter(move |it| it.description.starts_with(&prefix) && !planted.contains(&it.id))
}

pub(super) fn each_row_has_its_runner(fixture: &Fixture<'_>) -> Result<(), String> {
    let of_twins = &fixture.injected.of_twins;
    for record in our_records(fixture).filter(|record| !of_twins.contains(&record.id)) {
        for row in &record.managers {
            let mut living = fixture.snapshot.live_runners().map(|(_, runner)| runner);
            let has_runner = living
                .any(|runner| runner.record == record.id && runner.system_id == row.system_id);
            if !has_runner {
                return Err(format!("row {} of record {} is left", row.system_id, record.id));
            }
        }
    }
    Ok(())
}

pub(super) fn nothing_of_a_job_is_left(fixture: &Fixture<'_>) -> Result<(), String> {
    let snapshot = fixture.snapshot;
    let engines = snapshot.spec.hosts.keys().map(engine_id);
    let prefixes: Vec<String> =
        engines.map(|engine| SystemId::prefix(&snapshot.spec.instance, &engine.mark())).collect();
    let ours = |id: &SystemId| prefixes.iter().any(|prefix| id.as_str().starts_with(prefix));
    for (name, host) in &snapshot.hosts {
        let jobs = host.containers.iter().filter_map(|container| container.job.as_ref());
        if let Some(job) = jobs.into_iter().find(|job| ours(&job.system_id)) {
            return Err(format!("a {} container of {} is left on {name}", job.kind, job.system_id));
        }
        let of_jobs = |it: &Option<SystemId>| it.as_ref().is_some_and(ours);
        if let Some(network) = host.networks.iter().find(|it| of_jobs(&it.system_id)) {
            return Err(format!("network {} is left on {name}", network.name));
        }
        let mut kept = kept_slots(snapshot, name);
        // While its runner lives, what it made is in use.
        kept.extend(snapshot.live_runners().map(|(_, runner)| runner.system_id.clone()));
        let useless = host.volumes.iter().find(|volume| {
            let kept = volume.system_id.as_ref().is_some_and(|id| kept.contains(id));
            of_jobs(&volume.system_id) && volume.kind.goes(kept)
        });
        if let Some(volume) = useless {
            return Err(format!("volume {} is left on {name}", volume.name));
        }
    }
    Ok(())
}

/// The engine of a simulated host has its name for an id.
fn engine_id(host: &HostName) -> EngineId {
    EngineId::from_observed(host.as_str())
}

pub(super) fn kept_slots(snapshot: &Snapshot, host: &HostName) -> BTreeSet<SystemId> {
    let instance = &snapshot.spec.instance;
    let pools = snapshot.spec.pools.iter().filter(|pool| pool.cache == Cache::Keep);
    let slots = pools.flat_map(|pool| {
        let variant = Variant::new(&pool.name, Arch::Amd64);
        // A successor starts before the slot of a runner that had its last job is free.
        let slots = if pool.jobs_per_runner == 0 { pool.max } else { 2 * pool.max };
        (0..slots).map(move |slot| (variant.clone(), Slot(slot)))
    });
    let engine = engine_id(host);
    slots.map(|(variant, slot)| SystemId::new(instance, &engine, &variant, slot)).collect()
}

pub(super) fn no_volume_or_network_is_left(fixture: &Fixture<'_>) -> Result<(), String> {
    let snapshot = fixture.snapshot;
    for (name, host) in &snapshot.hosts {
        let mounted: BTreeSet<&String> =
            host.containers.iter().flat_map(|container| &container.volumes).collect();
        let lost =
            host.volumes.iter().find(|it| it.labels.is_empty() && !mounted.contains(&it.name));
        if let Some(volume) = lost {
            return Err(format!("volume {} is left on {name}", volume.name));
        }
        let runners = snapshot.runners().filter(|(host, _)| *host == name).count();
        let network = host.networks.iter().find(|network| network.name == snapshot.spec.network);
        let ours = network.is_some_and(|network| {
            network.instance.as_deref() == Some(snapshot.spec.instance.as_str())
        });
        let needed = pools_on(&snapshot.spec, name, Arch::Amd64).next().is_some();
        if ours && runners == 0 && !needed {
            return Err(format!("network {} is left on {name}", snapshot.spec.network));
        }
        if network.is_none() && needed {
            return Err(format!("{name} has no network {} for its runners", snapshot.spec.network));
        }
    }
    Ok(())
}
