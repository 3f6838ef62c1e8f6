//! What may be special of a random world, one step each.

use std::sync::Arc;

use autogit::spec::PoolName;
use autogit::world::{
    Backoff, Cause, Deed, JobId, JobNetworkObject, JobVolume, Manager, Origin, OtherRunner, Owner,
    Phase, ProjectId, RecordId, RunnerName, Slot, SpecHash, SystemId, Token, Unclaimed, Variant,
    VolumeKind, World, phases,
};
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::plan::harness::{
    Doing, NOW, Spot, add_runner, ago, failed_start, job_container, known, look_before, lose,
    record, records_of, state_of, system_id,
};
use crate::plan::words::host;
use crate::plan::worlds::{ARCHES, HOSTS, POOLS};

type Change = Arc<dyn Fn(&mut World) + Send + Sync>;

/// A change, with words for it where a world is shown to fail.
#[derive(Clone)]
pub(crate) struct Step(String, Change);

impl Step {
    pub(crate) fn take(&self, world: &mut World) {
        (self.1)(world);
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn step(words: String, change: impl Fn(&mut World) + Send + Sync + 'static) -> Step {
    Step(words, Arc::new(change))
}

pub(crate) fn hosts() -> impl Strategy<Value = Step> {
    (0..HOSTS.len(), 0..4, 1..4_u32).prop_map(|(index, what, most)| {
        step(format!("host {index}: {what} {most}"), move |world| {
            let name = host(HOSTS[index]);
            if !world.hosts.contains_key(&name) {
                return;
            }
            let budget = |world: &mut World| {
                let spec = Arc::make_mut(&mut world.spec);
                spec.hosts.get_mut(&name).unwrap().budget.runners = Some(most);
            };
            match what {
                0 => state_of(world, &name).network = None,
                1 => state_of(world, &name).network.iter_mut().for_each(|it| it.containers = 0),
                2 => state_of(world, &name).engine.cpus = f64::from(most),
                _ => budget(world),
            }
        })
    })
}

pub(crate) fn records() -> impl Strategy<Value = Step> {
    (0..6_usize, 0..9, 0..30_u32).prop_map(|(index, what, hours)| {
        step(format!("record {index}: {what} {hours}h"), move |world| {
            if records_of(world).is_empty() {
                return;
            }
            let index = index % records_of(world).len();
            let of = records_of(world)[index].variant.clone();
            let mut extra = record(world, RecordId(3 + u64::from(hours)), &of);
            let record = &mut records_of(world)[index];
            match what {
                0 => record.token = Token::Lost,
                1 => record.origin = Origin::Foreign,
                2 => record.settings.paused = true,
                3 => record.owner = Owner::Projects([ProjectId(4)].into()),
                4 => record.token_expires_at = Some(ago(-3_600 * i64::from(hours))),
                5 => known(&mut record.managers).push(Manager {
                    system_id: SystemId::from_observed(&format!("r_elsewhere{hours}")),
                    contacted_at: Some(ago(3_600 * i64::from(hours))),
                    busy: false,
                    job: None,
                    caller: None,
                }),
                6 => drop(records_of(world).remove(index)),
                7 => record.settings.tags = vec!["somebodys".to_owned()],
                _ => {
                    extra.token = Token::Lost;
                    records_of(world).retain(|record| record.id != extra.id);
                    records_of(world).push(extra);
                }
            }
        })
    })
}

pub(crate) fn runners() -> impl Strategy<Value = Step> {
    let place = (0..=POOLS.len(), 0..2_usize, 0..5_u32, 0..HOSTS.len());
    (place, 0..9, 0..2_000_i64, any::<bool>(), 0..1_000_u64).prop_map(
        |((pool, arch, slot, on), what, since, changed, id)| {
            let doing = match what {
                0 => Doing::Created(since),
                1 => Doing::Starting(since),
                2 => Doing::Busy(id, since),
                3 => Doing::BusyAtGitlab(since),
                4 => Doing::Picked(id, since % 100),
                5 => Doing::Draining(since),
                6 => Doing::DrainingBusy(id, since),
                7 => Doing::Exited(since % 2, since),
                _ => Doing::Idle(since % 700),
            };
            let words = format!("p{pool}/{arch}/{slot}@h{on} {doing:?} changed {changed}");
            step(words, move |world| {
                let spot = spot(world, (pool, arch, slot, on));
                let on = spot.host.clone();
                let name = RunnerName::new(&world.spec.instance, &spot.variant, spot.slot);
                if state_of(world, &on).runners.iter().any(|runner| runner.name == name) {
                    return;
                }
                let id = add_runner(world, &spot, doing);
                let state = state_of(world, &on);
                let runner = state.runners.iter_mut().find(|runner| runner.id == id).unwrap();
                if changed {
                    runner.spec = SpecHash::from_observed("older");
                }
            })
        },
    )
}

/// What jobs left, also in slots that are in use.
pub(crate) fn objects() -> impl Strategy<Value = Step> {
    let place = (0..=POOLS.len(), 0..2_usize, 0..5_u32, 0..HOSTS.len());
    (place, 0..4, 0..1_000_u64).prop_map(|(place, what, number)| {
        step(format!("object {what} {number} of {place:?}"), move |world| {
            let spot = spot(world, place);
            let system_id = system_id(world, &spot);
            let jobs = &mut state_of(world, &spot.host).jobs;
            let name = format!("object-{number}");
            match what {
                0 => jobs.containers.push(job_container(JobId(number), &system_id, true)),
                1 => jobs.containers.push(job_container(JobId(number), &system_id, false)),
                2 => jobs.networks.push(JobNetworkObject { id: name, system_id }),
                _ => {
                    let kinds = [VolumeKind::Reusable, VolumeKind::Temporary, VolumeKind::Other];
                    let kind = kinds[usize::try_from(number % 3).unwrap()];
                    jobs.volumes.push(JobVolume { name, system_id, kind });
                }
            }
        })
    })
}

fn spot(world: &World, (pool, arch, slot, on): (usize, usize, u32, usize)) -> Spot {
    let name = PoolName::new(POOLS.get(pool).unwrap_or(&"gone")).unwrap();
    let variant = Variant::new(&name, ARCHES[arch]);
    Spot { variant, slot: Slot(slot), host: host(HOSTS[on % world.hosts.len()]) }
}

pub(crate) fn memories() -> impl Strategy<Value = Step> {
    (0..12, 0..12_u32).prop_map(|(what, number)| {
        step(format!("memory: {what} {number}"), move |world| {
            let until = NOW + SignedDuration::from_secs(90);
            let variants = world.variants();
            let Some((variant, _)) = variants.get(number as usize % variants.len().max(1)) else {
                return;
            };
            let variant = variant.clone();
            let name = RunnerName::new(&world.spec.instance, &variant, Slot(number % 3));
            match what {
                0 => world.memory.starts.push(failed_start(i64::from(number) * 10)),
                1 => {
                    let (cause, error) = (Cause::Start, "no such image".into());
                    let backoff = Backoff { cause, failures: 1, until, error };
                    world.memory.backoffs.insert(variant, backoff);
                }
                2 => {
                    let id = JobId(8_001 + u64::from(number));
                    world.memory.unclaimed.insert(id, Unclaimed { times: 1, until });
                }
                3 => drop(world.memory.taken.insert(name, until)),
                4 => drop(world.memory.in_doubt.insert(name, (host("h0"), ago(5)))),
                7 => {
                    let (host, slot) =
                        (host(HOSTS[number as usize % world.hosts.len()]), Slot(number % 3));
                    let start = Deed::Start { host, variant, slot, runner: name };
                    world.memory.under_way.insert(start, ago(20));
                }
                8 => drop(world.memory.asked.insert(name)),
                9 => {
                    let views = phases(world);
                    let Some(view) = views.get(number as usize % views.len().max(1)) else {
                        return;
                    };
                    let id = view.runner.id.clone();
                    let deed = match view.phase {
                        Phase::Exited { .. } | Phase::Created => Deed::Reap(id),
                        _ => Deed::Drain(id),
                    };
                    world.memory.under_way.insert(deed, ago(20));
                }
                5 => {
                    let image = world.spec.pools[0].runner_image.clone();
                    world.memory.pulling.insert((host("h0"), image));
                }
                6 => {
                    let job = JobId(8_001 + u64::from(number));
                    let (id, name) = (RecordId(900), "of others".into());
                    let runner = OtherRunner { id, name, of_instance: true };
                    world.memory.other_runners.insert(job, runner);
                }
                10 => {
                    let (cause, error) = (Cause::Network, "no address is left".into());
                    let backoff = Backoff { cause, failures: 1, until, error };
                    world.memory.networks.insert(host("h0"), backoff);
                }
                _ => look_before(world),
            }
        })
    })
}

pub(crate) fn losses() -> impl Strategy<Value = Step> {
    (0..5, 0..6_usize).prop_map(|(what, index)| {
        step(format!("loss: {what} {index}"), move |world| match what {
            0 if world.queue.known().is_some() => lose(&mut world.queue, 90, "502"),
            1 if world.queue.known().is_some() => known(&mut world.queue).more = true,
            2 if world.records.known().is_some() => lose(&mut world.records, 60, "502"),
            3 if world.records.known().is_some_and(|records| !records.is_empty()) => {
                let records = records_of(world);
                let index = index % records.len();
                lose(&mut records[index].managers, 60, "502");
            }
            _ => {
                let name = host(HOSTS[index % world.hosts.len()]);
                lose(&mut world.hosts.get_mut(&name).unwrap().state, 41, "timed out");
            }
        })
    })
}
