//! Which values of a file may be shown: those of fields that hold no secret, unless the value
//! looks like one. All that has no row is a secret: text under a key that nobody knows may be a
//! misspelt token's.
//!
//! Decided by the place where a value is written, not by the field that refers to it: through an
//! anchor one text may stand in several fields, and it is a secret if it is one in any of them.

use std::collections::BTreeSet;

use super::node::{Kind, Node, Scalar, Span};
use super::path::Path;
use super::section::{Secrecy, secrecy};

/// What tokens begin with: GitLab's own, those of its neighbours, and keys.
const MARKS: &[&str] = &[
    "glpat-",
    "glrt-",
    "gldt-",
    "glptt-",
    "glsoat-",
    "glft-",
    "glimt-",
    "glagent-",
    "glcbt-",
    "gloas-",
    "glffct-",
    "GR1348941",
    "whsec_",
    "ghp_",
    "github_pat_",
    "dckr_pat_",
    "xoxb-",
    "AKIA",
    "eyJ",
    "-----BEGIN",
    // The same in base64.
    "LS0tLS1CRUdJTi",
];

/// What is in the name of a key or variable that holds a secret.
const NAMES: &[&str] = &[
    "token",
    "secret",
    "passw",
    "passphrase",
    "credential",
    "private",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
    "auth",
];

/// A longer key is none that an operator means, and a shorter text may be one.
const KEY_CHARS_MAX: usize = 64;

/// The places of a file's text that may hold secrets.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    hidden: BTreeSet<Span>,
    /// Variables that stand in a secret's place somewhere.
    variables: BTreeSet<String>,
}

impl Hidden {
    /// Notes all scalars below `node` that may be secrets.
    pub(super) fn note(&mut self, node: &Node, path: &Path) {
        match &node.kind {
            Kind::Scalar(scalar) => {
                if !is_open(path) {
                    self.hidden.insert(node.span);
                    self.variables.extend(names_in(&scalar.text).map(str::to_owned));
                } else if looks_secret(&scalar.text) {
                    self.hidden.insert(node.span);
                }
            }
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.note(item, &path.join(&index.to_string()));
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    self.note_key(&entry.key, entry.key_span);
                    self.note(&entry.value, &path.join(&entry.key));
                }
            }
            Kind::Unknown => {
                self.hidden.insert(node.span);
            }
        }
    }

    /// Notes a key that may be, or hold, a secret: `glpat-…:`, or `"token: hunter2":`.
    pub(super) fn note_key(&mut self, key: &str, span: Span) {
        if looks_secret(key) || (named(key) != key && is_secret_name(key)) {
            self.hidden.insert(span);
        }
    }

    /// Whether the text there may be, or hold, a secret.
    pub(super) fn hides(&self, span: Span) -> bool {
        // Scalars do not overlap, so the last one that begins before the end is enough to look at.
        let end = Span { start: span.end, end: 0 };
        self.hidden.range(..end).next_back().is_some_and(|hidden| hidden.end > span.start)
            || self.hidden.contains(&span)
    }

    /// Whether a value may be printed, variables replaced.
    pub(super) fn shows(&self, path: &Path, node: &Node, scalar: &Scalar) -> bool {
        let secret_name =
            |name: &String| is_secret_name(name) || self.variables.contains(name.as_str());
        is_open(path)
            && !self.hides(node.span)
            && !looks_secret(&scalar.text)
            && !scalar.variables.iter().any(secret_name)
    }
}

/// Whether a field's values are no secrets by what the field is.
fn is_open(path: &Path) -> bool {
    secrecy(path.steps()).is_some_and(|secrecy| secrecy != Secrecy::Secret)
}

/// Whether a text looks like a token or key, or holds a password as URLs do.
pub(crate) fn looks_secret(text: &str) -> bool {
    MARKS.iter().any(|mark| text.contains(mark))
        || has_credentials(text)
        || names_in(text).any(is_secret_name)
}

/// `user:password@host`, with a scheme or without. `image:tag@sha256:…` has none.
fn has_credentials(text: &str) -> bool {
    text.split_once('@').is_some_and(|(before, after)| match before.split_once("://") {
        Some((_, user)) => user.contains(':'),
        None => before.contains(':') && !before.contains('/') && !after.starts_with("sha256:"),
    })
}

/// The names of variables in a text as it is written.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    })
}

/// Whether what goes by this name is a secret: a key of the file or a variable.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|part| name.contains(part))
}

/// A key as it may be named in a message or path. What is no word may be a value that slipped to
/// a key's place, as in `{token:hunter2}`.
pub(super) fn named(key: &str) -> &str {
    let word = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    let fits = !key.is_empty() && key.chars().count() <= KEY_CHARS_MAX && key.chars().all(word);
    if fits && !looks_secret(key) { key } else { "…" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fields_that_a_row_opens_are_open() {
        for open in ["instance", "gitlab.url", "hosts.a.docker", "pools.a.max", "defaults.tags.0"] {
            assert!(is_open(&Path::of(open)), "{open}");
        }
        for hidden in [
            "gitlab",
            "gitlab.token",
            "gitlab.toekn",
            "gitlab.token_file",
            "pools",
            "pools.a",
            "pools.a.job",
            "pools.a.job.environment.KEY",
            "pools.a.runner_config.docker.x",
            "defaults.runner_token",
            "proxy.http",
            "pools.a.proxy.https",
            "api.token",
            "x-keys.max",
        ] {
            assert!(!is_open(&Path::of(hidden)), "{hidden}");
        }
        assert!(!is_open(&Path::default()));
    }

    #[test]
    fn secrets_are_known_by_their_looks() {
        for secret in [
            "glpat-x",
            "https://me:pw@host",
            "me:pw@host/path",
            "${AWS_SECRET_ACCESS_KEY:-x}",
            "a${DB_PASSWORD}b",
        ] {
            assert!(looks_secret(secret), "{secret}");
        }
        for plain in ["ssh://ci@rack", "registry:5000/a/b@sha256:0", "${MAX:-4}", "plain", "@"] {
            assert!(!looks_secret(plain), "{plain}");
        }
        assert_eq!((named("toekn"), named("token:hunter2"), named("glpat-1")), ("toekn", "…", "…"));
    }
}
