//! Looking into the simulated world, by our clock and without any token.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use super::SimulatedGitlab;
use super::build::WaitsFor;
use super::state::{Job, Owner, PipelineId, Record, State, Status};
use crate::spec::Scope;
use crate::world::{JobId, ProjectId, RecordId, SystemId};

/// A job as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// Its project.
    pub project: ProjectId,
    /// Its project's full path.
    pub project_path: String,
    /// The scopes that hold it, each as it may be written, in lower case.
    pub holders: BTreeSet<Scope>,
    /// Its name.
    pub name: String,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// What it is doing.
    pub status: Status,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// What its script ended with, as the runner said.
    pub exit_code: Option<i64>,
    /// Its log so far.
    pub trace: String,
    /// The record whose runner has or had it.
    pub runner: Option<RecordId>,
    /// The runner that has or had it.
    pub system_id: Option<SystemId>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When a runner took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long a simulated runner takes for it.
    pub duration: Duration,
    /// A simulated runner reports its failure.
    pub fails: bool,
    /// GitLab gives it to no runner.
    pub withheld: bool,
}

/// A record as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordView {
    /// Its id.
    pub id: RecordId,
    /// Whose jobs it takes.
    pub scope: Scope,
    /// Its description.
    pub description: String,
    /// Its maintenance note.
    pub maintenance_note: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Takes jobs without tags.
    pub run_untagged: bool,
    /// Takes only jobs on protected refs.
    pub protected: bool,
    /// Takes no jobs.
    pub paused: bool,
    /// Limit on a job's duration, in seconds.
    pub maximum_timeout: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its token ends.
    pub token_expires_at: Option<Timestamp>,
    /// When one of its runners was last heard of.
    pub contacted_at: Option<Timestamp>,
    /// Its runners, by system id.
    pub managers: Vec<ManagerView>,
}

/// A runner of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerView {
    /// Its system id.
    pub system_id: SystemId,
    /// When it was last heard of.
    pub contacted_at: Timestamp,
    /// It has a job.
    pub busy: bool,
}

impl SimulatedGitlab {
    /// A job.
    pub fn job(&self, id: JobId) -> Option<JobView> {
        self.with(|state| state.jobs.get(&id).map(|job| state.view_job(job)))
    }

    /// All jobs, in order of id.
    pub fn jobs(&self) -> Vec<JobView> {
        self.with(|state| state.jobs.values().map(|job| state.view_job(job)).collect())
    }

    /// All jobs, in order of id, without their logs.
    pub fn jobs_without_logs(&self) -> Vec<JobView> {
        self.with(|state| state.jobs.values().map(|job| state.brief(job)).collect())
    }

    /// What a person gave a pipeline, by name.
    pub fn variables_of(&self, pipeline: u64) -> Vec<(String, String)> {
        self.with(|state| {
            let pipeline = state.pipelines.get(&PipelineId(pipeline));
            pipeline.map(|pipeline| pipeline.variables.clone()).unwrap_or_default()
        })
    }

    /// The jobs that wait for a runner, in order of id.
    pub fn pending(&self) -> Vec<JobId> {
        self.with(|state| state.with_status(Status::Pending))
    }

    /// The jobs that a runner has, in order of id.
    pub fn running(&self) -> Vec<JobId> {
        self.with(|state| state.with_status(Status::Running))
    }

    /// A record.
    pub fn record(&self, id: RecordId) -> Option<RecordView> {
        self.with(|state| state.records.get(&id).map(|record| state.view_record(record)))
    }

    /// The tokens of all records that there are.
    pub fn record_tokens(&self) -> Vec<SecretString> {
        self.with(|state| {
            state.records.values().map(|record| record.token.clone().into()).collect()
        })
    }

    /// All records, in order of id.
    pub fn records(&self) -> Vec<RecordView> {
        self.with(|state| state.records.values().map(|record| state.view_record(record)).collect())
    }
}

impl State {
    fn with_status(&self, status: Status) -> Vec<JobId> {
        let jobs = self.open.iter().filter_map(|id| self.jobs.get(id));
        jobs.filter(|job| job.status == status).map(|job| job.id).collect()
    }

    fn view_job(&self, job: &Job) -> JobView {
        let trace = String::from_utf8_lossy(&job.trace).into_owned();
        JobView { trace, ..self.brief(job) }
    }

    fn brief(&self, job: &Job) -> JobView {
        let project = self.projects.get(&job.project);
        JobView {
            id: job.id,
            project: job.project,
            project_path: project.map(|project| project.path.clone()).unwrap_or_default(),
            holders: project.map(|project| self.holders(project)).unwrap_or_default(),
            name: job.asked.name.clone(),
            tags: job.tags.iter().cloned().collect(),
            status: job.status,
            failure_reason: job.failure_reason.clone(),
            exit_code: job.exit_code,
            trace: String::new(),
            runner: job.record,
            system_id: job.system_id.as_deref().map(SystemId::from_observed),
            queued_at: job.queued_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            duration: job.asked.duration,
            fails: job.asked.fails,
            withheld: job.asked.waits_for == WaitsFor::Nobody,
        }
    }

    fn view_record(&self, record: &Record) -> RecordView {
        let path = self.owner_path(&record.owner).unwrap_or_default();
        let managers = record.managers.iter().map(|(system_id, manager)| ManagerView {
            system_id: SystemId::from_observed(system_id),
            contacted_at: manager.contacted_at,
            busy: self.has_job(record.id, Some(system_id)),
        });
        RecordView {
            id: record.id,
            scope: match record.owner {
                Owner::Instance => Scope::Instance,
                Owner::Group(_) => Scope::Group(path),
                Owner::Project(_) => Scope::Project(path),
            },
            description: record.form.description.clone(),
            maintenance_note: record.form.maintenance_note.clone().unwrap_or_default(),
            tags: record.form.tags.clone(),
            run_untagged: record.form.run_untagged,
            protected: record.form.protected,
            paused: record.form.paused,
            maximum_timeout: record.form.maximum_timeout,
            created_at: record.created_at,
            token_expires_at: record.token_expires_at,
            contacted_at: record.contacted_at,
            managers: managers.collect(),
        }
    }
}
