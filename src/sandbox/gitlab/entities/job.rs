//! Jobs and pipelines, as the operator sees them.

use serde_json::{Value, json};

use super::{Show, merge};
use crate::sandbox::gitlab::state::{Job, Pipeline, Status};

impl Show<'_> {
    pub(crate) fn job(&self, job: &Job) -> Value {
        let state = self.state;
        let ended = job.finished_at.unwrap_or(state.now);
        let seconds = |from: jiff::Timestamp| ended.duration_since(from).as_secs_f64().max(0.0);
        let queued = job.started_at.unwrap_or(ended).duration_since(job.queued_at);
        let user = self.maybe_user(job.user.or_else(|| state.users.keys().next().copied()));
        let mut shown = json!({
            "id": job.id.0,
            "status": job.status.as_str(),
            "stage": job.asked.stage,
            "name": job.asked.name,
            "ref": job.asked.ref_name,
            "tag": job.asked.is_tag,
            "coverage": null,
            "allow_failure": false,
            "created_at": state.time(job.created_at),
            "started_at": state.maybe_time(job.started_at),
            "finished_at": state.maybe_time(job.finished_at),
            "erased_at": null,
            "duration": job.started_at.map(seconds),
            "queued_duration": queued.as_secs_f64().max(0.0),
            "user": user,
            "commit": self.commit(job),
            "pipeline": state.pipelines.get(&job.pipeline).map(|pipeline| self.pipeline(pipeline)),
        });
        if job.status == Status::Failed {
            merge(&mut shown, json!({ "failure_reason": job.failure_reason }));
        }
        let record = job.record.and_then(|id| state.records.get(&id));
        let manager = record.zip(job.system_id.as_deref()).and_then(|(record, system_id)| {
            let manager = record.managers.get(system_id)?;
            Some(self.manager(record, system_id, manager))
        });
        let more = json!({
            "web_url": self.job_url(job),
            "project": { "ci_job_token_scope_enabled": false },
            "artifacts": [],
            "runner": record.map(|record| self.record(record)),
            "runner_manager": manager,
            "artifacts_expire_at": null,
            "archived": false,
            "tag_list": job.tags,
        });
        merge(&mut shown, more);
        shown
    }

    /// The same with its project, as a runner's list of jobs shows it.
    pub(crate) fn job_with_project(&self, job: &Job) -> Value {
        let mut shown = self.job(job);
        let project = self.state.projects.get(&job.project);
        let project = project.map(|project| self.project_simple(project));
        merge(&mut shown, json!({ "project": project }));
        shown
    }

    pub(crate) fn job_url(&self, job: &Job) -> String {
        let project = self.state.projects.get(&job.project);
        let path = project.map(|project| project.path.as_str()).unwrap_or_default();
        format!("{}/{path}/-/jobs/{}", self.base, job.id)
    }

    fn commit(&self, job: &Job) -> Value {
        let sha = self.state.sha(&job.asked.ref_name);
        let short: String = sha.chars().take(8).collect();
        let at = self.state.time(job.created_at);
        json!({
            "id": sha,
            "short_id": short,
            "created_at": at,
            "parent_ids": [],
            "title": "Change something",
            "message": "Change something\n",
            "author_name": "Somebody",
            "author_email": "somebody@example.com",
            "authored_date": at,
            "committer_name": "Somebody",
            "committer_email": "somebody@example.com",
            "committed_date": at,
            "trailers": {},
            "web_url": format!("{}/-/commit/{sha}", self.base),
        })
    }

    pub(crate) fn pipeline(&self, pipeline: &Pipeline) -> Value {
        let project = self.state.projects.get(&pipeline.project);
        let path = project.map(|project| project.path.as_str()).unwrap_or_default();
        json!({
            "id": pipeline.id.0,
            "iid": pipeline.iid,
            "project_id": pipeline.project.0,
            "sha": self.state.sha(&pipeline.ref_name),
            "ref": pipeline.ref_name,
            "status": self.state.pipeline_status(pipeline),
            "source": pipeline.source,
            "created_at": self.state.time(pipeline.created_at),
            "updated_at": self.state.time(pipeline.created_at),
            "web_url": format!("{}/{path}/-/pipelines/{}", self.base, pipeline.id.0),
        })
    }

    pub(crate) fn pipeline_details(&self, pipeline: &Pipeline) -> Value {
        let state = self.state;
        let jobs: Vec<&Job> = pipeline.jobs.iter().filter_map(|id| state.jobs.get(id)).collect();
        let started = jobs.iter().filter_map(|job| job.started_at).min();
        let ended = !jobs.iter().any(|job| job.status.is_open());
        let finished = jobs.iter().filter_map(|job| job.finished_at).max().filter(|_| ended);
        let duration = started.zip(finished).map(|(from, to)| to.duration_since(from).as_secs());
        let mut shown = self.pipeline(pipeline);
        let more = json!({
            "before_sha": "0".repeat(40),
            "tag": pipeline.is_tag,
            "yaml_errors": null,
            "user": self.maybe_user(jobs.iter().find_map(|job| job.user)),
            "started_at": state.maybe_time(started),
            "finished_at": state.maybe_time(finished),
            "committed_at": null,
            "duration": duration,
            "queued_duration": null,
            "coverage": null,
        });
        merge(&mut shown, more);
        shown
    }
}

impl crate::sandbox::gitlab::state::State {
    /// A ref's commit: there is no git, but an id that looks like one.
    pub(crate) fn sha(&self, ref_name: &str) -> String {
        let word = self.word(&format!("commit/{ref_name}"));
        word.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// A pipeline's status follows from its jobs'.
    pub(crate) fn pipeline_status(&self, pipeline: &Pipeline) -> &'static str {
        let jobs = pipeline.jobs.iter().filter_map(|id| self.jobs.get(id));
        let statuses: Vec<Status> = jobs.filter(|job| !job.retried).map(|job| job.status).collect();
        let any = |status: Status| statuses.contains(&status);
        let order = [
            Status::Canceling,
            Status::Running,
            Status::Pending,
            Status::Failed,
            Status::Canceled,
            Status::Manual,
        ];
        let first = order.into_iter().find(|status| any(*status)).unwrap_or(Status::Success);
        let mixed = first == Status::Pending && statuses.iter().any(|status| !status.is_open());
        if mixed { "running" } else { first.as_str() }
    }
}
