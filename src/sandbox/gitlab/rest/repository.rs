//! Branches, tags, commits and files of a project.
//!
//! As GitLab's `lib/api/branches.rb`, `tags.rb`, `commits.rb` and `files.rb`: what is missing is
//! named in the 404, code takes the right to download it (Reporter in a private project), and a raw
//! file comes as text.

use serde_json::{Value, json};

use crate::sandbox::gitlab::access::AccessLevel;
use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::matching::is_protected;
use crate::sandbox::gitlab::repository::{Commit, Repository};
use crate::sandbox::gitlab::state::{Project, State};

use super::project as find_project;
use super::users::reader;

/// Scopes that read files of a repository.
const READ_FILES: &[&str] = &["api", "read_api", "read_repository"];

pub(super) fn branch(call: &Call, state: &mut State) -> Outcome {
    let (project, repository) = readable(call, state, &["api", "read_api"])?;
    let name = call.part("branch");
    let commit = repository.branch(name).ok_or_else(|| Answer::not_found("Branch"))?;
    let base = call.base(state);
    Ok(Answer::ok(json!({
        "name": name,
        "merged": false,
        "protected": is_protected(&project.settings, name, false),
        "default": project.settings.default_branch == name,
        "developers_can_push": false,
        "developers_can_merge": false,
        "can_push": true,
        "web_url": format!("{base}/{}/-/tree/{name}", project.path),
        "commit": shown(commit, state, project, &base),
    })))
}

pub(super) fn tag(call: &Call, state: &mut State) -> Outcome {
    let (project, repository) = readable(call, state, &["api", "read_api"])?;
    let name = call.part("tag");
    let commit = repository.tag(name).ok_or_else(|| Answer::not_found("Tag"))?;
    Ok(Answer::ok(json!({
        "name": name,
        "message": "",
        "target": commit.id,
        "protected": is_protected(&project.settings, name, true),
        "release": null,
        "created_at": null,
        "commit": shown(commit, state, project, &call.base(state)),
    })))
}

pub(super) fn commit(call: &Call, state: &mut State) -> Outcome {
    let (project, repository) = readable(call, state, &["api", "read_api"])?;
    let found = repository.revision(call.part("sha"));
    let found = found.ok_or_else(|| Answer::not_found("Commit"))?;
    Ok(Answer::ok(shown(found, state, project, &call.base(state))))
}

pub(super) fn raw_file(call: &Call, state: &mut State) -> Outcome {
    let (project, repository) = readable(call, state, READ_FILES)?;
    let named = call.params.text("ref");
    let name = named.as_deref().unwrap_or(&project.settings.default_branch);
    let commit = repository.revision(name).ok_or_else(|| Answer::not_found("Commit"))?;
    let text = commit.files.get(call.part("path")).ok_or_else(|| Answer::not_found("File"))?;
    let answer = Answer::raw(200, "text/plain; charset=utf-8", text.clone());
    Ok(answer.header("X-Gitlab-Commit-Id", &commit.id))
}

/// The repository, if the caller may read its code.
fn readable<'a>(
    call: &Call,
    state: &'a State,
    scopes: &[&str],
) -> Result<(&'a Project, &'a Repository), Answer> {
    let caller = match reader(call, state) {
        Ok(caller) => caller,
        Err(_) => call.caller(state, scopes)?,
    };
    let project = find_project(call, state, caller)?;
    let level = state.level(caller, &project.path);
    if level < AccessLevel::Reporter && !project.settings.public {
        return Err(Answer::forbidden());
    }
    let repository = state.repositories.get(&project.id);
    repository
        .map(|repository| (project, repository))
        .ok_or_else(|| Answer::not_found("Repository"))
}

fn shown(commit: &Commit, state: &State, project: &Project, base: &str) -> Value {
    let Commit { id, parent, author, at, .. } = commit;
    let short: String = id.chars().take(8).collect();
    let email = format!("{}@example.com", author.to_lowercase().replace(' ', "."));
    let at = state.time(*at);
    json!({
        "id": id,
        "short_id": short,
        "created_at": at,
        "parent_ids": parent.iter().collect::<Vec<_>>(),
        "title": "Change pools",
        "message": "Change pools\n",
        "author_name": author,
        "author_email": email,
        "authored_date": at,
        "committer_name": author,
        "committer_email": email,
        "committed_date": at,
        "trailers": {},
        "web_url": format!("{base}/{}/-/commit/{id}", project.path),
    })
}
