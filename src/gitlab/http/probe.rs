//! What the server and the token are, and whether they suffice for what the spec asks.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::HttpGitlab;
use super::call::Call;
use crate::gitlab::{GitlabError, OLDEST_SERVER, Server};
use crate::spec::QueueSource;

/// The first server with the scope `manage_runner`.
const MANAGE_RUNNER: (u32, u32) = (17, 1);
/// How old the proof of an administrator's rights may be where the instance's queue is empty: a
/// user who lost them reads an empty queue, too.
const PROOF_AGE_MAX: Duration = Duration::from_mins(1);

/// A probe that passed.
#[derive(Clone)]
pub(super) struct Proof {
    pub(super) at: Timestamp,
    pub(super) server: Server,
    /// The queue is read from the whole instance.
    pub(super) instance_queue: bool,
    /// GitLab tells what a runner may take (since 18.1, an experiment).
    pub(super) compatible: bool,
}

#[derive(Deserialize)]
struct Metadata {
    version: String,
}

#[derive(Deserialize)]
struct Token {
    scopes: Vec<String>,
    expires_at: Option<Date>,
}

#[derive(Deserialize)]
struct User {
    username: String,
    /// Told of administrators only.
    is_admin: Option<bool>,
}

impl User {
    fn administers(&self) -> bool {
        self.is_admin == Some(true)
    }
}

impl HttpGitlab {
    pub(super) async fn probe_server(&self) -> Result<Server, GitlabError> {
        let token = self.token().await?;
        let user = self.user().await?;
        let version = self.version().await?;
        let server = Server {
            version,
            administrator: user.administers(),
            scopes: token.as_ref().map(|token| token.scopes.clone()).unwrap_or_default(),
            token_expires_at: token.and_then(|token| end_of(token.expires_at?)),
            user: user.username,
        };
        self.supports(&server)?;
        let instance_queue = self.reads_instance(&server)?;
        if !instance_queue {
            let limits = self.limits().await?;
            self.refresh_projects(&server, limits.as_ref()).await?;
        }
        let compatible = server.is_at_least(18, 1);
        let server_told = server.clone();
        let at = self.wire.now();
        let proof = Proof { at, server: server_told, instance_queue, compatible };
        self.proof.with(|known| *known = Some(proof));
        Ok(server)
    }

    /// The last probe that passed, or a new one.
    pub(super) async fn proof(&self) -> Result<Proof, GitlabError> {
        if let Some(proof) = self.proof.with(|proof| proof.clone()) {
            return Ok(proof);
        }
        let server = self.probe_server().await?;
        let proof = self.proof.with(|proof| proof.clone());
        proof.ok_or_else(|| not_administrator(&server.user))
    }

    /// Makes sure that an empty queue is not a queue that may no longer be seen.
    pub(super) async fn confirm_administrator(&self, proof: &Proof) -> Result<(), GitlabError> {
        let now = self.wire.now();
        if !older(now, proof.at, PROOF_AGE_MAX) {
            return Ok(());
        }
        let user = self.user().await?;
        if !user.administers() {
            self.proof.with(|proof| *proof = None);
            return Err(not_administrator(&user.username));
        }
        self.proof.with(|proof| {
            if let Some(proof) = proof {
                proof.at = now;
            }
        });
        Ok(())
    }

    /// Whether server and token suffice for each other and for what the spec asks.
    fn supports(&self, server: &Server) -> Result<(), GitlabError> {
        let version: String = server.version.chars().take(40).collect();
        if !server.is_at_least(OLDEST_SERVER.0, OLDEST_SERVER.1) {
            return Err(GitlabError::Rejected {
                attempt: "what AutoGit asks of it".to_owned(),
                message: format!(
                    "it is version `{version}`, and 16.3 is the oldest that does (with a token of \
                     the scope `api` before 17.1)\nhint: update GitLab"
                ),
            });
        }
        let api = server.scopes.iter().any(|scope| scope == "api");
        if self.settings.makes_records
            && server.scopes_are_known()
            && !api
            && !server.is_at_least(MANAGE_RUNNER.0, MANAGE_RUNNER.1)
        {
            return Err(GitlabError::Forbidden {
                attempt: format!(
                    "change or delete runners: its scopes are `{}`, and version `{version}` has no \
                     scope `manage_runner`",
                    server.scopes.join("`, `")
                ),
                hint: Some("before 17.1 the token needs the scope `api`".to_owned()),
            });
        }
        Ok(())
    }

    fn reads_instance(&self, server: &Server) -> Result<bool, GitlabError> {
        match self.settings.queue_source {
            QueueSource::Projects => Ok(false),
            QueueSource::Auto => Ok(server.administrator && !server.is_fine_grained()),
            QueueSource::Instance if server.is_fine_grained() => Err(GitlabError::Forbidden {
                attempt: "read the instance's queue: GraphQL leaves things out for a fine-grained \
                          token, and says nothing"
                    .to_owned(),
                hint: Some(
                    "use a token with the scope `read_api`, or set `gitlab.queue_source: projects`"
                        .to_owned(),
                ),
            }),
            QueueSource::Instance if server.administrator => Ok(true),
            QueueSource::Instance => Err(not_administrator(&server.user)),
        }
    }

    /// The token's own row; `None` where the token is of a kind that has none: no personal access
    /// token, which is answered 400.
    async fn token(&self) -> Result<Option<Token>, GitlabError> {
        let call = Call::get("GET /personal_access_tokens/self", "/personal_access_tokens/self");
        let token: Token = match self.wire.json(&call).await {
            Ok(token) => token,
            Err(
                GitlabError::NotFound { .. }
                | GitlabError::Forbidden { .. }
                | GitlabError::Rejected { .. },
            ) => return Ok(None),
            Err(error) => return Err(error),
        };
        // What a fine-grained token may do, its scopes do not tell; GitLab does when asked.
        let reads = |scope: &String| ["api", "read_api", "granular"].contains(&scope.as_str());
        if token.scopes.iter().any(reads) {
            return Ok(Some(token));
        }
        Err(GitlabError::Forbidden {
            attempt: format!("read the API: its scopes are `{}`", token.scopes.join("`, `")),
            hint: Some(
                "make one with the scope `read_api`, and `create_runner` and `manage_runner` \
                 unless every pool has a `runner_token`"
                    .to_owned(),
            ),
        })
    }

    async fn user(&self) -> Result<User, GitlabError> {
        self.wire.json(&Call::get("GET /user", "/user")).await
    }

    /// GitLab's version, by which it says that it is GitLab.
    pub(super) async fn version(&self) -> Result<String, GitlabError> {
        let metadata = Call::get("GET /metadata", "/metadata");
        let Metadata { version } = match self.wire.json(&metadata).await {
            Err(GitlabError::NotFound { .. }) => {
                self.wire.json(&Call::get("GET /version", "/version")).await?
            }
            told => told?,
        };
        Ok(version)
    }
}

/// Whether `at` is more than `age` ago, or ahead of a clock that was set back.
pub(super) fn older(now: Timestamp, at: Timestamp, age: Duration) -> bool {
    let passed = now.duration_since(at);
    passed.is_negative() || passed.unsigned_abs() > age
}

fn not_administrator(user: &str) -> GitlabError {
    GitlabError::Forbidden {
        attempt: format!("read the instance's queue: `{user}` is no administrator"),
        hint: Some(
            "use an administrator's token, or set `gitlab.queue_source: projects`".to_owned(),
        ),
    }
}

/// A token ends at the first moment of its last day, by UTC.
pub(super) fn end_of(day: Date) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(day.to_datetime(Time::midnight())).ok()
}
