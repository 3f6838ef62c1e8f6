//! Calls that a runner's own token speaks for; the API token is not sent with them.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use ::http::Method;

use super::HttpGitlab;
use super::call::Call;
use super::refusal;
use super::wire::parse;
use crate::gitlab::{GitlabError, Verified};
use crate::world::{RecordId, SystemId};

#[derive(Deserialize)]
struct Row {
    id: Option<u64>,
    token_expires_at: Option<Timestamp>,
}

impl HttpGitlab {
    pub(super) async fn remove_manager(
        &self,
        token: &SecretString,
        system_id: &SystemId,
    ) -> Result<(), GitlabError> {
        let body = json!({ "token": token.expose_secret(), "system_id": system_id.as_str() });
        let call = Call::rest(Method::DELETE, "DELETE /runners/managers", "/runners/managers")
            .body(body)
            .by(token)
            .attempt(format!("delete the manager `{system_id}`"))
            .hint("the runner was deleted or its token replaced: the row goes with the record");
        match self.wire.done(&call).await {
            Ok(()) | Err(GitlabError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn verify_token(
        &self,
        token: &SecretString,
        system_id: &SystemId,
    ) -> Result<Verified, GitlabError> {
        let body = json!({ "token": token.expose_secret(), "system_id": system_id.as_str() });
        let call = Call::rest(Method::POST, "POST /runners/verify", "/runners/verify")
            .body(body)
            .by(token)
            .attempt("speak for a runner")
            .hint("the runner was deleted or its token replaced: make a new one and set it");
        let answer = self.wire.answer(&call).await?;
        if refusal::is_web_page(answer.body()) {
            return Err(refusal::not_gitlab(&call, "it is a web page"));
        }
        // Older servers say no more than that it is valid: the body is empty, `null` or `"200"`.
        if answer.body().trim_ascii().first() != Some(&b'{') {
            return Ok(Verified { id: None, token_expires_at: None });
        }
        let row: Row = parse(&call, &answer)?;
        let id = row.id.map(RecordId);
        let token_expires_at = row.token_expires_at.map(|at| self.wire.ours(at));
        if let Some(id) = id {
            self.records.with(|known| known.token_expires(id, token_expires_at));
        }
        Ok(Verified { id, token_expires_at })
    }
}
