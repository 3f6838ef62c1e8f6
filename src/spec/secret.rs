//! What a secret may be, wherever it comes from: the file itself, a variable, or a file of its own.
//! Nothing here is ever part of a message.

use super::values::Unreadable;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretKind {
    /// GitLab's API.
    Api,
    /// A runner.
    Runner,
    /// Anything else.
    Other,
}

impl SecretKind {
    /// What the field at that path, or the file that it names, is for.
    pub(super) fn of(path: &str) -> Self {
        let path = path.strip_suffix("_file").unwrap_or(path);
        match path {
            "gitlab.token" => Self::Api,
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
    } else if kind == SecretKind::Api && !line.is_ascii() {
        fault("holds a character that no token of GitLab has", "copy it anew")
    } else if kind == SecretKind::Api && line.contains("glrt-") {
        let hint = "it takes the token of a user, group or project; a runner's is a pool's \
                    `runner_token`";
        fault("is a runner's token", hint)
    } else if kind == SecretKind::Runner && !line.contains("glrt-") {
        let hint = "it begins with `glrt-`; GitLab shows it when a runner is created";
        fault("is no runner token", hint)
    } else {
        Ok(line)
    }
}

/// [`secret`], for whoever read `text` from the file that the field at `path` names: what is wrong,
/// and what to do about it.
pub fn secret_in_file<'t>(
    path: &str,
    text: &'t str,
) -> Result<&'t str, (&'static str, &'static str)> {
    secret(SecretKind::of(path), text).map_err(|Unreadable { is, hint }| (is, hint))
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
        assert!(secret(SecretKind::Runner, "glpat-x").is_err());
        assert_eq!(SecretKind::of("pools.a.runner_token_file"), SecretKind::Runner);
        assert_eq!(SecretKind::of("gitlab.token_file"), SecretKind::Api);
        assert_eq!(SecretKind::of("api.token_file"), SecretKind::Other);
    }
}
