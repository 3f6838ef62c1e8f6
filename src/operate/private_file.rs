//! Writes a file whole or not at all: beside it first, then in its place, so that a crash, a full disk
//! and Ctrl-C leave the old file or the new one.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::Failure;

/// Readable and writable by its owner alone.
pub(crate) const PRIVATE: u32 = 0o600;
/// As the process's mask says.
pub(crate) const SHARED: u32 = 0o666;

/// A file beside the one that it shall replace; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Beside {
    target: PathBuf,
    path: PathBuf,
    file: File,
    stays: bool,
}

/// Why a file was not replaced.
#[derive(Debug)]
pub(crate) struct NotReplaced {
    /// What the system says.
    pub(crate) error: io::Error,
    /// Where what was to be written lies, if it could be written at all.
    pub(crate) kept_in: Option<PathBuf>,
}

impl Beside {
    /// Begins to replace the file at `path`, or to make it, with `mode` where it is new. A symlink
    /// stays, and leads to the new file; owner and rights of the old one are the new one's, but of a
    /// [`PRIVATE`] one those of [`closed`]. Where secrets are, what was left beside it may be the only
    /// place of one: then it fails, and else it is removed.
    pub(crate) fn open(path: &Path, mode: u32) -> io::Result<Self> {
        let target = real(path)?;
        let beside = named_beside(&target)?;
        if mode == PRIVATE {
            return Self::make(target, beside, mode, closed_of);
        }
        // One that a crash left. A link is removed itself, and never followed.
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        Self::make(target, beside, mode, rights_of)
    }

    /// As [`Self::open`], with all rights of the old one: AutoGit may be another user, who reads it by
    /// its group. Fails while one of another process is beside it, or one that a crash left.
    pub(crate) fn open_alone(path: &Path) -> io::Result<Self> {
        let target = real(path)?;
        let beside = named_beside(&target)?;
        Self::make(target, beside, PRIVATE, rights_of)
    }

    /// `rights`: of the new file, by the old one.
    fn make(
        target: PathBuf,
        beside: PathBuf,
        mode: u32,
        rights: fn(&Metadata) -> u32,
    ) -> io::Result<Self> {
        let old = match std::fs::metadata(&target) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        let opened = Self { target, path: beside, file, stays: false };
        if let Some(old) = old {
            let new = opened.file.metadata()?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                fchown(&opened.file, Some(old.uid()), Some(old.gid()))?;
            }
            opened.file.set_permissions(Permissions::from_mode(rights(&old)))?;
        }
        Ok(opened)
    }

    /// Takes as much of the disk as `bytes` need, so that writing them later does not fail for it.
    pub(crate) fn reserve(&mut self, bytes: usize) -> io::Result<()> {
        self.file.write_all(&vec![b'\n'; bytes])?;
        self.file.sync_all()
    }

    /// Puts `text` in the file's place.
    pub(crate) fn replace(mut self, text: &str) -> Result<(), NotReplaced> {
        if let Err(error) = self.write(text) {
            return Err(NotReplaced { error, kept_in: None });
        }
        if let Err(error) = std::fs::rename(&self.path, &self.target) {
            return Err(NotReplaced { error, kept_in: Some(self.path.clone()) });
        }
        self.stays = true;
        // What the disk does not know by now, it knows within seconds; nothing can be done here.
        let _ = self.target.parent().map(|folder| File::open(folder).and_then(|f| f.sync_all()));
        Ok(())
    }

    /// As [`Self::replace`], of what must not be lost: what was written beside the file stays where
    /// it could not take its place.
    pub(crate) fn replace_or_keep(mut self, text: &SecretString) -> Result<(), NotReplaced> {
        self.stays = true;
        let path = self.path.clone();
        let replaced = self.replace(text.expose_secret());
        if replaced.as_ref().is_err_and(|failed| failed.kept_in.is_none()) {
            let _ = std::fs::remove_file(path);
        }
        replaced
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len().try_into().unwrap_or(u64::MAX))?;
        self.file.sync_all()
    }
}

/// Puts `text` in the place of a file that everybody may read, and makes its folder.
pub(crate) fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    write(path, SHARED, text)
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.stays {
            // What stays of it is an unfinished copy, which the next one replaces or tells of.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Who may do what with a file.
pub(crate) fn rights_of(file: &Metadata) -> u32 {
    file.mode() & 0o7777
}

/// The rights of a file without those of others.
pub(crate) fn closed_of(file: &Metadata) -> u32 {
    closed(rights_of(file), file.uid() != file.gid())
}

/// The mode without the rights of others. A group that is not the owner's own was chosen by somebody:
/// AutoGit may read the file by it, and would be locked out.
pub(crate) fn closed(mode: u32, group_was_chosen: bool) -> u32 {
    mode & if group_was_chosen { 0o660 } else { 0o600 }
}

/// Why a file cannot be replaced: `left` is beside it.
pub(crate) fn taken(left: &Path, file: &Path) -> Failure {
    Failure::Failed(format!(
        "`{}` belongs to a command that writes it now, or was left by one that could not end, and may \
         hold the token that is valid\n\
         hint: if none runs, put it in the place of `{}`, or remove it",
        left.display(),
        file.display()
    ))
}

/// What is beside that file: by a process that is about to put it into its place, or that could not.
pub(crate) fn left_beside(path: &Path) -> Option<PathBuf> {
    let beside = named_beside(&real(path).ok()?).ok()?;
    beside.symlink_metadata().is_ok().then_some(beside)
}

/// Writes `text` in the place of the file, or makes it.
pub(crate) fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    Beside::open(path, mode)?.replace(text).map_err(|failed| failed.error)
}

/// Where a path's symlinks lead; the last of them may lead to nothing yet.
fn real(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).canonicalize()?;
            Ok(folder.join(path.file_name().ok_or(error)?))
        }
        resolved => resolved,
    }
}

fn named_beside(target: &Path) -> io::Result<PathBuf> {
    let name = target.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(".autogit-new");
    Ok(target.with_file_name(beside))
}

#[cfg(test)]
mod tests {
    use super::closed;

    #[test]
    fn a_group_that_was_chosen_keeps_its_rights() {
        for (mode, chosen, to) in [
            (0o644, false, 0o600),
            (0o640, false, 0o600),
            (0o644, true, 0o640),
            (0o640, true, 0o640),
            (0o444, false, 0o400),
        ] {
            assert_eq!(closed(mode, chosen), to, "{mode:o}");
        }
    }
}
