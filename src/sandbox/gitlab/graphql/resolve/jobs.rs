//! Jobs and pipelines.

use serde_json::{Value, json};

use super::{Arguments, Node, Out, connect, gid, words};
use crate::sandbox::gitlab::graphql::execute::Execution;
use crate::sandbox::gitlab::graphql::value::Error;
use crate::sandbox::gitlab::state::{Job, PipelineId, STATUSES, Status};
use crate::world::{JobId, RecordId};

impl Execution<'_> {
    /// The instance's jobs. For who is no administrator GitLab finds none, and says nothing.
    pub(super) fn all_jobs(&self, arguments: &Arguments) -> Result<Out, Error> {
        let administrator = self.caller.is_some_and(|caller| caller.administrator);
        self.jobs(arguments, |_| administrator)
    }

    pub(super) fn jobs(
        &self,
        arguments: &Arguments,
        keep: impl Fn(&Job) -> bool,
    ) -> Result<Out, Error> {
        let statuses = statuses(arguments)?;
        let runner = gid(arguments, "compatibleRunnerId", "Ci::Runner")?;
        // An argument since 18.1.
        if runner.is_some() && !self.state.switches.version_is_at_least(18, 1) {
            let text = "Field 'jobs' doesn't accept argument 'compatibleRunnerId'";
            return Err(Error::new(text));
        }
        let runner = runner.map(|id| self.state.records.get(&RecordId(id)));
        let fits = |job: &&Job| {
            let asked = statuses.as_ref();
            let status = asked.is_none_or(|all| all.iter().any(|one| one == job.status.as_str()));
            let compatible = runner
                .is_none_or(|record| record.is_some_and(|record| self.state.may_take(record, job)));
            status && compatible && keep(job)
        };
        // Most queries ask for jobs that have not ended: those are few, the others many.
        let open = ["pending", "running", "canceling", "manual"];
        let only_open = statuses
            .as_ref()
            .is_some_and(|all| all.iter().all(|status| open.contains(&status.as_str())));
        if only_open {
            let jobs = self.state.open.iter().filter_map(|id| self.state.jobs.get(id));
            return connect(jobs.filter(fits).map(|job| (job.id.0, Node::Job(job.id))), arguments);
        }
        let jobs = self.state.jobs.values().filter(fits);
        connect(jobs.map(|job| (job.id.0, Node::Job(job.id))), arguments)
    }

    pub(super) fn of_job(&self, id: JobId, field: &str) -> Option<Node> {
        let job = self.state.jobs.get(&id)?;
        let record = job.record.filter(|record| self.state.records.contains_key(record));
        match field {
            "stage" => Some(Node::Stage(id)),
            "pipeline" => Some(Node::Pipeline(job.pipeline)),
            "project" => Some(Node::Project(job.project)),
            "runner" => record.map(Node::Record),
            "runnerManager" => {
                let system_id = job.system_id.clone()?;
                let found = self.state.records.get(&record?)?;
                let known = found.managers.contains_key(&system_id);
                known.then_some(Node::Manager(found.id, system_id))
            }
            _ => None,
        }
    }

    pub(super) fn in_pipeline(
        &self,
        id: PipelineId,
        field: &str,
        arguments: &Arguments,
    ) -> Result<Out, Error> {
        if field == "jobs" {
            return self.jobs(arguments, |job| job.pipeline == id);
        }
        let pipeline = self.state.pipelines.get(&id);
        Ok(pipeline.map(|pipeline| Node::Project(pipeline.project)).into())
    }

    pub(super) fn job_leaf(&self, job: &Job, field: &str) -> Value {
        let ended = job.finished_at.unwrap_or(self.state.now);
        let project = self.state.projects.get(&job.project);
        let path = project.map(|project| project.path.as_str()).unwrap_or_default();
        let reference = if job.asked.is_tag { "tags" } else { "heads" };
        let seconds = |from: jiff::Timestamp, to: jiff::Timestamp| {
            json!(to.duration_since(from).as_secs().max(0))
        };
        match field {
            "id" => json!(format!("gid://gitlab/Ci::Build/{}", job.id)),
            "name" => json!(job.asked.name),
            "status" => json!(job.status.as_str().to_uppercase()),
            "tags" => json!(job.tags),
            "queuedAt" if job.status == Status::Manual => Value::Null,
            "queuedAt" => self.time(job.queued_at),
            "createdAt" => self.time(job.created_at),
            "startedAt" => self.maybe_time(job.started_at),
            "finishedAt" => self.maybe_time(job.finished_at),
            "duration" => job.started_at.map_or(Value::Null, |from| seconds(from, ended)),
            "queuedDuration" => seconds(job.queued_at, job.started_at.unwrap_or(ended)),
            "refName" => json!(job.asked.ref_name),
            "refPath" => json!(format!("refs/{reference}/{}", job.asked.ref_name)),
            "createdByTag" => json!(job.asked.is_tag),
            "webPath" => json!(format!("/{path}/-/jobs/{}", job.id)),
            "shortSha" => {
                let sha = self.state.sha(&job.asked.ref_name);
                json!(sha.get(..8))
            }
            "active" => json!(matches!(job.status, Status::Pending | Status::Running)),
            "stuck" => {
                json!(job.status == Status::Pending && !self.state.has_online_match(job))
            }
            "cancelable" => json!(job.status.is_open() && job.status != Status::Canceling),
            "retryable" => json!(!job.status.is_open()),
            "playable" | "manualJob" => json!(job.status == Status::Manual),
            "allowFailure" | "triggered" => json!(false),
            "kind" => json!("BUILD"),
            "schedulingType" => json!("stage"),
            "exitCode" => json!(job.exit_code),
            "failureMessage" => json!(job.failure_reason),
            _ => Value::Null,
        }
    }
}

/// The statuses asked for, in REST's words.
fn statuses(arguments: &Arguments) -> Result<Option<Vec<String>>, Error> {
    let Some(words) = words(arguments, "statuses") else { return Ok(None) };
    let mut statuses = Vec::new();
    for word in words {
        let status = word.to_lowercase();
        if word.to_uppercase() != word || !STATUSES.contains(&status.as_str()) {
            return Err(Error::new(format!(
                "Argument 'statuses' on Field 'jobs' has an invalid value ([{word}]). \
                 Expected type '[CiJobStatus!]'."
            )));
        }
        statuses.push(status);
    }
    Ok(Some(statuses))
}
