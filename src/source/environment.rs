//! The variables that a spec may name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::env_file::{self, EnvFileError};

/// Where variables come from: the process, whose own do not change, and env files, which are read
/// anew at every load.
#[derive(Clone, Default)]
pub struct Environment {
    process: BTreeMap<String, String>,
    files: Vec<PathBuf>,
}

impl Environment {
    /// The process's variables, as main found them, and the `--env-file`s in order.
    pub fn new(process: BTreeMap<String, String>, files: Vec<PathBuf>) -> Self {
        Self { process, files }
    }

    /// The env files.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// A variable of the process itself; an empty one is none.
    pub(super) fn own(&self, name: &str) -> Option<String> {
        self.process.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Reads the env files and lays the process's variables over them.
    ///
    /// The process wins, as with `docker compose --env-file`, and a later file wins over an
    /// earlier one. An empty variable of the process does not win: empty is absent in a spec, and
    /// compose hands an unset variable on as an empty one.
    pub fn variables(&self) -> Result<Variables, EnvFileError> {
        let mut all = BTreeMap::new();
        for file in &self.files {
            all.extend(env_file::read(file)?);
        }
        let own = self.process.iter().filter(|(_, value)| !value.is_empty());
        all.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        Ok(Variables(all))
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("process", &self.process.keys())
            .field("files", &self.files)
            .finish()
    }
}

/// The variables at one moment.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// The value of that variable.
    pub fn lookup(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// The same, where an empty one is none.
    pub(super) fn known(&self, name: &str) -> Option<String> {
        self.lookup(name).filter(|value| !value.is_empty())
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
