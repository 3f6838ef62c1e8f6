//! What stands behind each field.

mod jobs;
mod leaves;
mod runners;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::connection::{Connection, PageInfo};
use super::execute::Execution;
use super::value::Error;
use crate::sandbox::gitlab::access::{AccessLevel, lies_under};
use crate::sandbox::gitlab::state::{GroupId, PipelineId, Project, UserId};
use crate::world::{JobId, ProjectId, RecordId};

/// A thing that fields are asked of.
#[derive(Clone)]
pub(super) enum Node {
    Query,
    Metadata,
    User(UserId),
    Group(GroupId),
    Project(ProjectId),
    Job(JobId),
    Stage(JobId),
    Pipeline(PipelineId),
    Record(RecordId),
    Manager(RecordId, String),
    Connection(std::rc::Rc<Connection>),
    Edge(u64, Box<Node>),
    PageInfo(PageInfo),
}

/// What a field that is no scalar is answered with.
pub(super) enum Out {
    Nothing,
    Node(Node),
    Nodes(Vec<Node>),
}

impl From<Option<Node>> for Out {
    fn from(node: Option<Node>) -> Self {
        node.map_or(Self::Nothing, Self::Node)
    }
}

type Arguments = Map<String, Value>;

impl Execution<'_> {
    /// Resolves a field that is no scalar.
    pub(super) fn resolve(
        &self,
        node: &Node,
        field: &str,
        arguments: &Arguments,
    ) -> Result<Out, Error> {
        match node {
            Node::Query => self.root(field, arguments),
            Node::Group(id) => self.in_group(*id, field, arguments),
            Node::Project(id) => self.in_project(*id, field, arguments),
            Node::Job(id) => Ok(self.of_job(*id, field).into()),
            Node::Pipeline(id) => self.in_pipeline(*id, field, arguments),
            Node::Record(id) => self.in_record(*id, field, arguments),
            Node::Manager(id, _) => Ok(Out::Node(Node::Record(*id))),
            Node::Connection(connection) => Ok(of_connection(connection, field)),
            Node::Edge(_, node) => Ok(Out::Node(node.as_ref().clone())),
            Node::Metadata | Node::User(_) | Node::Stage(_) | Node::PageInfo(_) => Ok(Out::Nothing),
        }
    }

    fn root(&self, field: &str, arguments: &Arguments) -> Result<Out, Error> {
        match field {
            "metadata" => Ok(self.caller.map(|_| Node::Metadata).into()),
            "currentUser" => Ok(self.caller.map(|caller| Node::User(caller.user)).into()),
            "jobs" => self.all_jobs(arguments),
            "project" => {
                let path = text(arguments, "fullPath").unwrap_or_default();
                let project = self.state.project_at(path).filter(|project| self.sees(project));
                Ok(project.map(|project| Node::Project(project.id)).into())
            }
            "projects" => self.projects(arguments, |_| true),
            "group" => {
                let path = text(arguments, "fullPath").unwrap_or_default();
                let seen = self
                    .state
                    .projects
                    .values()
                    .any(|project| lies_under(&project.path, path) && self.sees(project));
                let group = self.state.group_at(path);
                let member = self
                    .caller
                    .is_some_and(|caller| self.state.level(caller, path) > AccessLevel::None);
                Ok(group.filter(|_| seen || member).map(|group| Node::Group(group.id)).into())
            }
            "runner" => self.runner(arguments),
            "runners" => self.all_runners(arguments),
            _ => Ok(Out::Nothing),
        }
    }

    fn in_group(&self, id: GroupId, field: &str, arguments: &Arguments) -> Result<Out, Error> {
        let Some(group) = self.state.groups.get(&id) else { return Ok(Out::Nothing) };
        if field == "runners" {
            return self.runners_of(&group.path, arguments);
        }
        let deep = arguments.get("includeSubgroups") == Some(&Value::Bool(true));
        self.projects(arguments, |project| {
            let parent = project.path.rsplit_once('/').map(|(parent, _)| parent);
            parent == Some(&group.path) || (deep && lies_under(&project.path, &group.path))
        })
    }

    fn in_project(&self, id: ProjectId, field: &str, arguments: &Arguments) -> Result<Out, Error> {
        let Some(project) = self.state.projects.get(&id) else { return Ok(Out::Nothing) };
        match field {
            "group" => {
                let parent = project.path.rsplit_once('/').map(|(parent, _)| parent);
                let group = parent.and_then(|parent| self.state.group_at(parent));
                Ok(group.map(|group| Node::Group(group.id)).into())
            }
            "jobs" => self.jobs(arguments, |job| job.project == id),
            "job" => {
                let job = JobId(gid(arguments, "id", "Ci::Build")?.unwrap_or(0));
                let job = self.state.jobs.get(&job).filter(|job| job.project == id);
                Ok(job.map(|job| Node::Job(job.id)).into())
            }
            _ => self.runners_of(&project.path, arguments),
        }
    }

    fn projects(
        &self,
        arguments: &Arguments,
        keep: impl Fn(&Project) -> bool,
    ) -> Result<Out, Error> {
        let search = text(arguments, "search").unwrap_or_default();
        let projects =
            self.state.projects.values().filter(|project| {
                keep(project) && self.sees(project) && project.path.contains(search)
            });
        connect(projects.map(|project| (project.id.0, Node::Project(project.id))), arguments)
    }

    /// Whether the caller may see a project.
    fn sees(&self, project: &Project) -> bool {
        let seen = self.caller.map(|caller| self.state.sees(caller, project));
        seen.unwrap_or(project.settings.public)
    }

    /// A moment as GraphQL writes it: to the second.
    fn time(&self, at: Timestamp) -> Value {
        json!(self.state.skewed(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    fn maybe_time(&self, at: Option<Timestamp>) -> Value {
        at.map_or(Value::Null, |at| self.time(at))
    }
}

/// The connection of these things, newest first.
fn connect(items: impl Iterator<Item = (u64, Node)>, arguments: &Arguments) -> Result<Out, Error> {
    let connection = Connection::new(items.collect(), arguments)?;
    Ok(Out::Node(Node::Connection(std::rc::Rc::new(connection))))
}

fn of_connection(connection: &Connection, field: &str) -> Out {
    let page = connection.page.iter();
    match field {
        "nodes" => Out::Nodes(page.map(|(_, node)| node.clone()).collect()),
        "edges" => {
            let edges = page.map(|(id, node)| Node::Edge(*id, Box::new(node.clone())));
            Out::Nodes(edges.collect())
        }
        _ => Out::Node(Node::PageInfo(connection.info.clone())),
    }
}

fn text<'a>(arguments: &'a Arguments, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}

/// A list of words; a single one counts as a list of one.
fn words<'a>(arguments: &'a Arguments, name: &str) -> Option<Vec<&'a str>> {
    let value = arguments.get(name).filter(|value| !value.is_null())?;
    let one = || value.as_str().into_iter().collect();
    Some(value.as_array().map_or_else(one, |all| all.iter().filter_map(Value::as_str).collect()))
}

/// The number in a global id such as `gid://gitlab/Ci::Runner/7`.
fn gid(arguments: &Arguments, name: &str, kind: &str) -> Result<Option<u64>, Error> {
    let Some(value) = arguments.get(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let text = value.as_str().unwrap_or_default();
    let number = text.strip_prefix("gid://gitlab/").and_then(|rest| rest.rsplit_once('/'));
    let number = number.filter(|(found, _)| *found == kind).and_then(|(_, id)| id.parse().ok());
    let invalid = || {
        if text.starts_with("gid://gitlab/") {
            Error::new(format!("\"{text}\" does not represent an instance of {kind}"))
        } else {
            Error::new(format!("\"{text}\" is not a valid Global ID"))
        }
    };
    number.map(Some).ok_or_else(invalid)
}
