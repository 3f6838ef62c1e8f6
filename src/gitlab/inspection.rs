//! What a GitLab and a token are, fact by fact, for who examines a set-up. It is read on request and
//! never by the loop, so it is no part of [`super::Gitlab`].

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::GitlabError;
use crate::spec::Scope;
use crate::world::{JobId, RecordId};

/// A GitLab that tells what it and the token are.
#[async_trait]
pub trait Inspection: Debug + Send + Sync {
    /// What the server and the token are. Changes nothing.
    async fn inspect(&self) -> Inspected;

    /// The role of the token's user there, as a number of GitLab's (50 is Owner); `None`: it has none.
    async fn role(&self, scope: &Scope, user: u64) -> Result<Option<u8>, GitlabError>;

    /// Whether GitLab would hand a pending job to the runners of a record; `None`: it does not tell,
    /// as before 18.1.
    async fn takes(&self, record: RecordId, job: JobId) -> Result<Option<bool>, GitlabError>;

    /// The webhooks of a project.
    async fn hooks(&self, project: &str) -> Result<Vec<HookSeen>, GitlabError>;
}

/// What a GitLab told.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// The address asked.
    pub url: String,
    /// The server's version.
    pub version: Result<String, GitlabError>,
    /// How far the way goes, where no answer of GitLab's came.
    pub reach: Option<Reach>,
    /// The token's own row; `None`: it is of a kind that has none.
    pub token: Result<Option<TokenSeen>, GitlabError>,
    /// The user behind the token.
    pub user: Result<UserSeen, GitlabError>,
    /// All runners may be listed, which an administrator may, and with Admin Mode only with the scope
    /// `admin_mode`.
    pub all_runners: Result<(), GitlabError>,
    /// How far the server's clock is ahead of ours.
    pub clock_ahead: Option<SignedDuration>,
}

/// How far the way to a server goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// A proxy is on it, and what is behind that is not seen.
    Proxied {
        /// The proxy, without credentials.
        proxy: String,
    },
    /// The name in the address has no address here.
    Unresolved {
        /// The name.
        name: String,
        /// What the resolver said.
        problem: String,
    },
    /// Nothing accepts connections there.
    Closed {
        /// The addresses that were tried.
        addresses: Vec<String>,
        /// What came of it.
        problem: String,
    },
    /// Something accepts connections.
    Open {
        /// The SHA-256 of the certificate that it shows, as `openssl x509 -fingerprint` writes it.
        fingerprint: Option<String>,
    },
}

/// A token's own row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSeen {
    /// Its name.
    pub name: Option<String>,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// When it ends; `None`: never.
    pub ends_at: Option<Timestamp>,
}

/// The user behind a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSeen {
    /// GitLab's id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// It administers the server.
    pub administrator: bool,
    /// It is the bot of a project's, group's or service account's token.
    pub bot: bool,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSeen {
    /// GitLab's id.
    pub id: u64,
    /// Where it is delivered.
    pub url: String,
    /// It tells about jobs.
    pub job_events: bool,
    /// Until when GitLab delivers nothing after failures, in its words; `None`: it delivers.
    pub disabled_until: Option<String>,
    /// `executable`, `temporarily_disabled` or `disabled`.
    pub alert_status: Option<String>,
    /// The last delivery's status, where GitLab tells (17.3 and newer); `None` inside: none yet.
    pub last_delivery: Option<Option<Delivery>>,
}

/// A delivery of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The HTTP status of the answer, or GitLab's word for none.
    pub status: String,
    /// When, in GitLab's words.
    pub at: Option<String>,
}

impl Delivery {
    /// It was taken.
    pub fn is_fine(&self) -> bool {
        self.status.starts_with('2')
    }
}
