//! A project's repository: the commit of a ref, and a file at a commit.
//!
//! A branch is asked for as a branch, and a tag as a tag: asked for as a revision, a tag would come
//! before the branch of the same name.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

use super::call::{Call, segment};
use super::refusal;
use super::wire::Wire;
use crate::clock::Clock;
use crate::gitlab::{Commit, GitRef, GitlabError, Repository, Transport};

/// What a 403 is about, where GitLab gives no reason.
const RIGHTS: &str = "give the token the scope `read_api`, and its user the role Reporter in that \
                      project";

/// The repositories of a server behind a transport.
pub struct HttpRepository {
    wire: Wire,
}

impl std::fmt::Debug for HttpRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpRepository").field("url", &self.wire.url()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct ProjectAnswer {
    default_branch: Option<String>,
}

/// A branch or a tag.
#[derive(Deserialize)]
struct RefAnswer {
    commit: CommitAnswer,
    protected: Option<bool>,
}

#[derive(Deserialize)]
struct CommitAnswer {
    id: String,
    #[serde(default)]
    author_name: String,
    committed_date: Option<Timestamp>,
}

impl CommitAnswer {
    fn commit(self, protected: Option<bool>) -> Commit {
        let Self { id, author_name: author, committed_date: at } = self;
        Commit { id, author, at, protected }
    }
}

impl HttpRepository {
    /// The server at `url`, asked through `transport`.
    pub fn new(
        url: &str,
        token: SecretString,
        transport: Arc<dyn Transport>,
        clock: Clock,
    ) -> Self {
        Self { wire: Wire::new(url, token, Vec::new(), transport, clock) }
    }

    async fn default_branch(&self, project: &str) -> Result<String, GitlabError> {
        let path = format!("/projects/{}", segment(project));
        let call = Call::get("GET /projects/:id", path)
            .attempt(format!("see project `{project}`"))
            .object(format!("project `{project}` that this token may see"))
            .hint(RIGHTS);
        let ProjectAnswer { default_branch } = self.wire.json(&call).await?;
        default_branch.ok_or_else(|| GitlabError::NotFound {
            object: format!("default branch in project `{project}`, or shows none to this token"),
        })
    }

    async fn named(
        &self,
        (endpoint, kind): (&'static str, &str),
        project: &str,
        name: &str,
        git_ref: &GitRef,
    ) -> Result<Commit, GitlabError> {
        let path = format!("/projects/{}/repository/{kind}/{}", segment(project), segment(name));
        let found: RefAnswer = self.wire.json(&of_ref(endpoint, path, project, git_ref)).await?;
        Ok(found.commit.commit(found.protected))
    }
}

/// A 404 does not tell whether the project, the right to see it or the ref is missing.
fn of_ref(endpoint: &'static str, path: String, project: &str, git_ref: &GitRef) -> Call {
    Call::get(endpoint, path)
        .attempt(format!("read the repository of project `{project}`"))
        .object(format!("{git_ref} in a project `{project}` that this token may see"))
        .hint(RIGHTS)
}

#[async_trait]
impl Repository for HttpRepository {
    async fn commit(&self, project: &str, git_ref: &GitRef) -> Result<Commit, GitlabError> {
        const BRANCH: (&str, &str) = ("GET /projects/:id/repository/branches/:branch", "branches");
        const TAG: (&str, &str) = ("GET /projects/:id/repository/tags/:tag", "tags");
        match git_ref {
            GitRef::DefaultBranch => {
                let name = self.default_branch(project).await?;
                let git_ref = GitRef::Branch(name.clone());
                self.named(BRANCH, project, &name, &git_ref).await
            }
            GitRef::Branch(name) => self.named(BRANCH, project, name, git_ref).await,
            GitRef::Tag(name) => self.named(TAG, project, name, git_ref).await,
            GitRef::Commit(id) => {
                let endpoint = "GET /projects/:id/repository/commits/:sha";
                let path =
                    format!("/projects/{}/repository/commits/{}", segment(project), segment(id));
                let found: CommitAnswer =
                    self.wire.json(&of_ref(endpoint, path, project, git_ref)).await?;
                Ok(found.commit(None))
            }
        }
    }

    async fn file(&self, project: &str, path: &str, commit: &str) -> Result<Bytes, GitlabError> {
        let endpoint = "GET /projects/:id/repository/files/:file_path/raw";
        let (project_part, file) = (segment(project), segment(path));
        let at = format!("/projects/{project_part}/repository/files/{file}/raw");
        let short: String = commit.chars().take(8).collect();
        let call = Call::get(endpoint, at)
            .query(format!("ref={}", segment(commit)))
            .attempt(format!("read files of project `{project}`"))
            .object(format!("file `{path}` in commit {short} of project `{project}`"))
            .hint(RIGHTS);
        let body = self.wire.answer(&call).await?.into_body();
        // What stands before GitLab answers 200, too, with a page for people.
        if refusal::is_web_page(&body) {
            return Err(refusal::not_gitlab(&call, "it is a web page"));
        }
        Ok(body)
    }
}
