//! `serve-demand`: pending jobs are served oldest first within the pool priority. Each takes supply
//! if there is some, else room for a new runner; the rest are held with the reason.

use std::sync::Arc;

use super::class::{Class, InLine, classify};
use super::draft::{Draft, Line, Urgent};
use super::dropped;
use super::{Facts, HeldJob, JobHold, Lack, Rule};
use crate::spec::{HostName, Unmatched};
use crate::world::{Job, Slot, World};

/// What one line is to do for the jobs that were given to it.
#[derive(Default)]
struct Share {
    pending: u32,
    starts: Vec<(HostName, Slot)>,
}

pub(super) fn serve_demand(draft: &mut Draft<'_>) {
    draft.count_supply();
    let Some(queue) = draft.world.queue.known() else { return };
    let (mut classes, order) = classify(draft, &queue.jobs);
    let mut shares: Vec<Share> = draft.lines.iter().map(|_| Share::default()).collect();
    for InLine { job, class, urgent } in order {
        let Some(class) = classes.get_mut(class) else { continue };
        match serve(draft, &mut shares, class, job) {
            Ok(()) => draft.plan.served_jobs += 1,
            Err(hold) => {
                match lacks_room(&hold) {
                    true if urgent => keep_next_room(draft, class, job),
                    lacks => class.crowded_out += usize::from(lacks),
                }
                draft.plan.served_jobs += usize::from(matches!(*hold, JobHold::Starting { .. }));
                let left = dropped::time_left(draft.world, job);
                let dropped_in = (!is_safe(draft, &shares, class)).then_some(left);
                draft.plan.held_jobs.push(HeldJob { job: job.id, hold, dropped_in });
            }
        }
    }
    start_shares(draft, shares);
    let crowded = classes.into_iter().filter(|class| class.crowded_out > 0);
    draft.crowded_out =
        crowded.filter_map(|class| Some((class.candidates.ok()?, class.crowded_out))).collect();
}

/// GitLab drops the job soon, so the next room that a drain or an exit frees is kept for it.
fn keep_next_room(draft: &mut Draft<'_>, class: &Class, job: &Job) {
    let dropped_in = dropped::time_left(draft.world, job);
    for &line in class.candidates.iter().flatten() {
        let Some(offer) = draft.lines.get(line).map(|line| line.offer.clone()) else { continue };
        if let Some(host) = draft.room.keep_next(draft.world, &offer) {
            draft.urgent.push(Urgent { line, host, dropped_in });
            return;
        }
    }
}

/// Another runner's exit could help.
fn lacks_room(hold: &JobHold) -> bool {
    match *hold {
        JobHold::HostBudget { lacks, .. } => lacks != Lack::Architecture,
        JobHold::PoolAtMax { unseen, .. } => unseen == 0,
        JobHold::NoPoolMatches { .. }
        | JobHold::OtherRunner { .. }
        | JobHold::Protected { .. }
        | JobHold::Scope { .. }
        | JobHold::ScopeUnresolved { .. }
        | JobHold::SwitchedOff { .. }
        | JobHold::Disabled { .. }
        | JobHold::StartRate { .. }
        | JobHold::BackingOff { .. }
        | JobHold::Unclaimed { .. }
        | JobHold::Starting { .. }
        | JobHold::Unseen { .. }
        | JobHold::ImagePull { .. }
        | JobHold::NoNetwork { .. }
        | JobHold::ForeignRecord { .. }
        | JobHold::AnotherAutogit { .. }
        | JobHold::Paused { .. } => false,
    }
}

/// GitLab drops no job of the class for want of a runner that is online, or nobody can say.
fn is_safe(draft: &Draft<'_>, shares: &[Share], class: &Class) -> bool {
    let Ok(candidates) = class.candidates.as_ref() else { return true };
    let soon = |line: &usize| {
        draft.lines.get(*line).is_some_and(|line| line.starting > 0)
            || shares.get(*line).is_some_and(|share| !share.starts.is_empty())
    };
    class.online || candidates.iter().any(soon)
}

/// Gives the job to supply, else to room.
fn serve(
    draft: &mut Draft<'_>,
    shares: &mut [Share],
    class: &mut Class,
    job: &Job,
) -> Result<(), Arc<JobHold>> {
    let now = draft.world.now;
    let candidates = match &class.candidates {
        Ok(candidates) => candidates,
        Err(hold) => return Err(left_to_others(draft.world, job, hold)),
    };
    if let Some(unclaimed) = draft.world.memory.unclaimed.get(&job.id).filter(|job| job.until > now)
    {
        let left = unclaimed.until.duration_since(now);
        return Err(Arc::new(JobHold::Unclaimed { times: unclaimed.times, left }));
    }
    if let Some(hold) = &class.exhausted {
        count(shares, candidates.first());
        return Err(Arc::clone(hold));
    }
    for &index in candidates {
        if let Some(line) = draft.lines.get_mut(index).filter(|line| line.idle_spare() > 0) {
            line.idle_jobs.push(job.id);
            count(shares, Some(&index));
            return Ok(());
        }
    }
    for &index in candidates {
        let starting = |line: &&mut Line<'_>| line.starting > line.starting_needed;
        if let Some(line) = draft.lines.get_mut(index).filter(starting) {
            line.starting_needed += 1;
            count(shares, Some(&index));
            let (variant, trouble) = (line.offer.variant.clone(), line.trouble.clone());
            return Err(Arc::new(JobHold::Starting { variant, trouble }));
        }
    }
    let mut first_hold = None;
    for &index in candidates {
        match draft.take_room(index) {
            Ok(place) => {
                count(shares, Some(&index));
                if let Some(share) = shares.get_mut(index) {
                    share.starts.push(place);
                }
                return Ok(());
            }
            Err(hold) => {
                first_hold.get_or_insert(hold);
            }
        }
    }
    count(shares, candidates.first());
    class.exhausted.clone_from(&first_hold);
    first_hold.map_or(Ok(()), Err)
}

/// A job that no pool may take is no fault where another runner may take it.
fn left_to_others(world: &World, job: &Job, hold: &Arc<JobHold>) -> Arc<JobHold> {
    let is_disabled = matches!(**hold, JobHold::Disabled { .. });
    let is_misfit = matches!(
        **hold,
        JobHold::NoPoolMatches { .. }
            | JobHold::Protected { .. }
            | JobHold::Scope { .. }
            | JobHold::SwitchedOff { .. }
    );
    let runner = world.memory.other_runners.get(&job.id).cloned();
    let is_ignored = is_misfit && world.spec.gitlab.unmatched == Unmatched::Ignore;
    let misfit = Arc::clone(hold);
    if is_ignored || runner.is_some() && (is_misfit || is_disabled) {
        return Arc::new(JobHold::OtherRunner { misfit, runner });
    }
    misfit
}

fn count(shares: &mut [Share], line: Option<&usize>) {
    if let Some(share) = line.and_then(|line| shares.get_mut(*line)) {
        share.pending = share.pending.saturating_add(1);
    }
}

/// Appends the starts, variant by variant, each with the variant's whole count.
fn start_shares(draft: &mut Draft<'_>, shares: Vec<Share>) {
    for (index, share) in shares.into_iter().enumerate() {
        let Some(line) = draft.lines.get(index) else { continue };
        let facts = Facts::Demand {
            pending: share.pending,
            idle: narrow(line.idle.len()),
            starting: narrow(line.starting),
            start: narrow(share.starts.len()),
            max: line.offer.pool.max,
        };
        for (host, slot) in share.starts {
            draft.start(index, &host, slot, Rule::ServeDemand, facts.clone());
        }
    }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
