//! What may be special of a random look, one step each.

use std::sync::Arc;

use autogit::spec::{Cost, Cpus, HostName, PoolName, PullPolicy};
use autogit::world::{
    Backoff, Cause, Deed, DiskUse, ImageState, InDoubt, JobId, JobNetworkObject, JobVolume, Look,
    Manager, Observed, Origin, OtherRunner, Owner, Phase, ProjectId, RecordId, RunnerName, Slot,
    SpecHash, SystemId, Token, Unclaimed, Variant, VolumeKind, VolumeUse, World,
};
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::plan::harness::{
    Doing, NOW, Spot, add_runner, ago, failed_start, job_container, known, look_before, lose,
    record, records_of, state_of, system_id,
};
use crate::plan::words::host;
use crate::plan::worlds::{ARCHES, HOSTS, POOLS};

type Change = Arc<dyn Fn(&mut Look) + Send + Sync>;

/// A change, with words for it where a look is shown to fail.
#[derive(Clone)]
pub(crate) struct Step(String, Change);

impl Step {
    pub(crate) fn take(&self, look: &mut Look) {
        (self.1)(look);
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn step(words: String, change: impl Fn(&mut Look) + Send + Sync + 'static) -> Step {
    Step(words, Arc::new(change))
}

pub(crate) fn hosts() -> impl Strategy<Value = Step> {
    (0..HOSTS.len(), 0..6, 1..4_u32).prop_map(|(index, what, most)| {
        step(format!("host {index}: {what} {most}"), move |look| {
            let name = host(HOSTS[index]);
            if !look.hosts.contains_key(&name) {
                return;
            }
            let budget = |look: &mut Look| {
                let spec = Arc::make_mut(&mut look.spec);
                spec.hosts.get_mut(&name).unwrap().budget.runners = Some(most);
            };
            match what {
                0 => state_of(look, &name).network = None,
                1 => state_of(look, &name).network.iter_mut().for_each(|it| it.containers = 0),
                2 => state_of(look, &name).engine.node.cpus = Cpus::of_count(most),
                3 => lose_images(look, &name),
                4 => {
                    let spec = Arc::make_mut(&mut look.spec);
                    spec.pools.iter_mut().for_each(|pool| pool.pull_policy = PullPolicy::Never);
                    lose_images(look, &name);
                }
                _ => budget(look),
            }
        })
    })
}

/// The first host is pulling the first pool's image.
fn pull(look: &mut Look) {
    let (host, image) = (host("h0"), look.spec.pools[0].runner_image.clone());
    lose_images(look, &host);
    look.memory.under_way.insert(Deed::PullImage { host, image }, ago(20));
}

fn lose_images(look: &mut Look, name: &HostName) {
    let state = look.hosts.get_mut(name).and_then(|host| host.state.last_mut());
    let images = state.into_iter().flat_map(|state| state.images.values_mut());
    images.for_each(|image| *image = Ok(ImageState::Absent));
}

pub(crate) fn records() -> impl Strategy<Value = Step> {
    (0..6_usize, 0..9, 0..30_u32).prop_map(|(index, what, hours)| {
        step(format!("record {index}: {what} {hours}h"), move |look| {
            if records_of(look).is_empty() {
                return;
            }
            let index = index % records_of(look).len();
            let of = records_of(look)[index].variant.clone();
            let mut extra = record(look, RecordId(3 + u64::from(hours)), &of);
            let record = &mut records_of(look)[index];
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
                6 => drop(records_of(look).remove(index)),
                7 => record.settings.tags = vec!["somebodys".to_owned()],
                _ => {
                    extra.token = Token::Lost;
                    records_of(look).retain(|record| record.id != extra.id);
                    records_of(look).push(extra);
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
            step(words, move |look| {
                let spot = spot(look, (pool, arch, slot, on));
                let on = spot.host.clone();
                let name = RunnerName::new(&look.spec.instance, &spot.variant, spot.slot);
                if state_of(look, &on).runners.iter().any(|runner| runner.name == name) {
                    return;
                }
                let id = add_runner(look, &spot, doing);
                let state = state_of(look, &on);
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
    (place, 0..6, 0..1_000_u64).prop_map(|(place, what, number)| {
        step(format!("object {what} {number} of {place:?}"), move |look| {
            let spot = spot(look, place);
            if what > 3 {
                return limit_disk(look, &spot, number % 16);
            }
            let system_id = system_id(look, &spot);
            let jobs = &mut state_of(look, &spot.host).jobs;
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

/// Caches of three slots take 30 GiB of a disk, and so many more than 20 may be used.
fn limit_disk(look: &mut Look, spot: &Spot, more: u64) {
    let mut disk = DiskUse::default();
    for slot in (0..3).map(Slot) {
        let spot = Spot { slot, variant: spot.variant.clone(), host: spot.host.clone() };
        let (name, system_id) = (format!("cache-{slot}"), system_id(look, &spot));
        let made = VolumeUse { bytes: 10 << 30, created_at: Some(ago(i64::from(slot.0) * 60)) };
        disk.volumes.insert(name.clone(), made);
        let kind = VolumeKind::Reusable;
        let volumes = &mut state_of(look, &spot.host).jobs.volumes;
        volumes.retain(|volume| volume.name != name);
        volumes.push(JobVolume { name, system_id, kind });
    }
    let spec = Arc::make_mut(&mut look.spec);
    if let Some(host) = spec.hosts.get_mut(&spot.host) {
        host.budget.disk = Some((20 + more) << 30);
    }
    look.disks.insert(spot.host.clone(), Observed::Known { at: ago(60), value: disk });
}

fn spot(look: &Look, (pool, arch, slot, on): (usize, usize, u32, usize)) -> Spot {
    let name = PoolName::new(POOLS.get(pool).unwrap_or(&"gone")).unwrap();
    let variant = Variant::new(&name, ARCHES[arch]);
    Spot { variant, slot: Slot(slot), host: host(HOSTS[on % look.hosts.len()]) }
}

pub(crate) fn memories() -> impl Strategy<Value = Step> {
    (0..12, 0..12_u32).prop_map(|(what, number)| {
        step(format!("memory: {what} {number}"), move |look| {
            let until = NOW + SignedDuration::from_secs(90);
            let variants = look.variants();
            let Some((variant, _)) = variants.get(number as usize % variants.len().max(1)) else {
                return;
            };
            let variant = variant.clone();
            let name = RunnerName::new(&look.spec.instance, &variant, Slot(number % 3));
            match what {
                0 => look.memory.starts.push(failed_start(i64::from(number) * 10)),
                1 => {
                    let (cause, error) = (Cause::Start, "no such image".into());
                    let backoff = Backoff { cause, failures: 1, until, error };
                    look.memory.backoffs.insert(variant, backoff);
                }
                2 => {
                    let id = JobId(8_001 + u64::from(number));
                    look.memory.unclaimed.insert(id, Unclaimed { times: 1, until });
                }
                3 => drop(look.memory.taken.insert(name, until)),
                4 => {
                    let cost = Cost::default();
                    let doubt = InDoubt { host: host("h0"), at: ago(5), cost };
                    look.memory.in_doubt.insert(name, doubt);
                }
                7 => {
                    let (host, slot) =
                        (host(HOSTS[number as usize % look.hosts.len()]), Slot(number % 3));
                    let cost = look.spec.pool(&variant.pool).map(Cost::of).unwrap_or_default();
                    let start = Deed::Start { host, variant, slot, runner: name, cost };
                    look.memory.under_way.insert(start, ago(20));
                }
                8 => drop(look.memory.asked.insert(name)),
                9 => {
                    let deed = drain_or_reap(look, number as usize);
                    look.memory.under_way.extend(deed.map(|deed| (deed, ago(20))));
                }
                5 => pull(look),
                6 => {
                    let job = JobId(8_001 + u64::from(number));
                    let (id, name) = (RecordId(900), "of others".into());
                    let runner = OtherRunner { id, name, of_instance: true };
                    look.memory.other_runners.insert(job, runner);
                }
                10 => {
                    let (cause, error) = (Cause::Network, "no address is left".into());
                    let backoff = Backoff { cause, failures: 1, until, error };
                    look.memory.networks.insert(host("h0"), backoff);
                }
                _ => look_before(look),
            }
        })
    })
}

/// What may be under way of the runner with that number.
fn drain_or_reap(look: &Look, number: usize) -> Option<Deed> {
    let world = World::of(look.clone());
    let views = world.runners();
    let view = views.get(number % views.len().max(1))?;
    let id = view.runner.id.clone();
    Some(match view.phase {
        Phase::Exited { .. } | Phase::Created => Deed::Reap(id),
        _ => Deed::Drain(id),
    })
}

pub(crate) fn losses() -> impl Strategy<Value = Step> {
    (0..5, 0..6_usize).prop_map(|(what, index)| {
        step(format!("loss: {what} {index}"), move |look| match what {
            0 if look.queue.known().is_some() => lose(&mut look.queue, 90, "502"),
            1 if look.queue.known().is_some() => known(&mut look.queue).more = true,
            2 if look.records.known().is_some() => lose(&mut look.records, 60, "502"),
            3 if look.records.known().is_some_and(|records| !records.is_empty()) => {
                let records = records_of(look);
                let index = index % records.len();
                lose(&mut records[index].managers, 60, "502");
            }
            _ => {
                let name = host(HOSTS[index % look.hosts.len()]);
                lose(&mut look.hosts.get_mut(&name).unwrap().state, 41, "timed out");
            }
        })
    })
}
