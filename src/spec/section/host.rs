//! The `hosts` section.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Change::{InPlace, NotYet, Runners};
use super::Kind::Field;
use super::Pushed::{Allowed, FalseOnly, Freely};
use super::Secrecy::OfTheFile;
use super::{RawArch, section};
use crate::spec::{Arch, BudgetSpec, ServedPools, TlsSpec, Vendor};

section! {
    /// A Docker host.
    RawHost;
    /// One Docker host.
    #[derive(PartialEq, Default)]
    HostSpec {}

    /// The engine's endpoint: `unix:///path`, `tcp://host:port` or `ssh://user@host`.
    #[schemars(required)]
    docker: String => Option<String>,
        Field(OfTheFile, InPlace, Allowed("AutoGit hands runner tokens to that engine"));
    /// Certificates for a tcp:// endpoint.
    tls: RawTls => Option<TlsSpec>,
        Field(OfTheFile, InPlace, Allowed("it is how that engine is trusted"));
    /// The engine's socket as that host sees it, for mounting. Default: found.
    socket: String => Option<PathBuf>,
        Field(OfTheFile, Runners, Allowed("runners get what is at that path"));
    /// The endpoint is a Swarm manager. Default: false.
    swarm: bool, Field(OfTheFile, NotYet, FalseOnly("it changes which engines are used"));
    /// Endpoints of the Swarm's nodes.
    nodes: Vec<String>, Field(OfTheFile, NotYet, Allowed("it changes which engines are used"));
    /// What runners may use of the host.
    budget: RawBudget => BudgetSpec, Field(OfTheFile, InPlace, Freely);
    /// Nothing is started there, and the runners that are there exit after their jobs. Default:
    /// false.
    maintenance: bool => bool, Field(OfTheFile, InPlace, Freely);
    /// Architectures that its kernel runs through QEMU, for pools with `emulate`. Where AutoGit runs
    /// on that host, it sees them by itself. Default: none.
    #[schemars(extend("uniqueItems" = true))]
    emulates: Vec<RawArch> => Vec<Arch>, Field(OfTheFile, InPlace, Freely);
    /// The pools that may run there. Default: all it can serve.
    pools: Vec<String> => ServedPools, Field(OfTheFile, InPlace, Freely);
}

/// Certificates for a tcp:// endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawTls {
    /// The authority that signed the engine's certificate.
    #[schemars(required)]
    pub(in crate::spec) ca: Option<String>,
    /// Our certificate.
    #[schemars(required)]
    pub(in crate::spec) cert: Option<String>,
    /// Our key.
    #[schemars(required)]
    pub(in crate::spec) key: Option<String>,
}

/// What runners may use of a host.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawBudget {
    /// Live runners. Default: two per cpu.
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::spec) runners: Option<u32>,
    /// Cpus, for pools that set `resources`. Default: what the host has.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 100_000))]
    pub(in crate::spec) cpus: Option<f64>,
    /// Memory, for pools that set `resources`, as in 4GiB. Default: what the host has.
    #[schemars(extend("format" = "byte-size"))]
    pub(in crate::spec) memory: Option<String>,
    /// What runners, their jobs and their caches may take of the disk, as in 100GiB. From nine tenths
    /// on the caches go that were not used for longest; at the limit nothing is started. Default: no
    /// limit.
    #[schemars(extend("format" = "byte-size"))]
    pub(in crate::spec) disk: Option<String>,
    /// What has to stay free of the disk, as in 20GiB, where AutoGit runs on that host and sees its
    /// disk. Default: nothing.
    #[schemars(extend("format" = "byte-size"))]
    pub(in crate::spec) disk_free: Option<String>,
    /// GPUs for pools that ask for some: `auto`, at most how many, or which. Default: auto, what the
    /// host has, where AutoGit runs on it.
    pub(in crate::spec) gpus: Option<RawGpus>,
}

/// GPUs of a host: `auto`, how many, or which.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::spec) enum RawGpus {
    /// What the host has.
    Auto(RawAuto),
    /// So many.
    Count(#[schemars(range(min = 0, max = 1_000))] u32),
    /// These.
    These(#[schemars(length(max = 1_000))] Vec<RawHostGpu>),
}

/// One GPU of a host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawHostGpu {
    /// Whose it is.
    #[schemars(required)]
    pub(in crate::spec) vendor: Option<Vendor>,
    /// What NVIDIA's tools call it: its number, or its UUID.
    pub(in crate::spec) id: Option<String>,
    /// The device nodes that make it up.
    pub(in crate::spec) devices: Option<Vec<String>>,
}

/// What the host has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::spec) enum RawAuto {
    Auto,
}
