//! A job as a runner gets it.

use serde_json::{Value, json};

use crate::sandbox::gitlab::answer::Answer;
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::entities::Show;
use crate::sandbox::gitlab::state::{Job, Project, Record, State};
use crate::world::JobId;

/// 201 with the job.
pub(super) fn job(call: &Call, state: &State, id: JobId) -> Answer {
    let found = state.jobs.get(&id).and_then(|job| {
        let record = job.record.and_then(|id| state.records.get(&id))?;
        Some((job, record, state.projects.get(&job.project)?))
    });
    let Some((job, record, project)) = found else {
        return Answer::json(409, json!({ "message": "409 Conflict" }));
    };
    let show = Show::new(state, call.base(state));
    let name = project.path.rsplit('/').next().unwrap_or_default();
    Answer::created(json!({
        "id": job.id.0,
        "token": job.token,
        "allow_git_fetch": true,
        "job_info": {
            "id": job.id.0,
            "name": job.asked.name,
            "stage": job.asked.stage,
            "project_id": project.id.0,
            "project_name": name,
            "project_full_name": project.path,
            "time_in_queue_seconds": state.since(job.queued_at).as_secs(),
            "project_jobs_running_on_instance_runners_count": "0",
        },
        "git_info": git(&show, job, project),
        "runner_info": { "timeout": job.timeout.as_secs(), "runner_session_url": null },
        "variables": variables(&show, job, record, project),
        "steps": [{
            "name": "script",
            "script": script(job),
            "timeout": job.timeout.as_secs(),
            "when": "on_success",
            "allow_failure": false,
        }],
        "hooks": [],
        "image": job.asked.image.as_ref().map(|image| {
            json!({ "name": image, "entrypoint": null, "ports": [], "pull_policy": null })
        }),
        "services": [],
        "artifacts": [],
        "cache": [],
        "credentials": [],
        "dependencies": [],
        "features": {
            "trace_sections": true,
            "token_mask_prefixes": ["glpat-"],
            "failure_reasons": ["unknown_failure", "script_failure", "runner_system_failure"],
        },
    }))
}

/// There is no git behind it; a runner that tries finds none (`GIT_STRATEGY=none` spares it that).
fn git(show: &Show<'_>, job: &Job, project: &Project) -> Value {
    let (scheme, host) = show.base.split_once("://").unwrap_or(("http", &show.base));
    let name = &job.asked.ref_name;
    let refspec = if job.asked.is_tag {
        format!("+refs/tags/{name}:refs/tags/{name}")
    } else {
        format!("+refs/heads/{name}:refs/remotes/origin/{name}")
    };
    json!({
        "repo_url": format!("{scheme}://gitlab-ci-token:{}@{host}/{}.git", job.token, project.path),
        "repo_object_format": "sha1",
        "ref": name,
        "sha": show.state.sha(name),
        "before_sha": "0".repeat(40),
        "ref_type": if job.asked.is_tag { "tag" } else { "branch" },
        "refspecs": [refspec],
        "depth": 20,
        "protected": job.protected,
    })
}

fn variables(show: &Show<'_>, job: &Job, record: &Record, project: &Project) -> Vec<Value> {
    let state = show.state;
    let name = project.path.rsplit('/').next().unwrap_or_default();
    let namespace = project.path.rsplit_once('/').map_or("", |(above, _)| above);
    let public = [
        ("CI", "true".to_owned()),
        ("GITLAB_CI", "true".to_owned()),
        ("CI_JOB_ID", job.id.to_string()),
        ("CI_JOB_NAME", job.asked.name.clone()),
        ("CI_JOB_STAGE", job.asked.stage.clone()),
        ("CI_JOB_URL", show.job_url(job)),
        ("CI_PIPELINE_ID", job.pipeline.0.to_string()),
        ("CI_PROJECT_ID", project.id.to_string()),
        ("CI_PROJECT_NAME", name.to_owned()),
        ("CI_PROJECT_NAMESPACE", namespace.to_owned()),
        ("CI_PROJECT_PATH", project.path.clone()),
        ("CI_PROJECT_URL", format!("{}/{}", show.base, project.path)),
        ("CI_SERVER_URL", show.base.clone()),
        ("CI_SERVER_VERSION", state.switches.version.clone()),
        ("CI_API_V4_URL", format!("{}/api/v4", show.base)),
        ("CI_COMMIT_REF_NAME", job.asked.ref_name.clone()),
        ("CI_COMMIT_SHA", state.sha(&job.asked.ref_name)),
        ("CI_COMMIT_REF_PROTECTED", job.protected.to_string()),
        ("CI_RUNNER_ID", record.id.to_string()),
        ("CI_RUNNER_DESCRIPTION", record.form.description.clone()),
        ("CI_RUNNER_TAGS", json!(record.form.tags).to_string()),
        ("GIT_STRATEGY", "none".to_owned()),
        ("SIMULATED_DURATION_MS", job.asked.duration.as_millis().to_string()),
        ("SIMULATED_FAILS", job.asked.fails.to_string()),
    ];
    let arch = job.asked.image_arch.map(|arch| ("SIMULATED_IMAGE_ARCH", arch.to_string()));
    let mut variables: Vec<Value> =
        public.iter().chain(&arch).map(|(key, value)| variable(key, value, true)).collect();
    variables.push(variable("CI_JOB_TOKEN", &job.token, false));
    variables
}

fn variable(key: &str, value: &str, public: bool) -> Value {
    json!({ "key": key, "value": value, "public": public, "masked": !public })
}

fn script(job: &Job) -> Vec<String> {
    if !job.asked.script.is_empty() {
        return job.asked.script.clone();
    }
    let mut lines = vec![
        format!("echo \"job {} begins\"", job.id),
        format!("sleep {}", job.asked.duration.as_secs()),
    ];
    lines.extend(job.asked.fails.then(|| "exit 1".to_owned()));
    lines
}
