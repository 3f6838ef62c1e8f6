//! The symlinks of a path: every name whose change could make the path lead somewhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// As the kernel's own limit: more links than this are a loop.
const LINKS_MAX: usize = 40;

/// Which folder a path meant when it was looked at; a re-created one is another. Its birth is part
/// of it, because file systems give the number of a removed folder to the next one at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FolderId {
    number: (u64, u64),
    born: Option<SystemTime>,
}

/// The names on the way, each in its real folder: every symbolic link, and the file itself. Where
/// a part of the way is missing, they end with that part's name.
///
/// A Kubernetes `ConfigMap` has three: `autogit.yaml` (a link into `..data`), `..data` (a link that
/// is swapped for each new version) and the file in that version's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Symlinks {
    /// The names, as full paths.
    pub(super) names: BTreeSet<PathBuf>,
    /// The folders that hold them.
    pub(super) folders: BTreeMap<PathBuf, FolderId>,
}

impl Symlinks {
    /// Follows `path` as the kernel would.
    pub(super) fn of(path: &Path) -> Self {
        let mut symlinks = Self::default();
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut ahead = parts_backwards(&absolute);
        let mut here = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            if part == "/" {
                here = PathBuf::from("/");
                continue;
            }
            if part == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&part);
            let kind = std::fs::symlink_metadata(&next).ok().map(|found| found.file_type());
            if kind.is_some_and(|kind| kind.is_dir()) && !ahead.is_empty() {
                here = next;
                continue;
            }
            symlinks.add(&here, &next);
            if !kind.is_some_and(|kind| kind.is_symlink()) || links == LINKS_MAX {
                break;
            }
            links += 1;
            let Ok(target) = std::fs::read_link(&next) else { break };
            ahead.extend(parts_backwards(&target));
        }
        symlinks
    }

    /// The names and folders of another way, too.
    pub(super) fn extend(&mut self, other: Self) {
        self.names.extend(other.names);
        self.folders.extend(other.folders);
    }

    fn add(&mut self, folder: &Path, name: &Path) {
        self.names.insert(name.to_owned());
        if let Ok(found) = std::fs::metadata(folder) {
            let id = FolderId { number: (found.dev(), found.ino()), born: found.created().ok() };
            self.folders.insert(folder.to_owned(), id);
        }
    }
}

fn parts_backwards(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .map(|part| part.as_os_str().to_owned())
        .filter(|part| part != ".")
        .collect()
}
