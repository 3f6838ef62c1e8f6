//! The adapter: GitLab's REST and GraphQL APIs over a [`Transport`].
//!
//! What it reads is bounded: pages, projects per look and cached facts have limits, each a named
//! constant beside its use. What may be empty only because the token may not see it is an error,
//! never an empty answer. Checked against GitLab 16.3 to 18.6.

mod call;
mod certificate;
mod create;
mod graphql;
mod inspect;
mod job;
mod limit;
mod lost;
mod managers;
mod mark;
mod others;
mod paging;
mod probe;
mod queue;
mod records;
mod refs;
mod refusal;
mod repository;
mod runner_side;
mod scope;
mod scratch;
mod setup;
mod shared;
mod skew;
mod takes;
mod tls;
mod transport;
mod user;
mod wire;

pub use repository::HttpRepository;
pub use setup::HttpSetupGitlab;
pub use transport::HttpTransport;
pub use user::HttpUserGitlab;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::clock::Clock;
use crate::gitlab::{
    Claims, CreatedRecord, DeadJob, Gitlab, GitlabError, JobDetail, NewRecord, OtherInstance,
    Renamed, Server, Transport, Verified,
};
use crate::spec::{Credential, InstanceName, QueueSource, Scope, Spec};
use crate::world::{
    Caller, Job, JobId, Manager, OtherRunner, Place, ProjectId, Queue, Record, RecordId,
    RecordSettings, SystemId,
};
use shared::Shared;
use wire::Wire;

/// What the adapter needs to know of the spec.
#[derive(Debug, Clone)]
pub struct GitlabSettings {
    /// GitLab's base URL.
    pub url: String,
    /// The API token.
    pub token: SecretString,
    /// Legacy registration token, for servers that still take it.
    pub registration_token: Option<SecretString>,
    /// Whose records these are.
    pub instance: InstanceName,
    /// How the queue is read.
    pub queue_source: QueueSource,
    /// Groups and projects to which the queue is limited; empty: no limit.
    pub limits: BTreeSet<Scope>,
    /// Some pool takes protected refs' jobs only, so it matters which refs are protected.
    pub needs_protection: bool,
    /// Some pool has instance runners made for it.
    pub instance_records: bool,
    /// Some pool has runners made for it.
    pub makes_records: bool,
}

impl GitlabSettings {
    /// What a spec asks for, whose credentials are read.
    pub fn of(spec: &Spec) -> Self {
        let gitlab = &spec.gitlab;
        // A token that was not read is an empty one, which GitLab refuses with a clear word.
        let unread = || SecretString::from(String::new());
        let groups = gitlab.groups.iter().cloned().map(Scope::Group);
        let projects = gitlab.projects.iter().cloned().map(Scope::Project);
        let registration_token = gitlab.registration_token.as_ref().and_then(Credential::value);
        Self {
            url: gitlab.url.clone(),
            token: gitlab.token.value().cloned().unwrap_or_else(unread),
            registration_token: registration_token.cloned(),
            instance: spec.instance.clone(),
            queue_source: gitlab.queue_source,
            limits: groups.chain(projects).collect(),
            needs_protection: spec.pools.iter().any(|pool| pool.protected),
            makes_records: spec.pools.iter().any(|pool| pool.runner_token.is_none()),
            instance_records: spec
                .pools
                .iter()
                .any(|pool| pool.scope == Scope::Instance && pool.runner_token.is_none()),
        }
    }
}

/// GitLab behind a transport.
pub struct HttpGitlab {
    settings: GitlabSettings,
    wire: Wire,
    proof: Shared<Option<probe::Proof>>,
    walk: Shared<queue::Walk>,
    rows: Shared<managers::Rows>,
    projects: Shared<queue::Projects>,
    refs: Shared<refs::Facts>,
    jobs: Shared<job::Whereabouts>,
    began_at: Timestamp,
    cancelled: Shared<lost::Cancelled>,
    records: Shared<records::Known>,
    places: Shared<scope::Places>,
}

impl HttpGitlab {
    /// The server that `settings` name, asked through `transport`.
    pub fn new(settings: GitlabSettings, transport: Arc<dyn Transport>, clock: Clock) -> Self {
        let secrets = settings.registration_token.iter().cloned().collect();
        let began_at = clock.now();
        let wire = Wire::new(&settings.url, settings.token.clone(), secrets, transport, clock);
        Self {
            settings,
            wire,
            proof: Shared::default(),
            walk: Shared::default(),
            rows: Shared::default(),
            projects: Shared::default(),
            refs: Shared::default(),
            jobs: Shared::default(),
            began_at,
            cancelled: Shared::default(),
            records: Shared::default(),
            places: Shared::default(),
        }
    }
}

impl fmt::Debug for HttpGitlab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpGitlab").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[async_trait]
impl Gitlab for HttpGitlab {
    async fn probe(&self) -> Result<Server, GitlabError> {
        self.probe_server().await
    }

    async fn queue(&self) -> Result<Queue, GitlabError> {
        self.read_queue().await
    }

    fn doubt(&self, projects: &BTreeSet<ProjectId>) {
        let now = self.wire.now();
        self.refs.with(|facts| facts.doubt(projects, now));
    }

    async fn places(
        &self,
        scopes: &BTreeSet<Scope>,
    ) -> BTreeMap<Scope, Result<Place, GitlabError>> {
        self.resolve(scopes).await
    }

    async fn records(&self, claims: &Claims) -> Result<Vec<Record>, GitlabError> {
        let records = self.read_records(claims).await?;
        self.look_for_renamed(&claims.marks).await;
        self.look_for_neighbours(&claims.marks).await;
        Ok(records)
    }

    fn renamed(&self) -> Vec<Renamed> {
        HttpGitlab::renamed(self)
    }

    fn other_instances(&self) -> Vec<OtherInstance> {
        self.neighbours()
    }

    async fn managers(
        &self,
        records: &[RecordId],
    ) -> Result<BTreeMap<RecordId, Vec<Manager>>, GitlabError> {
        self.records.with(|known| known.served = records.iter().copied().collect());
        self.read_managers(records).await
    }

    async fn callers(&self, record: RecordId) -> Result<BTreeMap<SystemId, Caller>, GitlabError> {
        self.read_callers(record).await
    }

    fn made_before(&self, records: &BTreeMap<RecordId, Timestamp>) {
        self.records.with(|known| known.handed_out.extend(records));
    }

    async fn create_record(&self, record: &NewRecord) -> Result<CreatedRecord, GitlabError> {
        self.create(record).await
    }

    async fn update_record(
        &self,
        id: RecordId,
        settings: &RecordSettings,
    ) -> Result<(), GitlabError> {
        self.update(id, settings).await
    }

    async fn end_polls(&self, record: RecordId, since: Timestamp) -> Result<(), GitlabError> {
        self.touch(record, since).await
    }

    async fn delete_record(&self, id: RecordId) -> Result<(), GitlabError> {
        self.delete(id).await
    }

    async fn delete_manager(
        &self,
        token: &SecretString,
        system_id: &SystemId,
    ) -> Result<(), GitlabError> {
        self.remove_manager(token, system_id).await
    }

    async fn verify(
        &self,
        token: &SecretString,
        system_id: &SystemId,
    ) -> Result<Verified, GitlabError> {
        self.verify_token(token, system_id).await
    }

    async fn job(&self, id: JobId, project: Option<ProjectId>) -> Result<JobDetail, GitlabError> {
        self.find_job(id, project).await
    }

    async fn is_over(&self, id: JobId, project: Option<ProjectId>) -> Result<bool, GitlabError> {
        self.job_is_over(id, project).await
    }

    async fn other_runner(
        &self,
        job: &Job,
        ours: &BTreeSet<RecordId>,
    ) -> Result<Option<OtherRunner>, GitlabError> {
        self.find_other_runner(job, ours).await
    }

    async fn retry_lost_job(&self, job: DeadJob) -> Result<Option<JobId>, GitlabError> {
        self.queue_again(job).await
    }

    fn requests(&self) -> u64 {
        self.wire.requests()
    }

    fn requests_by(&self) -> BTreeMap<(&'static str, u16), u64> {
        self.wire.requests_by()
    }

    fn url(&self) -> &str {
        self.wire.url()
    }
}
