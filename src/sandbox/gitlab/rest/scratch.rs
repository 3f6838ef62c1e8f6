//! What a person makes by the API and removes again: projects, commits, branches, pipelines.
//!
//! As GitLab's docs have it: `doc/api/projects.md` ("Create a project", "Delete a project"),
//! `commits.md` ("Create a commit with multiple files and actions"), `branches.md` ("Delete repository
//! branch"), `pipelines.md` ("Delete a pipeline"). From 18.0 on a deleted project is marked first, under
//! another path, and a second call with `permanently_remove` and its path removes it
//! (gitlab-org/gitlab!116957).

use serde_json::{Value, json};

use super::users::reader;
use super::{pipelines, project as find_project};
use crate::sandbox::gitlab::UserId;
use crate::sandbox::gitlab::access::{AccessLevel, WRITE};
use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::build::ProjectSettings;
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::entities::Show;
use crate::sandbox::gitlab::state::{GroupId, Project, State, Status};
use crate::world::{JobId, ProjectId};

/// What a marked project's path ends with, before its number.
const MARKED: &str = "-deletion_scheduled-";

/// In a group for its Developers and above, which is what GitLab allows unless a group says otherwise.
pub(super) fn create_project(call: &Call, state: &mut State) -> Outcome {
    let caller = call.caller(state, WRITE)?;
    let name = call.params.text("path").or_else(|| call.params.text("name"));
    let name = name.ok_or_else(|| Answer::bad_parameter("name, path are missing"))?;
    let above = match call.params.number("namespace_id")? {
        Some(id) => {
            let group = state.groups.get(&GroupId(id));
            group.map(|group| group.path.clone()).ok_or_else(|| Answer::not_found("Namespace"))?
        }
        None => state.users.get(&caller.user).map(|user| user.username.clone()).unwrap_or_default(),
    };
    let own = call.params.number("namespace_id")?.is_none();
    if !own && state.level(caller, &above) < AccessLevel::Developer {
        let fault = json!({ "message": { "namespace": ["is not valid"] } });
        return Err(Answer::json(400, fault));
    }
    let path = format!("{above}/{name}");
    if state.project_at(&path).is_some() {
        let fault = json!({ "message": { "path": ["has already been taken"] } });
        return Err(Answer::json(400, fault));
    }
    let id = ProjectId(state.count("project", 101));
    let (created_at, active_at) = (state.now, state.now);
    let project = Project {
        id,
        path: path.clone(),
        settings: ProjectSettings::default(),
        pipeline_jobs: Vec::new(),
        created_at,
        active_at,
        made: true,
    };
    state.projects.insert(id, project);
    state.members.insert((caller.user, path), AccessLevel::Owner);
    state.touch();
    let project = state.projects.get(&id).ok_or_else(|| Answer::not_found("Project"))?;
    Ok(Answer::created(Show::new(state, call.base(state)).project(project)))
}

pub(super) fn delete_project(call: &Call, state: &mut State) -> Outcome {
    let caller = call.caller(state, WRITE)?;
    let project = find_project(call, state, caller)?;
    if state.level(caller, &project.path) < AccessLevel::Owner {
        return Err(Answer::forbidden());
    }
    let (id, path) = (project.id, project.path.clone());
    let marked = path.contains(MARKED);
    let at_once = call.params.flag("permanently_remove")? == Some(true);
    if marked && !at_once {
        return Err(Answer::bad_request("Project has been already marked for deletion"));
    }
    if at_once && call.params.text("full_path").as_ref() != Some(&path) {
        return Err(Answer::bad_request(
            "`full_path` is incorrect. You must enter the complete path",
        ));
    }
    if at_once && !marked {
        return Err(Answer::bad_request("Project must be marked for deletion first."));
    }
    if state.switches.version_is_at_least(18, 0) && !marked {
        if let Some(project) = state.projects.get_mut(&id) {
            project.path = format!("{path}{MARKED}{id}");
            project.settings.archived = true;
        }
        let roles: Vec<_> = state.members.iter().filter(|((_, at), _)| *at == path).collect();
        let roles: Vec<_> = roles.into_iter().map(|((user, _), level)| (*user, *level)).collect();
        for (user, level) in roles {
            state.members.insert((user, format!("{path}{MARKED}{id}")), level);
        }
    } else {
        state.forget_project(id);
    }
    Ok(Answer::json(202, json!({ "message": "202 Accepted" })))
}

/// One branch, one commit, the files that are created, written anew or deleted.
pub(super) fn commit(call: &Call, state: &mut State) -> Outcome {
    let (id, caller) = pusher(call, state)?;
    let branch = call.params.required("branch")?;
    let start = call.params.text("start_branch");
    let actions = call.params.value("actions").and_then(Value::as_array).cloned();
    let actions = actions.ok_or_else(|| Answer::bad_parameter("actions is missing"))?;
    let repository = state.repositories.get(&id);
    let there = |name: &str| repository.is_some_and(|known| known.branch(name).is_some());
    let from = match start.as_deref().filter(|_| !there(&branch)) {
        Some(start) if there(start) => Some(start.to_owned()),
        // Projects of a simulated world have a branch though nothing was pushed.
        Some(_) if repository.is_none() => None,
        Some(_) => return Err(Answer::bad_request("Cannot find branch")),
        None if there(&branch) || repository.is_none() => None,
        None => {
            let fault = "You can only create or edit files when you are on a branch";
            return Err(Answer::bad_request(fault));
        }
    };
    let base = from.as_ref().or(Some(&branch)).and_then(|name| repository?.branch(name));
    let had = |path: &str| base.is_some_and(|commit| commit.files.contains_key(path));
    let mut files: Vec<(String, Option<String>)> = Vec::new();
    for action in &actions {
        let word = |key: &str| action.get(key).and_then(Value::as_str).map(str::to_owned);
        let path =
            word("file_path").ok_or_else(|| Answer::bad_parameter("file_path is missing"))?;
        match (word("action").as_deref(), had(&path)) {
            (Some("create"), true) => {
                return Err(Answer::bad_request("A file with this name already exists"));
            }
            (Some("update" | "delete"), false) => {
                return Err(Answer::bad_request("A file with this name doesn't exist"));
            }
            (Some("create" | "update"), _) => files.push((path, word("content"))),
            (Some("delete"), _) => files.push((path, None)),
            _ => return Err(Answer::bad_parameter("actions[action] does not have a valid value")),
        }
    }
    if let (Some(from), Some(repository)) = (from, state.repositories.get_mut(&id)) {
        let start = repository.branches.get(&from).cloned().unwrap_or_default();
        repository.branches.insert(branch.clone(), start);
    }
    let author = state.users.get(&caller).map(|user| user.username.clone()).unwrap_or_default();
    let files: Vec<(&str, Option<&str>)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_deref())).collect();
    let commit = state.push(id, &branch, &author, &files);
    Ok(Answer::created(json!({ "id": commit, "title": call.params.text("commit_message") })))
}

pub(super) fn delete_branch(call: &Call, state: &mut State) -> Outcome {
    let (id, _) = pusher(call, state)?;
    let repository = state.repositories.get_mut(&id);
    let removed = repository.and_then(|known| known.branches.remove(call.part("branch")));
    removed.map(|_| Answer::no_content()).ok_or_else(|| Answer::not_found("Branch"))
}

/// For Owners; running jobs are cancelled.
pub(super) fn delete_pipeline(call: &Call, state: &mut State) -> Outcome {
    let caller = call.caller(state, WRITE)?;
    let project = find_project(call, state, caller)?;
    if state.level(caller, &project.path) < AccessLevel::Owner {
        return Err(Answer::forbidden());
    }
    reader(call, state)?;
    let pipeline = pipelines::find(call, state)?;
    let (id, jobs) = (pipeline.id, pipeline.jobs.clone());
    state.forget_jobs(&jobs);
    state.pipelines.remove(&id);
    Ok(Answer::no_content())
}

/// The project, if the caller may push to it.
fn pusher(call: &Call, state: &State) -> Result<(ProjectId, UserId), Answer> {
    pipelines::developed(call, state, Answer::forbidden)
}

impl State {
    fn forget_project(&mut self, id: ProjectId) {
        let of_project = self.jobs.values().filter(|job| job.project == id);
        let jobs: Vec<JobId> = of_project.map(|job| job.id).collect();
        self.forget_jobs(&jobs);
        self.pipelines.retain(|_, pipeline| pipeline.project != id);
        self.repositories.remove(&id);
        if let Some(project) = self.projects.remove(&id) {
            self.members.retain(|(_, path), _| *path != project.path);
        }
        self.redirects.retain(|_, to| *to != id);
        self.touch();
    }

    fn forget_jobs(&mut self, jobs: &[JobId]) {
        for job in jobs {
            self.end(*job, Status::Canceled);
            self.jobs.remove(job);
        }
    }
}
