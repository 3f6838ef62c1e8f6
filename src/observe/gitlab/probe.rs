//! What server and token these are.

use crate::gitlab::{Gitlab, GitlabError, Server};

/// What server and token these are, by the last probe that passed.
#[derive(Debug, Clone, Default)]
pub(super) struct Probe {
    pub(super) server: Option<Server>,
    probed: bool,
}

impl Probe {
    /// Asks, unless that was done since the last failure.
    pub(super) async fn ask(&mut self, gitlab: &dyn Gitlab) -> Result<(), GitlabError> {
        if self.probed {
            return Ok(());
        }
        let server = gitlab.probe().await?;
        let (version, user) = (&server.version, &server.user);
        let instance = server.administrator && !server.is_fine_grained();
        let queue = if instance { "instance" } else { "projects" };
        tracing::info!(%version, %user, queue, "GitLab answers");
        if server.is_fine_grained() {
            tracing::warn!(
                "the token is a fine-grained one: the queue is read project by project, and a job that was not seen waiting cannot be found by its id\nhint: a token with the scope `api`, or `read_api`, `create_runner` and `manage_runner`, can do both"
            );
        }
        self.server = Some(server);
        self.probed = true;
        Ok(())
    }

    /// After a failure the next look asks again what server and token these are.
    pub(super) fn note<T>(&mut self, result: &Result<T, GitlabError>) {
        if let Err(
            GitlabError::Unauthorized { .. }
            | GitlabError::Forbidden { .. }
            | GitlabError::NotGitlab { .. },
        ) = result
        {
            self.probed = false;
        }
    }
}
