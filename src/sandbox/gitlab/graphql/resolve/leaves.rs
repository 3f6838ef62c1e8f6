//! Scalar fields.

use serde_json::{Value, json};

use super::Node;
use crate::sandbox::gitlab::entities::{Show, last_part};
use crate::sandbox::gitlab::graphql::connection::shown;
use crate::sandbox::gitlab::graphql::execute::Execution;
use crate::sandbox::gitlab::state::{Group, Pipeline, Project, User};

impl Execution<'_> {
    /// A scalar field's value.
    pub(in crate::sandbox::gitlab::graphql) fn leaf(&self, node: &Node, field: &str) -> Value {
        let state = self.state;
        let found = match node {
            Node::Query => None,
            Node::Metadata => Some(match field {
                "version" => json!(state.switches.version),
                "revision" => json!("0a1b2c3d4e5"),
                _ => json!(false),
            }),
            Node::User(id) => state.users.get(id).map(|user| self.user_leaf(user, field)),
            Node::Group(id) => state.groups.get(id).map(|group| self.group_leaf(group, field)),
            Node::Project(id) => {
                state.projects.get(id).map(|project| self.project_leaf(project, field))
            }
            Node::Job(id) => state.jobs.get(id).map(|job| self.job_leaf(job, field)),
            Node::Stage(id) => state.jobs.get(id).map(|job| match field {
                "id" => json!(format!("gid://gitlab/Ci::Stage/{}", job.pipeline.0)),
                "name" => json!(job.asked.stage),
                _ => json!(job.status.as_str()),
            }),
            Node::Pipeline(id) => {
                state.pipelines.get(id).map(|pipeline| self.pipeline_leaf(pipeline, field))
            }
            Node::Record(id) => state.records.get(id).map(|record| self.record_leaf(record, field)),
            Node::Manager(id, system_id) => Some(self.manager_leaf(*id, system_id, field)),
            Node::Connection(connection) => Some(json!(connection.count)),
            Node::Edge(id, _) => Some(shown(*id)),
            Node::PageInfo(info) => Some(info.leaf(field)),
        };
        found.unwrap_or(Value::Null)
    }

    fn user_leaf(&self, user: &User, field: &str) -> Value {
        match field {
            "id" => json!(format!("gid://gitlab/User/{}", user.id.0)),
            "username" | "name" => json!(user.username),
            "active" => json!(true),
            "bot" => json!(false),
            "state" => json!("active"),
            "webUrl" => json!(format!("{}/{}", self.base, user.username)),
            _ => Value::Null,
        }
    }

    fn group_leaf(&self, group: &Group, field: &str) -> Value {
        match field {
            "id" => json!(format!("gid://gitlab/Group/{}", group.id.0)),
            "name" | "path" => json!(last_part(&group.path)),
            "fullName" => json!(group.path.replace('/', " / ")),
            "fullPath" => json!(group.path),
            "webUrl" => json!(format!("{}/groups/{}", self.base, group.path)),
            _ => json!("private"),
        }
    }

    fn project_leaf(&self, project: &Project, field: &str) -> Value {
        let settings = &project.settings;
        match field {
            "id" => json!(format!("gid://gitlab/Project/{}", project.id)),
            "name" | "path" => json!(last_part(&project.path)),
            "fullPath" => json!(project.path),
            "nameWithNamespace" => json!(project.path.replace('/', " / ")),
            "webUrl" => json!(format!("{}/{}", self.base, project.path)),
            "visibility" => json!(if settings.public { "public" } else { "private" }),
            "archived" => json!(settings.archived),
            "jobsEnabled" => json!(settings.builds_enabled),
            "sharedRunnersEnabled" => json!(settings.shared_runners_enabled),
            "createdAt" => self.time(project.created_at),
            "lastActivityAt" => self.time(project.active_at),
            _ => Value::Null,
        }
    }

    fn pipeline_leaf(&self, pipeline: &Pipeline, field: &str) -> Value {
        let shown = Show::new(self.state, self.base.clone()).pipeline(pipeline);
        let rest = |name: &str| shown.get(name).cloned().unwrap_or_default();
        match field {
            "id" => json!(format!("gid://gitlab/Ci::Pipeline/{}", pipeline.id.0)),
            "iid" => json!(pipeline.iid.to_string()),
            "status" => json!(rest("status").as_str().map(str::to_uppercase)),
            "createdAt" => self.time(pipeline.created_at),
            "path" => {
                let url = rest("web_url");
                json!(url.as_str().and_then(|url| url.strip_prefix(self.base.as_str())))
            }
            other => rest(other),
        }
    }
}
