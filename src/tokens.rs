//! Runner tokens: in memory, and in the token cache where the spec names one. They are found again
//! in the containers' uploaded `config.toml`; losing them costs caches only.

mod given;

pub use given::Given;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::spec::{Arch, InstanceName, PoolName};
use crate::world::{RecordId, Variant};

/// The tokens at hand, by record.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    known: BTreeMap<RecordId, SecretString>,
    /// Those that GitLab does not take any more.
    refused: BTreeMap<RecordId, SecretString>,
    /// The variants that records serve, so that one is known again though a person renamed it.
    serving: BTreeMap<RecordId, Variant>,
    /// The operator's own.
    given: Vec<Given>,
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
        let serving = cache.as_deref().map(cached_variants).unwrap_or_default();
        Self { serving, cache, ..Self::default() }
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
        (self.refused, self.given) = (before.refused, before.given);
        for (record, variant) in before.serving {
            self.serves(record, &variant);
        }
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
            && let Err(error) = write_private(&path, token.expose_secret())
        {
            let path = path.display();
            tracing::warn!(%path, %error, "the token cache cannot be written\nhint: make `gitlab.token_cache` a folder that this user may write");
        }
        self.known.insert(record, token);
    }

    /// Keeps which variant a record serves, as long as its token is kept.
    pub fn serves(&mut self, record: RecordId, variant: &Variant) {
        if self.serving.get(&record) == Some(variant) {
            return;
        }
        self.serving.insert(record, variant.clone());
        if let Some(path) = self.variant_path(record) {
            let text = format!("{}\n{}\n", variant.pool, variant.arch);
            // Losing it costs a new record where a person renames this one, no more.
            let _ = write_private(&path, &text);
        }
    }

    /// The records whose variants are kept.
    pub fn serving(&self) -> &BTreeMap<RecordId, Variant> {
        &self.serving
    }

    /// Never again takes the token at hand for the record's, wherever it is found: a person reset
    /// it. The containers that have it need not know.
    pub fn refuse(&mut self, record: RecordId) {
        if let Some(token) = self.find(record) {
            self.forget(record);
            self.given.retain(|given| given.record != record);
            self.refused.insert(record, token);
        }
    }

    /// GitLab took an operator's own token.
    pub(crate) fn take(&mut self, given: Given) {
        self.keep(given.record, given.token().clone());
        self.given.retain(|known| known.record != given.record);
        if self.has(given.record) {
            self.given.push(given);
        }
    }

    /// The operator's own tokens that GitLab took, and did not refuse since.
    pub(crate) fn given(&self) -> &[Given] {
        &self.given
    }

    /// The operator is to be told that this own token ends soon, which is said once.
    pub(crate) fn warns_of(&mut self, record: RecordId) -> bool {
        let mut given = self.given.iter_mut();
        given.find(|given| given.record == record).is_some_and(Given::warn)
    }

    /// Another GitLab is asked from now on, which knows none of the operator's tokens.
    pub(crate) fn forget_given(&mut self) {
        self.given.clear();
    }

    /// Forgets the token of a record that is gone.
    pub fn forget(&mut self, record: RecordId) {
        self.known.remove(&record);
        self.serving.remove(&record);
        for path in self.path(record).into_iter().chain(self.variant_path(record)) {
            // A file that stays is of no use to anyone: its record is gone.
            let _ = std::fs::remove_file(path);
        }
    }

    fn is_refused(&self, record: RecordId, token: &SecretString) -> bool {
        let refused = self.refused.get(&record);
        refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret())
    }

    fn path(&self, record: RecordId) -> Option<PathBuf> {
        Some(self.own_cache()?.join(format!("{TOKEN_OF}{record}")))
    }

    fn variant_path(&self, record: RecordId) -> Option<PathBuf> {
        Some(self.own_cache()?.join(format!("{VARIANT_OF}{record}")))
    }

    /// The cache, unless it is that of the process that acts.
    fn own_cache(&self) -> Option<&PathBuf> {
        self.cache.as_ref().filter(|_| !self.elsewhere)
    }
}

/// What the name of a file begins with that holds a record's token.
const TOKEN_OF: &str = "record-";
/// What the name of a file begins with that says which variant a record serves.
const VARIANT_OF: &str = "variant-of-";

/// Such a name is one of a cache's files.
pub(crate) fn is_cache_file(path: &Path) -> bool {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let id = [TOKEN_OF, VARIANT_OF].iter().find_map(|begins| name.strip_prefix(begins));
    id.is_some_and(|id| id.parse::<u64>().is_ok())
}

/// The variants by record that a cache holds.
fn cached_variants(folder: &Path) -> BTreeMap<RecordId, Variant> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let read = entries.filter_map(|entry| {
        let name = entry.file_name();
        let id = name.to_str()?.strip_prefix(VARIANT_OF)?.parse().ok()?;
        let text = std::fs::read_to_string(entry.path()).ok()?;
        let mut lines = text.lines();
        let (pool, arch) = (PoolName::new(lines.next()?).ok()?, Arch::parse(lines.next()?)?);
        Some((RecordId(id), Variant::new(&pool, arch)))
    });
    read.collect()
}

/// Writes beside the file and renames, so that a crash leaves the old file or the new one.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(beside, path)
}
