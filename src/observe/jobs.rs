//! What GitLab says of jobs whose containers run on without a runner, or whose runner is gone.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::gitlab::Gitlab;
use crate::world::{JobId, Memory, ProjectId, World, lingering};

/// Jobs that GitLab is asked about in one look, the others in turn: such jobs are few, and a look
/// has a bound of requests.
const ASKED_MAX: usize = 5;

/// Which job was asked about last.
#[derive(Debug, Default)]
pub(super) struct Asked(Option<JobId>);

impl Asked {
    /// Remembers which of those jobs are over. What GitLab does not tell stays as it is.
    pub(super) async fn note_over(
        &mut self,
        gitlab: &dyn Gitlab,
        world: &World,
        memory: &mut Memory,
    ) {
        let lingering = lingering(world).into_iter();
        let lingering =
            lingering.filter_map(|(_, container, _)| Some((container.job?, container.project)));
        let lost = memory.at_work.values().filter(|work| work.gone_since.is_some());
        let jobs: BTreeMap<JobId, Option<ProjectId>> = lingering
            .chain(lost.map(|work| (work.job, work.project)))
            .filter(|(job, _)| !memory.over.contains(job))
            .collect();
        let after = self.0.map_or(Bound::Unbounded, Bound::Excluded);
        let in_turn = jobs.range((after, Bound::Unbounded)).chain(&jobs);
        for (&job, &project) in in_turn.take(ASKED_MAX.min(jobs.len())) {
            self.0 = Some(job);
            if gitlab.is_over(job, project).await.unwrap_or(false) {
                memory.over.insert(job);
            }
        }
    }
}
