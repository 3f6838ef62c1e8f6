//! The `job` section of a pool.

use std::collections::BTreeMap;

use super::Change::Runners;
use super::Kind::{Field, Section};
use super::Pushed::{AllBut, Allowed, FalseOnly, Freely};
use super::Secrecy::{OfTheFile, Secret};
use super::{HOST, section};
use crate::spec::{JobNetwork, PullPolicy};

section! {
    /// How jobs run.
    RawJob;
    /// How jobs run.
    #[derive(PartialEq)]
    JobSpec {}

    /// The image of jobs that name none. Default: alpine:3.
    #[schemars(length(min = 1))]
    image: String => String, Field(OfTheFile, Runners, Freely);
    /// The network of job containers: `per-job` is one for each job, `shared` the runners' own,
    /// `host` the host's, and `auto` is per job unless GitLab can only be reached by the shared one.
    /// Default: auto.
    network: JobNetwork => JobNetwork,
        Field(OfTheFile, Runners, AllBut("host", "it gives jobs the network of the host"));
    /// Gives jobs full access to the host. Default: false.
    privileged: bool => bool, Field(OfTheFile, Runners, FalseOnly(HOST));
    /// Mounts the engine's socket into jobs, which gives them the host. Default: false.
    docker_socket: bool => bool, Field(OfTheFile, Runners, FalseOnly(HOST));
    /// Capabilities taken from jobs and given to them.
    capabilities: RawCapabilities => Capabilities, Section(RawCapabilities::ROWS);
    /// When job images are pulled, in order of trying. Default: always, if-not-present.
    #[schemars(extend("uniqueItems" = true, "minItems" = 1))]
    pull_policy: Vec<PullPolicy> => Vec<PullPolicy>, Field(OfTheFile, Runners, Freely);
    /// Further volumes, as gitlab-runner writes them.
    volumes: Vec<String> => Vec<String>, Field(OfTheFile, Runners, Allowed(HOST));
    /// Image patterns that jobs may use. Default: all.
    allowed_images: Vec<String> => Vec<String>, Field(OfTheFile, Runners, Freely);
    /// Image patterns that services may use. Default: all.
    allowed_services: Vec<String> => Vec<String>, Field(OfTheFile, Runners, Freely);
    /// Further variables of jobs.
    environment: BTreeMap<String, String> => BTreeMap<String, String>,
        Field(Secret, Runners, Freely);
}

section! {
    /// Capabilities taken from jobs and given to them.
    RawCapabilities;
    /// Capabilities taken from jobs and given to them.
    #[derive(PartialEq)]
    Capabilities {}

    /// Taken. Default: `NET_RAW`, `MKNOD`, `AUDIT_WRITE`, `SETFCAP`, `SYS_CHROOT`.
    drop: Vec<String> => Vec<String>, Field(OfTheFile, Runners, Freely);
    /// Given. Default: none.
    add: Vec<String> => Vec<String>, Field(OfTheFile, Runners, Allowed(HOST));
}
