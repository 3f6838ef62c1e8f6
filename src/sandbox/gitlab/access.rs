//! Who is calling, and what they may do: tokens, scopes, roles.

use super::answer::Answer;
use super::state::{Owner, Project, Record, State, UserId};

/// A role in a group or project; it holds for all below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessLevel {
    /// No role.
    None = 0,
    /// Sees.
    Guest = 10,
    /// Sees more.
    Reporter = 20,
    /// Runs, cancels and retries jobs.
    Developer = 30,
    /// Sees the runners, sets hooks.
    Maintainer = 40,
    /// Makes, changes and deletes runners.
    Owner = 50,
}

/// The user behind a request's token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) user: UserId,
    /// May do here what only administrators may.
    pub(crate) administrator: bool,
}

/// Scopes that allow reading.
pub(crate) const READ: &[&str] = &["api", "read_api"];
/// Scopes that allow changing.
pub(crate) const WRITE: &[&str] = &["api"];

impl State {
    /// The caller behind `token`, if it has one of `scopes` (an empty list: whichever it has).
    pub(crate) fn caller(&self, token: Option<&str>, scopes: &[&str]) -> Result<Caller, Answer> {
        let found = token.and_then(|token| self.tokens.get(token));
        let token = found.ok_or_else(Answer::unauthorized)?;
        if token.revoked {
            return Err(Answer::invalid_token(
                "Token was revoked. You have to re-authorize from the user.",
            ));
        }
        if token.expires_at.is_some_and(|at| at <= self.now) {
            return Err(Answer::invalid_token(
                "Token is expired. You can either do re-authorization or token refresh.",
            ));
        }
        let has = |scope: &&str| token.scopes.iter().any(|had| had == scope);
        if !scopes.is_empty() && !scopes.iter().any(has) {
            return Err(Answer::insufficient_scope(scopes));
        }
        let user = self.users.get(&token.user).ok_or_else(Answer::unauthorized)?;
        let elevated = !self.switches.admin_mode || has(&"admin_mode");
        Ok(Caller { user: user.id, administrator: user.administrator && elevated })
    }

    /// The caller's role at a group's or project's full path.
    pub(crate) fn level(&self, caller: Caller, path: &str) -> AccessLevel {
        if caller.administrator {
            return AccessLevel::Owner;
        }
        let holds = |(user, at): &(UserId, String)| {
            *user == caller.user && (at == path || lies_under(path, at))
        };
        let roles = self.members.iter().filter(|(key, _)| holds(key));
        roles.map(|(_, level)| *level).max().unwrap_or(AccessLevel::None)
    }

    /// Whether the caller may see a project.
    pub(crate) fn sees(&self, caller: Caller, project: &Project) -> bool {
        project.settings.public || self.level(caller, &project.path) >= AccessLevel::Guest
    }

    /// The caller's role where a record belongs; administrators alone have one at the instance.
    pub(crate) fn level_at(&self, caller: Caller, owner: &Owner) -> AccessLevel {
        if caller.administrator {
            return AccessLevel::Owner;
        }
        self.owner_path(owner).map_or(AccessLevel::None, |path| self.level(caller, &path))
    }

    /// Whether the caller may see a record's details.
    pub(crate) fn sees_record(&self, caller: Caller, record: &Record) -> bool {
        record.owner == Owner::Instance
            || self.level_at(caller, &record.owner) >= AccessLevel::Maintainer
    }

    /// The full path of the group or project that a record belongs to.
    pub(crate) fn owner_path(&self, owner: &Owner) -> Option<String> {
        match owner {
            Owner::Instance => None,
            Owner::Group(id) => self.groups.get(id).map(|group| group.path.clone()),
            Owner::Project(id) => self.projects.get(id).map(|project| project.path.clone()),
        }
    }
}

/// Whether `path` lies in the group at `group`, at any depth.
pub(crate) fn lies_under(path: &str, group: &str) -> bool {
    path.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'))
}
