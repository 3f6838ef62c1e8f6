//! The system's events on a path's symlinks, as bare wake-ups.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::symlinks::{FolderId, Symlinks};
use crate::lock::locked;

/// A watch on the folders of a path and its symlinks. Events on other names in those folders wake nobody: a folder
/// may hold a busy log file beside the spec.
#[derive(Debug)]
pub(super) struct Events {
    watcher: RecommendedWatcher,
    /// Read on the watcher's own thread.
    names: Arc<Mutex<BTreeSet<PathBuf>>>,
    folders: BTreeMap<PathBuf, FolderId>,
}

impl Events {
    /// A watch on nothing yet, that will notify `wake`; or why there can be none.
    pub(super) fn new(wake: Arc<Notify>) -> Result<Self, String> {
        let names = Arc::new(Mutex::new(BTreeSet::new()));
        let seen_by_watcher = Arc::clone(&names);
        let on_event = move |event: notify::Result<Event>| {
            // An error means that events were lost: looking is the answer to that as well.
            let matters = event.map_or(true, |event| {
                let names = locked(&seen_by_watcher);
                matters(&event, &names)
            });
            if matters {
                wake.notify_one();
            }
        };
        let watcher = notify::recommended_watcher(on_event).map_err(|error| in_words(&error))?;
        Ok(Self { watcher, names, folders: BTreeMap::new() })
    }

    /// Watches their folders and no others; or says why that cannot be. The answer is
    /// whether all could be watched: one that went away meanwhile could not.
    pub(super) fn follow(&mut self, symlinks: &Symlinks) -> Result<bool, String> {
        let mut names = symlinks.names.clone();
        names.extend(symlinks.folders.keys().cloned());
        // The lock is released before the watcher is called: it waits for its thread, which may
        // wait for the lock.
        *locked(&self.names) = names;
        let gone = |(path, id): &(&PathBuf, &FolderId)| symlinks.folders.get(*path) != Some(*id);
        let gone: Vec<_> = self.folders.iter().filter(gone).map(|(path, _)| path.clone()).collect();
        for path in gone {
            self.folders.remove(&path);
            // The watch of a removed folder is gone with it, which is what is wanted.
            let _ = self.watcher.unwatch(&path);
        }
        let mut all = true;
        for (path, id) in &symlinks.folders {
            if self.folders.contains_key(path) {
                continue;
            }
            match self.watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.folders.insert(path.clone(), *id);
                }
                Err(error) if is_missing(&error) => all = false,
                Err(error) => return Err(in_words(&error)),
            }
        }
        Ok(all)
    }
}

/// Opening and reading are no changes; our own reload does both.
fn matters(event: &Event, names: &BTreeSet<PathBuf>) -> bool {
    let changes = match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    };
    let ours = event.paths.is_empty() || event.paths.iter().any(|path| names.contains(path));
    changes && ours
}

/// The folder went away since the path was followed.
fn is_missing(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_)
        | notify::ErrorKind::MaxFilesWatch => false,
    }
}

fn in_words(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the limit of file watches is reached\nhint: raise `fs.inotify.max_user_watches`".into()
        }
        notify::ErrorKind::Io(error) => error.to_string(),
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::PathNotFound
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, Flag, ModifyKind, RemoveKind, RenameMode};

    use super::*;

    fn check(kind: EventKind, path: &str, expected: bool) {
        let event = Event::new(kind).add_path(PathBuf::from(path));
        let names = BTreeSet::from(["/etc/x/autogit.yaml".into(), "/etc/x".into()]);
        assert_eq!(matters(&event, &names), expected, "{event:?}");
    }

    #[test]
    fn reading_the_file_and_writing_its_neighbours_wake_nobody() {
        check(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/etc/x/autogit.yaml", false);
        check(EventKind::Access(AccessKind::Close(AccessMode::Read)), "/etc/x/autogit.yaml", false);
        check(EventKind::Modify(ModifyKind::Data(DataChange::Any)), "/etc/x/busy.log", false);
        check(EventKind::Create(CreateKind::File), "/etc/x/autogit.yaml.draft", false);
    }

    #[test]
    fn whatever_may_change_the_file_wakes() {
        check(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/etc/x/autogit.yaml", true);
        check(EventKind::Modify(ModifyKind::Name(RenameMode::To)), "/etc/x/autogit.yaml", true);
        check(EventKind::Create(CreateKind::File), "/etc/x/autogit.yaml", true);
        check(EventKind::Remove(RemoveKind::Folder), "/etc/x", true);
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(matters(&overflow, &BTreeSet::new()));
    }
}
