//! The operator's side of REST.

mod hooks;
mod jobs;
mod pipelines;
mod places;
mod records;
mod registration;
mod repository;
mod rotation;
mod scratch;
mod users;

use axum::Router;
use axum::routing::MethodFilter;

use super::SimulatedGitlab;
use super::access::Caller;
use super::answer::Answer;
use super::call::{Call, Route, add};
use super::moves::redirect;
use super::state::{Group, Project, State};

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;
const PUT: MethodFilter = MethodFilter::PUT;
const DELETE: MethodFilter = MethodFilter::DELETE;

const ROUTES: &[Route] = &[
    (GET, "/metadata", users::metadata),
    (GET, "/version", users::version),
    (GET, "/user", users::current),
    (GET, "/users", users::list),
    (GET, "/users/{id}", users::one),
    (GET, "/personal_access_tokens/self", users::token_self),
    (POST, "/personal_access_tokens/self/rotate", rotation::of_self),
    (POST, "/personal_access_tokens/{id}/rotate", rotation::by_id),
    (GET, "/groups", places::groups),
    (GET, "/groups/{id}", places::group),
    (GET, "/groups/{id}/projects", places::group_projects),
    (GET, "/groups/{id}/members/all/{user}", places::group_member),
    (GET, "/groups/{id}/runners", records::of_group),
    (GET, "/projects", places::projects),
    (POST, "/projects", scratch::create_project),
    (GET, "/projects/{id}", places::project),
    (DELETE, "/projects/{id}", scratch::delete_project),
    (GET, "/projects/{id}/members/all/{user}", places::project_member),
    (GET, "/projects/{id}/protected_branches", places::protected_branches),
    (GET, "/projects/{id}/protected_branches/{name}", places::protected_branch),
    (GET, "/projects/{id}/protected_tags", places::protected_tags),
    (GET, "/projects/{id}/protected_tags/{name}", places::protected_tag),
    (GET, "/projects/{id}/repository/branches/{branch}", repository::branch),
    (DELETE, "/projects/{id}/repository/branches/{branch}", scratch::delete_branch),
    (POST, "/projects/{id}/repository/commits", scratch::commit),
    (GET, "/projects/{id}/repository/tags/{tag}", repository::tag),
    (GET, "/projects/{id}/repository/commits/{sha}", repository::commit),
    (GET, "/projects/{id}/repository/files/{path}/raw", repository::raw_file),
    (GET, "/projects/{id}/runners", records::of_project),
    (GET, "/projects/{id}/jobs", jobs::list),
    (GET, "/projects/{id}/jobs/{job}", jobs::one),
    (GET, "/projects/{id}/jobs/{job}/trace", jobs::trace),
    (POST, "/projects/{id}/jobs/{job}/cancel", jobs::cancel),
    (POST, "/projects/{id}/jobs/{job}/retry", jobs::retry),
    (POST, "/projects/{id}/jobs/{job}/play", jobs::play),
    (GET, "/projects/{id}/pipelines", pipelines::list),
    (POST, "/projects/{id}/pipeline", pipelines::create),
    (GET, "/projects/{id}/pipelines/{pipeline}", pipelines::one),
    (DELETE, "/projects/{id}/pipelines/{pipeline}", scratch::delete_pipeline),
    (GET, "/projects/{id}/pipelines/{pipeline}/jobs", pipelines::jobs),
    (POST, "/projects/{id}/pipelines/{pipeline}/cancel", pipelines::cancel),
    (POST, "/projects/{id}/pipelines/{pipeline}/retry", pipelines::retry),
    (GET, "/projects/{id}/hooks", hooks::list),
    (POST, "/projects/{id}/hooks", hooks::create),
    (GET, "/projects/{id}/hooks/{hook}", hooks::one),
    (PUT, "/projects/{id}/hooks/{hook}", hooks::update),
    (DELETE, "/projects/{id}/hooks/{hook}", hooks::delete),
    (POST, "/projects/{id}/hooks/{hook}/test/{trigger}", hooks::test),
    (GET, "/hooks", hooks::list_system),
    (POST, "/hooks", hooks::create_system),
    (GET, "/runners", records::owned),
    (GET, "/runners/all", records::all),
    (GET, "/runners/{id}", records::one),
    (PUT, "/runners/{id}", records::update),
    (DELETE, "/runners/{id}", records::delete),
    (GET, "/runners/{id}/managers", records::managers),
    (GET, "/runners/{id}/jobs", records::jobs),
    (POST, "/user/runners", registration::create),
    (POST, "/runners", registration::register),
    (DELETE, "/runners", registration::unregister),
    (DELETE, "/runners/managers", registration::unregister_manager),
];

/// Adds the operator's side of REST.
pub(crate) fn routes(
    router: Router<SimulatedGitlab>,
    gitlab: &SimulatedGitlab,
) -> Router<SimulatedGitlab> {
    add(router, gitlab, ROUTES)
}

/// The project that `{id}` names, by number or full path, if the caller may see it; a path that it
/// once had redirects.
fn project<'a>(call: &Call, state: &'a State, caller: Caller) -> Result<&'a Project, Answer> {
    let name = call.part("id");
    let number = name.parse().ok().map(crate::world::ProjectId);
    let found = number.and_then(|id| state.projects.get(&id)).or_else(|| state.project_at(name));
    let seen = |project: &&Project| state.sees(caller, project);
    if let Some(project) = found {
        return Some(project).filter(seen).ok_or_else(|| Answer::not_found("Project"));
    }
    Err(match state.moved_project(name).filter(seen) {
        Some(project) => redirect(call, state, project.id),
        None => Answer::not_found("Project"),
    })
}

/// The group that `{id}` names, by number or full path, if the caller may see it.
fn group<'a>(call: &Call, state: &'a State, caller: Caller) -> Result<&'a Group, Answer> {
    let name = call.part("id");
    let number = name.parse().ok().map(super::GroupId);
    let found = number.and_then(|id| state.groups.get(&id)).or_else(|| state.group_at(name));
    let seen = found.filter(|group| places::sees_group(state, caller, group));
    seen.ok_or_else(|| Answer::not_found("Group"))
}
