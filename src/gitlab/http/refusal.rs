//! What an answer that is no success means, in words that hold no secret.

use ::http::{HeaderMap, Method, Uri, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::call::Call;
use crate::gitlab::GitlabError;

/// Longest message of a server that is repeated to the operator.
const MESSAGE_CHARS_MAX: usize = 300;

pub(super) fn not_gitlab(call: &Call, problem: impl Into<String>) -> GitlabError {
    GitlabError::NotGitlab { endpoint: call.endpoint, problem: problem.into() }
}

/// Whether a body is a page for people: a proxy's or a login form.
pub(super) fn is_web_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// What nginx and Go's servers say to a plain request at a port of TLS.
fn speaks_tls_only(body: &[u8]) -> bool {
    let said = String::from_utf8_lossy(body.get(..1000).unwrap_or(body));
    ["plain HTTP request was sent to HTTPS port", "HTTP request to an HTTPS server"]
        .iter()
        .any(|words| said.contains(words))
}

/// The error that `status` and `body` stand for.
pub(super) fn meaning<'a>(
    call: &Call,
    status: u16,
    body: &[u8],
    secrets: impl Iterator<Item = &'a SecretString>,
) -> GitlabError {
    let endpoint = call.endpoint;
    if status >= 500 {
        return GitlabError::ServerFailed { status, endpoint };
    }
    if speaks_tls_only(body) {
        return not_gitlab(call, "that port speaks TLS only; use `https://` in `gitlab.url`");
    }
    if is_web_page(body) {
        return not_gitlab(call, format!("{status} with a web page"));
    }
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let said = said(&body).map(|said| without_secrets(&said, secrets));
    match status {
        401 if call.signed => {
            GitlabError::Unauthorized { endpoint, said: numbered(status, said.as_deref()) }
        }
        401 | 403 => {
            let reasonless = said.as_deref().is_none_or(is_reasonless);
            let hint = call.hint.clone().filter(|_| reasonless);
            let said = numbered(status, said.as_deref());
            GitlabError::Forbidden {
                attempt: format!("{} ({endpoint}: {said})", call.attempt),
                hint: missing_right(&body).or(hint),
            }
        }
        // What stands before GitLab answers 404, too, and knows nothing of the object.
        404 if said.as_ref().is_none_or(|said| !said.starts_with("404")) => {
            not_gitlab(call, "404 without a message of GitLab's")
        }
        404 => GitlabError::NotFound { object: call.object.clone() },
        _ => {
            let message = said.unwrap_or_else(|| format!("it answered {status}"));
            GitlabError::Rejected { attempt: call.attempt.clone(), message }
        }
    }
}

/// Where a redirect leads, if the token may follow it there.
pub(super) fn redirect(call: &Call, url: &str, headers: &HeaderMap) -> Result<String, GitlabError> {
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let (Some(location), Ok(own)) = (location, url.parse::<Uri>()) else {
        return Err(not_gitlab(call, "it redirects to nowhere"));
    };
    let Ok(uri) = location.parse::<Uri>() else {
        return Err(not_gitlab(call, "it redirects to something that is not an address"));
    };
    let origin = origin(&own);
    let (to, path) = match uri.authority() {
        Some(_) => (self::origin(&uri), uri.path_and_query().map_or("/", |path| path.as_str())),
        None => (origin.clone(), location),
    };
    if to != origin {
        let problem = format!("it redirects to `{to}`; set `gitlab.url` to GitLab's own address");
        return Err(not_gitlab(call, problem));
    }
    if call.method != Method::GET || !path.starts_with("/api/") && !path.contains("/api/v4/") {
        return Err(not_gitlab(call, format!("it redirects to `{}`", uri.path())));
    }
    Ok(format!("{origin}{path}"))
}

fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let usual = if scheme == "https" { 443 } else { 80 };
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    match uri.port_u16().filter(|port| *port != usual) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}

/// The hint of a 403 for a token that lacks a scope, or a fine-grained one that lacks a permission.
fn missing_right(body: &Value) -> Option<String> {
    match body.get("error")?.as_str()? {
        "insufficient_scope" => {
            let scopes = body.get("scope").and_then(Value::as_str).unwrap_or("api");
            Some(format!("give the token one of the scopes `{}`", scopes.replace(' ', "`, `")))
        }
        "insufficient_granular_scope" => {
            Some("give the token the permission that GitLab names".to_owned())
        }
        _ => None,
    }
}

/// GitLab says no more than that rights are lacking; other reasons it names: terms of service, a
/// blocked user, an address.
fn is_reasonless(said: &str) -> bool {
    let said = said.strip_prefix("403").unwrap_or(said).trim_start().trim_end_matches('.');
    ["Forbidden", "Forbidden - No access granted"].contains(&said)
}

/// GitLab's words with the status, which many of them begin with.
fn numbered(status: u16, said: Option<&str>) -> String {
    match said {
        Some(said) if said.starts_with(&status.to_string()) => said.to_owned(),
        Some(said) => format!("{status}: {said}"),
        None => status.to_string(),
    }
}

/// GitLab's message: a text, a list, or texts by field.
fn said(body: &Value) -> Option<String> {
    ["message", "error_description", "error"].iter().find_map(|key| body.get(key)).map(flat)
}

fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(flat).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name} {}", flat(value)));
            fields.collect::<Vec<_>>().join("; ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A server's words, cut and on one line, with each secret masked.
pub(super) fn without_secrets<'a>(
    message: &str,
    secrets: impl Iterator<Item = &'a SecretString>,
) -> String {
    let masked = secrets.map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty());
    let masked = masked.fold(message.to_owned(), |message, secret| message.replace(secret, "***"));
    let line = masked.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(location: &str) -> Result<String, GitlabError> {
        let headers = HeaderMap::from_iter([(header::LOCATION, location.parse().unwrap())]);
        redirect(&Call::get("GET /user", "/user"), "http://g.test:80/root", &headers)
    }

    #[test]
    fn the_token_follows_a_redirect_only_within_its_origin() {
        assert_eq!(to("/api/v4/projects/7").unwrap(), "http://g.test/api/v4/projects/7");
        assert_eq!(to("http://G.test/api/v4/x?a=b").unwrap(), "http://g.test/api/v4/x?a=b");
        for elsewhere in ["https://g.test/api/v4/user", "http://evil.test/api/v4/user"] {
            let error = to(elsewhere).unwrap_err().to_string();
            assert!(error.contains("set `gitlab.url`"), "{error}");
        }
        assert!(to("/users/sign_in").is_err());
    }

    #[test]
    fn what_a_server_says_is_flattened_and_masked() {
        let secret = SecretString::from("glpat-1");
        let body = br#"{"message":{"tag_list":["is too long","has glpat-1"]}}"#;
        let call = Call::get("PUT /runners/:id", "/x").attempt("change runner 7");
        let error = meaning(&call, 400, body, [&secret].into_iter()).to_string();
        assert_eq!(error, "GitLab refused to change runner 7: tag_list is too long, has ***");
    }

    #[test]
    fn a_hint_stands_only_where_it_is_known_to_be_right() {
        let call = || Call::get("GET /user", "/user").attempt("look").hint("ask an Owner");
        let said = |status, body: &str| {
            meaning(&call(), status, body.as_bytes(), [].into_iter()).to_string()
        };
        for (body, words) in [
            (
                r#"{"error":"insufficient_scope","scope":"api create_runner"}"#,
                "403: insufficient_scope)\nhint: give the token one of the scopes `api`, `create_runner`",
            ),
            (
                r#"{"error":"insufficient_granular_scope","error_description":"lacks [read_job]"}"#,
                "403: lacks [read_job])\nhint: give the token the permission that GitLab names",
            ),
            (r#"{"message":"403 Forbidden"}"#, "403 Forbidden)\nhint: ask an Owner"),
            (
                r#"{"message":"403 Forbidden - Your account has been blocked"}"#,
                "403 Forbidden - Your account has been blocked)",
            ),
            (r#"{"message":"(403) Accept the terms"}"#, "403: (403) Accept the terms)"),
        ] {
            assert_eq!(said(403, body), format!("the token may not look (GET /user: {words}"));
        }
        let expired = r#"{"error":"invalid_token","error_description":"Token is expired."}"#;
        assert!(said(401, expired).contains("(GET /user: 401: Token is expired.)"));
    }
}
