//! What setting AutoGit up asks: REST, as in GitLab 16.3 to 18.6 (`doc/api/personal_access_tokens.md`,
//! `project_webhooks.md`, `group_webhooks.md`, `system_hooks.md`).

use std::fmt;
use std::sync::Arc;

use ::http::{Method, Request, Uri, header};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::civil::Date;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, segment};
use super::certificate;
use super::refusal::is_web_page;
use super::wire::Wire;
use crate::clock::Clock;
use crate::gitlab::setup::{
    Answer, Certificate, Hook, HookPlace, Identity, NewToken, Places, SetupGitlab, TokenSeen, Way,
};
use crate::gitlab::{GitlabError, Transport};

/// A role from which on a user makes runners of a group, and one of a project.
const OWNER: u8 = 50;
const MAINTAINER: u8 = 40;
/// Below this address is the API.
const PROBE: &str = "/api/v4/version";

/// GitLab behind a transport, for who sets AutoGit up.
pub struct HttpSetupGitlab {
    wire: Wire,
    transport: Arc<dyn Transport>,
}

impl HttpSetupGitlab {
    /// The server that `way` names, asked through `transport`.
    pub fn new(way: &Way, transport: Arc<dyn Transport>, clock: Clock) -> Self {
        let token = way.token.clone().unwrap_or_default();
        let wire = Wire::new(&way.url, token, Vec::new(), Arc::clone(&transport), clock);
        Self { wire, transport }
    }

    async fn token_seen(&self) -> Result<Option<TokenSeen>, GitlabError> {
        let call = Call::get("GET /personal_access_tokens/self", "/personal_access_tokens/self");
        match self.wire.json::<TokenRow>(&call).await {
            Ok(row) => {
                Ok(Some(TokenSeen { id: row.id, scopes: row.scopes, ends_on: row.expires_at }))
            }
            // No personal access token: it has no row.
            Err(GitlabError::NotFound { .. } | GitlabError::Rejected { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn version(&self) -> Result<String, GitlabError> {
        let metadata = Call::get("GET /metadata", "/metadata");
        let metadata = metadata.attempt("read the API").hint(SCOPES_HINT);
        Ok(self.wire.json::<Metadata>(&metadata).await?.version)
    }

    /// Full paths where the user has at least that role.
    async fn paths(
        &self,
        call: Call,
        level: u8,
        of: fn(PlaceRow) -> Option<String>,
    ) -> Result<Vec<String>, GitlabError> {
        let query = format!(
            "min_access_level={level}&membership=true&archived=false&simple=true\
             &order_by=id&sort=asc&per_page=100"
        );
        let rows: Vec<PlaceRow> = self.wire.pages(call.query(query), 1).await?.items;
        Ok(rows.into_iter().filter_map(of).collect())
    }
}

const SCOPES_HINT: &str =
    "give the token the scopes `read_api`, `create_runner` and `manage_runner`";

impl fmt::Debug for HttpSetupGitlab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSetupGitlab").field("url", &self.wire.url()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Metadata {
    version: String,
}

#[derive(Deserialize)]
struct UserRow {
    username: String,
    /// Told of administrators only.
    is_admin: Option<bool>,
}

#[derive(Deserialize)]
struct TokenRow {
    id: u64,
    scopes: Vec<String>,
    expires_at: Option<Date>,
}

#[derive(Deserialize)]
struct RotatedRow {
    token: SecretString,
    expires_at: Option<Date>,
}

#[derive(Deserialize)]
struct PlaceRow {
    full_path: Option<String>,
    path_with_namespace: Option<String>,
}

#[derive(Deserialize)]
struct HookRow {
    id: u64,
    url: String,
}

impl From<HookRow> for Hook {
    fn from(row: HookRow) -> Self {
        Self { id: row.id, url: row.url }
    }
}

/// Where a place's webhooks are, and how requests to them are called.
fn hooks_of(place: &HookPlace) -> (String, [&'static str; 3]) {
    match place {
        HookPlace::Project(path) => (
            format!("/projects/{}/hooks", segment(path)),
            [
                "GET /projects/:id/hooks",
                "POST /projects/:id/hooks",
                "POST /projects/:id/hooks/:id/test",
            ],
        ),
        HookPlace::Group(path) => (
            format!("/groups/{}/hooks", segment(path)),
            ["GET /groups/:id/hooks", "POST /groups/:id/hooks", "POST /groups/:id/hooks/:id/test"],
        ),
        HookPlace::System => {
            ("/hooks".to_owned(), ["GET /hooks", "POST /hooks", "POST /hooks/:id"])
        }
    }
}

fn hook_hint(place: &HookPlace) -> &'static str {
    match place {
        HookPlace::Project(_) => "it takes a Maintainer's token with the scope `api`",
        HookPlace::Group(_) => "it takes an Owner's token with the scope `api`, and GitLab Premium",
        HookPlace::System => "it takes an administrator's token with the scope `api`",
    }
}

#[async_trait]
impl SetupGitlab for HttpSetupGitlab {
    async fn answer(&self) -> Answer {
        let url = self.wire.url();
        let mut request = Request::new(Bytes::new());
        match format!("{url}{PROBE}").parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => return Answer::Other { problem: format!("`{url}`: {error}") },
        }
        match self.transport.send(request).await {
            Ok(answer) => meaning(&answer),
            Err(error) => Answer::Nothing(error),
        }
    }

    async fn certificate(&self) -> Option<Certificate> {
        certificate::shown(self.wire.url()).await
    }

    async fn identity(&self) -> Result<Identity, GitlabError> {
        // First, for it says best what is wrong with a token.
        let token = self.token_seen().await?;
        let user = Call::get("GET /user", "/user").attempt("read the API").hint(SCOPES_HINT);
        let user: UserRow = self.wire.json(&user).await?;
        let version = self.version().await?;
        let all = Call::get("GET /runners/all", "/runners/all").query("per_page=1");
        let lists_all_runners = match self.wire.answer(&all).await {
            Ok(_) => true,
            Err(GitlabError::Forbidden { .. }) => false,
            Err(error) => return Err(error),
        };
        let administrator = user.is_admin == Some(true);
        let user = user.username;
        Ok(Identity { version, user, administrator, token, lists_all_runners })
    }

    async fn places(&self) -> Result<Places, GitlabError> {
        let groups = Call::get("GET /groups", "/groups");
        let projects = Call::get("GET /projects", "/projects");
        Ok(Places {
            groups: self.paths(groups, OWNER, |row| row.full_path).await?,
            projects: self.paths(projects, MAINTAINER, |row| row.path_with_namespace).await?,
        })
    }

    async fn rotate(&self, id: Option<u64>, ends_on: Date) -> Result<NewToken, GitlabError> {
        let (endpoint, whose) = match id {
            None => ("POST /personal_access_tokens/self/rotate", "self".to_owned()),
            Some(id) => ("POST /personal_access_tokens/:id/rotate", id.to_string()),
        };
        let path = format!("/personal_access_tokens/{whose}/rotate");
        let call = Call::rest(Method::POST, endpoint, path)
            .body(json!({ "expires_at": ends_on.to_string() }))
            .attempt("replace itself")
            .hint("it takes the scope `api`, or `self_rotate` from GitLab 17.9 on");
        let row: RotatedRow = self.wire.json(&call).await?;
        Ok(NewToken { token: row.token, ends_on: row.expires_at })
    }

    async fn hooks(&self, place: &HookPlace) -> Result<Vec<Hook>, GitlabError> {
        let (path, [endpoint, ..]) = hooks_of(place);
        let call = Call::get(endpoint, path).query("per_page=100");
        let call = call.attempt(format!("list the webhooks of {place}")).object(place.to_string());
        let rows: Vec<HookRow> = self.wire.pages(call.hint(hook_hint(place)), 10).await?.items;
        Ok(rows.into_iter().map(Hook::from).collect())
    }

    async fn create_hook(
        &self,
        place: &HookPlace,
        url: &str,
        secret: &SecretString,
    ) -> Result<Hook, GitlabError> {
        let (path, [_, endpoint, _]) = hooks_of(place);
        let mut body = json!({
            "url": url,
            "token": secret.expose_secret(),
            "push_events": true,
            "enable_ssl_verification": true,
        });
        let more = match place {
            HookPlace::Project(_) | HookPlace::Group(_) => json!({ "job_events": true }),
            // System hooks know no jobs, and tell of each push a second time unless told not to.
            HookPlace::System => json!({ "repository_update_events": false }),
        };
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        let mut call = Call::rest(Method::POST, endpoint, path)
            .body(body)
            .attempt(format!("make a webhook for {place}"))
            .object(place.to_string())
            .hint(hook_hint(place));
        call.secret = Some(secret.clone());
        Ok(self.wire.json::<HookRow>(&call).await?.into())
    }

    async fn test_hook(&self, place: &HookPlace, hook: u64) -> Result<(), GitlabError> {
        let (path, [_, _, endpoint]) = hooks_of(place);
        let path = match place {
            HookPlace::Project(_) | HookPlace::Group(_) => {
                format!("{path}/{hook}/test/push_events")
            }
            HookPlace::System => format!("{path}/{hook}"),
        };
        let call = Call::rest(Method::POST, endpoint, path)
            .attempt(format!("deliver a test of the webhook of {place}"))
            .object(format!("test of webhook {hook}"));
        self.wire.done(&call.hint(hook_hint(place))).await
    }
}

/// What an answer to an unsigned question to the API says about who gave it.
fn meaning(answer: &::http::Response<Bytes>) -> Answer {
    let status = answer.status();
    if status.is_redirection() {
        let location = answer.headers().get(header::LOCATION);
        let url = location.and_then(|value| value.to_str().ok()).and_then(base_of);
        return match url {
            Some(url) => Answer::Elsewhere { url },
            None => Answer::Other { problem: "it redirects to something else".to_owned() },
        };
    }
    let body = answer.body();
    if matches!(status.as_u16(), 502..=504) {
        return Answer::Starting { status: status.as_u16() };
    }
    let speaks_json = serde_json::from_slice::<Value>(body).is_ok_and(|body| body.is_object());
    if speaks_json && (status.is_success() || matches!(status.as_u16(), 401 | 403)) {
        return Answer::Gitlab;
    }
    let what = if is_web_page(body) { " with a web page" } else { "" };
    Answer::Other { problem: format!("it answers {}{what}", status.as_u16()) }
}

/// `https://gitlab.example.com/api/v4/version` without what was asked there.
fn base_of(location: &str) -> Option<String> {
    let uri: Uri = location.parse().ok()?;
    let base = location.split(PROBE).next()?;
    (uri.scheme().is_some() && base.len() < location.len()).then(|| base.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, location: Option<&str>, body: &'static str) -> Answer {
        let mut answer = ::http::Response::new(Bytes::from_static(body.as_bytes()));
        *answer.status_mut() = status.try_into().unwrap();
        if let Some(location) = location {
            answer.headers_mut().insert(header::LOCATION, location.parse().unwrap());
        }
        meaning(&answer)
    }

    #[test]
    fn gitlab_is_told_from_what_stands_in_its_place() {
        assert!(matches!(answered(401, None, r#"{"message":"401 Unauthorized"}"#), Answer::Gitlab));
        assert!(matches!(answered(502, None, "<html>"), Answer::Starting { status: 502 }));
        assert!(matches!(answered(200, None, "<html>"), Answer::Other { .. }));
        assert!(matches!(answered(404, None, "{}"), Answer::Other { .. }));
        let forced = answered(301, Some("https://gitlab.test/sub/api/v4/version"), "");
        assert!(matches!(forced, Answer::Elsewhere { url } if url == "https://gitlab.test/sub"));
        let login = answered(302, Some("https://login.test/?next=1"), "");
        assert!(matches!(login, Answer::Other { .. }));
    }
}
