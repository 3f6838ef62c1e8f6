//! The port to GitLab of whoever sets AutoGit up: is it there, whose token is this, and what may it do.
//! Nothing here is asked by the loop.

use std::fmt;

use async_trait::async_trait;
use jiff::civil::Date;
use secrecy::SecretString;

use super::{GitlabError, TransportError};

/// Where GitLab is and with what it is asked.
#[derive(Debug, Clone)]
pub struct Way {
    /// GitLab's base URL.
    pub url: String,
    /// The token; none while there is none yet.
    pub token: Option<SecretString>,
    /// Certificate authorities in PEM, beside those that the machine trusts.
    pub ca: Option<Vec<u8>>,
}

/// What answers at an address.
#[derive(Debug, Clone)]
pub enum Answer {
    /// GitLab's API does.
    Gitlab,
    /// It sends everybody to another address.
    Elsewhere {
        /// That address, without the path of the API.
        url: String,
    },
    /// What stands in front of a GitLab that still starts, or is down: 502, 503 or 504.
    Starting {
        /// HTTP status.
        status: u16,
    },
    /// Something else does.
    Other {
        /// What it answered.
        problem: String,
    },
    /// Nothing does.
    Nothing(TransportError),
}

/// The certificate that a server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Itself, in PEM.
    pub pem: String,
    /// Its SHA-256, as `openssl x509 -fingerprint -sha256` writes it.
    pub fingerprint: String,
}

/// A token's own row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSeen {
    /// GitLab's id.
    pub id: u64,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// The day on which it ends; `None`: never.
    pub ends_on: Option<Date>,
}

/// The server and who asks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// GitLab's version.
    pub version: String,
    /// The token's user.
    pub user: String,
    /// It administers the server.
    pub administrator: bool,
    /// The token; `None`: it is of a kind that has no row, such as an OAuth one.
    pub token: Option<TokenSeen>,
    /// It may list all runners; an administrator whose token lacks `admin_mode` may not where Admin
    /// Mode is on.
    pub lists_all_runners: bool,
}

impl Identity {
    /// The server's version is `major.minor` or newer.
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        super::numbers(&self.version).is_some_and(|version| version >= (major, minor))
    }
}

/// The scopes of a token that does all of AutoGit's work, and replaces itself.
pub const SCOPES: [&str; 4] = ["read_api", "create_runner", "manage_runner", "self_rotate"];

/// The page on which a person makes such a token, its form filled in (16.8 and newer; before that it
/// is `/-/profile/personal_access_tokens`).
pub fn token_page(url: &str) -> String {
    let (url, scopes) = (url.trim_end_matches('/'), SCOPES.join(","));
    format!("{url}/-/user_settings/personal_access_tokens?name=autogit&scopes={scopes}")
}

/// Where the user may make runners without being an administrator, by full path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Groups that it owns.
    pub groups: Vec<String>,
    /// Projects that it maintains.
    pub projects: Vec<String>,
}

/// A token that took another one's place.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The token.
    pub token: SecretString,
    /// The day on which it ends.
    pub ends_on: Option<Date>,
}

/// Whose events a webhook tells about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookPlace {
    /// A project's, by full path.
    Project(String),
    /// Those of a group's projects, with GitLab Premium.
    Group(String),
    /// The whole server's; pushes alone.
    System,
}

impl fmt::Display for HookPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(path) => write!(f, "project `{path}`"),
            Self::Group(path) => write!(f, "group `{path}`"),
            Self::System => f.write_str("the whole server (pushes alone)"),
        }
    }
}

/// A webhook's number and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// GitLab's id.
    pub id: u64,
    /// Where it is delivered.
    pub url: String,
}

/// GitLab, as whoever sets AutoGit up sees it.
///
/// All methods answer within their own time limit, and log or return no secret but a new token.
#[async_trait]
pub trait SetupGitlab: fmt::Debug + Send + Sync {
    /// What answers at the address, whoever asks. The token is not sent.
    async fn answer(&self) -> Answer;

    /// The certificate that the server shows, whoever signed it; `None`: none. Nothing is sent but
    /// the handshake.
    async fn certificate(&self) -> Option<Certificate>;

    /// The server and the token's user.
    async fn identity(&self) -> Result<Identity, GitlabError>;

    /// Where the token's user may make runners; the first hundred of each kind.
    async fn places(&self) -> Result<Places, GitlabError>;

    /// Gives the token's place to a new one that ends on `ends_on`; GitLab revokes the old one in the
    /// same call.
    ///
    /// Never repeated: the same call with a token that was revoked by it revokes the new one, too
    /// (GitLab 16.6 and newer). `id` is the token's own, for servers before 16.10.
    async fn rotate(&self, id: Option<u64>, ends_on: Date) -> Result<NewToken, GitlabError>;

    /// The webhooks there.
    async fn hooks(&self, place: &HookPlace) -> Result<Vec<Hook>, GitlabError>;

    /// Makes a webhook there that tells about jobs and pushes, as far as GitLab has such.
    async fn create_hook(
        &self,
        place: &HookPlace,
        url: &str,
        secret: &SecretString,
    ) -> Result<Hook, GitlabError>;

    /// Has GitLab deliver a push event to a webhook now; fine if it was answered with success.
    async fn test_hook(&self, place: &HookPlace, hook: u64) -> Result<(), GitlabError>;
}
