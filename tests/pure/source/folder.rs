//! A folder of a test's own, removed with it.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A spec that passes, to which a test adds.
pub(crate) const SPEC: &str = "\
gitlab:
  url: https://gitlab.example.com
  token: glpat-1
pools:
  linux:
    tags: [docker]
";

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("autogit-source-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes in place, as `echo >` does.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Puts a new file in the old one's place at once, as editors do.
    pub(crate) fn replace(&self, name: &str, text: &str) -> PathBuf {
        let draft = self.write(&format!("{name}.draft"), text);
        let path = self.path(name);
        std::fs::rename(draft, &path).unwrap();
        path
    }

    /// Puts a new link in the old one's place at once, as the kubelet does.
    pub(crate) fn point(&self, link: &str, target: &str) {
        let draft = self.path(&format!("{link}_tmp"));
        symlink(Path::new(target), &draft).unwrap();
        std::fs::rename(draft, self.path(link)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}
