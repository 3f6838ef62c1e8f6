//! Building the simulated world: users, groups, projects, jobs, and what people do by hand.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::SimulatedGitlab;
use super::access::AccessLevel;
use super::state::{
    Group, GroupId, Owner, Project, RecordForm, State, Status, Token, User, UserId,
};
use crate::spec::{Arch, Scope};
use crate::world::{JobId, ProjectId, RecordId};

/// A job to be queued.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its project.
    pub project: ProjectId,
    /// Its name in the pipeline.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its branch or tag.
    pub ref_name: String,
    /// `ref_name` is a tag.
    pub is_tag: bool,
    /// Its ref is protected; `None`: as the project says of the ref.
    pub protected: Option<bool>,
    /// Its image.
    pub image: Option<String>,
    /// Its script; empty: sleeps for `duration` and ends as `fails` says.
    pub script: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// How long a simulated runner takes for it.
    pub duration: Duration,
    /// A simulated runner reports its failure.
    pub fails: bool,
    /// The architecture of its image, for a simulated runner; `None`: its host's.
    pub image_arch: Option<Arch>,
    /// What it waits for.
    pub waits_for: WaitsFor,
}

/// What a new job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// A runner.
    Runner,
    /// A person who starts it.
    Person,
    /// It is pending, and GitLab gives it to no runner, for a reason that it does not show.
    Nobody,
}

impl NewJob {
    /// An untagged job of ten seconds on the branch `main`.
    pub fn new(project: ProjectId) -> Self {
        Self {
            project,
            name: "test".to_owned(),
            stage: "test".to_owned(),
            tags: Vec::new(),
            ref_name: "main".to_owned(),
            is_tag: false,
            protected: None,
            image: Some("alpine:3".to_owned()),
            script: Vec::new(),
            timeout: Duration::from_hours(1),
            duration: Duration::from_secs(10),
            fails: false,
            image_arch: None,
            waits_for: WaitsFor::Runner,
        }
    }

    /// The same job with these tags.
    #[must_use]
    pub fn tagged(mut self, tags: &[&str]) -> Self {
        self.tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        self
    }
}

/// How a project is set up.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "these are the switches that GitLab has")]
pub struct ProjectSettings {
    /// Takes instance runners.
    pub shared_runners_enabled: bool,
    /// Takes group runners.
    pub group_runners_enabled: bool,
    /// Has CI at all.
    pub builds_enabled: bool,
    /// Everyone may see it.
    pub public: bool,
    /// It is archived.
    pub archived: bool,
    /// Its branch when nothing else is said.
    pub default_branch: String,
    /// Names and patterns with `*`.
    pub protected_branches: Vec<String>,
    /// Names and patterns with `*`.
    pub protected_tags: Vec<String>,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        Self {
            shared_runners_enabled: true,
            group_runners_enabled: true,
            builds_enabled: true,
            public: false,
            archived: false,
            default_branch: "main".to_owned(),
            protected_branches: vec!["main".to_owned()],
            protected_tags: Vec::new(),
        }
    }
}

/// A record made by a person.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Whose jobs it takes.
    pub scope: Scope,
    /// Its description.
    pub description: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Takes jobs without tags.
    pub run_untagged: bool,
    /// Takes only jobs on protected refs.
    pub protected: bool,
}

impl SimulatedGitlab {
    /// A user without any role.
    pub fn add_user(&self, username: &str) -> UserId {
        self.with(|state| state.add_user(username, false))
    }

    /// A user who may do everything.
    pub fn add_administrator(&self, username: &str) -> UserId {
        self.with(|state| state.add_user(username, true))
    }

    /// Gives a user a role in the group or project at `path`, and in all below it.
    pub fn add_member(&self, user: UserId, path: &str, level: AccessLevel) {
        self.with(|state| state.members.insert((user, path.to_owned()), level));
    }

    /// A personal access token.
    pub fn new_token(
        &self,
        user: UserId,
        scopes: &[&str],
        expires_at: Option<Timestamp>,
    ) -> SecretString {
        self.with(|state| {
            let (secret, id) = (state.mint("glpat-"), state.count("token", 1));
            let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
            let created_at = state.now;
            let token =
                Token { id, user, scopes, created_at, expires_at, revoked: false, family: id };
            state.tokens.insert(secret.clone(), token);
            secret.into()
        })
    }

    /// Revokes a personal access token.
    pub fn revoke_token(&self, token: &SecretString) {
        self.set_revoked(token, true);
    }

    /// Makes a revoked token valid again.
    pub fn restore_token(&self, token: &SecretString) {
        self.set_revoked(token, false);
    }

    fn set_revoked(&self, token: &SecretString, revoked: bool) {
        use secrecy::ExposeSecret as _;
        self.with(|state| {
            if let Some(token) = state.tokens.get_mut(token.expose_secret()) {
                token.revoked = revoked;
            }
        });
    }

    /// A group, and those above it that are missing.
    pub fn add_group(&self, path: &str) -> GroupId {
        self.with(|state| state.add_group(path))
    }

    /// A private project with a protected `main`, and the groups above it that are missing.
    pub fn add_project(&self, path: &str) -> ProjectId {
        self.with(|state| state.add_project(path))
    }

    /// Changes how a project is set up.
    pub fn set_project(&self, project: ProjectId, change: impl FnOnce(&mut ProjectSettings)) {
        self.with(|state| {
            if let Some(project) = state.projects.get_mut(&project) {
                change(&mut project.settings);
            }
            state.tell_all_records();
        });
    }

    /// Sets the jobs that a new pipeline of a project makes; without it, one untagged job.
    pub fn set_pipeline_jobs(&self, project: ProjectId, jobs: Vec<NewJob>) {
        self.with(|state| {
            if let Some(project) = state.projects.get_mut(&project) {
                project.pipeline_jobs = jobs;
            }
        });
    }

    /// Queues a job, in a pipeline of its own.
    pub fn add_job(&self, job: NewJob) -> JobId {
        self.with(|state| {
            let pipeline = state.add_pipeline(job.project, &job.ref_name, job.is_tag, "push", &[]);
            state.add_job(pipeline, job, None)
        })
    }

    /// Cancels a job, as a person would.
    pub fn cancel_job(&self, job: JobId) {
        self.with(|state| state.cancel(job));
    }

    /// Starts a manual job, as a person would.
    pub fn play_job(&self, job: JobId) {
        self.with(|state| state.play(job));
    }

    /// Makes a record, as a person would; returns its token too.
    pub fn add_record_by_hand(&self, record: NewRecord) -> (RecordId, SecretString) {
        self.with(|state| {
            let owner = state.owner_of(&record.scope);
            let form = RecordForm {
                description: record.description,
                maintenance_note: None,
                paused: false,
                locked: false,
                protected: record.protected,
                run_untagged: record.run_untagged,
                tags: record.tags,
                maximum_timeout: None,
            };
            let token = state.mint_record_token();
            (state.add_record(owner, form, token.clone(), None), token.into())
        })
    }

    /// Deletes a record, as a person would; its running jobs go on.
    pub fn delete_record_by_hand(&self, record: RecordId) {
        self.with(|state| state.delete_record(record));
    }

    /// Gives a record a new token: what has the old one is refused from now on.
    pub fn reset_record_token(&self, record: RecordId) {
        self.with(|state| {
            let token = state.mint_record_token();
            if let Some(record) = state.records.get_mut(&record) {
                record.token = token;
            }
        });
    }

    /// Pauses a record or lets it go on.
    pub fn pause_record(&self, record: RecordId, paused: bool) {
        self.with(|state| state.edit_record(record, |form| form.paused = paused));
    }

    /// Calls a record something else, as a person would.
    pub fn rename_record(&self, record: RecordId, description: &str) {
        self.with(|state| {
            state.edit_record(record, |form| description.clone_into(&mut form.description));
        });
    }

    /// Changes a record's tags.
    pub fn retag_record(&self, record: RecordId, tags: &[&str]) {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        self.with(|state| state.edit_record(record, |form| form.tags = tags));
    }

    /// Lets all records be made that much earlier than they were.
    pub fn age_records(&self, by: SignedDuration) {
        self.with(|state| {
            for record in state.records.values_mut() {
                record.created_at = record.created_at.saturating_sub(by).unwrap_or(Timestamp::MIN);
            }
        });
    }

    /// Sets when a record's token ends.
    pub fn expire_record_token(&self, record: RecordId, at: Option<Timestamp>) {
        self.with(|state| {
            if let Some(record) = state.records.get_mut(&record) {
                record.token_expires_at = at;
            }
        });
    }
}

impl State {
    fn add_user(&mut self, username: &str, administrator: bool) -> UserId {
        let id = UserId(self.count("user", 1));
        let user = User { id, username: username.to_owned(), administrator, created_at: self.now };
        self.users.insert(id, user);
        id
    }

    pub(super) fn add_group(&mut self, path: &str) -> GroupId {
        if let Some(group) = self.group_at(path) {
            return group.id;
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.add_group(parent);
        }
        let id = GroupId(self.count("group", 11));
        self.groups.insert(id, Group { id, path: path.to_owned(), created_at: self.now });
        id
    }

    fn add_project(&mut self, path: &str) -> ProjectId {
        if let Some(project) = self.project_at(path) {
            return project.id;
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.add_group(parent);
        }
        let id = ProjectId(self.count("project", 101));
        let settings = ProjectSettings::default();
        let path = path.to_owned();
        let (created_at, active_at) = (self.now, self.now);
        let pipeline_jobs = Vec::new();
        let made = false;
        let project = Project { id, path, settings, pipeline_jobs, created_at, active_at, made };
        self.projects.insert(id, project);
        id
    }

    /// The owner that `scope` names; a path that does not exist yet is made.
    fn owner_of(&mut self, scope: &Scope) -> Owner {
        match scope {
            Scope::Instance => Owner::Instance,
            Scope::Group(path) => Owner::Group(self.add_group(path)),
            Scope::Project(path) => Owner::Project(self.add_project(path)),
        }
    }

    fn play(&mut self, job: JobId) {
        if self.jobs.get(&job).is_some_and(|job| job.status == Status::Manual) {
            self.enqueue(job);
        }
    }
}
