//! What `--config` may name.

use std::path::Path;

/// A source of specs that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a spec from `{scheme}://` is not supported yet\nhint: name a file; one in a checkout is reloaded when the checkout changes"
)]
pub struct UnsupportedSource {
    /// The scheme alone: the rest of an address may hold a password.
    pub scheme: String,
}

/// The file that `--config` names; an address is refused.
pub fn file_named(config: &Path) -> Result<&Path, UnsupportedSource> {
    let scheme = config.to_str().and_then(|text| text.split_once("://")).map(|(scheme, _)| scheme);
    match scheme {
        Some(scheme) if is_scheme(scheme) => Err(UnsupportedSource { scheme: scheme.to_owned() }),
        Some(_) | None => Ok(config),
    }
}

fn is_scheme(word: &str) -> bool {
    let first_fits = word.starts_with(|c: char| c.is_ascii_alphabetic());
    first_fits && word.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_git_address_is_refused_by_its_scheme() {
        let refused = file_named(Path::new("gitlab://group/infra@main/autogit.yaml")).unwrap_err();
        assert!(refused.to_string().starts_with("a spec from `gitlab://` is not supported yet\n"));
        let refused = file_named(Path::new("https://user:hunter2@host/x.yaml")).unwrap_err();
        assert!(!refused.to_string().contains("hunter2"));
    }

    #[test]
    fn what_is_no_address_is_a_file() {
        for file in ["autogit.yaml", "/etc/autogit/autogit.yaml", "./odd://name", "gitlab:x"] {
            assert_eq!(file_named(Path::new(file)), Ok(Path::new(file)));
        }
    }
}
