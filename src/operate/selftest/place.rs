//! Where a self-test takes place, what it made there, and how that goes again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::pools::Trial;
use crate::clock::Clock;
use crate::gitlab::GitlabError;
use crate::gitlab::scratch::{Deleted, ScratchGitlab};
use crate::gitlab::user::{Change, JobsOf, Pipeline, Project};
use crate::lock::locked;
use crate::operate::Failure;

/// The file that a pipeline is made of.
const FILE: &str = ".gitlab-ci.yml";
/// The branch of a project that was made.
const MAIN: &str = "main";
/// Pipelines of one self-test at most that are looked for.
const PIPELINES_MAX: usize = 100;
/// Jobs of one pipeline.
const JOBS_MAX: usize = 500;
/// How long it is waited for cancelled jobs to end, and how often that is looked at.
const WAITS: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);

/// What was made so far.
#[derive(Debug, Default, Clone)]
pub(super) struct Made {
    /// The name of a project that was asked for.
    creating: Option<String>,
    /// The project that was made.
    created: Option<Project>,
    /// The branch that was made in a project that was there, with that project.
    branch: Option<(Project, String)>,
}

/// The place of a self-test.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) project: Project,
    pub(super) branch: String,
    pub(super) created: bool,
}

/// What makes and removes.
#[derive(Debug)]
pub(super) struct Workshop {
    pub(super) gitlab: Arc<dyn ScratchGitlab>,
    pub(super) clock: Clock,
    made: Mutex<Made>,
}

impl Workshop {
    pub(super) fn new(gitlab: Arc<dyn ScratchGitlab>, clock: Clock) -> Self {
        Self { gitlab, clock, made: Mutex::default() }
    }

    /// A name that no other self-test has.
    fn name(&self) -> String {
        let at = self.clock.now().strftime("%Y%m%d-%H%M%S").to_string();
        format!("autogit-selftest-{at}-{}", std::process::id())
    }

    /// A project of its own: in `group`, else in the first group whose jobs a pool takes, else the
    /// user's own.
    pub(super) async fn create(
        &self,
        group: Option<&str>,
        trials: &[Trial],
    ) -> Result<Place, Failure> {
        let name = self.name();
        locked(&self.made).creating = Some(name.clone());
        let scopes = trials.iter().map(|trial| trial.scope.as_str());
        let scopes = scopes.filter(|scope| *scope != "instance");
        let mut places: Vec<Option<&str>> = match group {
            Some(group) => vec![Some(group)],
            // A scope may be a project, in which nothing can be made.
            None => scopes.map(Some).chain([None]).collect(),
        };
        places.dedup();
        let mut refused = None;
        for place in places {
            match self.gitlab.create_project(place, &name).await {
                Ok(project) => {
                    locked(&self.made).created = Some(project.clone());
                    return Ok(Place { project, branch: MAIN.to_owned(), created: true });
                }
                Err(error @ (GitlabError::NotFound { .. } | GitlabError::Forbidden { .. })) => {
                    refused = refused.or(Some(error));
                }
                Err(error) => return Err(Failure::Failed(error.to_string())),
            }
        }
        let words = refused.map(|error| error.to_string()).unwrap_or_default();
        Err(Failure::Failed(words))
    }

    /// A branch of its own in a project that is there.
    pub(super) fn branch(&self, project: Project) -> Place {
        let branch = self.name();
        locked(&self.made).branch = Some((project.clone(), branch.clone()));
        Place { project, branch, created: false }
    }

    /// Puts the pipeline's file in.
    pub(super) async fn push(&self, place: &Place, text: &str) -> Result<(), Failure> {
        let start = place.project.default_branch.as_deref().filter(|_| !place.created);
        let target = (place.branch.as_str(), start);
        let pushed = self.gitlab.commit_file(place.project.id, target, FILE, text).await;
        pushed.map_err(|error| Failure::Failed(error.to_string()))
    }

    /// Removes all that was made; what stays, in words with what a person does about it.
    pub(super) async fn clean_up(&self) -> Vec<String> {
        let made = locked(&self.made).clone();
        let mut left = Vec::new();
        match (made.created, made.creating) {
            (Some(project), _) => self.remove_project(&project, &mut left).await,
            // Its answer was lost or not waited for.
            (None, Some(name)) => {
                let found = self.gitlab.projects(Some(&name), false, 5).await.unwrap_or_default();
                let ours = |project: &&Project| project.path.ends_with(&format!("/{name}"));
                if let Some(project) = found.iter().find(ours) {
                    self.remove_project(project, &mut left).await;
                }
            }
            (None, None) => {}
        }
        if let Some((project, branch)) = made.branch {
            let pipelines = self.stop(&project, &branch).await;
            if let Err(error) = self.gitlab.delete_branch(project.id, &branch).await {
                left.push(format!("branch `{branch}` of {}: {error}", project.path));
            }
            for pipeline in pipelines {
                if let Err(error) = self.gitlab.delete_pipeline(project.id, pipeline.id).await {
                    left.push(format!("pipeline {}: {error}", pipeline.web_url));
                }
            }
        }
        left
    }

    async fn remove_project(&self, project: &Project, left: &mut Vec<String>) {
        self.stop(project, MAIN).await;
        match self.gitlab.delete_project(project).await {
            Ok(Deleted::Now) => {}
            Ok(Deleted::Later) => left.push(format!(
                "project {} is marked for deletion: GitLab removes it when its time is up",
                project.path
            )),
            Err(error) => left.push(format!("project {}: {error}", project.web_url)),
        }
    }

    /// Cancels the pipelines of a branch and waits a while for their jobs to end, so that their
    /// runners are told. All of them are of this self-test.
    async fn stop(&self, project: &Project, branch: &str) -> Vec<Pipeline> {
        let listed = self.gitlab.pipelines(project.id, Some(branch), PIPELINES_MAX).await;
        let pipelines = listed.unwrap_or_default();
        for pipeline in pipelines.iter().filter(|pipeline| !pipeline.status.is_over()) {
            // Where it cannot be cancelled, what is left says so.
            let _ = self.gitlab.change_pipeline(project.id, pipeline.id, Change::Cancel).await;
            for _ in 0..WAITS {
                let jobs =
                    self.gitlab.jobs(project.id, JobsOf::Pipeline(pipeline.id), JOBS_MAX).await;
                if jobs.is_ok_and(|jobs| jobs.iter().all(|job| job.status.is_over())) {
                    break;
                }
                self.clock.sleep(PAUSE).await;
            }
        }
        pipelines
    }
}
