//! Scopes by full path, as the spec names them, and by id, as GitLab wants them.

use serde::Deserialize;

use super::HttpGitlab;
use super::call::{Call, segment};
use crate::gitlab::GitlabError;
use crate::spec::Scope;

#[derive(Deserialize)]
struct Group {
    id: u64,
    full_path: String,
}

#[derive(Deserialize)]
struct Project {
    id: u64,
}

/// A group as a record's details name it.
#[derive(Deserialize)]
pub(super) struct OwnerGroup {
    id: u64,
    full_path: Option<String>,
    web_url: Option<String>,
}

/// A project as a record's details name it.
#[derive(Deserialize)]
pub(super) struct OwnerProject {
    path_with_namespace: String,
}

impl HttpGitlab {
    /// The id of the group or project of `scope`, with the key it is sent under.
    pub(super) async fn scope_id(
        &self,
        scope: &Scope,
    ) -> Result<Option<(&'static str, u64)>, GitlabError> {
        match scope {
            Scope::Instance => Ok(None),
            Scope::Group(path) => {
                let call = Call::get("GET /groups/:id", format!("/groups/{}", segment(path)))
                    .query("with_projects=false")
                    .attempt(format!("see group `{path}`"))
                    .object(format!("group `{path}`, or the token's user may not see it"));
                let group: Group = self.wire.json(&call).await?;
                Ok(Some(("group_id", group.id)))
            }
            Scope::Project(path) => {
                let call = Call::get("GET /projects/:id", format!("/projects/{}", segment(path)))
                    .attempt(format!("see project `{path}`"))
                    .object(format!("project `{path}`, or the token's user may not see it"));
                let project: Project = self.wire.json(&call).await?;
                Ok(Some(("project_id", project.id)))
            }
        }
    }

    /// The scope of a record by its details; `None`: they name no owner that may be seen.
    pub(super) async fn scope_of(
        &self,
        runner_type: &str,
        groups: Vec<OwnerGroup>,
        projects: Vec<OwnerProject>,
    ) -> Result<Option<Scope>, GitlabError> {
        match runner_type {
            "instance_type" => Ok(Some(Scope::Instance)),
            "project_type" => {
                let first = projects.into_iter().next();
                Ok(first.map(|project| Scope::Project(project.path_with_namespace)))
            }
            _ => {
                let Some(group) = groups.into_iter().next() else {
                    return Ok(None);
                };
                if let Some(path) = group.path() {
                    return Ok(Some(Scope::Group(path)));
                }
                let call = Call::get("GET /groups/:id", format!("/groups/{}", group.id))
                    .query("with_projects=false")
                    .attempt(format!("see group {}", group.id));
                let group: Group = self.wire.json(&call).await?;
                Ok(Some(Scope::Group(group.full_path)))
            }
        }
    }
}

impl OwnerGroup {
    /// The full path, which older servers tell only inside the group's web address.
    fn path(&self) -> Option<String> {
        let in_url = || self.web_url.as_ref()?.split_once("/groups/").map(|(_, path)| path);
        self.full_path.as_deref().or_else(in_url).map(str::to_owned)
    }
}
