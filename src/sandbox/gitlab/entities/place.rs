//! Groups and projects.

use serde_json::{Value, json};

use super::{Show, last_part, merge};
use crate::sandbox::gitlab::state::{Group, Project};

impl Show<'_> {
    pub(crate) fn group(&self, group: &Group) -> Value {
        let parent = group.path.rsplit_once('/').and_then(|(path, _)| self.state.group_at(path));
        json!({
            "id": group.id.0,
            "web_url": format!("{}/groups/{}", self.base, group.path),
            "name": last_part(&group.path),
            "path": last_part(&group.path),
            "description": "",
            "visibility": "private",
            "shared_runners_setting": "enabled",
            "avatar_url": null,
            "request_access_enabled": true,
            "full_name": group.path.replace('/', " / "),
            "full_path": group.path,
            "created_at": self.state.time(group.created_at),
            "parent_id": parent.map(|parent| parent.id.0),
        })
    }

    /// What `simple=true` shows of a project.
    pub(crate) fn project_simple(&self, project: &Project) -> Value {
        let path = &project.path;
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let group = self.state.group_at(above);
        // One that a person made has none until something is pushed.
        let empty = project.made && !self.state.repositories.contains_key(&project.id);
        let host = self.base.split_once("://").map_or("gitlab.test", |(_, host)| host);
        let host = host.split([':', '/']).next().unwrap_or(host);
        json!({
            "id": project.id.0,
            "description": null,
            "name": name,
            "name_with_namespace": path.replace('/', " / "),
            "path": name,
            "path_with_namespace": path,
            "created_at": self.state.time(project.created_at),
            "default_branch": if empty { Value::Null } else { json!(project.settings.default_branch) },
            "tag_list": [],
            "topics": [],
            "ssh_url_to_repo": format!("git@{host}:{path}.git"),
            "http_url_to_repo": format!("{}/{path}.git", self.base),
            "web_url": format!("{}/{path}", self.base),
            "readme_url": null,
            "forks_count": 0,
            "avatar_url": null,
            "star_count": 0,
            "last_activity_at": self.state.time(project.active_at),
            "visibility": if project.settings.public { "public" } else { "private" },
            "namespace": {
                "id": group.map_or(0, |group| group.id.0),
                "name": last_part(above),
                "path": last_part(above),
                "kind": if group.is_some() { "group" } else { "user" },
                "full_path": above,
                "parent_id": null,
                "avatar_url": null,
                "web_url": format!("{}/groups/{above}", self.base),
            },
        })
    }

    pub(crate) fn project(&self, project: &Project) -> Value {
        let settings = &project.settings;
        let builds = if settings.builds_enabled { "enabled" } else { "disabled" };
        let mut shown = self.project_simple(project);
        let more = json!({
            "_links": { "self": format!("{}/api/v4/projects/{}", self.base, project.id) },
            "empty_repo": project.made && !self.state.repositories.contains_key(&project.id),
            "archived": settings.archived,
            "resolve_outdated_diff_discussions": false,
            "issues_enabled": true,
            "merge_requests_enabled": true,
            "wiki_enabled": true,
            "jobs_enabled": settings.builds_enabled,
            "snippets_enabled": true,
            "container_registry_enabled": true,
            "builds_access_level": builds,
            "repository_access_level": "enabled",
            "merge_requests_access_level": "enabled",
            "issues_access_level": "enabled",
            "shared_runners_enabled": settings.shared_runners_enabled,
            "group_runners_enabled": settings.group_runners_enabled,
            "lfs_enabled": true,
            "creator_id": 1,
            "import_status": "none",
            "open_issues_count": 0,
            "ci_default_git_depth": 20,
            "ci_forward_deployment_enabled": true,
            "ci_job_token_scope_enabled": false,
            "public_jobs": true,
            "build_timeout": 3600,
            "auto_cancel_pending_pipelines": "enabled",
            "ci_config_path": "",
            "shared_with_groups": [],
            "only_allow_merge_if_pipeline_succeeds": false,
            "merge_method": "merge",
            "squash_option": "default_off",
            "auto_devops_enabled": false,
            "permissions": { "project_access": null, "group_access": null },
        });
        merge(&mut shown, more);
        shown
    }

    /// A protected branch or tag, and who may push to it.
    pub(crate) fn protected_ref(id: usize, name: &str, is_tag: bool) -> Value {
        let maintainers =
            json!([{ "id": id, "access_level": 40, "access_level_description": "Maintainers" }]);
        if is_tag {
            return json!({ "name": name, "create_access_levels": maintainers });
        }
        json!({
            "id": id,
            "name": name,
            "push_access_levels": maintainers,
            "merge_access_levels": maintainers,
            "allow_force_push": false,
            "code_owner_approval_required": false,
            "inherited": false,
        })
    }
}
