//! `POST /webhook/gitlab`: GitLab says that something happened.
//!
//! A wake carries no truth, so the body is never parsed: what it says is looked at in GitLab. That
//! leaves nothing to be malformed, makes a replay as harmless as one look more, and lets a body of
//! any size pass through without being held. What is authentic is answered with 204 even if it
//! concerns nobody, for GitLab switches off a hook that fails; what is not is answered with 401.

mod signature;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use futures_util::StreamExt;
use secrecy::{ExposeSecret, SecretString};

use super::Api;
use super::bearer::is_same;
use super::problem::Problem;
use crate::reconcile::{Wake, WebhookEvent, WebhookRefusal};
use crate::spec::{ApiSpec, Credential, signing_key};
use signature::Signed;

/// Where GitLab sends them.
pub(super) const PATH: &str = ApiSpec::WEBHOOK_PATH;

/// Bytes of a body that are read: GitLab sends 25 MiB at most.
const BODY_BYTES_MAX: usize = 32 << 20;

pub(super) async fn gitlab(
    State(api): State<Api>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let spec = api.spec();
    let secret = spec.gitlab.webhook_secret.as_ref().and_then(Credential::value);
    let secret = secret.ok_or_else(|| {
        let detail = "webhooks are not served, because no secret is configured";
        Problem::new(StatusCode::FORBIDDEN, "no-secret-configured", detail)
            .hint("set `gitlab.webhook_secret_file`, and the same secret in GitLab")
    })?;
    let (parts, body) = request.into_parts();
    let mut body = Body::into_data_stream(body);
    if let Err(why) = authenticate(&api, &parts.headers, &mut body, secret).await {
        api.handle.metrics.webhook_refused(why);
        api.refusals.webhook(why.as_str(), api.clock.now());
        return Err(refusal(why));
    }
    let event = event(&parts.headers);
    api.handle.metrics.webhook_received(event);
    let woken = match event {
        WebhookEvent::Job => api.wake(Wake::Reconcile),
        WebhookEvent::Pipeline | WebhookEvent::Push => api.wake(Wake::Pushed),
        WebhookEvent::Other => Ok(()),
    };
    // A loop that ends is no fault of the hook.
    drop(woken);
    read_to_end(&mut body, |_| ()).await;
    Ok(StatusCode::NO_CONTENT)
}

/// A secret that is a signing key takes signatures only: a hook that merely shows it is refused, or
/// whoever sees one request could forge the next.
async fn authenticate(
    api: &Api,
    headers: &HeaderMap,
    body: &mut BodyDataStream,
    secret: &SecretString,
) -> Result<(), WebhookRefusal> {
    if signing_key(secret.expose_secret()).is_none() {
        let token = headers.get("x-gitlab-token").ok_or(WebhookRefusal::Unsigned)?;
        let same = is_same(token.as_bytes(), secret);
        return if same { Ok(()) } else { Err(WebhookRefusal::Forged) };
    }
    let mut signed = Signed::begin(headers, secret, api.clock.now())?;
    let whole = read_to_end(body, |bytes| signed.take(bytes)).await;
    if whole && signed.end() { Ok(()) } else { Err(WebhookRefusal::Forged) }
}

/// Hands on the body piece by piece; `false`: it broke off or is too long.
async fn read_to_end(body: &mut BodyDataStream, mut take: impl FnMut(&[u8])) -> bool {
    let mut length = 0_usize;
    while let Some(bytes) = body.next().await {
        let Ok(bytes) = bytes else { return false };
        length = length.saturating_add(bytes.len());
        if length > BODY_BYTES_MAX {
            return false;
        }
        take(&bytes);
    }
    true
}

/// What the hook is about, by the header that says so. A system hook may be about anything, and
/// is followed as if it were a push.
fn event(headers: &HeaderMap) -> WebhookEvent {
    match headers.get("x-gitlab-event").map(HeaderValue::as_bytes) {
        Some(b"Job Hook" | b"Build Hook") => WebhookEvent::Job,
        Some(b"Pipeline Hook") => WebhookEvent::Pipeline,
        Some(b"Push Hook" | b"Tag Push Hook" | b"System Hook") => WebhookEvent::Push,
        Some(_) | None => WebhookEvent::Other,
    }
}

fn refusal(why: WebhookRefusal) -> Problem {
    let (detail, hint) = match why {
        WebhookRefusal::Unsigned => (
            "the webhook has neither the token nor the signature that is required",
            "give GitLab the secret that is in `gitlab.webhook_secret`: a token, or a signing key \
             if it begins with `whsec_`",
        ),
        WebhookRefusal::Forged => (
            "the webhook's token or signature is wrong",
            "the secret in GitLab and in `gitlab.webhook_secret` differ",
        ),
        WebhookRefusal::Expired => (
            "the webhook was signed more than five minutes ago, or in the future",
            "compare the clocks of this machine and of GitLab's",
        ),
    };
    Problem::new(StatusCode::UNAUTHORIZED, why.as_str(), detail).hint(hint)
}
