//! Groups and projects as the spec names them: by path in any letter case, by a path that they once
//! had, or by id. Resolved to GitLab's own ids and paths, once, and kept.
//!
//! GitLab answers the old path of a project with a redirect to its id, and that of a group with 404
//! (GitLab 18.6), so a group that is renamed meanwhile is asked for by the id it had.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::HttpGitlab;
use super::call::{Call, segment};
use super::probe::older;
use crate::error_policy::ErrorKind;
use crate::gitlab::GitlabError;
use crate::spec::Scope;
use crate::world::{FullPath, GroupId, Owner, Place, ProjectId};

/// How old an answer may be before it is asked for again: people rename and move at any time.
const AGE_MAX: Duration = Duration::from_mins(1);
/// Answers that are asked for again at one look; missing ones are asked for beside.
const REFRESHED_MAX: usize = 2;

/// What GitLab told of the groups and projects that the spec names.
#[derive(Default)]
pub(super) struct Places(BTreeMap<Scope, Seen>);

struct Seen {
    read_at: Timestamp,
    told: Result<Place, GitlabError>,
    /// What it was last, also where GitLab does not know the name any more.
    last: Option<Place>,
}

/// What the queue is limited to.
pub(super) struct Limits {
    pub(super) places: Vec<Place>,
    /// Some could not be resolved, so that there may be jobs that were not read.
    pub(super) lacking: bool,
}

#[derive(Deserialize)]
struct Group {
    id: u64,
    full_path: String,
}

#[derive(Deserialize)]
struct Project {
    id: u64,
    path_with_namespace: String,
}

/// A group as a record's details name it.
#[derive(Deserialize)]
pub(super) struct OwnerGroup {
    id: u64,
}

/// A project as a record's details name it.
#[derive(Deserialize)]
pub(super) struct OwnerProject {
    id: u64,
}

/// The owner of a record by its details; `None`: they name none that may be seen.
pub(super) fn owner(
    runner_type: &str,
    groups: &[OwnerGroup],
    projects: &[OwnerProject],
) -> Option<Owner> {
    match runner_type {
        "instance_type" => Some(Owner::Instance),
        "project_type" => {
            let projects: BTreeSet<_> =
                projects.iter().map(|project| ProjectId(project.id)).collect();
            (!projects.is_empty()).then_some(Owner::Projects(projects))
        }
        _ => groups.first().map(|group| Owner::Group(GroupId(group.id))),
    }
}

impl HttpGitlab {
    /// What these scopes are; what cannot be asked for now stays as it was told.
    pub(super) async fn resolve(
        &self,
        scopes: &BTreeSet<Scope>,
    ) -> BTreeMap<Scope, Result<Place, GitlabError>> {
        let now = self.wire.now();
        let mut unreachable = None;
        for scope in self.places.with(|places| places.due(scopes, now)) {
            let told = match unreachable.clone() {
                Some(error) => Err(error),
                None => self.read_place(scope).await,
            };
            unreachable = told.as_ref().err().filter(|error| is_silence(error)).cloned();
            self.places.with(|places| places.note(scope, told, now));
        }
        self.places.with(|places| places.told(scopes))
    }

    /// What the queue is limited to; `None`: nothing. Names that GitLab does not know are left out,
    /// unless there is no other.
    pub(super) async fn limits(&self) -> Result<Option<Limits>, GitlabError> {
        if self.settings.limits.is_empty() {
            return Ok(None);
        }
        let told = self.resolve(&self.settings.limits).await;
        let (mut places, mut failure) = (Vec::new(), None);
        for place in told.into_values() {
            match place {
                Ok(place) => places.push(place),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if places.is_empty() => Err(error),
            failure => Ok(Some(Limits { places, lacking: failure.is_some() })),
        }
    }

    async fn read_place(&self, scope: &Scope) -> Result<Place, GitlabError> {
        let (kind, name) = match scope {
            Scope::Instance => return Ok(Place::Instance),
            Scope::Group(name) => ("group", name),
            Scope::Project(name) => ("project", name),
        };
        let unknown = match self.find_place(kind, name, &segment(name)).await {
            Err(unknown @ GitlabError::NotFound { .. }) => unknown,
            told => return told,
        };
        let last = self.places.with(|places| places.0.get(scope)?.last.clone());
        let id = match last {
            Some(Place::Group { id, .. }) => id.to_string(),
            Some(Place::Project { id, .. }) => id.to_string(),
            Some(Place::Instance) | None => return Err(unknown),
        };
        match self.find_place(kind, name, &id).await {
            Err(GitlabError::NotFound { .. }) => Err(unknown),
            told => told,
        }
    }

    /// The group or project that GitLab finds by `key`, a path or an id.
    async fn find_place(&self, kind: &str, name: &str, key: &str) -> Result<Place, GitlabError> {
        let call = |endpoint, path| {
            Call::get(endpoint, path)
                .attempt(format!("see {kind} `{name}`"))
                .object(format!("{kind} `{name}`, or the token's user may not see it"))
        };
        if kind == "group" {
            let call =
                call("GET /groups/:id", format!("/groups/{key}")).query("with_projects=false");
            let Group { id, full_path } = self.wire.json(&call).await?;
            return Ok(Place::Group { id: GroupId(id), path: full_path.into() });
        }
        let call = call("GET /projects/:id", format!("/projects/{key}"));
        let Project { id, path_with_namespace } = self.wire.json(&call).await?;
        Ok(Place::Project { id: ProjectId(id), path: path_with_namespace.into() })
    }
}

/// It says nothing of the group or project, only that GitLab could not be asked.
fn is_silence(error: &GitlabError) -> bool {
    error.kind() == ErrorKind::Unreachable
}

impl Places {
    /// What is to be asked for now: what was never answered, and the oldest answers.
    fn due<'a>(&self, scopes: &'a BTreeSet<Scope>, now: Timestamp) -> Vec<&'a Scope> {
        let unanswered = |scope: &&Scope| {
            let told = self.0.get(*scope).map(|seen| &seen.told);
            told.is_none_or(|told| told.as_ref().is_err_and(is_silence))
        };
        let (mut due, others): (Vec<_>, Vec<_>) = scopes.iter().partition(unanswered);
        let read_at = |scope: &&'a Scope| self.0.get(*scope).map(|seen| seen.read_at);
        let is_old = |at: Option<Timestamp>| at.is_some_and(|at| older(now, at, AGE_MAX));
        let mut old: Vec<&Scope> =
            others.into_iter().filter(|scope| is_old(read_at(scope))).collect();
        old.sort_by_key(read_at);
        due.extend(old.into_iter().take(REFRESHED_MAX));
        due
    }

    fn note(&mut self, scope: &Scope, told: Result<Place, GitlabError>, now: Timestamp) {
        let before = self.0.remove(scope);
        let last = told.as_ref().ok().cloned().or_else(|| before.as_ref()?.last.clone());
        // Only that GitLab does not know it says something of what it was.
        let told = match (told, before) {
            (Err(GitlabError::NotFound { object }), _) => Err(GitlabError::NotFound { object }),
            (Err(_), Some(Seen { told: Ok(place), .. })) => Ok(place),
            (told, before) => {
                say(scope, &told, before.and_then(|seen| seen.last).as_ref());
                told
            }
        };
        self.0.insert(scope.clone(), Seen { read_at: now, told, last });
    }

    fn told(&self, scopes: &BTreeSet<Scope>) -> BTreeMap<Scope, Result<Place, GitlabError>> {
        let told = scopes.iter().filter_map(|scope| {
            let seen = self.0.get(scope)?;
            Some((scope.clone(), seen.told.clone()))
        });
        told.collect()
    }
}

/// Says once where something is by now that the spec names by an old path.
fn say(scope: &Scope, told: &Result<Place, GitlabError>, before: Option<&Place>) {
    if let Ok(place) = told
        && before != Some(place)
        && let Some(now) = place.moved_from(scope)
    {
        tracing::warn!(
            "{scope} was renamed or moved: it is `{now}` now\nhint: write that in the spec"
        );
    }
}

impl Limits {
    pub(super) fn hold(&self, project: ProjectId, path: &FullPath) -> bool {
        self.places.iter().any(|place| place.holds(project, path))
    }
}
