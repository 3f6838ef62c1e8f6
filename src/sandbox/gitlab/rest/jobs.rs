//! A project's jobs.

use crate::sandbox::gitlab::access::{AccessLevel, Caller, WRITE};
use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::entities::Show;
use crate::sandbox::gitlab::paging::{Listing, present};
use crate::sandbox::gitlab::state::{Job, STATUSES, State, Status};
use crate::world::{JobId, ProjectId};

use super::project as find_project;
use super::users::reader;

pub(super) fn list(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let project = readable(call, state, caller)?;
    let scope = scope(call)?;
    let jobs = state.jobs.values().rev().filter(|job| job.project == project);
    let jobs =
        jobs.filter(|job| scope.is_empty() || scope.iter().any(|s| s == job.status.as_str()));
    let items = jobs.map(|job| (job.id.0, job)).collect();
    let show = Show::new(state, call.base(state));
    present(call, state, Listing { items, counted: false }, |job| show.job(job))
}

/// The statuses asked for; empty: all.
pub(super) fn scope(call: &Call) -> Result<Vec<String>, Answer> {
    let scope = call.params.list("scope").unwrap_or_default();
    if scope.iter().all(|status| STATUSES.contains(&status.as_str())) {
        return Ok(scope);
    }
    Err(Answer::bad_parameter("scope does not have a valid value"))
}

pub(super) fn one(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let job = find(call, state, caller)?;
    Ok(Answer::ok(Show::new(state, call.base(state)).job(job)))
}

pub(super) fn trace(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let job = find(call, state, caller)?;
    let name = format!("infile; filename=\"{}.log\"", job.id);
    Ok(Answer::raw(200, "text/plain", job.trace.clone()).header("Content-Disposition", name))
}

pub(super) fn cancel(call: &Call, state: &mut State) -> Outcome {
    let (id, caller) = changeable(call, state)?;
    // Only what is being cancelled can be forced, and by a Maintainer; its runner is not waited for
    // then. GitLab's docs, "Force cancel a job" (doc/ci/jobs): `force` is generally available since
    // 17.11, and in 17.10 behind the flag `force_cancel_build`, off by default, as it is here.
    let canceling = state.jobs.get(&id).is_some_and(|job| job.status == Status::Canceling);
    let force = call.params.flag("force")?.filter(|_| state.switches.version_is_at_least(17, 11));
    let project = find_project(call, state, caller)?;
    if force == Some(true) && state.level(caller, &project.path) < AccessLevel::Maintainer {
        return Err(Answer::refused(422, "Unprocessable Entity"));
    }
    match force {
        Some(true) if canceling => state.end(id, Status::Canceled),
        Some(true) => return Err(Answer::bad_request("Job is not being canceled")),
        Some(false) | None => state.cancel(id),
    }
    shown(call, state, id, 201)
}

pub(super) fn retry(call: &Call, state: &mut State) -> Outcome {
    let (id, caller) = changeable(call, state)?;
    let queued = state.retry(id, Some(caller.user));
    let queued = queued.ok_or_else(|| Answer::forbidden_because("Job is not retryable"))?;
    shown(call, state, queued, 201)
}

pub(super) fn play(call: &Call, state: &mut State) -> Outcome {
    let (id, _) = changeable(call, state)?;
    if state.jobs.get(&id).is_none_or(|job| job.status != Status::Manual) {
        return Err(Answer::bad_request("Unplayable Job"));
    }
    state.enqueue(id);
    shown(call, state, id, 200)
}

fn shown(call: &Call, state: &State, id: JobId, status: u16) -> Outcome {
    let job = state.jobs.get(&id).ok_or_else(|| Answer::not_found(""))?;
    Ok(Answer::json(status, Show::new(state, call.base(state)).job(job)))
}

/// The project, if the caller may see its jobs.
pub(super) fn readable(call: &Call, state: &State, caller: Caller) -> Result<ProjectId, Answer> {
    let project = find_project(call, state, caller)?;
    if project.settings.builds_enabled { Ok(project.id) } else { Err(Answer::forbidden()) }
}

fn find<'a>(call: &Call, state: &'a State, caller: Caller) -> Result<&'a Job, Answer> {
    let project = readable(call, state, caller)?;
    let job = state.jobs.get(&JobId(call.id("job"))).filter(|job| job.project == project);
    job.ok_or_else(|| Answer::not_found(""))
}

/// The job, if the caller may change it.
fn changeable(call: &Call, state: &State) -> Result<(JobId, Caller), Answer> {
    let caller = call.caller(state, WRITE)?;
    let job = find(call, state, caller)?;
    let project = find_project(call, state, caller)?;
    if state.level(caller, &project.path) < AccessLevel::Developer {
        return Err(Answer::forbidden());
    }
    Ok((job.id, caller))
}
