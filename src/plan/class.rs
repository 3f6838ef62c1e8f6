//! Jobs put together by what may take them, so that matching costs a class and not a job.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::JobHold;
use super::draft::{Draft, SupplyId};
use super::dropped;
use crate::world::{Job, JobKind, Misfit, Observed, Offer, World};

/// Jobs that the same variants may take.
pub(super) struct Class {
    /// Who may take it, best first; or why nobody may.
    pub(super) candidates: Result<Vec<SupplyId>, Arc<JobHold>>,
    pub(super) priority: i32,
    /// GitLab knows a runner that may take it, so it does not drop it.
    pub(super) online: bool,
    /// Supply and room only shrink, so what one job of the class did not get, none after it gets.
    pub(super) exhausted: Option<Arc<JobHold>>,
    /// How many jobs of the class only lack room.
    pub(super) crowded_out: usize,
}

/// A pending job in the order of serving.
pub(super) struct InLine<'j> {
    pub(super) job: &'j Job,
    /// Its class.
    pub(super) class: usize,
    /// GitLab would drop it soon, so it goes before all others.
    pub(super) urgent: bool,
}

/// The classes, and the jobs in the order of serving: those first that GitLab drops soon, the next
/// to be dropped first, whatever their priority; then by priority, and the oldest first.
pub(super) fn classify<'j>(draft: &Draft<'_>, jobs: &'j [Job]) -> (Vec<Class>, Vec<InLine<'j>>) {
    let world = draft.world();
    let without = Without { disabled: disabled_offers(world), unseen: unseen_pools(world) };
    let online = dropped::online(draft);
    let scoped = world.is_scoped();
    let mut classes: Vec<Class> = Vec::new();
    let mut known: BTreeMap<JobKind<'j>, usize> = BTreeMap::new();
    let mut order = Vec::with_capacity(jobs.len());
    for job in jobs {
        let index = *known.entry(job.kind(scoped)).or_insert_with(|| {
            classes.push(Class::of(job, draft, &online, &without));
            classes.len() - 1
        });
        order.push(InLine { job, class: index, urgent: false });
    }
    mark_urgent(world, &classes, &mut order);
    let priority = |index: usize| classes.get(index).map_or(0, |class| class.priority);
    // Equal ones stay as they are, oldest first, and who waits longest is dropped first.
    order.sort_by_key(|one| (!one.urgent).then(|| Reverse(priority(one.class))));
    (classes, order)
}

/// Marks the oldest job of each variant that GitLab would drop soon, for want of a runner that is
/// online: one runner keeps them all.
fn mark_urgent(world: &World, classes: &[Class], order: &mut [InLine<'_>]) {
    let mut kept = BTreeSet::new();
    // They come oldest first.
    for one in order.iter_mut().take_while(|one| dropped::is_urgent(world, one.job)) {
        let class = classes.get(one.class).filter(|class| !class.online);
        let best = class.and_then(|class| class.candidates.as_ref().ok()?.first());
        one.urgent = best.is_some_and(|best| kept.insert(*best));
    }
}

/// What a job without a fitting variant may be told.
struct Without<'a> {
    disabled: Vec<Offer<'a>>,
    unseen: Option<Arc<JobHold>>,
}

impl Class {
    fn of(
        job: &Job,
        draft: &Draft<'_>,
        online: &BTreeSet<SupplyId>,
        without: &Without<'_>,
    ) -> Self {
        let mut fitting = Vec::new();
        let mut nearest: Option<(Misfit, &Offer<'_>)> = None;
        for (id, supply) in draft.supplies() {
            let offer = supply.offer();
            match offer.fits(job) {
                Ok(()) => fitting.push((offer.unneeded_tags(job), id)),
                Err(misfit) if nearest.as_ref().is_none_or(|(best, _)| nearer(&misfit, best)) => {
                    nearest = Some((misfit, offer));
                }
                Err(_) => {}
            }
        }
        fitting.sort_unstable();
        let best = fitting.first().map(|(_, id)| draft.supply(*id).offer());
        let priority = best.map_or(0, |offer| offer.pool.priority);
        let online = fitting.iter().any(|(_, id)| online.contains(id));
        let candidates = if fitting.is_empty() {
            Err(without.hold(job).unwrap_or_else(|| Arc::new(misfit_hold(job, nearest, draft))))
        } else {
            Ok(fitting.into_iter().map(|(_, id)| id).collect())
        };
        Self { candidates, priority, online, exhausted: None, crowded_out: 0 }
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
    let disabled = world.spec.pools.iter().filter(|pool| !pool.enabled);
    disabled.flat_map(|pool| world.offers_of(pool)).collect()
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

fn misfit_hold(job: &Job, nearest: Option<(Misfit, &Offer<'_>)>, draft: &Draft<'_>) -> JobHold {
    match nearest {
        Some((Misfit::Protected, offer)) => JobHold::Protected { pool: offer.pool.name.clone() },
        Some((Misfit::Unresolved(error), offer)) => {
            JobHold::ScopeUnresolved { pool: offer.pool.name.clone(), error }
        }
        Some((Misfit::Scope, offer)) => JobHold::Scope { pool: offer.pool.name.clone() },
        Some((Misfit::Switch, offer)) => JobHold::SwitchedOff { pool: offer.pool.name.clone() },
        Some((Misfit::Tags(missing), _)) => {
            let meant = in_other_case(&missing, draft);
            JobHold::NoPoolMatches { missing, meant }
        }
        Some((Misfit::Untagged, _)) => {
            JobHold::NoPoolMatches { missing: BTreeSet::new(), meant: None }
        }
        None => JobHold::NoPoolMatches { missing: (*job.tags).clone(), meant: None },
    }
}

/// A tag of a variant that differs from a missing one in letter case only.
fn in_other_case(missing: &BTreeSet<String>, draft: &Draft<'_>) -> Option<String> {
    let lower: BTreeSet<String> = missing.iter().map(|tag| tag.to_lowercase()).collect();
    let mut tags = draft.supplies().flat_map(|(_, supply)| &supply.offer().tags);
    tags.find(|tag| !missing.contains(*tag) && lower.contains(&tag.to_lowercase())).cloned()
}
