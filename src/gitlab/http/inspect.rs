//! What the server and the token are, fact by fact: each question stands for itself, so that what is
//! refused does not hide the rest.

use ::http::Uri;
use std::net::SocketAddr;

use async_trait::async_trait;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use super::call::{Call, segment};
use super::probe::end_of;
use super::transport::{CONNECT_TIMEOUT, proxy_to};
use super::{HttpGitlab, certificate};
use crate::gitlab::inspection::{
    Delivery, HookSeen, Inspected, Inspection, Reach, TokenSeen, UserSeen,
};
use crate::gitlab::{GitlabError, TransportError};
use crate::spec::Scope;
use crate::world::{JobId, RecordId};

#[derive(Deserialize)]
struct TokenRow {
    name: Option<String>,
    scopes: Vec<String>,
    expires_at: Option<Date>,
}

#[derive(Deserialize)]
struct UserRow {
    id: u64,
    username: String,
    is_admin: Option<bool>,
    bot: Option<bool>,
}

#[derive(Deserialize)]
struct Member {
    access_level: u8,
}

#[derive(Deserialize)]
struct HookRow {
    id: u64,
    url: String,
    #[serde(default)]
    job_events: bool,
    disabled_until: Option<String>,
    alert_status: Option<String>,
}

#[async_trait]
impl Inspection for HttpGitlab {
    async fn inspect(&self) -> Inspected {
        let version = self.version().await;
        let reach = match &version {
            Err(error) if is_on_the_way(error) => reach_of(self.wire.url()).await,
            Ok(_) | Err(_) => None,
        };
        let (token, user, all_runners) = match &version {
            Err(error) if is_on_the_way(error) => {
                (Err(error.clone()), Err(error.clone()), Err(error.clone()))
            }
            Ok(_) | Err(_) => {
                (self.token_seen().await, self.user_seen().await, self.all_runners().await)
            }
        };
        Inspected {
            url: self.wire.url().to_owned(),
            version,
            reach,
            token,
            user,
            all_runners,
            clock_ahead: self.wire.clock_ahead(),
        }
    }

    async fn takes(&self, record: RecordId, job: JobId) -> Result<Option<bool>, GitlabError> {
        HttpGitlab::takes(self, record, job).await
    }

    async fn role(&self, scope: &Scope, user: u64) -> Result<Option<u8>, GitlabError> {
        let (kind, name) = match scope {
            Scope::Instance => return Ok(None),
            Scope::Group(name) => ("groups", name),
            Scope::Project(name) => ("projects", name),
        };
        let path = format!("/{kind}/{}/members/all/{user}", segment(name));
        let call = Call::get("GET /members/all/:id", path).attempt("read its own role");
        match self.wire.json::<Member>(&call).await {
            Ok(member) => Ok(Some(member.access_level)),
            Err(GitlabError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn hooks(&self, project: &str) -> Result<Vec<HookSeen>, GitlabError> {
        let path = format!("/projects/{}/hooks", segment(project));
        let call = Call::get("GET /projects/:id/hooks", path.clone()).query("per_page=100");
        let call = call.attempt("list webhooks").object(format!("project `{project}`"));
        let rows: Vec<HookRow> =
            self.wire.json(&call.hint("the token needs the role Maintainer there")).await?;
        let mut hooks = Vec::new();
        for row in rows {
            let last_delivery = self.last_delivery(&path, row.id).await;
            hooks.push(HookSeen {
                id: row.id,
                url: row.url,
                job_events: row.job_events,
                disabled_until: row.disabled_until,
                alert_status: row.alert_status,
                last_delivery,
            });
        }
        Ok(hooks)
    }
}

impl HttpGitlab {
    async fn token_seen(&self) -> Result<Option<TokenSeen>, GitlabError> {
        let call = Call::get("GET /personal_access_tokens/self", "/personal_access_tokens/self");
        match self.wire.json::<TokenRow>(&call).await {
            Ok(TokenRow { name, scopes, expires_at }) => {
                let ends_at = expires_at.and_then(end_of);
                Ok(Some(TokenSeen { name, scopes, ends_at }))
            }
            // What is no personal access token, or may not ask, has no row that is told.
            Err(
                GitlabError::NotFound { .. }
                | GitlabError::Forbidden { .. }
                | GitlabError::Rejected { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn user_seen(&self) -> Result<UserSeen, GitlabError> {
        let row: UserRow = self.wire.json(&Call::get("GET /user", "/user")).await?;
        let is_named_so = |name: &str| {
            let kind = ["project_", "group_"].iter().any(|kind| name.starts_with(kind));
            kind && name.contains("_bot") || name.starts_with("service_account_")
        };
        let bot = row.bot == Some(true) || is_named_so(&row.username);
        let administrator = row.is_admin == Some(true);
        Ok(UserSeen { id: row.id, name: row.username, administrator, bot })
    }

    async fn all_runners(&self) -> Result<(), GitlabError> {
        let call = Call::get("GET /runners/all", "/runners/all").query("per_page=1");
        self.wire.answer(&call.attempt("list all runners")).await.map(|_| ())
    }

    async fn last_delivery(&self, hooks: &str, hook: u64) -> Option<Option<Delivery>> {
        let path = format!("{hooks}/{hook}/events");
        let call = Call::get("GET /hooks/:id/events", path).query("per_page=1");
        let events: Vec<Value> = self.wire.json(&call).await.ok()?;
        let delivery = |event: &Value| {
            let status = event.get("response_status")?;
            let status = match status.as_u64() {
                Some(number) => number.to_string(),
                None => status.as_str()?.to_owned(),
            };
            let at = event.get("created_at").and_then(Value::as_str).map(str::to_owned);
            Some(Delivery { status, at })
        };
        Some(events.first().and_then(delivery))
    }
}

/// No answer came, or none of GitLab's: what else is asked would not be answered, either.
fn is_on_the_way(error: &GitlabError) -> bool {
    match error {
        GitlabError::Unreachable { .. }
        | GitlabError::NotGitlab { .. }
        | GitlabError::ServerFailed { .. } => true,
        GitlabError::Unauthorized { .. }
        | GitlabError::Forbidden { .. }
        | GitlabError::NotFound { .. }
        | GitlabError::Rejected { .. }
        | GitlabError::Limited { .. } => false,
    }
}

/// How far the way to the server at `url` goes; `None`: that is no address.
async fn reach_of(url: &str) -> Option<Reach> {
    let uri: Uri = url.parse().ok()?;
    if let Some(proxy) = proxy_to(url) {
        return Some(Reach::Proxied { proxy });
    }
    let name = uri.host()?.trim_matches(['[', ']']).to_owned();
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((name.as_str(), port)).await {
        Ok(found) => found.collect(),
        Err(error) => {
            let problem = error.to_string();
            return Some(Reach::Unresolved { name: name.clone(), problem });
        }
    };
    let connecting = tokio::net::TcpStream::connect(found.as_slice());
    let problem = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(stream)) if secure => {
            drop(stream);
            let shown = certificate::shown(url).await;
            return Some(Reach::Open { fingerprint: shown.map(|shown| shown.fingerprint) });
        }
        Ok(Ok(_)) => return Some(Reach::Open { fingerprint: None }),
        Ok(Err(error)) => error.to_string(),
        Err(_) => TransportError::TimedOut(CONNECT_TIMEOUT).to_string(),
    };
    let addresses = found.iter().map(ToString::to_string).collect();
    Some(Reach::Closed { addresses, problem })
}
