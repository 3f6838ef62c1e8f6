//! Which jobs that no pool may take another runner of GitLab may.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::gitlab::{Gitlab, GitlabError};
use crate::spec::Unmatched;
use crate::world::{Job, JobId, Memory, OtherRunner, ProjectId, RecordId, World};

/// How long an answer counts: runners of others come and go seldom.
const AGE_MAX: SignedDuration = SignedDuration::from_mins(10);
/// Questions in one look, each of which takes a few requests: what has no answer yet is held as a
/// job that nobody takes, as without any question.
const ASKED_MAX: usize = 2;

/// What decides which runners may take a job, within its project.
type Kind = (Arc<BTreeSet<String>>, Option<bool>);

/// What GitLab told of other runners.
#[derive(Debug, Default)]
pub(super) struct Others {
    of_projects: BTreeMap<(Kind, ProjectId), (Timestamp, Option<OtherRunner>)>,
    /// An instance's runner takes jobs of all projects that do not switch such off.
    of_instance: BTreeMap<Kind, (Timestamp, OtherRunner)>,
}

/// What is known for one job.
enum Told<'a> {
    Taker(&'a OtherRunner),
    Nobody,
    Nothing,
}

impl Others {
    /// Tells what is known of the jobs that no pool may take, and asks for some of the rest.
    pub(super) async fn tell(
        &mut self,
        gitlab: &dyn Gitlab,
        world: &mut World,
        memory: &mut Memory,
    ) {
        let told = self.of_jobs(gitlab, world, &memory.other_runners).await;
        memory.other_runners.clone_from(&told);
        world.memory.other_runners = told;
    }

    async fn of_jobs(
        &mut self,
        gitlab: &dyn Gitlab,
        world: &World,
        before: &BTreeMap<JobId, OtherRunner>,
    ) -> BTreeMap<JobId, OtherRunner> {
        let (Some(queue), Some(records)) = (world.queue.known(), world.records.known()) else {
            return before.clone();
        };
        if world.spec.gitlab.unmatched == Unmatched::Ignore {
            return BTreeMap::new();
        }
        let is_recent = |at: Timestamp| world.now.duration_since(at).abs() < AGE_MAX;
        self.of_projects.retain(|_, (at, _)| is_recent(*at));
        self.of_instance.retain(|_, (at, _)| is_recent(*at));
        let ours: BTreeSet<RecordId> =
            records.iter().map(|record| record.id).chain(world.records_in_use()).collect();
        let mut told = BTreeMap::new();
        let mut left = ASKED_MAX;
        for job in world.unmatched(&queue.jobs) {
            if matches!(self.known(job), Told::Nothing) && left > 0 {
                left -= 1;
                match gitlab.other_runner(job, &ours).await {
                    Err(GitlabError::Unreachable { .. } | GitlabError::Limited { .. }) => left = 0,
                    // A token that may not see them learns no more by asking again soon.
                    answer => self.keep(job, world.now, answer.unwrap_or_default()),
                }
            }
            let runner = match self.known(job) {
                Told::Taker(runner) => Some(runner.clone()),
                Told::Nobody => None,
                Told::Nothing => before.get(&job.id).cloned(),
            };
            told.extend(runner.map(|runner| (job.id, runner)));
        }
        told
    }

    /// What was told for such a job.
    fn known(&self, job: &Job) -> Told<'_> {
        let kind = kind(job);
        match self.of_projects.get(&(kind.clone(), job.project)) {
            Some((_, Some(runner))) => Told::Taker(runner),
            Some((_, None)) => Told::Nobody,
            None if job.instance_runners == Some(false) => Told::Nothing,
            None => {
                self.of_instance.get(&kind).map_or(Told::Nothing, |(_, runner)| Told::Taker(runner))
            }
        }
    }

    fn keep(&mut self, job: &Job, now: Timestamp, answer: Option<OtherRunner>) {
        if let Some(runner) = answer.as_ref().filter(|runner| runner.of_instance) {
            self.of_instance.insert(kind(job), (now, runner.clone()));
        }
        self.of_projects.insert((kind(job), job.project), (now, answer));
    }
}

fn kind(job: &Job) -> Kind {
    (Arc::clone(&job.tags), job.protected)
}
