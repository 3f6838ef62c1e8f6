//! Which jobs that no pool may take another runner of GitLab may.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::gitlab::{Gitlab, GitlabError};
use crate::spec::Unmatched;
use crate::world::{Job, Look, OtherRunner, ProjectId, RecordId};

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
    /// Jobs that no pool may take and of which nothing is known, as far as GitLab is to be asked now.
    pub(super) fn unknown(&mut self, look: &Look) -> Vec<Job> {
        let is_recent = |at: Timestamp| look.now.duration_since(at).abs() < AGE_MAX;
        self.of_projects.retain(|_, (at, _)| is_recent(*at));
        self.of_instance.retain(|_, (at, _)| is_recent(*at));
        let (Some(unmatched), Some(_)) = (unmatched(look), look.records.known()) else {
            return Vec::new();
        };
        let mut unknown: Vec<Job> = Vec::new();
        for job in unmatched.into_iter().filter(|job| matches!(self.known(job), Told::Nothing)) {
            let is_new =
                unknown.iter().all(|it| (kind(it), it.project) != (kind(job), job.project));
            if is_new && unknown.len() < ASKED_MAX {
                unknown.push(job.clone());
            }
        }
        unknown
    }

    /// Takes up what GitLab told.
    pub(super) fn take(&mut self, answers: Vec<(Job, Option<OtherRunner>)>, now: Timestamp) {
        for (job, answer) in answers {
            if let Some(runner) = answer.as_ref().filter(|runner| runner.of_instance) {
                self.of_instance.insert(kind(&job), (now, runner.clone()));
            }
            self.of_projects.insert((kind(&job), job.project), (now, answer));
        }
    }

    /// Tells what is known of the jobs that no pool may take.
    pub(super) fn tell(&self, look: &mut Look) {
        if let Some(unmatched) = unmatched(look) {
            let told = unmatched.into_iter().filter_map(|job| {
                let runner = match self.known(job) {
                    Told::Taker(runner) => Some(runner.clone()),
                    Told::Nobody => None,
                    Told::Nothing => look.memory.other_runners.get(&job.id).cloned(),
                };
                Some((job.id, runner?))
            });
            look.memory.other_runners = told.collect();
        }
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
}

/// The jobs that no pool may take and that somebody wants to know about; none where nobody knows.
fn unmatched(look: &Look) -> Option<Vec<&Job>> {
    if look.spec.gitlab.unmatched == Unmatched::Ignore {
        return Some(Vec::new());
    }
    Some(look.unmatched(&look.queue.known()?.jobs))
}

/// Which runners of others than `ours` may take those jobs. A token that may not see them learns no
/// more by asking again soon; a GitLab that is away or busy is left alone.
pub(super) async fn ask(
    gitlab: &dyn Gitlab,
    jobs: Vec<Job>,
    ours: &BTreeSet<RecordId>,
) -> Vec<(Job, Option<OtherRunner>)> {
    let mut answers = Vec::new();
    for job in jobs {
        match gitlab.other_runner(&job, ours).await {
            Err(GitlabError::Unreachable { .. } | GitlabError::Limited { .. }) => break,
            answer => answers.push((job, answer.unwrap_or_default())),
        }
    }
    answers
}

fn kind(job: &Job) -> Kind {
    (Arc::clone(&job.tags), job.protected)
}
