//! What a runner tells about its job: state, log, artifacts; by the job's token.

use serde_json::{Value, json};

use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::state::{State, Status};
use crate::world::JobId;

const JOB_STATUS: &str = "Job-Status";
const UPDATE_INTERVAL: &str = "X-GitLab-Trace-Update-Interval";
/// GitLab's interval while somebody watches the job's page; 60 s else.
const INTERVAL_SECS: &str = "3";

/// `PUT /jobs/:id`.
pub(super) fn update(call: &Call, state: &mut State) -> Outcome {
    let id = authenticate(call, state)?;
    let canceling = state.jobs.get(&id).is_some_and(|job| job.status == Status::Canceling);
    match (call.params.text("state").as_deref(), canceling) {
        (Some("running"), _) => {}
        (Some("success" | "failed"), true) => state.end(id, Status::Canceled),
        (Some("success"), false) => state.end(id, Status::Success),
        (Some("failed"), false) => {
            let reason = call.params.text("failure_reason").filter(|reason| !reason.is_empty());
            let exit_code = call.params.value("exit_code").and_then(Value::as_i64);
            state.fail(id, reason.as_deref().unwrap_or("unknown_failure"), exit_code);
        }
        (Some(_) | None, _) => return Err(Answer::json(400, json!("400"))),
    }
    Ok(Answer::ok(json!("200"))
        .header(JOB_STATUS, status(state, id))
        .header(UPDATE_INTERVAL, INTERVAL_SECS))
}

/// `PATCH /jobs/:id/trace`: appends what begins exactly where the log ends; what was sent before,
/// byte for byte up to that end, is accepted again.
pub(super) fn trace(call: &Call, state: &mut State) -> Outcome {
    let id = authenticate(call, state)?;
    let range = call.header("content-range");
    let range = range.ok_or_else(|| Answer::refused(400, "Missing header Content-Range"))?;
    let first = range.trim_start_matches("bytes ").split('-').next().unwrap_or_default();
    let start: usize = first.trim().parse().unwrap_or(0);
    let job = state.jobs.get_mut(&id).ok_or_else(Answer::forbidden)?;
    if start == job.trace.len() {
        job.trace.extend_from_slice(&call.body);
    }
    let size = job.trace.len();
    if size != start.saturating_add(call.body.len()) {
        return Err(
            Answer::refused(416, "Range Not Satisfiable").header("Range", format!("0-{size}"))
        );
    }
    state.touch();
    Ok(Answer::raw(202, "text/plain", "202")
        .header(JOB_STATUS, status(state, id))
        .header("Range", format!("0-{size}"))
        .header(UPDATE_INTERVAL, INTERVAL_SECS))
}

/// `POST /jobs/:id/artifacts`: taken, and not kept.
pub(super) fn artifacts(call: &Call, state: &mut State) -> Outcome {
    authenticate(call, state)?;
    Ok(Answer::created(json!("201")))
}

/// The job, if the call has its token and a runner still has it. Its runner is heard of thereby,
/// also when its record is gone.
fn authenticate(call: &Call, state: &mut State) -> Result<JobId, Answer> {
    let id = JobId(call.id("id"));
    let token = call.params.text("token").or_else(|| call.header("job-token").map(str::to_owned));
    let now = state.now;
    let job = state.jobs.get_mut(&id).filter(|job| token.as_ref() == Some(&job.token));
    let job = job.ok_or_else(Answer::forbidden)?;
    if !job.status.is_with_a_runner() {
        let refusal = Answer::forbidden_because("Job is not running");
        return Err(refusal.header(JOB_STATUS, job.status.as_str()));
    }
    job.updated_at = now;
    let (record, system_id) = (job.record, job.system_id.clone());
    if let (Some(record), Some(system_id)) = (record, system_id) {
        state.contact(record, &system_id, None);
    }
    Ok(id)
}

fn status(state: &State, id: JobId) -> &'static str {
    state.jobs.get(&id).map_or("", |job| job.status.as_str())
}
