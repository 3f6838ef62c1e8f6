//! What lies in the folder already, and what is written there: each file whole, secrets first for their
//! owner alone, the spec last.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::text::{self, Answers, CA_FILE, ENV_FILE, SCHEMA_FILE};
use crate::operate::Failure;
use crate::operate::private_file::{
    Beside, PRIVATE, SHARED, closed_of, left_beside, rights_of, taken, write,
};
use crate::source::parse_env_file;
use crate::spec::{Missing, Spec, schema_json};

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Became {
    /// It was not there.
    Made,
    /// It said something else.
    Changed,
    /// It is as it should be.
    Kept,
    /// It said something else, which is kept beside it.
    Replaced {
        /// Where that is.
        old: PathBuf,
    },
}

/// A file, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// The file.
    pub(crate) path: PathBuf,
    /// What became of it.
    pub(crate) became: Became,
    /// What is to be known of its rights.
    pub(crate) rights: Option<Rights>,
}

/// Others may read a secret's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// It had these, and lost those of others when it was written.
    Closed(u32),
    /// It has these, as somebody gave them: nothing was written.
    Open(u32),
}

impl Written {
    fn new(path: &Path, became: Became) -> Self {
        Self { path: path.to_owned(), became, rights: None }
    }

    /// The spec stays.
    pub(super) fn kept(path: &Path) -> Self {
        Self::new(path, Became::Kept)
    }
}

/// The folder of a spec.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) spec: PathBuf,
    path: PathBuf,
}

impl Folder {
    pub(super) fn of(spec: &Path) -> Self {
        let above = spec.parent().filter(|above| !above.as_os_str().is_empty());
        Self { spec: spec.to_owned(), path: above.unwrap_or(Path::new(".")).to_owned() }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        if self.path == Path::new(".") { PathBuf::from(name) } else { self.path.join(name) }
    }

    /// Whoever may not write here is told so before anything is asked.
    pub(super) fn prove(&self) -> Result<(), Failure> {
        let proved =
            Beside::open(&self.spec, SHARED).and_then(|mut beside| beside.reserve(1 << 16));
        proved.map_err(|error| unwritable(&self.spec, &error))
    }

    /// The variables of the credentials' file that is there.
    pub(super) fn variables(&self) -> Result<BTreeMap<String, String>, Failure> {
        let path = self.file(ENV_FILE);
        parse_env_file(&read(&path)?).map_err(|faults| {
            let lines: Vec<_> = faults
                .iter()
                .map(|fault| format!("{}:{}: {}", path.display(), fault.line, fault.problem))
                .collect();
            Failure::Usage(format!("error: {}", lines.join("\n")))
        })
    }

    /// The certificate that was pinned before.
    pub(super) fn ca(&self) -> Result<Option<String>, Failure> {
        let text = read(&self.file(CA_FILE))?;
        Ok((!text.is_empty()).then_some(text))
    }

    /// Writes everything, or nothing that does not follow from the answers.
    pub(super) fn write(&self, answers: &Answers) -> Result<Vec<Written>, Failure> {
        let spec = text::spec(answers);
        let env_path = self.file(ENV_FILE);
        let env = text::env_file(
            &answers.url,
            &answers.token,
            answers.webhook.as_ref(),
            &read(&env_path)?,
        );
        accepted(&spec, &env)?;
        let mut written = Vec::new();
        written.extend(self.ignore()?);
        written.push(put(&env_path, PRIVATE, env.expose_secret())?);
        if let Some(ca) = &answers.ca {
            written.push(put(&self.file(CA_FILE), SHARED, ca)?);
        }
        written.push(put(&self.file(SCHEMA_FILE), SHARED, &schema_json())?);
        written.push(self.replace_spec(&spec)?);
        Ok(written)
    }

    /// Writes the credentials alone, for a spec that stays.
    pub(super) fn write_credentials(
        &self,
        url: &str,
        token: &SecretString,
    ) -> Result<Vec<Written>, Failure> {
        let path = self.file(ENV_FILE);
        let env = text::env_file(url, token, None, &read(&path)?);
        accepted(&read(&self.spec)?, &env)?;
        let mut written = Vec::new();
        written.extend(self.ignore()?);
        written.push(put(&path, PRIVATE, env.expose_secret())?);
        written.push(Written::kept(&self.spec));
        Ok(written)
    }

    /// Where the folder is in a git repository, that ignores the credentials.
    pub(super) fn ignore(&self) -> Result<Option<Written>, Failure> {
        let here = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        if !here.ancestors().any(|above| above.join(".git").exists()) {
            return Ok(None);
        }
        let path = self.file(".gitignore");
        let before = read(&path)?;
        let after = text::ignoring(&before).unwrap_or(before);
        put(&path, SHARED, &after).map(Some)
    }

    /// The credentials of a file that stays, as somebody left them.
    pub(super) fn credentials(&self) -> Result<Option<Written>, Failure> {
        let path = self.file(ENV_FILE);
        let text = read(&path)?;
        if text.is_empty() { Ok(None) } else { put(&path, PRIVATE, &text).map(Some) }
    }

    fn replace_spec(&self, text: &str) -> Result<Written, Failure> {
        let before = read(&self.spec)?;
        let path = self.spec.clone();
        if before.is_empty() || before == text {
            return put(&path, SHARED, text);
        }
        let mut old = path.clone().into_os_string();
        old.push(".old");
        let old = PathBuf::from(old);
        put(&old, SHARED, &before)?;
        put(&path, SHARED, text)?;
        Ok(Written::new(&path, Became::Replaced { old }))
    }
}

/// What is written is what `autogit check` accepts.
fn accepted(spec: &str, env: &SecretString) -> Result<(), Failure> {
    let variables = parse_env_file(env.expose_secret()).unwrap_or_default();
    let lookup = |name: &str| variables.get(name).cloned();
    match Spec::parse("autogit.yaml", spec, &lookup, Missing::Fault) {
        Ok(_) => Ok(()),
        Err(faults) => Err(Failure::Usage(format!(
            "{}\nhint: these answers make no spec; nothing was written",
            faults.in_words()
        ))),
    }
}

/// Puts `text` into a file, unless that has it already.
pub(super) fn put(path: &Path, mode: u32, text: &str) -> Result<Written, Failure> {
    let before = read(path)?;
    let there = path.metadata().ok();
    let is_open = |there: &&Metadata| rights_of(there) & OTHERS & !closed_of(there) != 0;
    let open = there.as_ref().filter(|there| mode == PRIVATE && is_open(there));
    let open = open.map(rights_of);
    if there.is_some() && before == text {
        return Ok(Written { rights: open.map(Rights::Open), ..Written::kept(path) });
    }
    write(path, mode, text).map_err(|error| unwritable(path, &error))?;
    let became = if there.is_some() { Became::Changed } else { Became::Made };
    Ok(Written { rights: open.map(Rights::Closed), ..Written::new(path, became) })
}

/// Rights of all but the owner.
const OTHERS: u32 = 0o077;

/// A file's text; empty where there is none.
fn read(path: &Path) -> Result<String, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::Failed(format!("`{}` cannot be read: {error}", path.display()))),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    if let Some(left) = left_beside(path).filter(|_| error.kind() == io::ErrorKind::AlreadyExists) {
        return taken(&left, path);
    }
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded].contains(&error.kind());
    let next = if full {
        "make room on that disk"
    } else {
        "run this in a folder that you may write, or name another file by `-c FILE`"
    };
    Failure::Failed(format!("`{}` cannot be written: {error}\nhint: {next}", path.display()))
}
