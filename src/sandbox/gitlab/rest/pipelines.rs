//! A project's pipelines.

use serde_json::{Value, json};

use crate::sandbox::gitlab::access::{AccessLevel, WRITE};
use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::build::NewJob;
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::entities::Show;
use crate::sandbox::gitlab::paging::{Listing, present};
use crate::sandbox::gitlab::state::{Pipeline, PipelineId, State, Status};
use crate::world::ProjectId;

use super::jobs::{readable, scope};
use super::project as find_project;
use super::users::reader;

pub(super) fn list(call: &Call, state: &mut State) -> Outcome {
    let caller = reader(call, state)?;
    let project = readable(call, state, caller)?;
    let (status, ref_name) = (call.params.text("status"), call.params.text("ref"));
    let wanted = |pipeline: &&Pipeline| {
        pipeline.project == project
            && status.as_ref().is_none_or(|status| state.pipeline_status(pipeline) == status)
            && ref_name.as_ref().is_none_or(|name| pipeline.ref_name == *name)
    };
    let pipelines = state.pipelines.values().rev().filter(wanted);
    let items = pipelines.map(|pipeline| (pipeline.id.0, pipeline)).collect();
    let show = Show::new(state, call.base(state));
    present(call, state, Listing { items, counted: true }, |pipeline| show.pipeline(pipeline))
}

pub(super) fn one(call: &Call, state: &mut State) -> Outcome {
    let pipeline = find(call, state)?;
    Ok(Answer::ok(Show::new(state, call.base(state)).pipeline_details(pipeline)))
}

pub(super) fn jobs(call: &Call, state: &mut State) -> Outcome {
    let scope = scope(call)?;
    let pipeline = find(call, state)?;
    let jobs = pipeline.jobs.iter().rev().filter_map(|id| state.jobs.get(id));
    let retried = call.params.flag("include_retried")? == Some(true);
    let jobs = jobs.filter(|job| retried || !job.retried);
    let jobs =
        jobs.filter(|job| scope.is_empty() || scope.iter().any(|s| s == job.status.as_str()));
    let items = jobs.map(|job| (job.id.0, job)).collect();
    let show = Show::new(state, call.base(state));
    present(call, state, Listing { items, counted: true }, |job| show.job(job))
}

/// A new pipeline with the jobs that the project is set up with; without any, one untagged job.
pub(super) fn create(call: &Call, state: &mut State) -> Outcome {
    let (project, user) = changeable(call, state)?;
    let ref_name = call.params.required("ref")?;
    let found = state.projects.get(&project).ok_or_else(|| Answer::not_found("Project"))?;
    let mut jobs = found.pipeline_jobs.clone();
    let is_tag = found.settings.protected_tags.contains(&ref_name);
    if jobs.is_empty() {
        jobs.push(NewJob::new(project));
    }
    let id = state.add_pipeline(project, &ref_name, is_tag, "api", &[]);
    if let Some(pipeline) = state.pipelines.get_mut(&id) {
        pipeline.variables = variables(call);
    }
    for job in jobs {
        let job = NewJob { project, ref_name: ref_name.clone(), is_tag, ..job };
        state.add_job(id, job, Some(user));
    }
    shown(call, state, id)
}

pub(super) fn cancel(call: &Call, state: &mut State) -> Outcome {
    changeable(call, state)?;
    let pipeline = find(call, state)?;
    let (id, jobs) = (pipeline.id, pipeline.jobs.clone());
    for job in jobs {
        state.cancel(job);
    }
    shown(call, state, id)
}

/// `doc/api/pipelines.md`: "Retry failed or canceled jobs in a pipeline".
pub(super) fn retry(call: &Call, state: &mut State) -> Outcome {
    let (_, user) = changeable(call, state)?;
    let pipeline = find(call, state)?;
    let (id, jobs) = (pipeline.id, pipeline.jobs.clone());
    for job in jobs {
        let status = state.jobs.get(&job).map(|job| job.status);
        if matches!(status, Some(Status::Failed | Status::Canceled)) {
            state.retry(job, Some(user));
        }
    }
    shown(call, state, id)
}

/// `variables`, an array of hashes with `key` and `value` (`doc/api/pipelines.md`).
fn variables(call: &Call) -> Vec<(String, String)> {
    let given = call.params.value("variables").and_then(Value::as_array);
    let word = |one: &Value, name: &str| one.get(name)?.as_str().map(str::to_owned);
    given
        .into_iter()
        .flatten()
        .filter_map(|one| Some((word(one, "key")?, word(one, "value")?)))
        .collect()
}

fn shown(call: &Call, state: &State, id: PipelineId) -> Outcome {
    let pipeline = state.pipelines.get(&id).ok_or_else(|| Answer::not_found(""))?;
    Ok(Answer::created(Show::new(state, call.base(state)).pipeline_details(pipeline)))
}

fn find<'a>(call: &Call, state: &'a State) -> Result<&'a Pipeline, Answer> {
    let caller = reader(call, state)?;
    let project = readable(call, state, caller)?;
    let found = state.pipelines.get(&PipelineId(call.id("pipeline")));
    let found = found.filter(|pipeline| pipeline.project == project);
    found.ok_or_else(|| Answer::not_found(""))
}

fn changeable(
    call: &Call,
    state: &State,
) -> Result<(ProjectId, crate::sandbox::gitlab::UserId), Answer> {
    let caller = call.caller(state, WRITE)?;
    let project = find_project(call, state, caller)?;
    if state.level(caller, &project.path) < AccessLevel::Developer {
        let fault =
            json!({ "message": { "base": ["Insufficient permissions to create a new pipeline"] } });
        return Err(Answer::json(400, fault));
    }
    Ok((project.id, caller.user))
}
