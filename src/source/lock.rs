//! One AutoGit per instance and machine: a file lock that the kernel releases when we are gone,
//! however we went.
//!
//! The lock is taken in every candidate folder that can be written, not in the first: a login
//! shell has `XDG_RUNTIME_DIR` and a cron job has not, and the two must still meet. In each, the
//! file lies in a folder that is ours alone, so that nobody else can hold our lock, or lay a link
//! where we are going to write. It sees nothing beyond the machine: a container has folders of its
//! own, and there the name of the container is the lock.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::presence::Presence;
use crate::spec::InstanceName;

/// A lock file holds one process id.
const BYTES_MAX: u64 = 64;

/// Why the instance cannot be locked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "another autogit with instance `{instance}` runs here{}\nhint: stop that one, or give this one another `instance`",
        pid.map(|pid| format!(" as pid {pid}")).unwrap_or_default()
    )]
    Held {
        /// The instance.
        instance: InstanceName,
        /// The other process, where it could be read.
        pid: Option<u32>,
    },
    /// Someone else made the folder that should be ours.
    #[error("`{}` is not a folder of this user's, so it may not hold the lock\nhint: find out who made it, and remove it", folder.display())]
    NotOurs {
        /// The folder.
        folder: PathBuf,
    },
    /// No candidate can be written, or the file system cannot lock.
    #[error(
        "there is no folder for the lock of instance `{instance}`: {problem}\nhint: set `XDG_RUNTIME_DIR` or `TMPDIR` to a folder that this user may write"
    )]
    NoFolder {
        /// The instance.
        instance: InstanceName,
        /// What went wrong with each.
        problem: String,
    },
}

/// The lock, held as long as this lives.
#[derive(Debug)]
pub struct InstanceLock {
    files: Vec<(PathBuf, File)>,
    /// What was written beside it.
    written: Vec<PathBuf>,
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        for path in &self.written {
            // One that stays leads to nobody who answers.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl InstanceLock {
    /// Takes the lock of `instance` in each of `folders` that this user may write.
    pub fn acquire(instance: &InstanceName, folders: &[PathBuf]) -> Result<Self, LockError> {
        let mut files = Vec::new();
        let mut seen = BTreeSet::new();
        let mut problems = Vec::new();
        for folder in folders {
            let (path, file) = match open(folder, instance) {
                Ok(opened) => opened,
                Err(OpenError::NotOurs(folder)) => return Err(LockError::NotOurs { folder }),
                Err(OpenError::Unusable(problem)) => {
                    problems.push(format!("{}: {problem}", folder.display()));
                    continue;
                }
            };
            // Two candidates may be one folder (`/var/lock` is a link to `/run/lock`).
            if !file.metadata().is_ok_and(|found| seen.insert((found.dev(), found.ino()))) {
                continue;
            }
            match file.try_lock() {
                Ok(()) => files.push((path, with_our_pid(file))),
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { instance: instance.clone(), pid: pid_in(file) });
                }
                Err(TryLockError::Error(error)) => {
                    problems.push(format!("{}: {error}", folder.display()));
                }
            }
        }
        if files.is_empty() {
            let problem = problems.join("; ");
            return Err(LockError::NoFolder { instance: instance.clone(), problem });
        }
        Ok(Self { files, written: Vec::new() })
    }

    /// Writes beside the lock where this AutoGit answers. A folder that does not take it is none of
    /// those in which it is found.
    pub fn announce(&mut self, presence: &Presence) {
        self.written =
            self.files.iter().filter_map(|(lock, _)| presence.write(lock).ok()).collect();
    }

    /// In how many folders the lock is held; at least one.
    pub fn places(&self) -> usize {
        self.files.len()
    }
}

/// The folders to offer [`InstanceLock::acquire`]: the user's runtime folder, the system's folders
/// for locks, the one for temporary files.
pub fn lock_folders(runtime_dir: Option<&str>, temp_dir: &Path) -> Vec<PathBuf> {
    let runtime_dir = runtime_dir.map(PathBuf::from).filter(|folder| folder.is_absolute());
    let system = ["/run/lock", "/var/lock"].map(PathBuf::from);
    runtime_dir.into_iter().chain(system).chain([temp_dir.to_owned()]).collect()
}

pub(super) enum OpenError {
    NotOurs(PathBuf),
    Unusable(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Unusable(error)
    }
}

fn open(candidate: &Path, instance: &InstanceName) -> Result<(PathBuf, File), OpenError> {
    let path = own_folder(candidate)?.join(format!("{instance}.lock"));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path)?;
    Ok((path, file))
}

/// The folder in `candidate` that is this user's alone; made where it is not there.
pub(super) fn own_folder(candidate: &Path) -> Result<PathBuf, OpenError> {
    let uid = our_uid(candidate)?;
    let folder = candidate.join(format!("autogit-{uid}"));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let found = std::fs::symlink_metadata(&folder)?;
    if !found.is_dir() || found.uid() != uid {
        return Err(OpenError::NotOurs(folder));
    }
    if found.mode() & 0o077 != 0 {
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
    }
    Ok(folder)
}

/// Who we are, as the owner of what we make: the standard library cannot ask. Fails where the
/// folder cannot be written, which is a question to be asked anyway.
fn our_uid(candidate: &Path) -> io::Result<u32> {
    let nonce = RandomState::new().hash_one(std::process::id());
    let probe = candidate.join(format!(".autogit-{nonce:016x}"));
    DirBuilder::new().mode(0o700).create(&probe)?;
    let found = std::fs::symlink_metadata(&probe);
    std::fs::remove_dir(&probe)?;
    Ok(found?.uid())
}

/// The id is for the other's message alone; the lock holds without it.
fn with_our_pid(mut file: File) -> File {
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    file
}

fn pid_in(mut file: File) -> Option<u32> {
    file.rewind().ok()?;
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
