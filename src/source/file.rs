//! Reading the operator's files: regular files only, never more than a limit, and each way to
//! fail in words that name the file.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::spec::looks_secret;

/// A file that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {problem}", path.display())]
pub struct FileError {
    /// The file as it was named.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: FileProblem,
}

impl FileError {
    /// The same with the file's name alone.
    pub(super) fn without_folder(&self) -> Self {
        Self { path: name(&self.path), problem: self.problem.clone() }
    }

    /// The same as it may be shown: a path that leads nowhere and looks like a secret is one that
    /// was written where its file's name belongs.
    pub(super) fn shown(self) -> Self {
        let secret = looks_secret(&self.path.to_string_lossy());
        if secret { self.without_path() } else { self }
    }

    /// The same of the file that `folder` has by the name `written`, which holds a secret. A name
    /// alone may be any password, so only what names a folder that is there is taken for a path.
    pub(super) fn of_a_secret(self, written: &Path, folder: &Path) -> Self {
        let above = written.parent().filter(|above| above.file_name().is_some());
        if above.is_some_and(|above| folder.join(above).is_dir()) {
            self.shown()
        } else {
            self.without_path()
        }
    }

    fn without_path(self) -> Self {
        if matches!(self.problem, FileProblem::Missing | FileProblem::Unreadable(_)) {
            FileProblem::NoPath.of(Path::new("…"))
        } else {
            self
        }
    }
}

/// The last part of a path.
pub(super) fn name(path: &Path) -> PathBuf {
    path.file_name().map_or_else(|| path.to_owned(), PathBuf::from)
}

/// What is wrong with a file; reads on from the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// There is none.
    #[error("does not exist")]
    Missing,
    /// There is none, and what stands in the place of its path is not shown.
    #[error(
        "does not exist (it may be the secret itself, and is not shown)\nhint: this field takes the path of a file that holds the secret"
    )]
    NoPath,
    /// The system does not hand it out.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// It is not written as it has to be.
    #[error(
        "cannot be understood at line {line}, column {column}, and its `proxies` are the runners'\nhint: correct it, or set `proxy` in the spec"
    )]
    NotJson {
        /// The first line that is not understood, from 1.
        line: usize,
        /// The column in that line, from 1.
        column: usize,
    },
    /// A folder, a pipe or a device: reading it could block for ever.
    #[error("is no regular file")]
    NotRegular,
    /// More than is ever needed.
    #[error("is larger than {}", Size(*limit))]
    TooLarge {
        /// Bytes that would be read.
        limit: u64,
    },
    /// Bytes that are no text.
    #[error("is not UTF-8 (line {line})\nhint: save it as UTF-8")]
    NotText {
        /// The first line that is none, from 1.
        line: usize,
    },
    /// Nothing in it but white space.
    #[error("is empty")]
    Empty,
    /// A secret's file that holds no secret of its kind.
    #[error("{is}\nhint: {hint}")]
    NoSecret {
        /// What is wrong with it.
        is: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// A secret's file that holds the secret of another field, too.
    #[error(
        "holds the same token as `{other}`\nhint: give each a value of its own: they tell what their holders may do"
    )]
    SameToken {
        /// The other field.
        other: String,
    },
    /// A key's file without one.
    #[error("holds no key in PEM form\nhint: PEM begins with `-----BEGIN`, as in `PRIVATE KEY`")]
    NoKey,
    /// A key that belongs to another certificate.
    #[error(
        "is not the key of the certificate\nhint: it has to be the key that `tls.cert` was made with"
    )]
    OtherKey,
    /// A key in a file that runners get whole, beside the certificates that are asked for.
    #[error(
        "holds a private key, and every runner would get it\nhint: leave the certificates alone in it"
    )]
    KeyBeside,
    /// An authority's file without a certificate that can be used.
    #[error(
        "holds no certificate in PEM form that can be used: {0}\nhint: PEM begins with `-----BEGIN CERTIFICATE-----`; `openssl x509 -inform der` makes it from DER"
    )]
    NoCertificate(String),
    /// The path leads to a file that has no name any more: it is mounted as a single file and was
    /// replaced behind the mount, so that what is read here stays the old one for ever.
    #[error(
        "was replaced behind its mount, and only the old one is seen\nhint: mount the folder instead"
    )]
    Replaced,
}

impl FileProblem {
    /// This problem, of that file.
    pub(super) fn of(self, path: &Path) -> FileError {
        FileError { path: path.to_owned(), problem: self }
    }

    fn from_io(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Missing
        } else {
            Self::Unreadable(error.to_string())
        }
    }
}

/// Bytes, in the largest unit that divides them.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes % (1 << 20) == 0 => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes % (1 << 10) == 0 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// The bytes of a regular file of at most `limit` bytes, and what the system says about it.
pub(super) fn bytes(path: &Path, limit: u64) -> Result<(Vec<u8>, Metadata), FileError> {
    read(path, limit).map_err(|problem| problem.of(path))
}

/// The text of a regular file of at most `limit` bytes, and what the system says about it.
pub(super) fn text(path: &Path, limit: u64) -> Result<(String, Metadata), FileError> {
    let (bytes, metadata) = bytes(path, limit)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, metadata)),
        Err(error) => {
            let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
            let line = 1 + good.filter(|byte| **byte == b'\n').count();
            Err(FileProblem::NotText { line }.of(path))
        }
    }
}

fn read(path: &Path, limit: u64) -> Result<(Vec<u8>, Metadata), FileProblem> {
    // Before opening, because opening a pipe blocks until someone writes to it.
    let named = std::fs::metadata(path).map_err(|error| FileProblem::from_io(&error))?;
    if !named.is_file() {
        return Err(FileProblem::NotRegular);
    }
    let file = File::open(path).map_err(|error| FileProblem::from_io(&error))?;
    let metadata = file.metadata().map_err(|error| FileProblem::from_io(&error))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| FileProblem::from_io(&error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(FileProblem::TooLarge { limit });
    }
    Ok((bytes, metadata))
}

/// The path leads to a file without a name. A file replaced between opening and this question
/// looks the same for a moment, so the path is asked, not the open file.
pub(super) fn is_nameless(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.nlink() == 0)
}
