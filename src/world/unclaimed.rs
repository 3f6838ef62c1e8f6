//! Jobs that a fitting idle runner had a minute to take and did not: GitLab knows something that
//! we do not, so no runner is started for them for a while.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{JobKind, Memory, Offer, Phase, Runner, Unclaimed, Variant, World, phases};

/// How long an idle runner and a job it should fit must look at each other. A poll of gitlab-runner
/// takes 3 s, a long poll is woken by the job: a minute is far beyond both.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);
/// The first pause.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(2);
/// The longest pause: GitLab itself drops such a job after a day.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// The memory's unclaimed jobs, brought up to this world.
pub fn note_unclaimed(world: &World, memory: &mut Memory) {
    let Some(queue) = world.queue.known() else { return };
    let patient: Vec<Offer<'_>> = patient_offers(world);
    let scoped = world.is_scoped();
    let mut fitting: BTreeMap<JobKind<'_>, bool> = BTreeMap::new();
    let mut noted = BTreeMap::new();
    for job in &queue.jobs {
        let before = memory.unclaimed.get(&job.id).copied();
        let paused = before.is_some_and(|unclaimed| unclaimed.until > world.now);
        let ignored = !patient.is_empty()
            && world.now.duration_since(job.queued_at) > PATIENCE
            && *fitting
                .entry(job.kind(scoped))
                .or_insert_with(|| patient.iter().any(|offer| offer.fits(job).is_ok()));
        if ignored && !paused {
            let times = before.map_or(0, |unclaimed| unclaimed.times).saturating_add(1);
            noted.insert(job.id, Unclaimed { times, until: until(world.now, times) });
        } else if let Some(before) = before {
            noted.insert(job.id, before);
        }
    }
    memory.unclaimed = noted;
}

/// The variants that have had an idle runner for long enough, one that may have another job.
fn patient_offers(world: &World) -> Vec<Offer<'_>> {
    let views = phases(world);
    let mut patient: BTreeMap<&Variant, Vec<&Runner>> = BTreeMap::new();
    for view in views.iter().filter(|view| view.seen) {
        if !view.runner.paused
            && let Phase::Idle { since } = view.phase
            && world.now.duration_since(since) > PATIENCE
        {
            patient.entry(&view.runner.variant).or_default().push(view.runner);
        }
    }
    let mut offers = world.offers();
    offers.retain(|offer| {
        let runners = patient.get(&offer.variant);
        runners.is_some_and(|runners| runners.iter().any(|runner| !runner.is_used_up(offer.pool)))
    });
    offers
}

fn until(now: Timestamp, times: u32) -> Timestamp {
    let pause = (1..times).fold(FIRST_PAUSE, |pause, _| (pause * 2).min(LONGEST_PAUSE));
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}
