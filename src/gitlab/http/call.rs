//! One request as the rest of the adapter asks for it, with the words its failure is told in.

use ::http::Method;
use secrecy::SecretString;
use serde_json::Value;

/// One request. It may hold a secret in its body, so it has no `Debug`.
#[derive(Clone)]
pub(super) struct Call {
    /// Method and path pattern: the metric label, and how errors name the request.
    pub(super) endpoint: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: Option<Value>,
    /// Sent with the API token.
    pub(super) signed: bool,
    /// What is attempted, after "the token may not".
    pub(super) attempt: String,
    /// What a 404 means is missing, after "GitLab knows no".
    pub(super) object: String,
    /// What to do after a 403 of which GitLab gives no reason: rights are lacking.
    pub(super) hint: Option<String>,
    /// A secret in the body, never to be echoed.
    pub(super) secret: Option<SecretString>,
}

impl Call {
    /// A request to the REST API; `path` is below `/api/v4`.
    pub(super) fn rest(method: Method, endpoint: &'static str, path: impl Into<String>) -> Self {
        Self {
            endpoint,
            method,
            path: format!("/api/v4{}", path.into()),
            query: String::new(),
            body: None,
            signed: true,
            attempt: format!("ask for {endpoint}"),
            object: format!("`{endpoint}`"),
            hint: None,
            secret: None,
        }
    }

    pub(super) fn get(endpoint: &'static str, path: impl Into<String>) -> Self {
        Self::rest(Method::GET, endpoint, path)
    }

    /// A request to the GraphQL API.
    pub(super) fn graphql(body: Value) -> Self {
        let rest = Self::rest(Method::POST, "POST /graphql", "");
        Self { path: "/api/graphql".to_owned(), body: Some(body), ..rest }
    }

    pub(super) fn query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) fn attempt(mut self, attempt: impl Into<String>) -> Self {
        self.attempt = attempt.into();
        self
    }

    pub(super) fn object(mut self, object: impl Into<String>) -> Self {
        self.object = object.into();
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sent without the API token: `secret`, in the body, speaks for the request.
    pub(super) fn by(mut self, secret: &SecretString) -> Self {
        self.signed = false;
        self.secret = Some(secret.clone());
        self
    }

    /// The address on the server at `url`.
    pub(super) fn target(&self, url: &str) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{url}{}{mark}{}", self.path, self.query)
    }
}

/// `text` as one segment of a path: a group's full path with its slashes, for example.
pub(super) fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_path_becomes_one_segment() {
        assert_eq!(segment("infra/os-1.0_x/ä"), "infra%2Fos-1.0_x%2F%C3%A4");
    }
}
