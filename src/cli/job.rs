//! Which job, pipeline or project a person's command is about.

use std::sync::Arc;

use super::arguments::About;
use super::prompt::Terminal;
use super::shell::Shell;
use crate::gitlab::user::{Project, UserGitlab};
use crate::operate::init::Ask;
use crate::operate::{Adapters, Failure, Named, project, user_gitlab};
use crate::world::{JobId, ProjectId};

/// A job and where it is asked for.
pub(super) struct JobPlace {
    pub(super) gitlab: Arc<dyn UserGitlab>,
    pub(super) project: ProjectId,
    pub(super) id: JobId,
}

/// GitLab and the project that a command is about.
pub(super) async fn project_of(
    about: &About,
    shell: &Shell,
    adapters: Adapters,
) -> Result<(Arc<dyn UserGitlab>, Project), Failure> {
    let gitlab = user_gitlab(&about.spec.place(shell), shell, adapters).await?;
    let terminal = Terminal::open();
    let ask = terminal.as_ref().map(|terminal| terminal as &dyn Ask);
    let project = project(about.project.as_deref(), gitlab.as_ref(), ask).await?;
    Ok((gitlab, project))
}

/// The job that `word` names.
pub(super) async fn place(
    word: &str,
    about: &About,
    shell: &Shell,
    adapters: Adapters,
) -> Result<JobPlace, Failure> {
    let (gitlab, project, id) = page("jobs", word, about, shell, adapters).await?;
    Ok(JobPlace { gitlab, project: project.id, id: JobId(id) })
}

/// What `word` names below `kind`, `jobs` or `pipelines`: its number and its project.
pub(super) async fn page(
    kind: &str,
    word: &str,
    about: &About,
    shell: &Shell,
    adapters: Adapters,
) -> Result<(Arc<dyn UserGitlab>, Project, u64), Failure> {
    let gitlab = user_gitlab(&about.spec.place(shell), shell, adapters).await?;
    let named = Named::read(word, kind, gitlab.url());
    let named = named.map_err(|problem| Failure::Usage(format!("error: {problem}")))?;
    let of = about.project.as_deref().or(named.project.as_deref());
    let terminal = Terminal::open();
    let ask = terminal.as_ref().map(|terminal| terminal as &dyn Ask);
    let project = project(of, gitlab.as_ref(), ask).await?;
    Ok((gitlab, project, named.id))
}
