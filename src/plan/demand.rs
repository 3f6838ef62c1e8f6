//! `serve-demand`: pending jobs are served oldest first within the pool priority. Each takes supply
//! if there is some, else room for a new runner; the rest are held with the reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::class::{Class, InLine, classify};
use super::draft::{CrowdedOut, Draft, SupplyId};
use super::dropped;
use super::placement::Placement;
use super::{Facts, HeldJob, JobHold, Lack, Rule};
use crate::spec::Unmatched;
use crate::world::{Job, Trouble, World};

/// What one variant is to do for the jobs that were given to it.
#[derive(Default)]
struct Share {
    pending: u32,
    starts: Vec<Placement>,
    /// What the log of one of its starting runners says is wrong.
    trouble: Option<Trouble>,
}

type Shares = BTreeMap<SupplyId, Share>;

pub(super) fn serve_demand(draft: &mut Draft<'_>) {
    let Some(queue) = draft.world().queue.known() else { return };
    let (mut classes, order) = classify(draft, &queue.jobs);
    let share = |id| Share { trouble: draft.trouble(id), ..Share::default() };
    let mut shares: Shares = draft.supply_ids().map(|id| (id, share(id))).collect();
    for InLine { job, class, urgent } in order {
        let Some(class) = classes.get_mut(class) else { continue };
        if let Err(hold) = serve(draft, &mut shares, class, job) {
            match lacks_room(&hold) {
                true if urgent => keep_next_room(draft, class, job),
                lacks => class.crowded_out += usize::from(lacks),
            }
            let left = dropped::time_left(draft.world(), job);
            let dropped_in = (!is_safe(draft, &shares, class)).then_some(left);
            draft.hold_job(HeldJob { job: job.id, hold, dropped_in });
        }
    }
    start_shares(draft, shares);
    for Class { candidates, crowded_out: jobs, .. } in classes {
        if let Some(candidates) = candidates.ok().filter(|_| jobs > 0) {
            draft.crowd_out(CrowdedOut { candidates, jobs });
        }
    }
}

/// GitLab drops the job soon, so the next room that a drain or an exit frees is kept for it.
fn keep_next_room(draft: &mut Draft<'_>, class: &Class, job: &Job) {
    let dropped_in = dropped::time_left(draft.world(), job);
    class.candidates.iter().flatten().any(|&by| draft.keep_room(by, dropped_in));
}

/// Another runner's exit could help.
fn lacks_room(hold: &JobHold) -> bool {
    match hold {
        JobHold::HostBudget { lacks, .. } => {
            !matches!(lacks, Lack::Architecture | Lack::Qemu | Lack::NoGpu(_))
        }
        JobHold::PoolAtMax { unseen, .. } => *unseen == 0,
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
        | JobHold::NoImage { .. }
        | JobHold::NoNetwork { .. }
        | JobHold::DiskFull { .. }
        | JobHold::Maintenance { .. }
        | JobHold::ForeignRecord { .. }
        | JobHold::AnotherAutogit { .. }
        | JobHold::Paused { .. } => false,
    }
}

/// GitLab drops no job of the class for want of a runner that is online, or nobody can say.
fn is_safe(draft: &Draft<'_>, shares: &Shares, class: &Class) -> bool {
    let Ok(candidates) = class.candidates.as_ref() else { return true };
    let soon = |by: &SupplyId| {
        draft.supply(*by).starting() > 0
            || shares.get(by).is_some_and(|share| !share.starts.is_empty())
    };
    class.online || candidates.iter().any(soon)
}

/// Gives the job to supply, else to room.
fn serve(
    draft: &mut Draft<'_>,
    shares: &mut Shares,
    class: &mut Class,
    job: &Job,
) -> Result<(), Arc<JobHold>> {
    let now = draft.world().now;
    let candidates = match &class.candidates {
        Ok(candidates) => candidates,
        Err(hold) => return Err(left_to_others(draft.world(), job, hold)),
    };
    if let Some(unclaimed) =
        draft.world().memory.unclaimed.get(&job.id).filter(|job| job.until > now)
    {
        let left = unclaimed.until.duration_since(now);
        return Err(Arc::new(JobHold::Unclaimed { times: unclaimed.times, left }));
    }
    if let Some(hold) = &class.exhausted {
        count(shares, candidates.first());
        return Err(Arc::clone(hold));
    }
    if let Some(&by) = candidates.iter().find(|by| draft.supply(**by).idle_spare() > 0) {
        draft.serve(by, job.id);
        count(shares, Some(&by));
        return Ok(());
    }
    if let Some(&by) = candidates.iter().find(|by| draft.supply(**by).starting_spare() > 0) {
        draft.serve_by_starting(by);
        let trouble = count(shares, Some(&by)).and_then(|share| share.trouble.clone());
        let variant = draft.supply(by).offer().variant.clone();
        return Err(Arc::new(JobHold::Starting { variant, trouble }));
    }
    let mut first_hold = None;
    for &by in candidates {
        match draft.place(by) {
            Ok(place) => {
                if let Some(share) = count(shares, Some(&by)) {
                    share.starts.push(place);
                }
                draft.serve_by_start();
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

/// One more job counts as pending for it.
fn count<'s>(shares: &'s mut Shares, by: Option<&SupplyId>) -> Option<&'s mut Share> {
    let share = shares.get_mut(by?)?;
    share.pending = share.pending.saturating_add(1);
    Some(share)
}

/// Appends the starts, variant by variant, each with the variant's whole count.
fn start_shares(draft: &mut Draft<'_>, shares: Shares) {
    for (id, share) in shares {
        let supply = draft.supply(id);
        let (idle, starting) = (narrow(supply.idle_count()), narrow(supply.starting()));
        let (pending, start) = (share.pending, narrow(share.starts.len()));
        let max = supply.offer().pool.max;
        let facts =
            |choice| Facts::Demand { pending, idle, starting, start, max, choice: Some(choice) };
        for place in share.starts {
            draft.start(id, place, Rule::ServeDemand, facts);
        }
    }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
