//! Who may do what: bearer tokens, those of the spec in force.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use super::Api;
use super::problem::Problem;
use crate::reconcile::BearerRefusal;
use crate::spec::{ApiSpec, Credential};

/// What a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// To change something.
    Act,
    /// To see the plan for a candidate spec.
    Preview,
    /// To see what is shown, where that takes a token.
    Read,
}

/// What is shown to everybody even so: the page has no data of its own, supervisors have no token,
/// and the description is the program's.
const OPEN: [&str; 3] = ["/", "/health", "/openapi.json"];

impl Right {
    fn tokens(self, spec: &ApiSpec) -> Vec<&SecretString> {
        let own = match self {
            Self::Act => None,
            Self::Preview => spec.plan_token.as_ref(),
            Self::Read => spec.read_token.as_ref(),
        };
        [spec.token.as_ref(), own].into_iter().flatten().filter_map(Credential::value).collect()
    }

    /// Whose token it takes.
    fn hint(self) -> &'static str {
        match self {
            Self::Act => "it takes the one in `api.token`",
            Self::Preview => "it takes the one in `api.plan_token_file` or `api.token`",
            Self::Read => "it takes the one in `api.read_token` or `api.token`",
        }
    }

    /// What has to be set for this to be served at all.
    fn fields(self) -> &'static str {
        match self {
            Self::Act => "set `api.token_file`",
            Self::Preview => "set `api.plan_token_file` or `api.token_file`",
            Self::Read => "set `api.read_token_file` or `api.token_file`",
        }
    }
}

impl Api {
    /// Lets through a client whose token gives it `right`.
    pub(super) fn admit(&self, headers: &HeaderMap, right: Right) -> Result<(), Problem> {
        let spec = self.spec();
        let tokens = right.tokens(&spec.api);
        // Only who may do all that this process may reads its key. A candidate is a stranger's.
        let own = self.beside.as_ref().filter(|_| right != Right::Preview);
        if own.zip(bearer(headers)).is_some_and(|(own, given)| is_same(given, own)) {
            return Ok(());
        }
        if tokens.is_empty() {
            let detail = "this is not served, because no token is configured for it";
            let problem = Problem::new(StatusCode::FORBIDDEN, "no-token-configured", detail);
            return Err(problem.hint(right.fields()));
        }
        let matches = |given: &[u8], tokens: &[&SecretString]| {
            // All are compared, so that the time does not tell which one was nearly right.
            tokens.iter().filter(|token| is_same(given, token)).count() > 0
        };
        let why = match bearer(headers) {
            None => BearerRefusal::Missing,
            Some(given) if matches(given, &tokens) => return Ok(()),
            Some(given) if matches(given, &all(&spec.api)) => BearerRefusal::Insufficient,
            Some(_) => BearerRefusal::Wrong,
        };
        self.handle.metrics.bearer_refused(why);
        self.refusals.bearer(why, self.clock.now());
        Err(refusal(why, right))
    }
}

/// Lets through who may see what is shown.
pub(super) async fn admit_reader(State(api): State<Api>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD)
        && !OPEN.contains(&request.uri().path());
    if reads
        && api.spec().api.read_token.is_some()
        && let Err(problem) = api.admit(request.headers(), Right::Read)
    {
        return problem.into_response();
    }
    next.run(request).await
}

/// Every token that is good for anything.
fn all(spec: &ApiSpec) -> Vec<&SecretString> {
    let all = [spec.token.as_ref(), spec.read_token.as_ref(), spec.plan_token.as_ref()];
    all.into_iter().flatten().filter_map(Credential::value).collect()
}

fn refusal(why: BearerRefusal, right: Right) -> Problem {
    let unauthorized = |detail: &str| {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .hint("send the header `Authorization: Bearer <token>`")
    };
    match why {
        BearerRefusal::Missing => unauthorized("this needs a bearer token"),
        BearerRefusal::Wrong => unauthorized("this is not the right token"),
        BearerRefusal::Insufficient => {
            let detail = "this token is for something else";
            Problem::new(StatusCode::FORBIDDEN, "insufficient-token", detail).hint(right.hint())
        }
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
