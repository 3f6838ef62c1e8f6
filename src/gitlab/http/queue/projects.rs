//! The queue project by project, for a token without an administrator's rights.
//!
//! Each look reads some projects within a budget and keeps the jobs of the others as last seen.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::super::HttpGitlab;
use super::super::call::Call;
use super::super::probe::older;
use super::super::scope::Limits;
use super::super::wire::Pages;
use super::turn::{Candidate, allowance, turn};
use super::{PAGES_MAX, Pending, Read};
use crate::gitlab::{GitlabError, Server};
use crate::world::{FullPath, JobId, Place, ProjectId};

/// How long a list of projects is good: new projects are rare, and the list is long.
const LIST_AGE_MAX: Duration = Duration::from_mins(10);
/// Pages of a list of projects that are read: 5000 projects, the most active first.
const LIST_PAGES_MAX: usize = 50;
const LIST_QUERY: &str =
    "archived=false&simple=true&order_by=last_activity_at&sort=desc&per_page=100";

/// The projects whose queues are read.
#[derive(Default)]
pub(in super::super) struct Projects {
    listed_at: Option<Timestamp>,
    /// There are more than the list's bound.
    more: bool,
    looked_at: Option<Timestamp>,
    known: BTreeMap<ProjectId, Seen>,
}

#[derive(Default)]
struct Seen {
    path: Option<FullPath>,
    active_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
    /// Its jobs may be read; known after the first time.
    readable: bool,
    jobs: BTreeMap<JobId, Pending>,
    more: bool,
}

#[derive(Deserialize)]
struct Listed {
    id: u64,
    path_with_namespace: String,
    last_activity_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Row {
    id: u64,
    name: String,
    #[serde(rename = "ref")]
    ref_name: Option<String>,
    tag: Option<bool>,
    tag_list: Vec<String>,
    created_at: Timestamp,
    queued_duration: Option<f64>,
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
        let Pages { items, more, .. } = self.list_projects(server, limits).await?;
        if items.is_empty() {
            return Err(no_project(server));
        }
        self.projects.with(|projects| projects.list(now, items, more));
        Ok(())
    }

    async fn list_projects(
        &self,
        server: &Server,
        limits: Option<&Limits>,
    ) -> Result<Pages<Listed>, GitlabError> {
        let mut all = Pages { items: Vec::new(), requests: 0, more: false, odd: 0 };
        let Some(limits) = limits else {
            // An administrator sees all projects and need not be a member.
            let membership = if server.administrator { "" } else { "membership=true&" };
            let call = Call::get("GET /projects", "/projects")
                .query(format!("{membership}{LIST_QUERY}"))
                .attempt("list projects");
            return self.wire.pages(call, LIST_PAGES_MAX).await;
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
                    let pages = self.wire.pages(call, LIST_PAGES_MAX).await?;
                    all.items.extend(pages.items);
                    all.more |= pages.more;
                }
                Place::Project { id, path } => {
                    let call = Call::get("GET /projects/:id", format!("/projects/{id}"))
                        .attempt(format!("see project `{path}`"))
                        .object(format!("project `{path}`, or the token's user may not see it"));
                    all.items.push(self.wire.json(&call).await?);
                }
            }
        }
        Ok(all)
    }

    pub(super) async fn read_projects(
        &self,
        server: &Server,
        limits: Option<&Limits>,
    ) -> Result<Read, GitlabError> {
        self.refresh_projects(server, limits).await?;
        let now = self.wire.now();
        let (turn, mut left) = self.projects.with(|projects| projects.turn(now));
        let (mut failure, mut any_read) = (None, false);
        for project in turn {
            if left == 0 {
                break;
            }
            match self.read_project(project, left.min(PAGES_MAX)).await {
                Ok(requests) => {
                    any_read = true;
                    left = left.saturating_sub(requests);
                    continue;
                }
                Err(GitlabError::NotFound { .. }) => {
                    self.projects.with(|projects| projects.known.remove(&project));
                }
                Err(GitlabError::Forbidden { .. }) => self.set_aside(project, true),
                // One project that the server fails on must not hide the others for ever.
                Err(error @ GitlabError::ServerFailed { .. }) => {
                    self.set_aside(project, false);
                    failure = Some(error);
                }
                Err(error) => return Err(error),
            }
            left -= 1;
        }
        match failure {
            Some(error) if !any_read => Err(error),
            _ => self.projects.with(|projects| projects.told(server)),
        }
    }

    /// Reads one project's pending jobs; tells how many requests it took.
    async fn read_project(
        &self,
        project: ProjectId,
        pages_max: usize,
    ) -> Result<usize, GitlabError> {
        let call = Call::get("GET /projects/:id/jobs", format!("/projects/{project}/jobs"))
            .query("scope%5B%5D=pending&per_page=100")
            .attempt(format!("read the jobs of project {project}"));
        let pages: Pages<Row> = self.wire.pages(call, pages_max).await?;
        let now = self.wire.now();
        self.projects.with(|projects| {
            let Some(seen) = projects.known.get_mut(&project) else { return };
            let jobs = pages.items.into_iter().map(|row| {
                let since = queued_at(&row, now, self.wire.ours(row.created_at));
                seen.pending(project, row, since)
            });
            let jobs: BTreeMap<_, _> = jobs.map(|job| (job.id, job)).collect();
            seen.take(jobs, pages.more, now);
        });
        Ok(pages.requests)
    }

    /// Has a project that could not be read wait for its next turn.
    fn set_aside(&self, project: ProjectId, unreadable: bool) {
        let now = self.wire.now();
        self.projects.with(|projects| {
            if let Some(seen) = projects.known.get_mut(&project) {
                seen.read_at = Some(now);
                if unreadable {
                    seen.readable = false;
                    seen.jobs.clear();
                }
            }
        });
    }
}

impl Projects {
    /// Takes a new list; what is known of projects that are still on it stays.
    fn list(&mut self, now: Timestamp, items: Vec<Listed>, more: bool) {
        let mut before = std::mem::take(&mut self.known);
        for Listed { id, path_with_namespace, last_activity_at } in items {
            let mut seen = before.remove(&ProjectId(id)).unwrap_or_default();
            seen.path = Some(path_with_namespace.into());
            seen.active_at = seen.active_at.max(last_activity_at);
            self.known.insert(ProjectId(id), seen);
        }
        self.listed_at = Some(now);
        self.more = more;
    }

    /// The projects that are read now, and how many requests may be made.
    fn turn(&mut self, now: Timestamp) -> (Vec<ProjectId>, usize) {
        let since_last = self.looked_at.map(|at| {
            let passed = now.duration_since(at).max(SignedDuration::ZERO);
            passed.unsigned_abs()
        });
        self.looked_at = Some(now);
        let requests = allowance(since_last);
        let all = self.known.iter().map(|(&project, seen)| Candidate {
            project,
            pending: !seen.jobs.is_empty(),
            active_at: seen.active_at,
            read_at: seen.read_at,
        });
        (turn(all.collect(), now, requests), requests)
    }

    /// All that is known to wait. Projects that were never read may have more.
    fn told(&self, server: &Server) -> Result<Read, GitlabError> {
        if !self.known.values().any(|seen| seen.readable) {
            return Err(no_project(server));
        }
        let unread = self.known.values().any(|seen| seen.read_at.is_none() || seen.more);
        let jobs = self.known.values().flat_map(|seen| seen.jobs.clone());
        Ok(Read { jobs: jobs.collect(), more: self.more || unread })
    }
}

impl Seen {
    fn pending(&self, project: ProjectId, row: Row, queued_at: Timestamp) -> Pending {
        let id = JobId(row.id);
        // The queue's order must not change from look to look by what rounding does.
        let before = self.jobs.get(&id).map(|job| job.queued_at);
        Pending {
            id,
            name: row.name,
            project,
            project_path: self.path.clone().unwrap_or_else(|| "".into()),
            tags: row.tag_list,
            queued_at: before.unwrap_or(queued_at),
            ref_name: row.ref_name.unwrap_or_default(),
            of_tag: row.tag.unwrap_or(false),
        }
    }

    fn take(&mut self, jobs: BTreeMap<JobId, Pending>, more: bool, now: Timestamp) {
        if !jobs.is_empty() {
            self.active_at = Some(now);
        }
        self.jobs = jobs;
        self.more = more;
        self.readable = true;
        self.read_at = Some(now);
    }
}

/// Since when a job waits. REST tells no `queued_at`, but for how long.
fn queued_at(row: &Row, now: Timestamp, created_at: Timestamp) -> Timestamp {
    let waited = row.queued_duration.and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    waited.and_then(|waited| now.checked_sub(waited).ok()).unwrap_or(created_at)
}

fn no_project(server: &Server) -> GitlabError {
    GitlabError::Forbidden {
        attempt: format!("read the jobs of any project, as `{}`", server.user),
        hint: Some(
            "make its user a Reporter or more in the projects or their groups, \
             or use an administrator's token"
                .to_owned(),
        ),
    }
}
