//! The signed form: HMAC-SHA256 over id, time and body (Standard Webhooks; GitLab 19).

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::reconcile::WebhookRefusal;
use crate::spec::signing_key;

/// How far the time of signing may be from now, as the standard recommends: longer makes a
/// captured request good for longer, shorter refuses clocks that merely drift.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Signatures that are looked at: the standard lets a sender sign with an old key and a new one.
const SIGNATURES_MAX: usize = 8;

/// A signature that is checked while the body comes in.
pub(super) struct Signed {
    /// One for each signature, because a context is used up by its end.
    contexts: Vec<(hmac::Context, Vec<u8>)>,
}

impl Signed {
    /// Takes the headers; the body follows.
    pub(super) fn begin(
        headers: &HeaderMap,
        secret: &SecretString,
        now: Timestamp,
    ) -> Result<Self, WebhookRefusal> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(id), Some(time), Some(signatures)) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
        else {
            return Err(WebhookRefusal::Unsigned);
        };
        let signed_at = time.parse().ok().and_then(|secs| Timestamp::from_second(secs).ok());
        let age = now.duration_since(signed_at.ok_or(WebhookRefusal::Forged)?);
        if age.abs() > WINDOW {
            return Err(WebhookRefusal::Expired);
        }
        // What is no key signs nothing: whatever comes is not right.
        let key = signing_key(secret.expose_secret());
        let key = key.and_then(Result::ok).ok_or(WebhookRefusal::Forged)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let given = signatures.split_ascii_whitespace().filter_map(|one| one.strip_prefix("v1,"));
        let given = given.filter_map(|one| STANDARD.decode(one).ok()).take(SIGNATURES_MAX);
        let contexts = given.map(|signature| {
            let mut context = hmac::Context::with_key(&key);
            context.update(format!("{id}.{time}.").as_bytes());
            (context, signature)
        });
        Ok(Self { contexts: contexts.collect() })
    }

    /// Takes a piece of the body.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for (context, _) in &mut self.contexts {
            context.update(bytes);
        }
    }

    /// Whether one of the signatures is right, now that the body is over.
    pub(super) fn end(self) -> bool {
        let verdicts = self
            .contexts
            .into_iter()
            .map(|(context, given)| is_same(context.sign().as_ref(), &given));
        // All are compared, so that the time does not tell which one was right.
        verdicts.filter(|right| *right).count() > 0
    }
}

/// Compares in constant time, by what the library compares so: signatures, here of both.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"autogit");
    hmac::verify(&key, other, hmac::sign(&key, one).as_ref()).is_ok()
}
