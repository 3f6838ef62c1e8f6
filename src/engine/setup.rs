//! What an engine tells whoever sets AutoGit up. It is read on request and never by the loop, so it is
//! no part of [`super::Engine`].

use std::collections::BTreeSet;
use std::fmt::Debug;

use async_trait::async_trait;

use super::EngineError;
use crate::spec::Arch;

/// A Docker Engine that tells what is there to set up with.
#[async_trait]
pub trait Survey: Debug + Send + Sync {
    /// The engine's machine, and the containers of GitLab on it. Changes nothing.
    async fn survey(&self) -> Result<Surveyed, EngineError>;
}

/// What is there to set up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    /// The address that answered.
    pub endpoint: String,
    /// The engine's version.
    pub version: String,
    /// Its machine's architecture.
    pub arch: Arch,
    /// Its machine's cpus.
    pub cpus: u64,
    /// Its machine's memory in bytes.
    pub memory: u64,
    /// It runs without root.
    pub rootless: bool,
    /// Whose GPUs it can hand to containers: `nvidia`, …
    pub gpus: BTreeSet<String>,
    /// Containers that seem to run GitLab.
    pub gitlabs: Vec<GitlabContainer>,
}

/// A container that seems to run GitLab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitlabContainer {
    /// Its name.
    pub name: String,
    /// The port in it that is reached from outside, and the port on the machine; none published:
    /// only who shares a network reaches it.
    pub port: Option<(u16, u16)>,
    /// A network in which others find it by name.
    pub network: Option<String>,
}
