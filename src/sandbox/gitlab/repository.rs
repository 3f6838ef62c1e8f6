//! The repositories of the simulated projects: commits with their files, branches and tags. Enough for
//! what reads a file by commit; there is no history to walk and nothing to clone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::SimulatedGitlab;
use super::state::State;
use crate::world::ProjectId;

/// A commit with the whole tree that it has.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) author: String,
    pub(crate) at: Timestamp,
    pub(crate) files: BTreeMap<String, String>,
}

/// A project's repository.
#[derive(Debug, Default)]
pub(crate) struct Repository {
    pub(crate) commits: BTreeMap<String, Commit>,
    pub(crate) branches: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Repository {
    pub(crate) fn branch(&self, name: &str) -> Option<&Commit> {
        self.branches.get(name).and_then(|id| self.commits.get(id))
    }

    pub(crate) fn tag(&self, name: &str) -> Option<&Commit> {
        self.tags.get(name).and_then(|id| self.commits.get(id))
    }

    /// What git takes a revision for: a hash, then a tag, then a branch (gitrevisions(7)).
    pub(crate) fn revision(&self, name: &str) -> Option<&Commit> {
        self.commits.get(name).or_else(|| self.tag(name)).or_else(|| self.branch(name))
    }
}

impl SimulatedGitlab {
    /// A commit on top of a branch, which is made if there is none, with these files written anew;
    /// `None` removes one. Returns its hash.
    pub fn push(
        &self,
        project: ProjectId,
        branch: &str,
        author: &str,
        files: &[(&str, Option<&str>)],
    ) -> String {
        self.with(|state| state.push(project, branch, author, files))
    }

    /// Lets a branch name a commit that exists, as a push with force does.
    pub fn reset_branch(&self, project: ProjectId, branch: &str, commit: &str) {
        self.with(|state| {
            let repository = state.repositories.entry(project).or_default();
            repository.branches.insert(branch.to_owned(), commit.to_owned());
        });
    }

    /// Deletes a branch; its commits stay.
    pub fn delete_branch(&self, project: ProjectId, branch: &str) {
        self.with(|state| {
            state.repositories.entry(project).or_default().branches.remove(branch);
        });
    }

    /// Lets a tag name a commit.
    pub fn tag_commit(&self, project: ProjectId, tag: &str, commit: &str) {
        self.with(|state| {
            let repository = state.repositories.entry(project).or_default();
            repository.tags.insert(tag.to_owned(), commit.to_owned());
        });
    }
}

impl State {
    /// A commit on top of a branch, as a push makes it; its hash.
    pub(crate) fn push(
        &mut self,
        project: ProjectId,
        branch: &str,
        author: &str,
        files: &[(&str, Option<&str>)],
    ) -> String {
        let number = self.count("commit", 1);
        let id = commit_id(self, number);
        let at = self.now;
        let repository = self.repositories.entry(project).or_default();
        let parent = repository.branches.get(branch).cloned();
        let tree = repository.branch(branch).map(|commit| commit.files.clone());
        let mut tree = tree.unwrap_or_default();
        for (path, text) in files {
            match text {
                Some(text) => tree.insert((*path).to_owned(), (*text).to_owned()),
                None => tree.remove(*path),
            };
        }
        let author = author.to_owned();
        let commit = Commit { id: id.clone(), parent, author, at, files: tree };
        repository.commits.insert(id.clone(), commit);
        repository.branches.insert(branch.to_owned(), id.clone());
        id
    }
}

/// A hash of its own for each commit.
fn commit_id(state: &State, number: u64) -> String {
    let digest = Sha256::digest(format!("{}/commit/{number}", state.seed));
    let halves = digest.iter().take(20).flat_map(|byte| [byte >> 4, byte & 15]);
    halves.filter_map(|half| char::from_digit(half.into(), 16)).collect()
}
