//! A project's pipelines.

use serde_json::{Value, json};

use crate::sandbox::gitlab::UserId;
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

/// The file that a pipeline is made of.
const CI_FILE: &str = ".gitlab-ci.yml";

/// A new pipeline with the jobs of its commit's file; without one, those that the project is set up
/// with; without any, one untagged job.
pub(super) fn create(call: &Call, state: &mut State) -> Outcome {
    let (project, user) = changeable(call, state)?;
    let ref_name = call.params.required("ref")?;
    let found = state.projects.get(&project).ok_or_else(|| Answer::not_found("Project"))?;
    let repository = state.repositories.get(&project);
    let commit = repository.and_then(|repository| repository.revision(&ref_name));
    if found.made && commit.is_none() {
        let fault = json!({ "message": { "base": ["Reference not found"] } });
        return Err(Answer::json(400, fault));
    }
    let file = commit.and_then(|commit| commit.files.get(CI_FILE));
    let mut jobs = match file.map(|text| of_file(project, text)) {
        Some(jobs) => jobs?,
        None => found.pipeline_jobs.clone(),
    };
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

/// The jobs of a pipeline's file, as far as it is JSON, which is YAML (yaml.org/spec/1.2.2, 1.3): what
/// has a `script` is a job (`doc/ci/yaml`). A script takes as long as it sleeps.
fn of_file(project: ProjectId, text: &str) -> Result<Vec<NewJob>, Answer> {
    let fault = |words: String| Answer::json(400, json!({ "message": { "base": [words] } }));
    let file: Value = serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
    let words = |job: &Value, key: &str| -> Vec<String> {
        let words = job.get(key).and_then(Value::as_array).into_iter().flatten();
        words.filter_map(|word| Some(word.as_str()?.to_owned())).collect()
    };
    let jobs = file.as_object().into_iter().flatten();
    let jobs = jobs.filter(|(_, job)| job.get("script").is_some()).map(|(name, job)| {
        let script = words(job, "script");
        let sleep = |line: &String| line.strip_prefix("sleep ")?.parse::<u64>().ok();
        let sleeps = script.iter().filter_map(sleep);
        let duration = std::time::Duration::from_secs(sleeps.sum());
        let (name, tags) = (name.clone(), words(job, "tags"));
        NewJob { name, tags, script, duration, ..NewJob::new(project) }
    });
    let jobs: Vec<NewJob> = jobs.collect();
    if jobs.is_empty() { Err(fault("Config contains no jobs".to_owned())) } else { Ok(jobs) }
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

pub(super) fn find<'a>(call: &Call, state: &'a State) -> Result<&'a Pipeline, Answer> {
    let caller = reader(call, state)?;
    let project = readable(call, state, caller)?;
    let found = state.pipelines.get(&PipelineId(call.id("pipeline")));
    let found = found.filter(|pipeline| pipeline.project == project);
    found.ok_or_else(|| Answer::not_found(""))
}

fn changeable(call: &Call, state: &State) -> Result<(ProjectId, UserId), Answer> {
    developed(call, state, || {
        let fault =
            json!({ "message": { "base": ["Insufficient permissions to create a new pipeline"] } });
        Answer::json(400, fault)
    })
}

/// The project, if the caller is at least a Developer there.
pub(super) fn developed(
    call: &Call,
    state: &State,
    refusal: impl FnOnce() -> Answer,
) -> Result<(ProjectId, UserId), Answer> {
    let caller = call.caller(state, WRITE)?;
    let project = find_project(call, state, caller)?;
    if state.level(caller, &project.path) < AccessLevel::Developer {
        return Err(refusal());
    }
    Ok((project.id, caller.user))
}
