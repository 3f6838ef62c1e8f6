//! The life of jobs and records: queued, picked, ended, dropped; made, contacted, deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::build::{NewJob, WaitsFor};
use super::matching;
use super::state::{
    Job, Manager, ManagerInfo, Owner, Pipeline, PipelineId, Record, RecordForm, State, Status,
    UserId,
};
use crate::world::{JobId, ProjectId, RecordId};

/// A pending job is dropped after this if no matching runner is online.
const STUCK_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// A pending job is dropped after this in any case.
const PENDING_MAX: SignedDuration = SignedDuration::from_hours(24);
/// A running job is dropped after this without a sign of its runner.
const SILENT_MAX: SignedDuration = SignedDuration::from_hours(1);
/// A runner is online for this long after a contact.
const ONLINE_FOR: SignedDuration = SignedDuration::from_hours(2);
/// A manager's row is removed after this without contact.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

impl State {
    /// Does what time alone does: drops stuck jobs, removes stale managers.
    pub(crate) fn settle(&mut self) {
        let dropped = |id: &JobId| Some((*id, self.reason_to_drop(self.jobs.get(id)?)?));
        let drops: Vec<(JobId, &str)> = self.open.iter().filter_map(dropped).collect();
        for (id, reason) in drops {
            self.fail(id, reason, None);
        }
        let now = self.now;
        for record in self.records.values_mut() {
            record.managers.retain(|_, row| now.duration_since(row.contacted_at) < STALE_AFTER);
        }
    }

    fn reason_to_drop(&self, job: &Job) -> Option<&'static str> {
        match job.status {
            Status::Pending => {
                let waited = self.since(job.queued_at);
                let stuck = waited >= STUCK_AFTER && !self.has_online_match(job);
                match (waited >= PENDING_MAX, stuck) {
                    (true, _) => Some("stuck_or_timeout_failure"),
                    (false, true) => Some("stuck_pending_no_matching_runners"),
                    (false, false) => None,
                }
            }
            Status::Running | Status::Canceling => {
                (self.since(job.updated_at) >= SILENT_MAX).then_some("stuck_or_timeout_failure")
            }
            Status::Manual | Status::Success | Status::Failed | Status::Canceled => None,
        }
    }

    /// Whether a runner that may take the job was in contact lately.
    pub(crate) fn has_online_match(&self, job: &Job) -> bool {
        let may = |record: &&Record| self.is_online(record) && self.may_take(record, job);
        self.records.values().find(may).is_some()
    }

    pub(crate) fn is_online(&self, record: &Record) -> bool {
        record.contacted_at.is_some_and(|at| self.is_recent(at))
    }

    /// Whether a contact at that time still counts as being online.
    pub(crate) fn is_recent(&self, contact: Timestamp) -> bool {
        self.since(contact) < ONLINE_FOR
    }

    pub(crate) fn add_pipeline(
        &mut self,
        project: ProjectId,
        ref_name: &str,
        is_tag: bool,
        source: &'static str,
        jobs: &[JobId],
    ) -> PipelineId {
        let id = PipelineId(self.count("pipeline", 501));
        let iid = self.pipelines.values().filter(|known| known.project == project).count();
        let iid = u64::try_from(iid).unwrap_or(0).saturating_add(1);
        let (ref_name, jobs, created_at) = (ref_name.to_owned(), jobs.to_vec(), self.now);
        let variables = Vec::new();
        let pipeline =
            Pipeline { id, iid, project, ref_name, is_tag, source, variables, jobs, created_at };
        self.pipelines.insert(id, pipeline);
        if let Some(project) = self.projects.get_mut(&project) {
            project.active_at = created_at;
        }
        id
    }

    pub(crate) fn add_job(
        &mut self,
        pipeline: PipelineId,
        asked: NewJob,
        user: Option<UserId>,
    ) -> JobId {
        let id = JobId(self.count("job", 1001));
        let protected = asked.protected.unwrap_or_else(|| {
            let project = self.projects.get(&asked.project);
            project.is_some_and(|project| {
                matching::is_protected(&project.settings, &asked.ref_name, asked.is_tag)
            })
        });
        let job = Job {
            id,
            project: asked.project,
            pipeline,
            user,
            tags: asked.tags.iter().cloned().collect(),
            protected,
            token: self.mint("glcbt-64_"),
            status: Status::Manual,
            failure_reason: None,
            exit_code: None,
            created_at: self.now,
            queued_at: self.now,
            started_at: None,
            finished_at: None,
            updated_at: self.now,
            record: None,
            system_id: None,
            manager: None,
            timeout: asked.timeout,
            trace: Vec::new(),
            retried: false,
            asked,
        };
        let manual = job.asked.waits_for == WaitsFor::Person;
        self.jobs.insert(id, job);
        self.open.insert(id);
        if let Some(pipeline) = self.pipelines.get_mut(&pipeline) {
            pipeline.jobs.push(id);
        }
        if !manual {
            self.enqueue(id);
        }
        self.touch();
        id
    }

    /// Queues a job and tells the records that may take it.
    pub(crate) fn enqueue(&mut self, id: JobId) {
        let now = self.now;
        if let Some(job) = self.jobs.get_mut(&id) {
            (job.status, job.queued_at) = (Status::Pending, now);
        }
        let Some(job) = self.jobs.get(&id) else { return };
        let told = self.records.values().filter(|record| self.may_take(record, job));
        let told: Vec<RecordId> = told.map(|record| record.id).collect();
        for id in told {
            self.tell(id);
        }
        self.touch();
    }

    /// Gives a runner the first job that it may take.
    pub(crate) fn pick(&mut self, record: RecordId, system_id: &str) -> Option<JobId> {
        let found = self.records.get(&record)?;
        let jobs = self.open.iter().filter_map(|id| self.jobs.get(id));
        let given = jobs
            .filter(|job| job.status == Status::Pending && job.asked.waits_for != WaitsFor::Nobody);
        let fitting = given.filter(|job| self.may_take(found, job));
        let id = if found.owner == Owner::Instance {
            let load = self.running_per_project();
            let load = |job: &&Job| (load.get(&job.project).copied().unwrap_or(0), job.id);
            fitting.min_by_key(load)?.id
        } else {
            fitting.min_by_key(|job| job.id)?.id
        };
        let limit = found.form.maximum_timeout.map(Duration::from_secs);
        let manager = found.managers.get(system_id).map(|row| row.id);
        let now = self.now;
        let job = self.jobs.get_mut(&id)?;
        job.status = Status::Running;
        (job.started_at, job.updated_at) = (Some(now), now);
        (job.record, job.system_id) = (Some(record), Some(system_id.to_owned()));
        job.manager = manager;
        job.timeout = limit.map_or(job.asked.timeout, |limit| limit.min(job.asked.timeout));
        self.touch();
        Some(id)
    }

    /// Instance runners serve the project with the fewest jobs on them first.
    fn running_per_project(&self) -> BTreeMap<ProjectId, usize> {
        let mut load = BTreeMap::new();
        for job in self.open.iter().filter_map(|id| self.jobs.get(id)) {
            let record = job.record.and_then(|id| self.records.get(&id));
            if record.is_some_and(|record| record.owner == Owner::Instance) {
                *load.entry(job.project).or_default() += 1;
            }
        }
        load
    }

    /// Ends a job.
    pub(crate) fn end(&mut self, id: JobId, status: Status) {
        let now = self.now;
        if let Some(job) = self.jobs.get_mut(&id) {
            job.status = status;
            job.finished_at = Some(now);
            job.updated_at = now;
        }
        self.open.remove(&id);
        self.touch();
    }

    pub(crate) fn fail(&mut self, id: JobId, reason: &str, exit_code: Option<i64>) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.failure_reason = Some(reason.to_owned());
            job.exit_code = exit_code;
        }
        self.end(id, Status::Failed);
    }

    /// Cancels a job; a runner that can end it gracefully is given the time to.
    pub(crate) fn cancel(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let record = job.record.and_then(|id| self.records.get(&id));
        let manager = record.zip(job.system_id.as_ref());
        let manager = manager.and_then(|(record, system_id)| record.managers.get(system_id));
        let graceful = manager.is_some_and(|manager| manager.info.cancel_gracefully);
        if job.status == Status::Running && graceful && self.switches.version_is_at_least(17, 0) {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.status = Status::Canceling;
            }
            self.touch();
        } else if job.status.is_open() && job.status != Status::Canceling {
            self.end(id, Status::Canceled);
        }
    }

    /// Queues the job anew, under a new id; once for each job (GitLab's `Ci::Build#retryable?`).
    pub(crate) fn retry(&mut self, id: JobId, user: Option<UserId>) -> Option<JobId> {
        let retryable = |job: &&mut Job| !job.status.is_open() && !job.retried;
        let job = self.jobs.get_mut(&id).filter(retryable)?;
        job.retried = true;
        let (pipeline, mut asked) = (job.pipeline, job.asked.clone());
        if asked.waits_for == WaitsFor::Person {
            asked.waits_for = WaitsFor::Runner;
        }
        Some(self.add_job(pipeline, asked, user))
    }

    pub(crate) fn add_record(
        &mut self,
        owner: Owner,
        form: RecordForm,
        token: String,
        created_by: Option<UserId>,
    ) -> RecordId {
        let id = RecordId(self.count("record", 21));
        let lifetime = self.switches.runner_token_lifetime;
        let record = Record {
            id,
            token,
            token_expires_at: lifetime.and_then(|it| self.now.saturating_add(it).ok()),
            owner,
            lent: BTreeSet::new(),
            form: self.kept(form),
            created_at: self.now,
            created_by,
            contacted_at: None,
            managers: BTreeMap::new(),
            news: 0,
        };
        self.records.insert(id, record);
        self.touch();
        id
    }

    /// A runner token whose first nine characters are its alone: gitlab-runner labels with them.
    pub(crate) fn mint_record_token(&mut self) -> String {
        loop {
            let token = self.mint("glrt-");
            let short: String = token.chars().take(14).collect();
            if !self.records.values().any(|record| record.token.starts_with(&short)) {
                return token;
            }
        }
    }

    /// What is kept of what was sent.
    pub(crate) fn kept(&self, mut form: RecordForm) -> RecordForm {
        if self.switches.folds_tags {
            form.tags.iter_mut().for_each(|tag| *tag = tag.to_lowercase());
        }
        form
    }

    pub(crate) fn edit_record(&mut self, id: RecordId, edit: impl FnOnce(&mut RecordForm)) {
        if let Some(record) = self.records.get_mut(&id) {
            edit(&mut record.form);
        }
        self.tell(id);
        self.touch();
    }

    pub(crate) fn delete_record(&mut self, id: RecordId) {
        self.records.remove(&id);
        self.touch();
    }

    /// Tells a record's runners that a look at the queue may be worth it.
    fn tell(&mut self, id: RecordId) {
        if let Some(record) = self.records.get_mut(&id) {
            record.news = record.news.wrapping_add(1);
        }
    }

    pub(crate) fn tell_all_records(&mut self) {
        let all: Vec<RecordId> = self.records.keys().copied().collect();
        for id in all {
            self.tell(id);
        }
        self.touch();
    }

    /// What a record's runners send back as `last_update`.
    pub(crate) fn last_update(&self, record: &Record) -> String {
        self.word(&format!("queue/{}/{}", record.id, record.news))
    }

    /// A runner was heard of.
    pub(crate) fn contact(&mut self, id: RecordId, system_id: &str, info: Option<ManagerInfo>) {
        let now = self.now;
        let known = self.records.get(&id).map(|record| record.managers.contains_key(system_id));
        let Some(known) = known else { return };
        let next = if known { 0 } else { self.count("manager", 301) };
        let Some(record) = self.records.get_mut(&id) else { return };
        record.contacted_at = Some(now);
        let manager = record.managers.entry(system_id.to_owned()).or_insert_with(|| Manager {
            id: next,
            created_at: now,
            contacted_at: now,
            info: ManagerInfo::default(),
        });
        manager.contacted_at = now;
        if let Some(info) = info {
            manager.info = info;
        }
        if !known {
            self.touch();
        }
    }

    /// Whether a runner of the record (and of that system id) has a job. What a row had that was
    /// deleted since is not ascribed to the next row of its name.
    pub(crate) fn has_job(&self, record: RecordId, system_id: Option<&str>) -> bool {
        let rows = self.records.get(&record).map(|record| &record.managers);
        let row = |wanted| rows.and_then(|rows| rows.get(wanted)).map(|row| row.id);
        self.open.iter().filter_map(|id| self.jobs.get(id)).any(|job| {
            job.status.is_with_a_runner()
                && job.record == Some(record)
                && system_id
                    .is_none_or(|wanted| job.manager.is_some() && job.manager == row(wanted))
        })
    }
}
