//! What a command needs of the process it runs in: variables, folders and the time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::source::{Environment, lock_folders};

/// The process, as far as commands need it.
#[derive(Debug, Clone)]
pub struct Process {
    variables: BTreeMap<String, String>,
    temp_dir: PathBuf,
    clock: Clock,
}

impl Process {
    /// A process with these variables.
    pub fn new(variables: BTreeMap<String, String>, temp_dir: PathBuf) -> Self {
        Self { variables, temp_dir, clock: Clock::system() }
    }

    /// The machine's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The same process, living by another clock.
    pub(crate) fn with_clock(&self, clock: Clock) -> Self {
        Self { clock, ..self.clone() }
    }

    /// The same process with more variables.
    pub(crate) fn with_variables(
        &self,
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let mut process = self.clone();
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
        process.variables.extend(variables);
        process
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// A variable is set, if only to nothing.
    pub(crate) fn has_variable(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The folder for temporary files.
    pub(crate) fn temp_dir(&self) -> &Path {
        &self.temp_dir
    }

    /// The variables that a spec may name; env files come beside the process's own.
    pub(crate) fn environment(&self, env_files: &[PathBuf]) -> Environment {
        Environment::new(self.variables.clone(), env_files.to_vec())
    }

    /// Where the lock of an instance is looked for.
    pub(crate) fn lock_folders(&self) -> Vec<PathBuf> {
        lock_folders(self.variable("XDG_RUNTIME_DIR").as_deref(), &self.temp_dir)
    }
}
