//! What a test needs of its machine, and what it says where that is missing.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::skipped::note_skipped;
use crate::wait;

/// Far longer than anything here takes on a busy machine; what takes longer does not come.
const PATIENCE: Duration = Duration::from_mins(1);

/// Whether all these programs are here, and root may use them. A test returns where they are not,
/// unless the variable `AUTOGIT_REQUIRE_<what>` is 1: then it fails.
pub(crate) fn has(what: &str, programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| find(program).is_none());
    let problem = match missing {
        Some(missing) => format!("`{missing}` is not installed"),
        None if !is_root() => "it needs root".to_owned(),
        None => return true,
    };
    lacks(what, &problem);
    false
}

/// Notes why a test is skipped, or fails it where that may not be.
pub(crate) fn lacks(what: &str, problem: &str) {
    let required = std::env::var_os(format!("AUTOGIT_REQUIRE_{what}"));
    assert!(required.as_deref() != Some(OsStr::new("1")), "{what} is required: {problem}");
    note_skipped(problem);
}

/// The program's path; administrators' folders are not on everyone's `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn is_root() -> bool {
    let user = Command::new("id").arg("-u").output().unwrap();
    user.stdout == b"0\n"
}

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // Sockets lie in it, whose paths may not be long.
        let folder = std::env::temp_dir().join(format!("autogit-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A path within, as words on a command line need it.
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.file(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A port of the loopback that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Looks until there is something, and returns it.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    wait::until(PATIENCE, what, look).await
}
