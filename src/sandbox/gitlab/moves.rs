//! What people rename, move and lend: paths change, ids never do.

use std::collections::BTreeSet;

use axum::http::Method;

use super::SimulatedGitlab;
use super::access::lies_under;
use super::answer::Answer;
use super::call::Call;
use super::state::{GroupId, Project, State};
use crate::spec::Scope;
use crate::world::{ProjectId, RecordId};

impl SimulatedGitlab {
    /// Gives a project another full path, in the same group or in another; its old path redirects.
    pub fn move_project(&self, project: ProjectId, path: &str) {
        self.with(|state| state.move_project(project, path));
    }

    /// Gives a group another full path, and with it all that lies in it. Its old path is unknown from
    /// now on, while those of the projects in it redirect.
    pub fn move_group(&self, group: GroupId, path: &str) {
        self.with(|state| state.move_group(group, path));
    }

    /// A group's full path.
    pub fn group_path(&self, group: GroupId) -> String {
        self.with(|state| {
            state.groups.get(&group).map(|group| group.path.clone()).unwrap_or_default()
        })
    }

    /// Assigns a project's record to another project too, as a maintainer of both may.
    pub fn lend_record(&self, record: RecordId, project: ProjectId) {
        self.with(|state| {
            if let Some(record) = state.records.get_mut(&record) {
                record.lent.insert(project);
            }
            state.tell_all_records();
        });
    }
}

impl State {
    fn move_project(&mut self, id: ProjectId, path: &str) {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.add_group(parent);
        }
        let Some(project) = self.projects.get_mut(&id) else { return };
        let old = std::mem::replace(&mut project.path, path.to_owned());
        self.redirects.remove(&path.to_lowercase());
        self.redirects.insert(old.to_lowercase(), id);
        for member in std::mem::take(&mut self.members) {
            let ((user, at), level) = member;
            let at = if at == old { path.to_owned() } else { at };
            self.members.insert((user, at), level);
        }
        self.tell_all_records();
    }

    fn move_group(&mut self, id: GroupId, path: &str) {
        let Some(old) = self.groups.get(&id).map(|group| group.path.clone()) else { return };
        let moved = |at: &str| {
            let inside = at == old || lies_under(at, &old);
            inside.then(|| format!("{path}{}", at.get(old.len()..).unwrap_or_default()))
        };
        for group in self.groups.values_mut() {
            group.path = moved(&group.path).unwrap_or_else(|| group.path.clone());
        }
        let members = std::mem::take(&mut self.members).into_iter();
        self.members =
            members.map(|((user, at), level)| ((user, moved(&at).unwrap_or(at)), level)).collect();
        let inside = self.projects.values();
        let inside: Vec<_> =
            inside.filter_map(|project| Some((project.id, moved(&project.path)?))).collect();
        for (project, path) in inside {
            self.move_project(project, &path);
        }
    }

    /// All ways to name the project, and each group that it lies in.
    pub(crate) fn holders(&self, project: &Project) -> BTreeSet<Scope> {
        let old = self.redirects.iter().filter(|(_, id)| **id == project.id);
        let names = old.map(|(path, _)| path.clone());
        let names = names.chain([project.path.to_lowercase(), project.id.to_string()]);
        let groups = self.groups.values().filter(|group| lies_under(&project.path, &group.path));
        let groups = groups.flat_map(|group| [group.path.to_lowercase(), group.id.0.to_string()]);
        names.map(Scope::Project).chain(groups.map(Scope::Group)).collect()
    }

    /// The project that once had that path and has another now.
    pub(crate) fn moved_project(&self, path: &str) -> Option<&Project> {
        self.projects.get(self.redirects.get(&path.to_lowercase())?)
    }
}

/// To the same thing below the project's id: GitLab's answer to a read by an old path
/// (`contract/gitlab.md`, "Paths fold case and move").
pub(crate) fn redirect(call: &Call, state: &State, project: ProjectId) -> Answer {
    if call.method != Method::GET {
        return Answer::not_found("Project");
    }
    let rest = call.path.strip_prefix("/api/v4/projects/").unwrap_or_default();
    let below = rest.split_once('/').map(|(_, below)| format!("/{below}")).unwrap_or_default();
    let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
    let to = format!("{}/api/v4/projects/{project}{below}{query}", call.base(state));
    Answer::refused(302, "Found").header("Location", to)
}
