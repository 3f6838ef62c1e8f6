//! `gitlab://group/project@ref/path.yaml`: a file in a project's repository.
//!
//! ```text
//! gitlab://group/sub/project@main/dir/autogit.yaml   a branch and a file
//! gitlab://group/project@feature/x:dir/autogit.yaml  a ref with slashes ends at the colon
//! gitlab://group/project@:dir/autogit.yaml           the default branch
//! gitlab://group/project                             the default branch, autogit.yaml
//! gitlab://group/project@refs/tags/v1:autogit.yaml   a tag
//! gitlab://group/project@<40 digits>                 one commit for ever
//! ```
//!
//! The server is in none: which GitLab is asked, and with which token, is the operator's alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::gitlab::GitRef;

/// What such an address begins with.
pub(super) const SCHEME: &str = "gitlab";
/// The file where none is named.
const PATH: &str = "autogit.yaml";

/// A file in a project's repository. Printed, it is as it was named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    written: String,
    /// Full path of the project, or its id.
    pub(super) project: String,
    pub(super) git_ref: GitRef,
    pub(super) path: String,
}

/// An address that names no file. What was written is not in it: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a spec in GitLab is named as in `gitlab://group/project@branch/autogit.yaml`: {0}\nhint: a branch with slashes ends with a colon, as in `gitlab://group/project@feature/x:autogit.yaml`; the server and its token are in `GITLAB_URL` and `GITLAB_TOKEN`"
)]
pub struct AddressError(&'static str);

impl Address {
    /// Reads an address.
    pub fn parse(written: &str) -> Result<Self, AddressError> {
        let rest = written.strip_prefix("gitlab://");
        let rest = rest.ok_or(AddressError("it does not begin with `gitlab://`"))?;
        let (project, rest) = rest.split_once('@').unwrap_or((rest, ""));
        let (name, path) = match rest.split_once(':') {
            Some(parts) => parts,
            None => rest.split_once('/').unwrap_or((rest, "")),
        };
        let path = if path.is_empty() { PATH } else { path };
        if !is_project(project) {
            return Err(AddressError("the project is its full path, or its id"));
        }
        if !is_path(path) {
            return Err(AddressError("the file is a path within the repository"));
        }
        let git_ref = git_ref(name).ok_or(AddressError("that is no name of a branch"))?;
        let (written, project) = (written.to_owned(), project.to_owned());
        Ok(Self { written, project, git_ref, path: path.to_owned() })
    }

    /// Both name one file at one ref.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let parts =
            |one: &Self| (one.project.to_lowercase(), one.git_ref.clone(), one.path.clone());
        parts(self) == parts(other)
    }
}

/// Segments of letters, digits and `_`, `-`, `.`, as GitLab allows them; one alone is an id.
fn is_project(text: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let segment =
        |part: &str| !part.is_empty() && !part.starts_with(['-', '.']) && part.chars().all(fits);
    let is_id = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    text.split('/').all(segment) && (is_id || text.contains('/'))
}

fn is_path(text: &str) -> bool {
    let plain = |part: &str| !["", ".", ".."].contains(&part);
    text.split('/').all(plain) && !text.chars().any(char::is_control)
}

/// What git takes for a ref's name (git-check-ref-format), as far as it matters for an address.
fn git_ref(name: &str) -> Option<GitRef> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let bad = name.starts_with(['-', '/']) || name.ends_with(['/', '.']) || name.contains("..");
    if bad || name.contains(odd) {
        return None;
    }
    let is_hash = [40, 64].contains(&name.len()) && name.chars().all(|c| c.is_ascii_hexdigit());
    Some(match name.strip_prefix("refs/tags/") {
        Some(tag) => GitRef::Tag(tag.to_owned()),
        None if name.is_empty() => GitRef::DefaultBranch,
        None if is_hash => GitRef::Commit(name.to_ascii_lowercase()),
        None => GitRef::Branch(name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()),
    })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(written: &str) -> (String, GitRef, String) {
        let Address { project, git_ref, path, .. } = Address::parse(written).unwrap();
        (project, git_ref, path)
    }

    #[test]
    fn an_address_names_project_ref_and_file() {
        let branch = |name: &str| GitRef::Branch(name.to_owned());
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let (default, tag) = (GitRef::DefaultBranch, GitRef::Tag("v1".to_owned()));
        for (written, project, git_ref, path) in [
            ("gitlab://g/p", "g/p", default.clone(), "autogit.yaml"),
            ("gitlab://7@main", "7", branch("main"), "autogit.yaml"),
            ("gitlab://g/s/p@main/d/a.yaml", "g/s/p", branch("main"), "d/a.yaml"),
            ("gitlab://g/p@feature/x:d/a.yaml", "g/p", branch("feature/x"), "d/a.yaml"),
            ("gitlab://g/p@:d/a.yaml", "g/p", default.clone(), "d/a.yaml"),
            ("gitlab://g/p@/d/a.yaml", "g/p", default, "d/a.yaml"),
            ("gitlab://g/p@refs/tags/v1:a", "g/p", tag, "a"),
            ("gitlab://g/p@refs/heads/main:a", "g/p", branch("main"), "a"),
        ] {
            assert_eq!(parts(written), (project.to_owned(), git_ref, path.to_owned()));
        }
        assert_eq!(parts(&format!("gitlab://g/p@{hash}")).1, GitRef::Commit(hash.to_owned()));
    }

    #[test]
    fn what_names_no_file_is_refused_without_being_repeated() {
        for written in [
            "gitlab://",
            "gitlab://project@main",
            "gitlab://oauth2:glpat-hunter2@git.example.com/g/p",
            "gitlab://g/p@main/../a",
            "gitlab://g/p@main:/etc/autogit.yaml",
            "gitlab://g/p@-x:a",
            "gitlab://g/p@a b:a",
            "gitlab://g//p@main/a",
            "gitlab://g/../p@main/a",
        ] {
            let error = Address::parse(written).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
