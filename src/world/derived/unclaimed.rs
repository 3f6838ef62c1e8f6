//! Jobs that a fitting idle runner had a minute to take and did not: GitLab knows something that
//! we do not, so no runner is started for them for a while.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::world::{
    JobKind, Look, Memory, Observed, Offer, Phase, RecordId, Runner, RunnerView, SystemId,
    Unclaimed, Variant,
};

/// How long an idle runner and a job it should fit must look at each other. A poll of gitlab-runner
/// takes 3 s, a long poll is woken by the job: a minute is far beyond both.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);
/// The first pause.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(2);
/// The longest pause: GitLab itself drops such a job after a day.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// The memory's unclaimed jobs, brought up to this look.
///
/// Only a runner that made contact after the job was queued left it alone: one that could not reach
/// GitLab did not see it. That jobs are overlooked is remembered all the same, for a runner that
/// hangs makes no contact either.
pub(super) fn note_unclaimed(look: &Look, views: &[RunnerView<'_>], memory: &mut Memory) {
    let Observed::Known { at: told_at, value: queue } = &look.queue else { return };
    let patient = patient_offers(look, views, *told_at);
    let scoped = look.is_scoped();
    let mut fitting: BTreeMap<JobKind<'_>, Option<Option<Timestamp>>> = BTreeMap::new();
    let mut noted = BTreeMap::new();
    let mut overlooked = BTreeSet::new();
    for job in &queue.jobs {
        let before = memory.unclaimed.get(&job.id).copied();
        let paused = before.is_some_and(|unclaimed| unclaimed.until > look.now);
        let waits = !patient.is_empty() && told_at.duration_since(job.queued_at) > PATIENCE;
        let idle = waits
            .then(|| {
                *fitting.entry(job.kind(scoped)).or_insert_with(|| {
                    let fits = patient.iter().filter(|(offer, _)| offer.fits(job).is_ok());
                    fits.map(|(_, contacted_at)| *contacted_at).max()
                })
            })
            .flatten();
        // While it waits it stays so: the runner that should have taken it may be found to hang.
        if idle.is_some() || memory.overlooked.contains(&job.id) {
            overlooked.insert(job.id);
        }
        let ignored = idle.flatten().is_some_and(|contacted_at| contacted_at > job.queued_at);
        if ignored && !paused {
            let times = before.map_or(0, |unclaimed| unclaimed.times).saturating_add(1);
            noted.insert(job.id, Unclaimed { times, until: until(look.now, times) });
        } else if let Some(before) = before {
            noted.insert(job.id, before);
        }
    }
    (memory.unclaimed, memory.overlooked) = (noted, overlooked);
}

/// The variants that have had an idle runner for long enough, one that may have another job; each
/// with the last contact of one, where GitLab tells it. What happened after the queue was told is not
/// in it.
fn patient_offers<'a>(
    look: &'a Look,
    views: &[RunnerView<'_>],
    told_at: Timestamp,
) -> Vec<(Offer<'a>, Option<Timestamp>)> {
    let contacts = last_contacts(look);
    let mut patient: BTreeMap<&Variant, Vec<&Runner>> = BTreeMap::new();
    for view in views.iter().filter(|view| view.seen) {
        if !view.runner.paused
            && let Phase::Idle { since } = view.phase
            && told_at.duration_since(since) > PATIENCE
        {
            patient.entry(&view.runner.variant).or_default().push(view.runner);
        }
    }
    let offers = look.offers().into_iter().filter_map(|offer| {
        let runners = patient.get(&offer.variant)?.iter();
        let contacts = runners
            .filter(|runner| !runner.is_used_up(offer.pool))
            .map(|runner| contacts.get(&(runner.record, &runner.system_id)).copied());
        let latest = contacts.max()?;
        Some((offer, latest))
    });
    offers.collect()
}

/// When each runner made contact last, by record and system id.
fn last_contacts(look: &Look) -> BTreeMap<(RecordId, &SystemId), Timestamp> {
    let records = look.records.known().into_iter().flatten();
    let rows = records.flat_map(|record| {
        let rows = record.managers.known().into_iter().flatten();
        rows.filter_map(|row| Some(((record.id, &row.system_id), row.contacted_at?)))
    });
    rows.collect()
}

fn until(now: Timestamp, times: u32) -> Timestamp {
    let pause = (1..times).fold(FIRST_PAUSE, |pause, _| (pause * 2).min(LONGEST_PAUSE));
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}
