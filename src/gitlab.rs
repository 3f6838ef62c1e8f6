//! The ports to GitLab: [`Gitlab`], everything that the loop asks of it or does to it, and
//! [`user::UserGitlab`], what the commands of a person do.
//!
//! [`http`] is the adapter (REST and GraphQL over a [`Transport`]); the simulated GitLab is the
//! same adapter over the sandbox's Router. Facts are from GitLab 16.3 to 18.6.

pub mod http;
pub mod inspection;
mod repository;
pub mod scratch;
pub mod setup;
pub mod user;

pub use repository::{Commit, GitRef, Repository};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::spec::{HostName, Scope, Spec};
use crate::world::{
    Caller, Job, JobId, Manager, Mark, OtherRunner, Place, ProjectId, Queue, Record, RecordId,
    RecordSettings, SystemId, Variant,
};

/// One request to GitLab and its answer; the only way from the adapter to the wire.
#[async_trait]
pub trait Transport: Debug + Send + Sync {
    /// Sends `request`, whose URI is absolute, and reads the whole answer, bounded in size and time.
    async fn send(
        &self,
        request: ::http::Request<Bytes>,
    ) -> Result<::http::Response<Bytes>, TransportError>;
}

/// Why a request got no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// Nothing was sent or nothing came back.
    #[error("{0}")]
    Unreachable(String),
    /// No answer in time; the request may have had its effect.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The answer is longer than any that GitLab gives.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

/// What the server and the token are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// GitLab's version, as it says it.
    pub version: String,
    /// The token's user may see the whole instance's queue.
    pub administrator: bool,
    /// The token's scopes.
    pub scopes: Vec<String>,
    /// When the token ends; `None`: never, or not told.
    pub token_expires_at: Option<Timestamp>,
    /// The user behind the token.
    pub user: String,
}

impl Server {
    /// Its version is `major.minor` or newer.
    pub(crate) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        is_at_least(&self.version, (major, minor))
    }

    /// The scopes say what the token may do. A token without a row of its own has none that are
    /// told, and a fine-grained one has permissions in their place.
    pub(crate) fn scopes_are_known(&self) -> bool {
        !self.scopes.is_empty() && !self.is_fine_grained()
    }

    /// The token is a fine-grained one (since 18.10).
    pub fn is_fine_grained(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "granular")
    }

    /// What `spec` asks for and the token may not do, with the remedy; `None` where it may, or where
    /// its scopes were not told or are not of this kind. Scopes as in GitLab 17.1 and newer.
    pub fn shortcoming(&self, spec: &Spec) -> Option<String> {
        let has = |names: &[&str]| self.scopes.iter().any(|scope| names.contains(&&**scope));
        let own_tokens = spec.pools.iter().all(|pool| pool.runner_token.is_some());
        if !self.scopes_are_known()
            || has(&["api"])
            || own_tokens
            || spec.gitlab.registration_token.is_some()
        {
            return None;
        }
        let needed =
            [("create_runner", "make records"), ("manage_runner", "change and delete records")];
        let missing: Vec<_> = needed.into_iter().filter(|(scope, _)| !has(&[scope])).collect();
        let (scopes, work): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        (!work.is_empty()).then(|| {
            format!(
                "the token may not {}: its scopes are `{}`\n\
                 hint: make one with the scope `{}`, too, or give every pool a `runner_token`",
                work.join(", nor "),
                self.scopes.join("`, `"),
                scopes.join("` and `"),
            )
        })
    }
}

/// The oldest server with what AutoGit uses: `CiRunnerManager.jobExecutionStatus`.
pub(crate) const OLDEST_SERVER: (u32, u32) = (16, 3);

/// A version as GitLab says it is that one or newer.
pub(crate) fn is_at_least(version: &str, least: (u32, u32)) -> bool {
    numbers(version).is_some_and(|version| version >= least)
}

/// The first two numbers of a version, `18.6.0-ee`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(['.', '-']).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// What makes a record under this instance's name ours.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The marks of the declared hosts' engines, as far as they were ever seen.
    pub marks: BTreeSet<Mark>,
    /// A declared host whose mark is not known, so that other marks may be its.
    pub unmarked_host: Option<HostName>,
    /// Records of which a container on a declared host says that it has the token.
    pub held: BTreeSet<RecordId>,
    /// Those, and the ones of which the cache has the token: asked for where the list lacks them.
    pub named: BTreeMap<RecordId, Variant>,
}

/// A record to be made.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The variant it is for; its description follows from it.
    pub variant: Variant,
    /// Whose jobs it takes.
    pub place: Place,
    /// Tags and so on, with the marks by which it is ours.
    pub settings: RecordSettings,
    /// Records of which a container has the token, though it may be lost to us; `None`: not all
    /// hosts tell, so none may be taken for lost.
    pub in_use: Option<BTreeSet<RecordId>>,
    /// Records that are old enough to be taken for lost, where nothing uses them: another process
    /// may have made a younger one a moment ago.
    pub old: BTreeSet<RecordId>,
}

/// A record that has our mark and another description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// GitLab's id.
    pub id: RecordId,
    /// What a person called it.
    pub description: String,
}

/// Another instance, or this one under its former name, with records that have our marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherInstance {
    /// Its name.
    pub instance: String,
    /// All its records, of these engines or others.
    pub records: BTreeSet<RecordId>,
    /// A runner of one of them made contact within two hours, as GitLab says.
    pub is_online: bool,
}

/// A record that was just made; the token is shown this once.
#[derive(Debug, Clone)]
pub struct CreatedRecord {
    /// GitLab's id.
    pub id: RecordId,
    /// The token runners use.
    pub token: SecretString,
    /// When it ends.
    pub token_expires_at: Option<Timestamp>,
}

/// What GitLab says of a runner token that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The record's id; `None`: an older server does not tell it.
    pub id: Option<RecordId>,
    /// When the token ends; `None`: never, or not told.
    pub token_expires_at: Option<Timestamp>,
}

/// A job as GitLab tells it when asked for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDetail {
    /// GitLab's id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its project's full path, where it is known.
    pub project_path: Option<String>,
    /// `pending`, `running`, `success`, …
    pub status: String,
    /// Its page.
    pub web_url: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its branch or tag.
    pub ref_name: String,
    /// The runner that has it.
    pub runner: Option<RecordId>,
    /// Since when it runs or ran, by our clock.
    pub started_at: Option<Timestamp>,
}

/// A job whose runner died.
#[derive(Debug, Clone, Copy)]
pub struct DeadJob {
    /// GitLab's id.
    pub id: JobId,
    /// Its project, where a container of its tells.
    pub project: Option<ProjectId>,
    /// When its runner died. Nobody but AutoGit cancels what has no runner: a cancellation after that
    /// is one that a process of ours left half-done.
    pub lost_at: Option<Timestamp>,
}

impl From<JobId> for DeadJob {
    fn from(id: JobId) -> Self {
        Self { id, project: None, lost_at: None }
    }
}

/// GitLab, as the rest of AutoGit sees it.
///
/// All methods: answer within their own time limit; obey 429 and `Retry-After`; never log or
/// return a secret; are safe to repeat.
#[async_trait]
pub trait Gitlab: Debug + Send + Sync {
    /// Asks what server and token these are.
    ///
    /// Guarantees: an error, with its remedy, if the token may not see the queue in the way the
    /// spec asks for: never an empty queue in its place.
    async fn probe(&self) -> Result<Server, GitlabError>;

    /// The pending jobs, oldest first, bounded to ten pages.
    ///
    /// Assumes: [`Gitlab::probe`] succeeded, else probes first.
    async fn queue(&self) -> Result<Queue, GitlabError>;

    /// What is known of these projects may be out of date: the next look asks again.
    fn doubt(&self, projects: &BTreeSet<ProjectId>);

    /// What these scopes are at GitLab.
    ///
    /// Guarantees: one that was told is not forgotten while GitLab cannot be asked; each is asked
    /// again at most once a minute, by its id where GitLab knows its name no more.
    async fn places(&self, scopes: &BTreeSet<Scope>)
    -> BTreeMap<Scope, Result<Place, GitlabError>>;

    /// The records under this instance's name, each with what its marks say, and those that `claims`
    /// names. Not their managers.
    ///
    /// Guarantees: a record that is lacking is gone: GitLab said so of that one, at two looks. One
    /// that could not be read is told as unseen, and does not hide the others.
    async fn records(&self, claims: &Claims) -> Result<Vec<Record>, GitlabError>;

    /// Records with our marks that a person renamed, and that are known by nothing else; as far
    /// as [`Gitlab::records`] came upon them.
    fn renamed(&self) -> Vec<Renamed>;

    /// Other instances with records of our engines, as far as [`Gitlab::records`] came upon them.
    fn other_instances(&self) -> Vec<OtherInstance>;

    /// The managers of these records, in as few requests as the server allows.
    async fn managers(
        &self,
        records: &[RecordId],
    ) -> Result<BTreeMap<RecordId, Vec<Manager>>, GitlabError>;

    /// What the managers of a record say of themselves, by system id.
    async fn callers(&self, record: RecordId) -> Result<BTreeMap<SystemId, Caller>, GitlabError>;

    /// This process made these records through another port to the same GitLab, and when.
    fn made_before(&self, records: &BTreeMap<RecordId, Timestamp>);

    /// Makes a record.
    ///
    /// Guarantees: deletes before what answers that were lost left behind: records of ours of the
    /// variant that are [`NewRecord::old`] and that no manager ever used.
    async fn create_record(&self, record: &NewRecord) -> Result<CreatedRecord, GitlabError>;

    /// Sets what can be changed in place, and in the note the marks only.
    async fn update_record(
        &self,
        id: RecordId,
        settings: &RecordSettings,
    ) -> Result<(), GitlabError>;

    /// Ends the long polls in which the record's runners wait, so that those that were asked to exit
    /// until `since` do so within seconds: an update that changes nothing.
    ///
    /// Guarantees: at most one in ten seconds for a record, and none where one was sent after
    /// `since`, whatever came of it.
    async fn end_polls(&self, record: RecordId, since: Timestamp) -> Result<(), GitlabError>;

    /// Deletes a record; one that is gone already is no error.
    async fn delete_record(&self, id: RecordId) -> Result<(), GitlabError>;

    /// Deletes the row of one runner; one that is gone already is no error.
    ///
    /// Errors: [`GitlabError::Forbidden`] if GitLab does not take the token.
    async fn delete_manager(
        &self,
        token: &SecretString,
        system_id: &SystemId,
    ) -> Result<(), GitlabError>;

    /// Asks whose token this is, and makes a manager row for `system_id`.
    async fn verify(
        &self,
        token: &SecretString,
        system_id: &SystemId,
    ) -> Result<Verified, GitlabError>;

    /// One job, by its id, for showing it; `project` is where it is, if that is known.
    async fn job(&self, id: JobId, project: Option<ProjectId>) -> Result<JobDetail, GitlabError>;

    /// Whether a job ended in any way, so that no runner can have it; `project` is where it is, if
    /// that is known.
    ///
    /// Errors: where GitLab does not tell; a job that it does not show may run all the same.
    async fn is_over(&self, id: JobId, project: Option<ProjectId>) -> Result<bool, GitlabError>;

    /// A runner that is online, none of `ours`, and may take such a job; `None`: none is seen.
    async fn other_runner(
        &self,
        job: &Job,
        ours: &BTreeSet<RecordId>,
    ) -> Result<Option<OtherRunner>, GitlabError>;

    /// Cancels a job whose runner died and queues it again, under the id that is returned; `None`:
    /// it ended already, or a person saw to it.
    ///
    /// Guarantees: repeated after a lost answer, it queues the job once.
    async fn retry_lost_job(&self, job: DeadJob) -> Result<Option<JobId>, GitlabError>;

    /// Requests sent so far.
    fn requests(&self) -> u64;

    /// Requests sent so far, by endpoint and status, where they are counted; status 0: no answer.
    fn requests_by(&self) -> BTreeMap<(&'static str, u16), u64> {
        BTreeMap::new()
    }

    /// GitLab's web address, for links.
    fn url(&self) -> &str;
}

/// Why GitLab did not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GitlabError {
    /// No answer.
    #[error("GitLab at {url} cannot be reached: {source}")]
    Unreachable {
        /// The address asked.
        url: String,
        /// What the connection failed with.
        source: TransportError,
    },
    /// 401: the token is wrong, revoked or expired.
    #[error(
        "GitLab refused the token ({endpoint}: {said})\nhint: make a new one and set `gitlab.token`"
    )]
    Unauthorized {
        /// What was asked.
        endpoint: &'static str,
        /// GitLab's own words: why it is no good.
        said: String,
    },
    /// 403, or an answer that the token's rights make empty.
    #[error("the token may not {attempt}{}", hinted(hint.as_deref()))]
    Forbidden {
        /// What was attempted, with GitLab's own words.
        attempt: String,
        /// What to do next, where that is known: a 403 has many reasons.
        hint: Option<String>,
    },
    /// 404.
    #[error("GitLab knows no {object}")]
    NotFound {
        /// The object asked for.
        object: String,
    },
    /// 409 or 422: GitLab refuses what was sent.
    #[error("GitLab refused to {attempt}: {message}")]
    Rejected {
        /// What was attempted.
        attempt: String,
        /// What GitLab says.
        message: String,
    },
    /// 429: nothing is sent before that time has passed.
    #[error("GitLab limits our requests; the next goes out in {}s", retry_after.as_secs())]
    Limited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// 5xx.
    #[error("GitLab failed with {status} on {endpoint}")]
    ServerFailed {
        /// HTTP status.
        status: u16,
        /// What was asked.
        endpoint: &'static str,
    },
    /// An answer that is not GitLab's.
    #[error(
        "the answer to {endpoint} is not GitLab's: {problem}\nhint: check `gitlab.url`; a proxy or login page may answer in its place"
    )]
    NotGitlab {
        /// What was asked.
        endpoint: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// A hint on a line of its own, if there is one.
fn hinted(hint: Option<&str>) -> String {
    hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default()
}

impl GitlabError {
    /// It may be about this one question: what else is asked may well be answered.
    pub(crate) fn is_odd(&self) -> bool {
        match self {
            Self::ServerFailed { .. } | Self::NotGitlab { .. } | Self::Rejected { .. } => true,
            Self::Unreachable { source, .. } => matches!(source, TransportError::TooLong(_)),
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Limited { .. } => false,
        }
    }

    /// It took all the time that there is for an answer.
    pub(crate) fn is_late(&self) -> bool {
        matches!(self, Self::Unreachable { source: TransportError::TimedOut(_), .. })
    }
}
