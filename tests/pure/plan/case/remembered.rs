//! The words of a case file about what this process remembers.

use autogit::spec::{Cost, GpuIds};
use autogit::world::{
    AtWork, Backoff, Cause, Deed, ImageState, InDoubt, JobId, Look, Made, OtherRunner, RecordId,
    RunnerName, Unclaimed, Variant, WorkloadId,
};
use jiff::SignedDuration;

use crate::plan::harness::{
    Doing, NOW, Spot, add_runner, ago, failed_start, look_before, state_of, system_id,
};
use crate::plan::words::{host, number, seconds, spot, variant};

pub(super) fn remember(look: &mut Look, text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let later = |word: &str| NOW + SignedDuration::from_secs(seconds(word));
    let instance = look.spec.instance.clone();
    let name = |word: &str| RunnerName::new(&instance, &spot(word).variant, spot(word).slot);
    match words.as_slice() {
        ["started", count, since] => {
            let starts = std::iter::repeat_n(failed_start(seconds(since)), number(count));
            look.memory.starts.extend(starts);
        }
        ["made", place, since] => {
            let id = WorkloadId::from_observed(&format!("{}-{}", spot(place).host, name(place)));
            look.memory.runner_mut(&id).made = Some(ago(seconds(since)));
        }
        ["gone", "with", job, place, since] => remember_gone(look, job, place, since),
        ["backoff", of, left, error @ ..] => {
            let (of, until, error) = (variant(of), later(left), error.join(" ").into());
            let backoff = Backoff { cause: Cause::Start, failures: 2, until, error };
            look.memory.backoffs.insert(of, backoff);
        }
        ["network", host_name, left, error @ ..] => {
            let (until, error) = (later(left), error.join(" ").into());
            let backoff = Backoff { cause: Cause::Network, failures: 1, until, error };
            look.memory.networks.insert(host(host_name), backoff);
        }
        ["other", job, runner, name @ ..] => {
            let (id, name) = (RecordId(number(runner)), name.join(" ").into());
            let runner = OtherRunner { id, name, of_instance: false };
            look.memory.other_runners.insert(JobId(number(job)), runner);
        }
        ["unclaimed", job, times, left] => {
            let unclaimed = Unclaimed { times: number(times), until: later(left) };
            look.memory.unclaimed.insert(JobId(number(job)), unclaimed);
        }
        ["in", "doubt", place, since, gpus @ ..] => {
            let Spot { host, variant, .. } = spot(place);
            let (at, cost) = (ago(seconds(since)), with_gpus(cost(look, &variant), gpus));
            look.memory.in_doubt.insert(name(place), InDoubt { host, at, cost });
        }
        ["used", place, since] => {
            let slot = (spot(place).host, system_id(look, &spot(place)));
            look.memory.slots_used.insert(slot, ago(seconds(since)));
        }
        ["taken", place, left] => drop(look.memory.taken.insert(name(place), later(left))),
        ["looked", "before"] => look_before(look),
        other => remember_deeds(look, other),
    }
}

/// What this process did before.
fn remember_deeds(look: &mut Look, words: &[&str]) {
    let own = &mut look.memory.own_records;
    match words {
        ["reaped", place, times, since] => {
            let spot = spot(place);
            let name = RunnerName::new(&look.spec.instance, &spot.variant, spot.slot);
            let id = WorkloadId::from_observed(&format!("{}-{name}", spot.host));
            for _ in 0..number(times) {
                look.memory.note_effort(Deed::Reap(id.clone()), None, ago(seconds(since)));
            }
        }
        ["pulling", image, "on", host_name] => {
            let (host, image) = (host(host_name), (*image).to_owned());
            state_of(look, &host).images.insert(image.clone(), Ok(ImageState::Absent));
            look.memory.under_way.insert(Deed::PullImage { host, image }, ago(20));
        }
        ["pulled", times, "times", since, "ago", "on", host_name] => {
            let (host, image) = (host(host_name), look.spec.pools[0].runner_image.clone());
            let pull = Deed::PullImage { host, image };
            for _ in 0..number(times) {
                look.memory.note_effort(pull.clone(), None, ago(seconds(since)));
            }
        }
        ["starting", place, since, gpus @ ..] => {
            let Spot { host, variant, slot } = spot(place);
            let runner = RunnerName::new(&look.spec.instance, &variant, slot);
            let cost = with_gpus(cost(look, &variant), gpus);
            let start = Deed::Start { host, variant, slot, runner, cost };
            look.memory.under_way.insert(start, ago(seconds(since)));
        }
        ["asked", place] => {
            let spot = spot(place);
            let name = RunnerName::new(&look.spec.instance, &spot.variant, spot.slot);
            look.memory.asked.insert(name);
        }
        ["began", since, "after", newest] => {
            own.began = Some(ago(seconds(since)));
            own.newest_before = Some(RecordId(number(newest)));
        }
        ["own", "record", id] => {
            own.made.insert(RecordId(number(id)), Made { at: ago(0), shown: true });
        }
        ["asked", "for", "record", of, since] => own.asked(&variant(of), ago(seconds(since))),
        other => panic!("`{}` is not understood", other.join(" ")),
    }
}

/// `with gpus 0 1`
fn with_gpus(mut cost: Cost, words: &[&str]) -> Cost {
    let ids = words.iter().skip(2).map(ToString::to_string).collect();
    cost.gpus = GpuIds::of(ids);
    cost
}

/// What a new runner of the variant is made with.
fn cost(look: &Look, variant: &Variant) -> Cost {
    look.spec.pool(&variant.pool).map(Cost::of).unwrap_or_default()
}

/// A runner that went with its job.
fn remember_gone(look: &mut Look, job: &str, place: &str, since: &str) {
    // As it was last seen.
    let spot = spot(place);
    let id = add_runner(look, &spot, Doing::Busy(number(job), 300));
    let state = state_of(look, &spot.host);
    let index = state.runners.iter().position(|runner| runner.id == id).unwrap();
    let runner = state.runners.remove(index);
    state.jobs.containers.retain(|container| container.system_id != runner.system_id);
    let work = AtWork {
        host: spot.host,
        runner,
        job: JobId(number(job)),
        url: None,
        project: None,
        gone_since: Some(ago(seconds(since))),
    };
    look.memory.runner_mut(&id).at_work = Some(work);
}
