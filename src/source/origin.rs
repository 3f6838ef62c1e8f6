//! Where a spec comes from: what `--config` names.
//!
//! All that a load has to know of the place is asked here, so that another kind of place is a variant
//! of [`Origin`]: how its text is read, what a relative path in it is relative to, what to watch.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::address::{Address, AddressError, SCHEME};
use super::error::{LoadError, Warning};
use super::file::{self, FileError, FileProblem};
use super::mount;
use super::remote::Remote;
use crate::gitlab::Commit;
use crate::spec::Limits;

/// A spec is written by hand or by a template; a larger one is the wrong file.
pub(super) const SPEC_BYTES_MAX: u64 = 4 << 20;

/// A place that has a spec. Printed, it is as the operator named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file of this machine.
    File(PathBuf),
    /// A file in a project at GitLab.
    Gitlab(Remote),
}

/// Where an origin is, without the way to it: what processes tell each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// In a project at GitLab.
    Gitlab(Address),
    /// In a file of this machine.
    File(PathBuf),
}

/// What names no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoOrigin {
    /// A source of specs that is not there. The scheme alone: the rest of an address may hold a
    /// password.
    #[error(
        "a spec from `{scheme}://` is not supported\nhint: name a file, or one in a project at GitLab as in `gitlab://group/project@branch/autogit.yaml`"
    )]
    Scheme {
        /// What the address begins with.
        scheme: String,
    },
    /// An address at GitLab that names no file.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// The text of a spec, as its origin had it at one moment.
#[derive(Clone)]
pub struct Text {
    /// The text itself.
    pub(super) content: String,
    /// Which it is: with the same revision comes the same text.
    pub(super) revision: Revision,
    /// The commit that has it; none where it comes from a file.
    pub(super) commit: Option<Commit>,
}

/// The name of one text of an origin.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Revision(pub(super) Vec<u8>);

impl Text {
    /// What a file holds is its revision, in whichever commit it stands.
    pub(super) fn of_text(text: String) -> Self {
        let revision = Revision(Sha256::digest(&text).to_vec());
        Self { content: text, revision, commit: None }
    }

    /// The text itself, which may hold secrets.
    pub fn as_str(&self) -> &str {
        &self.content
    }
}

/// Nothing of the text, which may hold secrets.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").finish_non_exhaustive()
    }
}

impl Origin {
    /// The place that `--config` names; `remote` knows the way to GitLab.
    pub fn named(config: &Path, remote: impl FnOnce(Address) -> Remote) -> Result<Self, NoOrigin> {
        let address = config.to_str().and_then(|text| Some((text, text.split_once("://")?.0)));
        match address {
            Some((text, SCHEME)) => Ok(Self::Gitlab(remote(Address::parse(text)?))),
            Some((_, scheme)) if is_scheme(scheme) => {
                Err(NoOrigin::Scheme { scheme: scheme.to_owned() })
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
                Ok(text.map(Text::of_text)?)
            }
            Self::Gitlab(remote) => remote.read().await,
        }
    }

    /// Others may push its text, so it has limits; a file of this machine has none: who may write it
    /// has the machine.
    pub fn limits(&self) -> Option<Limits> {
        match self {
            Self::File(_) => None,
            Self::Gitlab(remote) => Some(remote.limits()),
        }
    }

    /// Asking for the text again takes an answer from afar, for which no look waits, and nothing tells
    /// when it is due.
    pub fn is_remote(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Gitlab(_) => true,
        }
    }

    /// What a relative path in the spec is relative to. A link to the spec does not move it.
    pub(super) fn folder(&self, limits: Option<&Limits>) -> PathBuf {
        match self {
            Self::File(path) => path.parent().unwrap_or(Path::new("")).to_owned(),
            Self::Gitlab(_) => {
                limits.and_then(Limits::credentials).unwrap_or(Path::new("")).to_owned()
            }
        }
    }

    /// The files of this machine whose change may be one of the text.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        match self {
            Self::File(path) => BTreeSet::from([path.clone()]),
            Self::Gitlab(remote) => remote.files().collect(),
        }
    }

    /// What is worth a word about a text of that commit, whatever it says.
    pub(super) fn warning(&self, commit: Option<&Commit>) -> Option<Warning> {
        match self {
            Self::File(path) => {
                mount::is_mounted_alone(path).then(|| Warning::MountedAlone { path: path.clone() })
            }
            Self::Gitlab(_) => {
                let open = commit.is_some_and(|commit| commit.protected == Some(false));
                open.then(|| Warning::Unprotected { source: self.to_string() })
            }
        }
    }

    /// Where it is, from wherever it is looked for.
    pub fn place(&self) -> Place {
        match self {
            Self::File(path) => {
                Place::File(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            }
            Self::Gitlab(remote) => Place::Gitlab(remote.address().clone()),
        }
    }

    /// It is there, whatever it is called.
    pub fn is_at(&self, place: &Place) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        match (self, place) {
            (Self::File(path), Place::File(other)) => {
                path == other || real(path).is_some_and(|path| real(other) == Some(path))
            }
            (Self::Gitlab(remote), Place::Gitlab(address)) => remote.address().is_same(address),
            (Self::File(_), Place::Gitlab(_)) | (Self::Gitlab(_), Place::File(_)) => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Gitlab(remote) => remote.address().fmt(f),
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
    use std::sync::Arc;

    use super::*;
    use crate::source::Environment;

    fn remote(address: Address) -> Remote {
        Remote::new(address, Environment::default(), Arc::new(|_| Err("unasked".to_owned())))
    }

    #[test]
    fn an_address_of_another_kind_is_refused_by_its_scheme() {
        let named = |config| Origin::named(Path::new(config), remote).unwrap_err().to_string();
        let refused = named("git://group/infra@main/autogit.yaml");
        assert!(refused.starts_with("a spec from `git://` is not supported\n"), "{refused}");
        assert!(!named("https://user:hunter2@host/x.yaml").contains("hunter2"));
        assert!(!named("gitlab://user:hunter2@host/x.yaml").contains("hunter2"));
    }

    #[test]
    fn what_is_no_address_is_a_file() {
        for file in ["autogit.yaml", "/etc/autogit/autogit.yaml", "./odd://name", "gitlab:x"] {
            assert_eq!(Origin::named(Path::new(file), remote), Ok(Origin::File(file.into())));
        }
    }

    #[test]
    fn a_place_survives_being_written_down() {
        let written = ["/etc/autogit.yaml", "gitlab://g/p@main/autogit.yaml"];
        for origin in written.map(|config| Origin::named(Path::new(config), remote).unwrap()) {
            let json = serde_json::to_string(&origin.place()).unwrap();
            assert!(origin.is_at(&serde_json::from_str(&json).unwrap()), "{json}");
        }
    }
}
