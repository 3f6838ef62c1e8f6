//! What a secret may be, wherever it comes from: the file itself, a variable, or a file of its own.
//! Nothing here is ever part of a message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::values::Unreadable;

/// What a key that signs webhooks begins with (Standard Webhooks; GitLab 19); the rest is base64.
const SIGNING_KEY: &str = "whsec_";

/// Fewer characters can be tried one after the other, or are a word.
const CHARS_MIN: usize = 16;
/// Fewer different ones are a finger on a key, not a secret.
const DIFFERENT_MIN: usize = 6;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretKind {
    /// GitLab's API.
    Api,
    /// A runner.
    Runner,
    /// GitLab's webhook.
    Webhook,
    /// Our own API.
    Bearer,
    /// Anything else.
    Other,
}

impl SecretKind {
    /// What the field at that path, or the file that it names, is for.
    pub(super) fn of(path: &str) -> Self {
        let path = path.strip_suffix("_file").unwrap_or(path);
        match path {
            "gitlab.token" => Self::Api,
            "gitlab.webhook_secret" => Self::Webhook,
            "api.token" | "api.read_token" | "api.plan_token" => Self::Bearer,
            _ if path.ends_with(".runner_token") => Self::Runner,
            _ => Self::Other,
        }
    }
}

/// The secret in a text, without the one line break that editors and `echo` put after it; or what
/// is wrong with it, read on from the field's name.
pub(super) fn secret(kind: SecretKind, text: &str) -> Result<&str, Unreadable> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').filter(|_| line.len() < text.len()).unwrap_or(line);
    let quoted = |quote: char| line.len() > 1 && line.starts_with(quote) && line.ends_with(quote);
    let fault = |is, hint| Err(Unreadable { is, hint });
    if line.trim().is_empty() {
        fault("is empty", "write the secret, or leave the field out")
    } else if line.starts_with('\u{feff}') {
        fault("begins with a byte order mark", "save it as UTF-8 without one")
    } else if line.contains(['\n', '\r']) {
        fault("holds more than one line", "it must hold the secret and nothing else")
    } else if line.trim() != line {
        fault("has a blank at its edge", "no secret begins or ends with one")
    } else if quoted('"') || quoted('\'') {
        fault("is in quotes", "they would be sent as part of it")
    } else if line.contains(char::is_control) {
        fault("holds a control character", "write the secret as text and nothing else")
    } else if kind == SecretKind::Api && line.contains(' ') {
        fault("has a blank in it", "it takes the token alone, as GitLab showed it")
    } else if kind == SecretKind::Api && !line.is_ascii() {
        fault("holds a character that no token of GitLab has", "copy it anew")
    } else if kind == SecretKind::Api && line.contains("glrt-") {
        let hint = "it takes the token of a user, group or project; a runner's is a pool's \
                    `runner_token`";
        fault("is a runner's token", hint)
    } else if kind == SecretKind::Runner && !line.contains("glrt-") {
        let hint = "it begins with `glrt-`; GitLab shows it when a runner is created";
        fault("is no runner token", hint)
    } else if kind == SecretKind::Webhook && signing_key(line).is_some_and(|key| key.is_err()) {
        let hint = "after `whsec_` comes base64, as GitLab shows it once; a plain secret begins \
                    with something else";
        fault("begins with `whsec_` and is no signing key", hint)
    } else {
        Ok(line)
    }
}

/// `secret`, for whoever read `text` from the file that the field at `path` names: what is wrong,
/// and what to do about it.
pub fn secret_in_file<'t>(
    path: &str,
    text: &'t str,
) -> Result<&'t str, (&'static str, &'static str)> {
    secret(SecretKind::of(path), text).map_err(|Unreadable { is, hint }| (is, hint))
}

/// The key in a webhook's secret that is one to sign with; `None`: it is a plain secret, which the
/// hook shows.
pub(crate) fn signing_key(secret: &str) -> Option<Result<Vec<u8>, NoKey>> {
    let key = secret.strip_prefix(SIGNING_KEY)?;
    let key = STANDARD.decode(key).map_err(|_| NoKey);
    Some(key.and_then(|key| if key.is_empty() { Err(NoKey) } else { Ok(key) }))
}

/// A secret that begins as a signing key and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoKey;

/// What makes a secret easy to guess that an operator made up, read on from the field's name. What
/// GitLab made is not judged.
pub(super) fn weakness(kind: SecretKind, secret: &str) -> Option<&'static str> {
    if !matches!(kind, SecretKind::Webhook | SecretKind::Bearer) || secret.trim().is_empty() {
        return None;
    }
    let different: std::collections::BTreeSet<char> = secret.chars().collect();
    if secret.chars().count() < CHARS_MIN {
        Some("is shorter than 16 characters, and so may be guessed")
    } else if different.len() < DIFFERENT_MIN {
        Some("has fewer than 6 different characters, and so may be guessed")
    } else {
        None
    }
}

/// What to do about [`weakness`].
pub(crate) const STRONGER: &str = "make one up by `openssl rand -hex 32`";

/// `weakness`, for whoever read the secret from the file that the field at `path` names.
pub fn weak_secret_in_file(path: &str, secret: &str) -> Option<&'static str> {
    weakness(SecretKind::of(path), secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_of_text_without_edges() {
        assert_eq!(secret(SecretKind::Api, "glpat-x\r\n"), Ok("glpat-x"));
        assert_eq!(secret(SecretKind::Other, "a b"), Ok("a b"));
        for bad in
            ["", " \n", "\u{feff}x", "a\nb", "x\n\n", " x", "x ", "x\r", "\"x\"", "'x'", "a\u{1}b"]
        {
            assert!(secret(SecretKind::Other, bad).is_err(), "{bad:?}");
        }
        assert!(secret(SecretKind::Api, "glrt-x").is_err());
        assert!(secret(SecretKind::Api, "glpat-é").is_err());
        assert!(secret(SecretKind::Api, "Bearer glpat-x").is_err());
        assert!(secret(SecretKind::Runner, "glpat-x").is_err());
        assert_eq!(SecretKind::of("pools.a.runner_token_file"), SecretKind::Runner);
        assert_eq!(SecretKind::of("gitlab.token_file"), SecretKind::Api);
        assert_eq!(SecretKind::of("api.token_file"), SecretKind::Bearer);
        assert_eq!(SecretKind::of("gitlab.registration_token"), SecretKind::Other);
    }

    #[test]
    fn a_secret_that_begins_as_a_signing_key_is_one() {
        assert_eq!(secret(SecretKind::Webhook, "whsec_a2V5"), Ok("whsec_a2V5"));
        for bad in ["whsec_", "whsec_%%%", "whsec_a2V5=", "whsec_a-_b"] {
            assert!(secret(SecretKind::Webhook, bad).is_err(), "{bad}");
            assert!(secret(SecretKind::Bearer, bad).is_ok(), "{bad}");
        }
        assert_eq!(signing_key("plain"), None);
    }

    #[test]
    fn what_an_operator_made_up_may_be_weak() {
        let strong = "0123456789abcdef";
        assert_eq!(weakness(SecretKind::Bearer, strong), None);
        for weak in ["changeme", "0123456789abcde", "aaaaaaaaaaaaaaaaaaaaaaaa", "1212121212121212"]
        {
            assert!(weakness(SecretKind::Bearer, weak).is_some(), "{weak}");
            assert!(weakness(SecretKind::Webhook, weak).is_some(), "{weak}");
            assert_eq!(weakness(SecretKind::Api, weak), None);
        }
    }
}
