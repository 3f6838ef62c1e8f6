//! Where the AutoGit of an instance answers: written beside its lock, so that commands find it also
//! while its spec's file is faulty, or in a shell that lacks the spec's variables.
//!
//! What is written here is a hint: a process that died cannot take it back. Whoever follows it
//! believes the answer only if it names the same instance.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::lock::own_folder;
use super::origin::Place;

/// One address, one path and a few words.
const BYTES_MAX: u64 = 16 << 10;

/// How such a file's name ends.
const SUFFIX: &str = "json";

/// An AutoGit that runs, or ran, on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Its instance.
    pub instance: String,
    /// Its process.
    pub pid: u32,
    /// Where its API listens; none while it has none.
    pub api: Option<SocketAddr>,
    /// Where its spec comes from.
    pub spec: Place,
    /// What lets this user's commands see what it shows, where that takes a token.
    pub key: Key,
}

/// A token of one process, for its own user's commands: the file that holds it is that user's alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(String);

impl Key {
    /// One that nobody guesses.
    pub fn new() -> io::Result<Self> {
        let mut bytes = [0_u8; 24];
        SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no random bytes"))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The token itself.
    pub fn secret(&self) -> SecretString {
        self.0.clone().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Presence {
    /// Writes it where others of this user look; beside the old one first, so that nobody reads
    /// half of it.
    pub(super) fn write(&self, lock: &Path) -> io::Result<PathBuf> {
        let path = lock.with_extension(SUFFIX);
        let draft = lock.with_extension("draft");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        std::fs::rename(&draft, &path)?;
        Ok(path)
    }
}

/// All that processes of this user wrote in `folders`, one per instance. What cannot be read is none.
pub fn presences(folders: &[PathBuf]) -> Vec<Presence> {
    let mut found: Vec<Presence> = Vec::new();
    for folder in folders {
        let Ok(own) = own_folder(folder) else { continue };
        let Ok(entries) = std::fs::read_dir(own) else { continue };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for presence in files.iter().filter_map(|file| read(file)) {
            if !found.iter().any(|known| known.instance == presence.instance) {
                found.push(presence);
            }
        }
    }
    found
}

fn read(file: &Path) -> Option<Presence> {
    file.extension().filter(|suffix| *suffix == SUFFIX)?;
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(BYTES_MAX).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
