//! A spec in a project's repository at GitLab, read by commit.
//!
//! A ref is asked for the commit that it names; its file is read only where that is another commit
//! than last time, so that asking again is one small request. The server and its token are the
//! operator's, read anew each time: a token that was renewed counts at once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use secrecy::{ExposeSecret, SecretString};

use super::address::Address;
use super::environment::{Environment, Variables};
use super::error::LoadError;
use super::file::{self, FileError};
use super::origin::{SPEC_BYTES_MAX, Text};
use crate::gitlab::{Commit, GitlabError, Repository};
use crate::lock::locked;
use crate::spec::{ALLOWED_KEYS, ALLOWED_VARIABLES, CREDENTIALS, Limits};

/// A token, or a bundle of certificates.
pub(super) const BYTES_MAX: u64 = 1 << 20;

/// The operator's variables that say which GitLab has the spec.
const URL: &str = "GITLAB_URL";
pub(super) const TOKEN: &str = "GITLAB_TOKEN";
pub(super) const TOKEN_FILE: &str = "GITLAB_TOKEN_FILE";
const CA_FILE: &str = "GITLAB_CA_FILE";

/// The GitLab that has the spec, and what opens it.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its base URL.
    pub url: String,
    /// The token that reads the spec.
    pub token: SecretString,
    /// An authority to trust beside the system's, as PEM.
    pub ca: Option<Vec<u8>>,
}

impl Access {
    fn of(variables: &Variables) -> Result<Self, RemoteProblem> {
        let url = variables.known(URL).ok_or(RemoteProblem::Unset(URL))?;
        let token = token(variables)?.ok_or(RemoteProblem::Unset(TOKEN))?;
        let ca = variables.known(CA_FILE).map(|path| file::bytes(Path::new(&path), BYTES_MAX));
        Ok(Self { url, token, ca: ca.transpose()?.map(|(bytes, _)| bytes) })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.url == other.url
            && self.token.expose_secret() == other.token.expose_secret()
            && self.ca == other.ca
    }
}

/// The token that reads the spec: a variable, or the file that one names.
pub(super) fn token(variables: &Variables) -> Result<Option<SecretString>, FileError> {
    if let Some(token) = variables.known(TOKEN) {
        return Ok(Some(token.into()));
    }
    let Some(path) = variables.known(TOKEN_FILE) else { return Ok(None) };
    let (text, _) = file::text(Path::new(&path), BYTES_MAX)?;
    let token = text.trim();
    Ok((!token.is_empty()).then(|| token.to_owned().into()))
}

/// How a server's repositories are reached; nothing is sent yet.
pub type ConnectRepository = dyn Fn(&Access) -> Result<Arc<dyn Repository>, String> + Send + Sync;

/// A spec at GitLab, and the way to it.
#[derive(Clone)]
pub struct Remote {
    address: Address,
    environment: Environment,
    connect: Arc<ConnectRepository>,
    memory: Arc<Mutex<Memory>>,
}

/// What need not be asked for again.
#[derive(Default)]
struct Memory {
    connected: Option<(Access, Arc<dyn Repository>)>,
    /// What the file held at that commit.
    text: Option<(String, String)>,
}

impl Remote {
    /// The file at `address` of the GitLab that the environment names.
    pub fn new(
        address: Address,
        environment: Environment,
        connect: Arc<ConnectRepository>,
    ) -> Self {
        Self { address, environment, connect, memory: Arc::default() }
    }

    /// What it is called.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Whose limits its text has.
    pub(super) fn limits(&self) -> Limits {
        self.environment.variables().map_or_else(|_| Limits::default(), |known| limits(&known))
    }

    /// The files of this machine that say how it is reached.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let variables = self.environment.variables().unwrap_or_default();
        let files = [TOKEN_FILE, CA_FILE].map(|name| variables.known(name).map(PathBuf::from));
        files.into_iter().flatten()
    }

    /// The text at the commit that the ref names now.
    pub(super) async fn read(&self) -> Result<Text, LoadError> {
        self.try_read().await.map_err(|problem| {
            LoadError::Remote(Box::new(RemoteError { address: self.address.clone(), problem }))
        })
    }

    async fn try_read(&self) -> Result<Text, RemoteProblem> {
        let repository = self.connected()?;
        let Address { project, git_ref, path, .. } = &self.address;
        let commit = repository.commit(project, git_ref).await?;
        let known = locked(&self.memory).text.clone();
        if let Some((_, text)) = known.filter(|(id, _)| *id == commit.id) {
            return Ok(Text::of_commit(text, commit));
        }
        let bytes = repository.file(project, path, &commit.id).await?;
        let text = text(&bytes)?;
        locked(&self.memory).text = Some((commit.id.clone(), text.clone()));
        Ok(Text::of_commit(text, commit))
    }

    /// The same way as before, unless the operator names another: it knows when GitLab wants a pause.
    fn connected(&self) -> Result<Arc<dyn Repository>, RemoteProblem> {
        let variables = self.environment.variables();
        let variables = variables.map_err(|error| RemoteProblem::Access(error.to_string()))?;
        let access = Access::of(&variables)?;
        let mut memory = locked(&self.memory);
        if let Some((known, repository)) = &memory.connected
            && known.is_same(&access)
        {
            return Ok(Arc::clone(repository));
        }
        let repository = (self.connect)(&access).map_err(RemoteProblem::Access)?;
        let connected = Some((access, Arc::clone(&repository)));
        *memory = Memory { connected, text: None };
        Ok(repository)
    }
}

/// What the operator lets a spec say.
pub(super) fn limits(variables: &Variables) -> Limits {
    let known = |name: &str| variables.known(name).unwrap_or_default();
    let folder = variables.known(CREDENTIALS).or_else(|| variables.known("CREDENTIALS_DIRECTORY"));
    let (url, folder) = (known(URL), folder.map(PathBuf::from));
    Limits::new(&url, folder, &known(ALLOWED_VARIABLES), &known(ALLOWED_KEYS))
}

fn text(bytes: &[u8]) -> Result<String, RemoteProblem> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > SPEC_BYTES_MAX {
        return Err(RemoteProblem::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| RemoteProblem::NotText)?;
    Ok(text.to_owned())
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("address", &self.address).finish_non_exhaustive()
    }
}

impl PartialEq for Remote {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl Eq for Remote {}

/// A spec at GitLab that cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the spec at {address} cannot be read: {problem}")]
pub struct RemoteError {
    address: Address,
    problem: RemoteProblem,
}

impl RemoteError {
    /// It may well be readable soon, without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        match &self.problem {
            RemoteProblem::Gitlab(error) => match error {
                GitlabError::Unreachable { .. }
                | GitlabError::Limited { .. }
                | GitlabError::ServerFailed { .. }
                | GitlabError::NotGitlab { .. } => true,
                GitlabError::Unauthorized { .. }
                | GitlabError::Forbidden { .. }
                | GitlabError::NotFound { .. }
                | GitlabError::Rejected { .. } => false,
            },
            RemoteProblem::Unset(_)
            | RemoteProblem::Access(_)
            | RemoteProblem::TooLarge
            | RemoteProblem::NotText => false,
        }
    }
}

/// Why.
#[derive(Debug, Clone)]
enum RemoteProblem {
    /// A variable of the operator's is missing.
    Unset(&'static str),
    /// The way to GitLab cannot be made.
    Access(String),
    Gitlab(GitlabError),
    TooLarge,
    NotText,
}

impl From<GitlabError> for RemoteProblem {
    fn from(error: GitlabError) -> Self {
        Self::Gitlab(error)
    }
}

impl From<FileError> for RemoteProblem {
    fn from(error: FileError) -> Self {
        Self::Access(error.to_string())
    }
}

/// The same words as long as the same is wrong: they are said once.
impl fmt::Display for RemoteProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset(name) => {
                write!(f, "`{name}` is not set\nhint: set `{URL}` and `{TOKEN}` or `{TOKEN_FILE}`")
            }
            Self::Access(problem) => f.write_str(problem),
            Self::TooLarge => write!(f, "it is larger than {} MiB", SPEC_BYTES_MAX >> 20),
            Self::NotText => f.write_str("it is not UTF-8\nhint: save it as UTF-8"),
            Self::Gitlab(error) => match error {
                GitlabError::Unauthorized { said, .. } => write!(
                    f,
                    "GitLab refused the token ({said})\n\
                     hint: make a new one and set `{TOKEN}`, or write it to the file of `{TOKEN_FILE}`"
                ),
                GitlabError::NotFound { object } => write!(
                    f,
                    "GitLab knows no {object}\n\
                     hint: compare it with the project's page; to read it takes the role Reporter"
                ),
                GitlabError::Limited { .. } => f.write_str("GitLab limits our requests"),
                GitlabError::NotGitlab { endpoint, problem } => write!(
                    f,
                    "the answer to {endpoint} is not GitLab's: {problem}\n\
                     hint: check `{URL}`; a proxy or login page may answer in its place"
                ),
                GitlabError::Unreachable { .. }
                | GitlabError::Forbidden { .. }
                | GitlabError::Rejected { .. }
                | GitlabError::ServerFailed { .. } => error.fmt(f),
            },
        }
    }
}

impl Text {
    fn of_commit(text: String, commit: Commit) -> Self {
        Self { commit: Some(commit), ..Self::of_text(text) }
    }
}
