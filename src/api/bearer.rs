//! Who may do what: bearer tokens, those of the spec in force.

use axum::http::{HeaderMap, StatusCode, header};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use super::Api;
use super::problem::Problem;
use crate::spec::{ApiSpec, Credential};

/// What a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// To change something.
    Act,
    /// To see the plan for a candidate spec.
    Preview,
}

impl Right {
    fn tokens(self, spec: &ApiSpec) -> Vec<&SecretString> {
        let plan_token = spec.plan_token.as_ref().filter(|_| self == Self::Preview);
        [spec.token.as_ref(), plan_token]
            .into_iter()
            .flatten()
            .filter_map(Credential::value)
            .collect()
    }

    /// What has to be set for this to be served at all.
    fn fields(self) -> &'static str {
        match self {
            Self::Act => "set `api.token_file`",
            Self::Preview => "set `api.plan_token_file` or `api.token_file`",
        }
    }
}

impl Api {
    /// Lets through a client whose token gives it `right`.
    pub(super) fn admit(&self, headers: &HeaderMap, right: Right) -> Result<(), Problem> {
        let spec = self.spec();
        let tokens = right.tokens(&spec.api);
        if tokens.is_empty() {
            let detail = "this is not served, because no token is configured for it";
            let problem = Problem::new(StatusCode::FORBIDDEN, "no-token-configured", detail);
            return Err(problem.hint(right.fields()));
        }
        let unauthorized = |detail: &str| {
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
                .hint("send the header `Authorization: Bearer <token>`")
        };
        let given = bearer(headers).ok_or_else(|| unauthorized("this needs a bearer token"))?;
        // All are compared, so that the time does not tell which one was nearly right.
        let matches = tokens.iter().filter(|token| is_same(given, token)).count();
        if matches > 0 { Ok(()) } else { Err(unauthorized("this is not the token")) }
    }
}

/// The token that a client sent; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Whether `given` is the secret; takes the same time whatever is right about it. Both are signed
/// with the same key, because comparing signatures is what the library does in constant time.
pub(super) fn is_same(given: &[u8], secret: &SecretString) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"autogit");
    let tag = hmac::sign(&key, secret.expose_secret().as_bytes());
    hmac::verify(&key, given, tag.as_ref()).is_ok()
}
