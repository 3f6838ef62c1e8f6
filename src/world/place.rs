//! Whose jobs are whose, by GitLab's own ids and paths. What the spec names was resolved when it
//! was observed: spelling, letter case, renames and transfers decide nothing.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{GroupId, Job, ProjectId};
use crate::spec::Scope;

/// The full path of a group or project. GitLab finds it by any letter case, so that two spellings
/// of it are equal.
#[derive(Clone)]
pub struct FullPath(Arc<str>);

/// What a pool's scope is at GitLab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The whole instance.
    Instance,
    /// A group with all below it.
    Group {
        /// Its id.
        id: GroupId,
        /// Its path now.
        path: FullPath,
    },
    /// One project.
    Project {
        /// Its id.
        id: ProjectId,
        /// Its path now.
        path: FullPath,
    },
}

/// Whose jobs a record takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Everyone's.
    Instance,
    /// Those of a group.
    Group(GroupId),
    /// Those of the projects that it is assigned to; a person may add some.
    Projects(BTreeSet<ProjectId>),
}

impl Place {
    /// The job is one of its jobs.
    pub fn holds(&self, project: ProjectId, project_path: &FullPath) -> bool {
        match self {
            Self::Instance => true,
            Self::Group { path, .. } => project_path.lies_under(path),
            Self::Project { id, .. } => project == *id,
        }
    }

    /// A record of that owner takes its jobs.
    pub fn is_of(&self, owner: &Owner) -> bool {
        match (self, owner) {
            (Self::Instance, Owner::Instance) => true,
            (Self::Group { id, .. }, Owner::Group(owner)) => id == owner,
            (Self::Project { id, .. }, Owner::Projects(owners)) => owners.contains(id),
            (Self::Instance | Self::Group { .. } | Self::Project { .. }, _) => false,
        }
    }

    /// A new record for it alone.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Instance => Owner::Instance,
            Self::Group { id, .. } => Owner::Group(*id),
            Self::Project { id, .. } => Owner::Projects(BTreeSet::from([*id])),
        }
    }

    /// Where it is by now, if `scope` names it by a path that it once had.
    pub fn moved_from(&self, scope: &Scope) -> Option<&FullPath> {
        let ((Self::Group { path: now, .. }, Scope::Group(named))
        | (Self::Project { path: now, .. }, Scope::Project(named))) = (self, scope)
        else {
            return None;
        };
        let by_id = named.bytes().all(|byte| byte.is_ascii_digit());
        (!by_id && FullPath::from(named.as_str()) != *now).then_some(now)
    }

    /// Whether the project of `job` takes runners of this kind; `None`: not known, or always.
    pub(super) fn switch(&self, job: &Job) -> Option<bool> {
        match self {
            Self::Instance => job.instance_runners,
            Self::Group { .. } => job.group_runners,
            Self::Project { .. } => None,
        }
    }
}

impl FullPath {
    /// As GitLab writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `team/app` and `team/sub/app` lie under `team`; `teams/app` does not.
    pub fn lies_under(&self, group: &Self) -> bool {
        let (path, group) = (self.0.as_bytes(), group.0.as_bytes());
        let start = path.get(..group.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(group))
            && path.get(group.len()) == Some(&b'/')
    }

    fn folded(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl From<&str> for FullPath {
    fn from(path: &str) -> Self {
        Self(path.into())
    }
}

impl From<String> for FullPath {
    fn from(path: String) -> Self {
        Self(path.into())
    }
}

impl PartialEq for FullPath {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for FullPath {}

impl PartialOrd for FullPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FullPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl fmt::Display for FullPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FullPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(path: &str) -> Place {
        Place::Group { id: GroupId(9), path: path.into() }
    }

    #[test]
    fn letter_case_decides_nothing_and_a_common_beginning_neither() {
        let holds = |path: &str| group("Infra/OS").holds(ProjectId(1), &path.into());
        assert!(holds("infra/os/app") && holds("INFRA/os/sub/app"));
        assert!(!holds("infra/os") && !holds("infra/osx/app") && !holds("infra"));
        assert_eq!(FullPath::from("Team/App"), FullPath::from("team/app"));
        assert_eq!(FullPath::from("B").cmp(&"a".into()), Ordering::Greater);
    }

    #[test]
    fn only_another_path_is_a_move() {
        let moved = |named: &str| {
            let scope = Scope::Group(named.to_owned());
            group("infra/os").moved_from(&scope).map(ToString::to_string)
        };
        assert_eq!(moved("Infra/OS"), None);
        assert_eq!(moved("900"), None);
        assert_eq!(moved("infra/old").as_deref(), Some("infra/os"));
    }

    #[test]
    fn a_record_of_several_projects_takes_the_jobs_of_each() {
        let place = Place::Project { id: ProjectId(7), path: "team/app".into() };
        let owner = Owner::Projects(BTreeSet::from([ProjectId(3), ProjectId(7)]));
        assert!(place.is_of(&owner) && place.is_of(&place.owner()));
        assert!(!place.is_of(&Owner::Projects(BTreeSet::from([ProjectId(3)]))));
        assert!(!place.is_of(&Owner::Instance) && !group("team").is_of(&Owner::Group(GroupId(7))));
    }
}
