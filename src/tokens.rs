//! Runner tokens: in memory, and in the token cache where the spec names one. They are found again
//! in the containers' uploaded `config.toml`; losing them costs caches only.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::spec::InstanceName;
use crate::world::RecordId;

/// The tokens at hand, by record.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    known: BTreeMap<RecordId, SecretString>,
    /// Those that GitLab does not take any more.
    refused: BTreeMap<RecordId, SecretString>,
    cache: Option<PathBuf>,
    elsewhere: bool,
    /// Those that this process does not see and takes for being somewhere; `None`: it acts, so what
    /// it does not see is lost.
    assumed: Option<BTreeSet<RecordId>>,
}

impl Tokens {
    /// No tokens yet; `cache` is the folder that keeps them over restarts.
    pub fn new(instance: &InstanceName, cache: Option<&Path>) -> Self {
        let cache = cache.map(|folder| folder.join(instance.as_str()));
        Self { cache, ..Self::default() }
    }

    /// Another process has the tokens: [`Tokens::has`] says so of each from now on.
    pub(crate) fn are_elsewhere(&mut self) {
        self.elsewhere = true;
    }

    /// This process only looks: from now on a token that it does not see is taken for being where
    /// another AutoGit runs, for it may.
    pub(crate) fn are_assumed(&mut self) {
        self.assumed = Some(BTreeSet::new());
    }

    /// The record's token is nowhere to be seen from here, and is taken for being elsewhere.
    pub(crate) fn is_assumed(&mut self, record: RecordId) -> bool {
        self.assumed.as_mut().is_some_and(|assumed| {
            assumed.insert(record);
            true
        })
    }

    /// The records whose tokens are taken for being elsewhere.
    pub(crate) fn assumed(&self) -> impl Iterator<Item = RecordId> {
        self.assumed.iter().flatten().copied()
    }

    /// The record's token is at hand, here or in the process that acts.
    pub(crate) fn has(&mut self, record: RecordId) -> bool {
        self.elsewhere || self.find(record).is_some()
    }

    /// Keeps tokens in another folder from now on; those at hand are written there, too.
    pub fn move_cache(&mut self, instance: &InstanceName, cache: Option<&Path>) {
        let before = std::mem::replace(self, Self::new(instance, cache));
        self.refused = before.refused;
        for (record, token) in before.known {
            self.keep(record, token);
        }
    }

    /// The record's token, from memory, else from the cache.
    pub fn find(&mut self, record: RecordId) -> Option<SecretString> {
        if !self.known.contains_key(&record)
            && let Some(path) = self.path(record)
            && let Ok(text) = std::fs::read_to_string(path)
        {
            let token = SecretString::from(text.trim().to_owned());
            if !self.is_refused(record, &token) {
                self.known.insert(record, token);
            }
        }
        self.known.get(&record).cloned()
    }

    /// Keeps the record's token, unless GitLab refused that one.
    ///
    /// A cache that cannot be written costs a new record after the next restart, no more: it is
    /// said and otherwise ignored.
    pub fn keep(&mut self, record: RecordId, token: SecretString) {
        if self.is_refused(record, &token) {
            return;
        }
        if let Some(path) = self.path(record)
            && let Err(error) = write_private(&path, &token)
        {
            let path = path.display();
            tracing::warn!(%path, %error, "the token cache cannot be written\nhint: make `gitlab.token_cache` a folder that this user may write");
        }
        self.known.insert(record, token);
    }

    /// Never again takes the token at hand for the record's, wherever it is found: a person reset
    /// it. The containers that have it need not know.
    pub fn refuse(&mut self, record: RecordId) {
        if let Some(token) = self.find(record) {
            self.forget(record);
            self.refused.insert(record, token);
        }
    }

    /// Forgets the token of a record that is gone.
    pub fn forget(&mut self, record: RecordId) {
        self.known.remove(&record);
        if let Some(path) = self.path(record) {
            // A file that stays is of no use to anyone: its record is gone.
            let _ = std::fs::remove_file(path);
        }
    }

    fn is_refused(&self, record: RecordId, token: &SecretString) -> bool {
        let refused = self.refused.get(&record);
        refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret())
    }

    fn path(&self, record: RecordId) -> Option<PathBuf> {
        Some(self.cache.as_ref()?.join(format!("record-{record}")))
    }
}

/// Writes beside the file and renames, so that a crash leaves the old file or the new one.
fn write_private(path: &Path, token: &SecretString) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside)?;
    file.write_all(token.expose_secret().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(beside, path)
}
