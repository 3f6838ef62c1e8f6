//! Jobs that a fitting idle runner had a minute to take and did not: GitLab knows something that
//! we do not, so no runner is started for them for a while.

use jiff::{SignedDuration, Timestamp};

use super::{Memory, Offer, Phase, Unclaimed, Variant, World, phases};

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
    let mut noted = std::collections::BTreeMap::new();
    for job in &queue.jobs {
        let before = memory.unclaimed.get(&job.id).copied();
        let paused = before.is_some_and(|unclaimed| unclaimed.until > world.now);
        let ignored = world.now.duration_since(job.queued_at) > PATIENCE
            && patient.iter().any(|offer| offer.fits(job).is_ok());
        if ignored && !paused {
            let times = before.map_or(0, |unclaimed| unclaimed.times).saturating_add(1);
            noted.insert(job.id, Unclaimed { times, until: until(world.now, times) });
        } else if let Some(before) = before {
            noted.insert(job.id, before);
        }
    }
    memory.unclaimed = noted;
}

/// The variants that have had an idle runner for long enough.
fn patient_offers(world: &World) -> Vec<Offer<'_>> {
    let patient: std::collections::BTreeSet<Variant> = phases(world)
        .into_iter()
        .filter(|view| view.seen)
        .filter(|view| matches!(view.phase, Phase::Idle { since } if world.now.duration_since(since) > PATIENCE))
        .map(|view| view.runner.variant.clone())
        .collect();
    world.offers().into_iter().filter(|offer| patient.contains(&offer.variant)).collect()
}

fn until(now: Timestamp, times: u32) -> Timestamp {
    let pause = (1..times).fold(FIRST_PAUSE, |pause, _| (pause * 2).min(LONGEST_PAUSE));
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}
