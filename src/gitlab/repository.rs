//! The port to a project's repository: which commit a ref names, and what a file holds at a commit.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use super::GitlabError;

/// What may name a commit. A branch and a tag of one name are two things: whoever may push tags may
/// not become a protected branch by the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitRef {
    /// The project's default branch, whatever it is at the moment.
    DefaultBranch,
    /// A branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// A commit by its whole hash.
    Commit(String),
}

/// As errors call it, after "GitLab knows no".
impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefaultBranch => f.write_str("default branch"),
            Self::Branch(name) => write!(f, "branch `{name}`"),
            Self::Tag(name) => write!(f, "tag `{name}`"),
            Self::Commit(id) => write!(f, "commit `{id}`"),
        }
    }
}

/// A commit, as GitLab tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its hash: with it comes always the same tree.
    pub id: String,
    /// Its author, as the commit says: nobody proves who wrote it.
    pub author: String,
    /// When it was committed, as the commit says.
    pub at: Option<Timestamp>,
    /// The branch or tag was asked for, and it is one that GitLab protects; `None`: it has no such
    /// state.
    pub protected: Option<bool>,
}

/// GitLab's repositories, as far as a spec is read from one.
///
/// All methods: answer within their own time limit; never log or return the token.
#[async_trait]
pub trait Repository: Debug + Send + Sync {
    /// The commit that `git_ref` names now in the project with that full path or id.
    ///
    /// Errors: [`GitlabError::NotFound`], which names what is missing.
    async fn commit(&self, project: &str, git_ref: &GitRef) -> Result<Commit, GitlabError>;

    /// What the file at `path` holds at that commit.
    ///
    /// Errors: [`GitlabError::NotFound`], where the commit has no such file.
    async fn file(&self, project: &str, path: &str, commit: &str) -> Result<Bytes, GitlabError>;
}
