//! Which variant may take which job: GitLab's own rule
//! (`Ci::RegisterJobService`, `RunnerMatcher`; GitLab 18.6).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Job, Place, Variant};
use crate::spec::{Arch, Pool};

/// What a variant offers to jobs.
#[derive(Debug, Clone)]
pub struct Offer<'a> {
    /// The variant.
    pub variant: Variant,
    /// Its pool.
    pub pool: &'a Pool,
    /// Whose jobs it takes, or why that is not known.
    pub place: Result<Place, Arc<str>>,
    /// All its tags, the architecture's included.
    pub tags: BTreeSet<String>,
    /// It takes jobs without tags.
    pub run_untagged: bool,
    /// It is the pool's first architecture.
    pub first: bool,
}

/// Why a variant may not take a job, from the nearest miss to the farthest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// The job's ref is not protected, and the pool takes protected refs only.
    Protected,
    /// What the pool's scope holds is not known, and why.
    Unresolved(Arc<str>),
    /// The pool's scope does not hold the job's project.
    Scope,
    /// The project does not take runners of that scope.
    Switch,
    /// The job has no tags, and the variant takes tagged jobs only.
    Untagged,
    /// The variant lacks these tags.
    Tags(BTreeSet<String>),
}

impl<'a> Offer<'a> {
    /// What `pool` offers at `arch`; `first` says that this is its first architecture.
    pub fn new(pool: &'a Pool, place: Result<Place, Arc<str>>, arch: Arch, first: bool) -> Self {
        Self {
            variant: Variant::new(&pool.name, arch),
            pool,
            place,
            tags: pool.tags_for(arch).into_iter().collect(),
            run_untagged: pool.run_untagged && first,
            first,
        }
    }

    /// Whether a runner of this variant may take `job`. What cannot be known counts as "may".
    pub fn fits(&self, job: &Job) -> Result<(), Misfit> {
        if !job.tags.is_subset(&self.tags) {
            return Err(Misfit::Tags(job.tags.difference(&self.tags).cloned().collect()));
        }
        if job.tags.is_empty() && !self.run_untagged {
            return Err(Misfit::Untagged);
        }
        let place = self.place.as_ref().map_err(|error| Misfit::Unresolved(Arc::clone(error)))?;
        if !place.holds(job.project, &job.project_path) {
            return Err(Misfit::Scope);
        }
        if place.switch(job) == Some(false) {
            return Err(Misfit::Switch);
        }
        if self.pool.protected && job.protected == Some(false) {
            return Err(Misfit::Protected);
        }
        Ok(())
    }

    /// How many of its tags `job` does not need: the fewer, the better the fit.
    pub fn unneeded_tags(&self, job: &Job) -> usize {
        self.tags.len().saturating_sub(job.tags.len())
    }
}
