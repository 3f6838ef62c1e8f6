//! `serve-demand`: pending jobs are served oldest first within the pool priority. Each takes supply
//! if there is some, else room for a new runner; the rest are held with the reason.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::draft::{Draft, Line};
use super::dropped;
use super::{Facts, HeldJob, JobHold, Rule};
use crate::spec::HostName;
use crate::world::{Job, JobId, Misfit, Observed, Offer, Slot, World};

/// Jobs that the same variants may take.
struct Class {
    /// Lines that may take it, best first; or why there is none.
    candidates: Result<Vec<usize>, Arc<JobHold>>,
    priority: i32,
    /// GitLab knows a runner that may take it, so it does not drop it.
    online: bool,
    /// Supply and room only shrink, so what one job of the class did not get, none after it gets.
    exhausted: Option<Arc<JobHold>>,
}

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
    for (job, class) in order {
        let Some(class) = classes.get_mut(class) else { continue };
        match serve(draft, &mut shares, class, job) {
            Ok(()) => draft.plan.served_jobs += 1,
            Err(hold) => {
                draft.plan.served_jobs += usize::from(matches!(*hold, JobHold::Starting { .. }));
                let left = dropped::time_left(draft.world, job);
                let dropped_in = (!is_safe(draft, &shares, class)).then_some(left);
                draft.plan.held_jobs.push(HeldJob { job: job.id, hold, dropped_in });
            }
        }
    }
    start_shares(draft, shares);
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

/// The classes, and the jobs in the order of serving, each with its class.
fn classify<'j>(draft: &Draft<'_>, jobs: &'j [Job]) -> (Vec<Class>, Vec<(&'j Job, usize)>) {
    type Key<'k> = (&'k BTreeSet<String>, Option<&'k str>, [Option<bool>; 3]);
    let (world, lines) = (draft.world, &draft.lines);
    let without = Without { disabled: disabled_offers(world), unseen: unseen_pools(world) };
    let online = dropped::online_lines(draft);
    let scoped = lines.iter().any(|line| line.offer.pool.scope != crate::spec::Scope::Instance);
    let mut classes: Vec<Class> = Vec::new();
    let mut known: BTreeMap<Key<'j>, usize> = BTreeMap::new();
    let mut order = Vec::with_capacity(jobs.len());
    for job in jobs {
        let facts = [job.protected, job.instance_runners, job.group_runners];
        let key = (&*job.tags, scoped.then_some(&*job.project_path), facts);
        let index = *known.entry(key).or_insert_with(|| {
            classes.push(Class::of(job, lines, &online, &without));
            classes.len() - 1
        });
        order.push((job, index));
    }
    let urgent = urgent(world, &classes, &order);
    let priority = |index: usize| classes.get(index).map_or(0, |class| class.priority);
    order.sort_by_key(|(job, class)| (!urgent.contains(&job.id), Reverse(priority(*class))));
    (classes, order)
}

/// The oldest job of each line that GitLab would drop soon, for want of a runner that is online.
fn urgent(world: &World, classes: &[Class], order: &[(&Job, usize)]) -> BTreeSet<JobId> {
    let (mut lines, mut urgent) = (BTreeSet::new(), BTreeSet::new());
    for (job, class) in order {
        // They come oldest first.
        if !dropped::is_urgent(world, job) {
            break;
        }
        let class = classes.get(*class).filter(|class| !class.online);
        let best = class.and_then(|class| class.candidates.as_ref().ok()?.first());
        if best.is_some_and(|line| lines.insert(*line)) {
            urgent.insert(job.id);
        }
    }
    urgent
}

/// What a job without a fitting line may be told.
struct Without<'a> {
    disabled: Vec<Offer<'a>>,
    unseen: Option<Arc<JobHold>>,
}

impl Class {
    fn of(job: &Job, lines: &[Line<'_>], online: &[bool], without: &Without<'_>) -> Self {
        let mut fitting = Vec::new();
        let mut nearest: Option<(Misfit, &Line<'_>)> = None;
        for (index, line) in lines.iter().enumerate() {
            match line.offer.fits(job) {
                Ok(()) => fitting.push((line.offer.unneeded_tags(job), index)),
                Err(misfit) if nearest.as_ref().is_none_or(|(best, _)| nearer(&misfit, best)) => {
                    nearest = Some((misfit, line));
                }
                Err(_) => {}
            }
        }
        fitting.sort_unstable();
        let best = fitting.first().and_then(|(_, index)| lines.get(*index));
        let priority = best.map_or(0, |line| line.offer.pool.priority);
        let online = fitting.iter().any(|(_, index)| online.get(*index) == Some(&true));
        let candidates = if fitting.is_empty() {
            Err(without.hold(job).unwrap_or_else(|| Arc::new(misfit_hold(job, nearest))))
        } else {
            Ok(fitting.into_iter().map(|(_, index)| index).collect())
        };
        Self { candidates, priority, online, exhausted: None }
    }
}

impl Without<'_> {
    fn hold(&self, job: &Job) -> Option<Arc<JobHold>> {
        let disabled = self.disabled.iter().find(|offer| offer.fits(job).is_ok());
        let disabled = disabled.map(|offer| JobHold::Disabled { pool: offer.pool.name.clone() });
        disabled.map(Arc::new).or_else(|| self.unseen.clone())
    }
}

/// What the disabled pools would take.
fn disabled_offers(world: &World) -> Vec<Offer<'_>> {
    let offers = world.spec.pools.iter().filter(|pool| !pool.enabled).flat_map(|pool| {
        let architectures = world.architectures(pool).into_iter().enumerate();
        architectures.map(move |(index, arch)| Offer::new(pool, arch, index == 0))
    });
    offers.collect()
}

/// Pools take their architectures from hosts; while such a host was never read, nobody knows what
/// they would take.
fn unseen_pools(world: &World) -> Option<Arc<JobHold>> {
    let mut pools = world.spec.pools.iter().filter(|pool| pool.enabled);
    pools.find(|pool| world.may_have_more_architectures(pool))?;
    let unread = world.hosts.iter().find_map(|(name, host)| match &host.state {
        Observed::Unknown { error, last: None, .. } => {
            Some(format!("host `{name}` could not be read: {error}"))
        }
        Observed::Unknown { .. } | Observed::Known { .. } => None,
    })?;
    Some(Arc::new(JobHold::Unseen { what: unread.into() }))
}

/// Among lacking tags, the fewer are nearer; else the order of [`Misfit`].
fn nearer(one: &Misfit, other: &Misfit) -> bool {
    match (one, other) {
        (Misfit::Tags(one), Misfit::Tags(other)) => one.len() < other.len(),
        _ => one < other,
    }
}

fn misfit_hold(job: &Job, nearest: Option<(Misfit, &Line<'_>)>) -> JobHold {
    match nearest {
        Some((Misfit::Protected, line)) => {
            JobHold::Protected { pool: line.offer.pool.name.clone() }
        }
        Some((Misfit::Scope, line)) => JobHold::Scope { pool: line.offer.pool.name.clone() },
        Some((Misfit::Switch, line)) => JobHold::SwitchedOff { pool: line.offer.pool.name.clone() },
        Some((Misfit::Tags(missing), _)) => JobHold::NoPoolMatches { missing },
        Some((Misfit::Untagged, _)) => JobHold::NoPoolMatches { missing: BTreeSet::new() },
        None => JobHold::NoPoolMatches { missing: (*job.tags).clone() },
    }
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
        Err(hold) => return Err(Arc::clone(hold)),
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
            return Err(Arc::new(JobHold::Starting { variant: line.offer.variant.clone() }));
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
