//! Where a spec comes from: what `--config` names.
//!
//! All that a load has to know of the place is asked here, so that another kind of place is a variant
//! of [`Origin`]: how its text is read, what a relative path in it is relative to, what to watch.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::{LoadError, Warning};
use super::file::{self, FileError, FileProblem};
use super::mount;

/// A spec is written by hand or by a template; a larger one is the wrong file.
const SPEC_BYTES_MAX: u64 = 4 << 20;

/// A place that has a spec. Printed, it is as the operator named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Origin {
    /// A file of this machine.
    File(PathBuf),
}

/// A source of specs that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a spec from `{scheme}://` is not supported yet\nhint: name a file; one in a checkout is reloaded when the checkout changes"
)]
pub struct UnsupportedSource {
    /// The scheme alone: the rest of an address may hold a password.
    pub scheme: String,
}

/// The text of a spec, as its origin had it at one moment.
#[derive(Clone)]
pub struct Text {
    /// The text itself.
    pub(super) text: String,
    /// Which it is: with the same revision comes the same text.
    pub(super) revision: Revision,
}

/// The name of one text of an origin.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Revision(pub(super) Vec<u8>);

impl Text {
    /// What a file holds is its revision.
    fn of_file(text: String) -> Self {
        let revision = Revision(Sha256::digest(&text).to_vec());
        Self { text, revision }
    }

    /// The text itself, which may hold secrets.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Nothing of the text, which may hold secrets.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").finish_non_exhaustive()
    }
}

impl Origin {
    /// The place that `--config` names; an address is refused.
    pub fn named(config: &Path) -> Result<Self, UnsupportedSource> {
        let address = config.to_str().and_then(|text| text.split_once("://"));
        match address {
            Some((scheme, _)) if is_scheme(scheme) => {
                Err(UnsupportedSource { scheme: scheme.to_owned() })
            }
            Some(_) | None => Ok(Self::File(config.to_owned())),
        }
    }

    /// The text as it is there now.
    pub async fn read(&self) -> Result<Text, LoadError> {
        match self {
            Self::File(path) => {
                let (path, of_task) = (path.clone(), path.clone());
                // A file system behind a network may take its time.
                let read = tokio::task::spawn_blocking(move || read(&of_task)).await;
                let text = read.unwrap_or_else(|error| {
                    Err(FileProblem::Unreadable(error.to_string()).of(&path))
                });
                Ok(text.map(Text::of_file)?)
            }
        }
    }

    /// What a relative path in the spec is relative to. A link to the spec does not move it.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::File(path) => path.parent().unwrap_or(Path::new("")),
        }
    }

    /// The files of this machine whose change may be one of the text.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        match self {
            Self::File(path) => BTreeSet::from([path.clone()]),
        }
    }

    /// What keeps changes from being seen.
    pub(super) fn warning(&self) -> Option<Warning> {
        match self {
            Self::File(path) => {
                mount::is_mounted_alone(path).then(|| Warning::MountedAlone { path: path.clone() })
            }
        }
    }

    /// The same place, from wherever it is looked for.
    #[must_use]
    pub fn absolute(&self) -> Self {
        match self {
            Self::File(path) => {
                Self::File(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            }
        }
    }

    /// Both are one place, whatever either is called.
    pub fn is_same_place(&self, other: &Self) -> bool {
        let Self::File(path) = self;
        let Self::File(other_path) = other;
        let real = |path: &Path| path.canonicalize().ok();
        path == other_path || real(path).is_some_and(|path| real(other_path) == Some(path))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// The text of a file of the operator's.
///
/// Errors: no such file, or none of text; one that was replaced while it was read.
pub fn read(path: &Path) -> Result<String, FileError> {
    let (text, _) = file::text(path, SPEC_BYTES_MAX)?;
    if file::is_nameless(path) {
        return Err(FileProblem::Replaced.of(path));
    }
    Ok(text)
}

impl From<FileError> for LoadError {
    fn from(error: FileError) -> Self {
        if error.problem == FileProblem::Missing {
            Self::Missing { path: error.path }
        } else {
            Self::File(error)
        }
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
        let named = |config| Origin::named(Path::new(config)).unwrap_err().to_string();
        let refused = named("gitlab://group/infra@main/autogit.yaml");
        assert!(refused.starts_with("a spec from `gitlab://` is not supported yet\n"));
        assert!(!named("https://user:hunter2@host/x.yaml").contains("hunter2"));
    }

    #[test]
    fn what_is_no_address_is_a_file() {
        for file in ["autogit.yaml", "/etc/autogit/autogit.yaml", "./odd://name", "gitlab:x"] {
            assert_eq!(Origin::named(Path::new(file)), Ok(Origin::File(file.into())));
        }
    }
}
