//! What follows from a [`Look`]: the phases of the runners, what is left over, whose runners are
//! behind GitLab's rows. Pure, and judged once of each look: a [`World`] hands it on.

mod accounts;
mod idle_caches;
mod leftovers;
mod marks;
mod noted;
mod phase;
mod questions;
mod runner_job;
mod spent_images;
mod standstill;
mod unclaimed;
mod unfit;

pub(crate) use leftovers::GONE_FOR;
pub use leftovers::{leftovers, lingering, may_stop};
pub use marks::Prefixes;
pub use noted::note_observed;
pub use phase::{Phase, RunnerView};
pub use questions::{Question, questions};
pub use runner_job::{JobFacts, RunnerJob, job_of};
pub use standstill::{Standstill, StandstillKind};
pub use unfit::Unfit;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::{Leftover, Look, Memory, Variant};

/// A look and what follows from it: the planner's only input, and what all surfaces show.
///
/// It is a [`Look`] that can no longer be changed, so that what was judged stays true of it.
#[derive(Debug, Clone)]
pub struct World {
    look: Look,
    /// Of each runner, in the order of hosts and of their runners.
    phases: Vec<Phase>,
    leftovers: BTreeSet<Leftover>,
    idle_caches: BTreeSet<Leftover>,
    unaccounted: BTreeMap<Variant, u32>,
}

impl World {
    /// Judges what was seen.
    pub fn of(look: Look) -> Self {
        let phases = phase::phases(&look).into_iter().map(|view| view.phase).collect();
        let (leftovers, unaccounted) = (leftovers(&look), look.unaccounted_managers());
        let idle_caches = idle_caches::idle_caches(&look);
        Self { look, phases, leftovers, idle_caches, unaccounted }
    }

    /// The same, had it been seen as `change` says.
    #[must_use]
    pub fn changed(&self, change: impl FnOnce(&mut Look)) -> Self {
        let mut look = self.look.clone();
        change(&mut look);
        Self::of(look)
    }

    /// All runners with their phases, by host and name.
    pub fn runners(&self) -> Vec<RunnerView<'_>> {
        let runners = phase::runners(&self.look).zip(&self.phases);
        let views =
            runners.map(|((host, runner, seen), &phase)| RunnerView { host, runner, phase, seen });
        views.collect()
    }

    /// Everything that this look finds left over.
    pub fn leftovers(&self) -> &BTreeSet<Leftover> {
        &self.leftovers
    }

    /// Caches without a runner, on hosts whose disk is nearly full.
    pub fn idle_caches(&self) -> &BTreeSet<Leftover> {
        &self.idle_caches
    }

    /// What the next look begins with: what this one found left over counts then.
    pub fn next_memory(&self) -> Memory {
        let mut memory = self.look.memory.clone();
        let unseen = |leftover: &Leftover| leftovers::cannot_be_seen(&self.look, leftover);
        memory.leftovers.retain(unseen);
        memory.leftovers.extend(self.leftovers.iter().chain(&self.idle_caches).cloned());
        memory
    }

    /// How many runners may be on hosts that cannot be seen, as GitLab's rows tell.
    pub fn unaccounted(&self) -> &BTreeMap<Variant, u32> {
        &self.unaccounted
    }
}

impl Deref for World {
    type Target = Look;

    fn deref(&self) -> &Look {
        &self.look
    }
}
