//! The queue project by project, for a token without an administrator's rights.
//!
//! Each look reads some projects within a budget and keeps the jobs of the others as last seen. A
//! project that cannot be read is set aside and named: it does not hide the rest.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::super::HttpGitlab;
use super::super::call::Call;
use super::super::probe::older;
use super::super::scope::Limits;
use super::super::wire::{Page, Pages};
use super::seen::Row;
use super::{Read, first_line, numbered};
use crate::gitlab::{GitlabError, Server};
use crate::world::{Place, ProjectId};

/// How long a list of projects is good: new projects are rare, and the list is long.
pub(super) const LIST_AGE_MAX: Duration = Duration::from_mins(10);
/// Pages of a list of projects that are read: 5000 projects, the most active first.
const LIST_PAGES_MAX: usize = 50;
/// Answers that did not come in time for which a look waits: each takes half a minute.
const LATE_MAX: usize = 2;
const LIST_QUERY: &str =
    "archived=false&simple=true&order_by=last_activity_at&sort=desc&per_page=100";

#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) id: u64,
    pub(super) path_with_namespace: String,
    pub(super) last_activity_at: Option<Timestamp>,
}

impl HttpGitlab {
    /// Reads the list of projects again where it is too old.
    pub(in super::super) async fn refresh_projects(
        &self,
        server: &Server,
        limits: Option<&Limits>,
    ) -> Result<(), GitlabError> {
        let now = self.wire.now();
        let listed_at = self.projects.with(|projects| projects.listed_at);
        if listed_at.is_some_and(|at| !older(now, at, LIST_AGE_MAX)) {
            return Ok(());
        }
        let listed = match self.list_projects(server, limits).await {
            Ok(listed) => listed,
            Err(error) if listed_at.is_some() && error.is_odd() => {
                let odd = format!("the list of projects: {}", first_line(&error)).into();
                self.projects.with(|projects| projects.list_again(now, odd));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if listed.items.is_empty() {
            return Err(no_project(server));
        }
        self.projects.with(|projects| projects.list(now, listed));
        Ok(())
    }

    async fn list_projects(
        &self,
        server: &Server,
        limits: Option<&Limits>,
    ) -> Result<Listing, GitlabError> {
        let mut all = Listing::default();
        let Some(limits) = limits else {
            // An administrator sees all projects and need not be a member.
            let membership = if server.administrator { "" } else { "membership=true&" };
            let call = Call::get("GET /projects", "/projects")
                .query(format!("{membership}{LIST_QUERY}"))
                .attempt("list projects");
            all.take(self.wire.pages(call, LIST_PAGES_MAX).await?);
            return Ok(all);
        };
        for place in &limits.places {
            match place {
                Place::Instance => {}
                Place::Group { id, path } => {
                    let call =
                        Call::get("GET /groups/:id/projects", format!("/groups/{id}/projects"))
                            .query(format!("include_subgroups=true&{LIST_QUERY}"))
                            .attempt(format!("list the projects of group `{path}`"))
                            .object(format!("group `{path}`, or the token's user may not see it"));
                    match self.wire.pages(call, LIST_PAGES_MAX).await {
                        Ok(pages) => all.take(pages),
                        Err(error) => all.set_aside(error)?,
                    }
                }
                Place::Project { id, path } => {
                    let call = Call::get("GET /projects/:id", format!("/projects/{id}"))
                        .attempt(format!("see project `{path}`"))
                        .object(format!("project `{path}`, or the token's user may not see it"));
                    match self.wire.json(&call).await {
                        Ok(project) => all.items.push(project),
                        Err(error) => all.set_aside(error)?,
                    }
                }
            }
        }
        match all.failure {
            Some(error) if all.items.is_empty() => Err(error),
            failure => Ok(Listing { failure, ..all }),
        }
    }

    pub(super) async fn read_projects(
        &self,
        server: &Server,
        limits: Option<&Limits>,
    ) -> Result<Read, GitlabError> {
        self.refresh_projects(server, limits).await?;
        let now = self.wire.now();
        let (rotation, mut left) = self.projects.with(|projects| projects.rotation(now));
        let mut effort = Effort::default();
        let mut again = rotation.clone();
        for project in rotation {
            if left == 0 || effort.late >= LATE_MAX {
                break;
            }
            left -= 1;
            self.read_newest(project, &mut effort).await?;
            if left > 0 && self.projects.with(|projects| projects.rest(project).is_some()) {
                left -= 1;
                self.read_on(project, &mut effort).await?;
            }
        }
        // What is left of the budget goes to what has more than a page.
        while left > 0 && !again.is_empty() && effort.late < LATE_MAX {
            again.retain(|project| self.projects.with(|it| it.rest(*project).is_some()));
            for project in &again {
                if left == 0 {
                    break;
                }
                left -= 1;
                self.read_on(*project, &mut effort).await?;
            }
        }
        match effort.failure {
            Some(error) if !effort.any_read => Err(error),
            _ => self.projects.with(|projects| projects.told(server, now)),
        }
    }

    /// Reads a project's newest pending jobs.
    async fn read_newest(
        &self,
        project: ProjectId,
        effort: &mut Effort,
    ) -> Result<(), GitlabError> {
        let per_page = self.projects.with(|projects| projects.per_page(project));
        let query = format!("scope%5B%5D=pending&per_page={per_page}");
        let read = self.wire.page(&jobs_of(project, query)).await;
        self.took(project, read, true, effort).await
    }

    /// Reads a project's jobs on from where the last page ended.
    async fn read_on(&self, project: ProjectId, effort: &mut Effort) -> Result<(), GitlabError> {
        let Some(rest) = self.projects.with(|projects| projects.rest(project)) else {
            return Ok(());
        };
        let read = self.wire.page(&jobs_of(project, rest)).await;
        self.took(project, read, false, effort).await
    }

    /// Takes a page, or sets the project aside.
    ///
    /// Errors: what is true of all projects.
    async fn took(
        &self,
        project: ProjectId,
        read: Result<Page<Row>, GitlabError>,
        newest: bool,
        effort: &mut Effort,
    ) -> Result<(), GitlabError> {
        let now = self.wire.now();
        let error = match read {
            Ok(page) => {
                effort.any_read = true;
                self.projects.with(|projects| {
                    let Some(seen) = projects.known.get_mut(&project) else { return };
                    seen.take(project, page, newest, now, |at| self.wire.ours(at));
                });
                return Ok(());
            }
            Err(error) => error,
        };
        match &error {
            GitlabError::Unauthorized { .. } | GitlabError::Limited { .. } => return Err(error),
            GitlabError::NotFound { .. } => {
                self.projects.with(|projects| projects.known.remove(&project));
                return Ok(());
            }
            GitlabError::Unreachable { .. } if !error.is_odd() && !effort.confirmed => {
                // One project's answer was dropped, or all are: then nothing is known.
                if self.version().await.is_err() {
                    return Err(error);
                }
                effort.confirmed = true;
            }
            GitlabError::Unreachable { .. }
            | GitlabError::Forbidden { .. }
            | GitlabError::Rejected { .. }
            | GitlabError::ServerFailed { .. }
            | GitlabError::NotGitlab { .. } => {}
        }
        effort.late += usize::from(error.is_late());
        self.projects.with(|projects| projects.set_aside(project, now, &error));
        if !matches!(error, GitlabError::Forbidden { .. }) {
            effort.failure = Some(error);
        }
        Ok(())
    }
}

/// What a look met so far.
#[derive(Default)]
struct Effort {
    any_read: bool,
    /// GitLab answers, though not for one project.
    confirmed: bool,
    late: usize,
    failure: Option<GitlabError>,
}

/// The projects that are listed, and what of them could not be read.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) items: Vec<Listed>,
    pub(super) more: bool,
    pub(super) odd: Vec<Arc<str>>,
    failure: Option<GitlabError>,
}

impl Listing {
    fn take(&mut self, pages: Pages<Listed>) {
        self.items.extend(pages.items);
        self.more |= pages.more;
        if pages.odd > 0 {
            self.odd.push(format!("{} of the list", numbered(pages.odd, "project")).into());
        }
    }

    /// A group or project of the spec that cannot be read does not hide the others.
    fn set_aside(&mut self, error: GitlabError) -> Result<(), GitlabError> {
        if matches!(
            error,
            GitlabError::Unauthorized { .. }
                | GitlabError::Limited { .. }
                | GitlabError::Unreachable { .. }
        ) {
            return Err(error);
        }
        self.odd.push(first_line(&error).into());
        self.failure = Some(error);
        Ok(())
    }
}

fn jobs_of(project: ProjectId, query: String) -> Call {
    Call::get("GET /projects/:id/jobs", format!("/projects/{project}/jobs"))
        .query(query)
        .attempt(format!("read the jobs of project {project}"))
}

pub(super) fn no_project(server: &Server) -> GitlabError {
    GitlabError::Forbidden {
        attempt: format!("read the jobs of any project, as `{}`", server.user),
        hint: Some(
            "make its user a Reporter or more in the projects or their groups, \
             or use an administrator's token"
                .to_owned(),
        ),
    }
}
