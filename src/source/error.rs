//! What a load has to say: why it came to nothing, or what is worth a word.

use std::fmt;
use std::path::PathBuf;

use super::env_file::EnvFileError;
use super::file::FileError;
use super::remote::RemoteError;
use crate::spec::{Fault, Faults, STRONGER};

/// What is worth a word when a spec is loaded.
#[derive(Debug, Clone)]
pub enum Warning {
    /// About what the file says.
    Spec {
        /// The file as the operator named it.
        source: String,
        /// What, and where.
        fault: Fault,
    },
    /// A secret's file that other users may read.
    Exposed {
        /// The field that names it.
        field: String,
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A secret in a file that may be guessed.
    Weak {
        /// The field that names it.
        field: String,
        /// The file.
        path: PathBuf,
        /// What makes it so.
        is: &'static str,
    },
    /// A proxy that AutoGit has and that its runners do not get.
    Proxy {
        /// Whose it is, and where it leads.
        whose: String,
        /// What stands against it.
        is: &'static str,
    },
    /// More people may push to the spec's branch than ought to.
    Unprotected {
        /// The spec as the operator named it.
        source: String,
    },
    /// The spec is mounted into a container without its folder.
    MountedAlone {
        /// The spec's file.
        path: PathBuf,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec { source, fault } => {
                write!(f, "{source}:{fault}")?;
                fault.hint().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
            }
            Self::Exposed { field, path, mode } => {
                let path = path.display();
                write!(f, "{field}: `{path}` may be read by others (mode {mode:04o})")?;
                write!(f, "\nhint: chmod 600 {path}")
            }
            Self::Weak { field, path, is } => {
                let path = path.display();
                write!(f, "{field}: what `{path}` holds {is}\nhint: {STRONGER}")
            }
            Self::Proxy { whose, is } => {
                write!(f, "the proxy in {whose} {is}, so neither runners nor jobs get it")?;
                write!(
                    f,
                    "\nhint: set `proxy` to the one that they shall use, or to `{{}}` for none"
                )
            }
            Self::Unprotected { source } => {
                write!(
                    f,
                    "the branch or tag of {source} is not protected in GitLab: each Developer \
                           of the project may change the pools\nhint: protect it there"
                )
            }
            Self::MountedAlone { path } => {
                let path = path.display();
                write!(f, "`{path}` is mounted as a single file, so its replacement is not seen")?;
                write!(f, "\nhint: mount the folder instead")
            }
        }
    }
}

/// A file that the spec names and that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {error}")]
pub struct NamedFileError {
    /// The field that names it, as in `pools.linux.runner_token_file`.
    pub field: String,
    /// What is wrong with it.
    pub error: FileError,
}

/// Why a spec cannot be loaded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// There is no spec.
    #[error("the spec `{}` does not exist\nhint: write one as README shows, or name another by `--config`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The spec's file cannot be used.
    #[error("the spec {0}")]
    File(FileError),
    /// GitLab does not hand it out.
    #[error(transparent)]
    Remote(Box<RemoteError>),
    /// An env file cannot be used.
    #[error(transparent)]
    EnvFile(#[from] EnvFileError),
    /// What the spec says is wrong.
    #[error(transparent)]
    Spec(#[from] Faults),
    /// Files that the spec names cannot be used: all of them.
    #[error("{}", lines(.0))]
    Named(Vec<NamedFileError>),
    /// What the spec says is wrong, and files that it names cannot be used, either.
    #[error("{text}\n{}", lines(files))]
    Both {
        /// What is wrong with the text.
        text: Faults,
        /// All files that cannot be used.
        files: Vec<NamedFileError>,
    },
}

impl LoadError {
    /// All there is to say, each fault of a spec by its place; no value of the file is in it, nor where
    /// the files lie that it names. The error itself prints as one line.
    pub fn in_words(&self) -> String {
        match self {
            Self::Spec(faults) => faults.in_words().trim_end().to_owned(),
            Self::Both { text, files } => {
                format!("{}{}", text.in_words(), lines(&without_folders(files)))
            }
            Self::EnvFile(error) => error.without_folder().to_string(),
            Self::Named(errors) => lines(&without_folders(errors)),
            Self::Missing { .. } | Self::File(_) | Self::Remote(_) => self.to_string(),
        }
    }
}

fn without_folders(errors: &[NamedFileError]) -> Vec<NamedFileError> {
    let named = errors.iter().map(|NamedFileError { field, error }| NamedFileError {
        field: field.clone(),
        error: error.without_folder(),
    });
    named.collect()
}

fn lines(errors: &[NamedFileError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
