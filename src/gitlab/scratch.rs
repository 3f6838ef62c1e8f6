//! What a person's commands make at GitLab to try something, and remove again. Nothing here is asked
//! by the loop.

use async_trait::async_trait;
use jiff::Timestamp;

use super::GitlabError;
use super::user::{PipelineId, Project, UserGitlab};
use crate::world::ProjectId;

/// GitLab, where something is tried.
#[async_trait]
pub trait ScratchGitlab: UserGitlab {
    /// A new private project, in that group or else the user's own. Not safe to repeat.
    ///
    /// Errors: [`GitlabError::NotFound`] if there is no such group.
    async fn create_project(&self, group: Option<&str>, name: &str)
    -> Result<Project, GitlabError>;

    /// Deletes a project, at once where GitLab allows that.
    async fn delete_project(&self, project: &Project) -> Result<Deleted, GitlabError>;

    /// Writes one file anew on a branch, which is made from `start` if it is not there.
    async fn commit_file(
        &self,
        project: ProjectId,
        (branch, start): (&str, Option<&str>),
        path: &str,
        text: &str,
    ) -> Result<(), GitlabError>;

    /// Deletes a branch; one that is gone already is no error.
    async fn delete_branch(&self, project: ProjectId, branch: &str) -> Result<(), GitlabError>;

    /// Deletes a pipeline with its jobs; one that is gone already is no error.
    async fn delete_pipeline(&self, project: ProjectId, id: PipelineId) -> Result<(), GitlabError>;

    /// A time of GitLab's by our clock.
    fn ours(&self, theirs: Timestamp) -> Timestamp;
}

/// What became of a project that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Now,
    /// GitLab keeps it for the time that its administrator set.
    Later,
}
