//! One load: the file and everything it names, read and checked whole, or refused whole.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::certificates;
use super::credentials;
use super::environment::Environment;
use super::error::{LoadError, Warning};
use super::file::{self, FileError, FileProblem};
use super::origin::{Origin, Text};
use super::proxies;
use super::remote::{self, TOKEN};
use super::written::Written;
use crate::gitlab::Commit;
use crate::spec::{Credential, Faults, Missing, Spec};

/// A spec as it was loaded, with what its files held at that moment.
#[derive(Clone)]
pub struct Loaded {
    /// The spec; each of its credentials is a [`crate::spec::Credential::Value`].
    pub spec: Arc<Spec>,
    /// Its origin as the operator named it.
    pub source: String,
    /// Twelve hex digits that differ when the spec differs. Keyed with GitLab's token: they are
    /// shown to all, and nobody shall be able to prove a guess at what the spec hides by them.
    pub hash: String,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// What is worth a word and no reason to refuse.
    pub warnings: Vec<Warning>,
    /// What `gitlab.ca_file` holds.
    pub ca: Option<Vec<u8>>,
    /// The file as it was written.
    pub written: Arc<Written>,
    /// The file that `gitlab.token_file` names.
    pub(super) token_file: Option<PathBuf>,
    /// The commit that has it; none where it comes from a file.
    pub commit: Option<Commit>,
    /// Everything that went in; the same again is no change.
    pub(super) inputs: Inputs,
}

/// Leaves out the authority's bytes and the inputs.
impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("spec", &self.spec)
            .field("source", &self.source)
            .field("hash", &self.hash)
            .field("loaded_at", &self.loaded_at)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// Reads the spec of `origin`, its variables and every file it names.
pub async fn load(
    origin: &Origin,
    environment: &Environment,
    now: Timestamp,
) -> Result<Loaded, LoadError> {
    load_text(origin, origin.read().await, environment, now, &mut Noted::default())
}

/// The same of the text that was read there; `noted` gets every file that counts beside the spec's
/// own, whatever comes of it.
pub(super) fn load_text(
    origin: &Origin,
    read: Result<Text, LoadError>,
    environment: &Environment,
    now: Timestamp,
    noted: &mut Noted,
) -> Result<Loaded, LoadError> {
    noted.0.extend(environment.files().iter().cloned());
    let Text { content: text, revision, commit } = read?;
    let source = origin.to_string();
    let mut inputs = Inputs::new(&revision.0);
    let variables = environment.variables()?;
    let limits = origin.limits();
    let asked = RefCell::new(BTreeMap::new());
    // What reads a spec at GitLab may be what it names, wherever the operator keeps it.
    let own_token = limits.as_ref().and_then(|_| remote::token(&variables).ok().flatten());
    let own_token = own_token.map(|token| token.expose_secret().to_owned());
    let lookup = |name: &str| {
        let of_file = || own_token.as_ref().filter(|_| name == TOKEN).cloned();
        let value = variables.lookup(name).or_else(of_file);
        asked.borrow_mut().insert(name.to_owned(), value.clone());
        value
    };
    let folder = &origin.folder(limits.as_ref());
    let parsed = match Spec::parse_partly(&source, &text, &lookup, Missing::Fault, limits.as_ref())
    {
        Ok(parsed) => parsed,
        // A file that was refused is not read to say more of it.
        Err((text, _)) if limits.is_some() => return Err(text.into()),
        Err((text, rest)) => return Err(with_files(text, rest, folder, noted)),
    };
    let asked = asked.take();
    for (name, value) in &asked {
        inputs.add(name, value.as_deref().unwrap_or_default().as_bytes());
    }
    let written = Arc::new(Written::new(text.clone(), parsed.variables, asked).within(limits));
    let said = |fault| Warning::Spec { source: source.clone(), fault };
    let mut warnings: Vec<_> = parsed.warnings.into_iter().map(said).collect();
    warnings.extend(origin.warning(commit.as_ref()));
    let mut spec = parsed.spec;
    place(&mut spec, folder);
    let token_file = match &spec.gitlab.token {
        Credential::File(path) => Some(folder.join(path)),
        Credential::Value(_) => None,
    };
    let mut errors = credentials::read(&mut spec, folder, &mut warnings, &mut inputs, noted);
    proxies::fill(&mut spec, environment, &mut warnings, &mut inputs, noted)?;
    let ca = certificates::authority(&spec, noted).unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    errors.extend(certificates::of_hosts(&spec, noted));
    if !errors.is_empty() {
        return Err(LoadError::Named(errors));
    }
    inputs.add("gitlab.ca_file", ca.as_deref().unwrap_or_default());
    spec.gitlab.ca = ca.as_deref().map(|pem| String::from_utf8_lossy(pem).into_owned());
    let hash = parsed.digest.keyed(&spec.gitlab.token);
    let (spec, loaded_at) = (Arc::new(spec), now);
    Ok(Loaded { spec, source, hash, loaded_at, warnings, ca, written, token_file, commit, inputs })
}

/// What is wrong with a text, and with the files that it names.
fn with_files(
    text: Faults,
    rest: Option<Box<Spec>>,
    folder: &Path,
    noted: &mut Noted,
) -> LoadError {
    let Some(mut spec) = rest else { return LoadError::Spec(text) };
    place(&mut spec, folder);
    // All that they hold is dropped: nothing of this spec comes into force.
    let mut inputs = Inputs::new(&[]);
    let mut files = credentials::read(&mut spec, folder, &mut Vec::new(), &mut inputs, noted);
    files.extend(certificates::authority(&spec, noted).err());
    files.extend(certificates::of_hosts(&spec, noted));
    if files.is_empty() { LoadError::Spec(text) } else { LoadError::Both { text, files } }
}

/// Puts the folder before each relative path that is used on this machine and stays a path.
fn place(spec: &mut Spec, folder: &Path) {
    let certificates = spec.hosts.values_mut().filter_map(|host| host.tls.as_mut());
    let certificates = certificates.flat_map(|tls| [&mut tls.ca, &mut tls.cert, &mut tls.key]);
    let gitlab = spec.gitlab.token_cache.iter_mut().chain(spec.gitlab.ca_file.iter_mut());
    for path in certificates.chain(gitlab) {
        *path = folder.join(&*path);
    }
}

/// The files that a load read, or tried to read, beside the spec's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Noted(pub(super) BTreeSet<PathBuf>);

impl Noted {
    /// The bytes of such a file.
    pub(super) fn bytes(&mut self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
        self.0.insert(path.to_owned());
        match file::bytes(path, limit)?.0 {
            bytes if bytes.is_empty() => Err(FileProblem::Empty.of(path)),
            bytes => Ok(bytes),
        }
    }
}

/// A digest of all that went into a load: text, variables, credentials and authority. Two loads
/// with the same inputs have the same spec, so nothing of a spec needs to be compared, secrets
/// least of all.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Inputs([u8; 32]);

impl Inputs {
    fn new(revision: &[u8]) -> Self {
        Self(Sha256::digest(revision).into())
    }

    pub(super) fn add(&mut self, name: &str, value: &[u8]) {
        let mut digest = Sha256::new();
        digest.update(self.0);
        digest.update(Sha256::digest(name));
        digest.update(Sha256::digest(value));
        self.0 = digest.finalize().into();
    }
}
