//! The `job` section of a pool.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// How jobs run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawJob {
    /// The image of jobs that name none. Default: alpine:3.
    #[schemars(length(min = 1))]
    pub(in crate::spec) image: Option<String>,
    /// The network of job containers. Default: auto.
    pub(in crate::spec) network: Option<RawJobNetwork>,
    /// Gives jobs full access to the host. Default: false.
    pub(in crate::spec) privileged: Option<bool>,
    /// Mounts the engine's socket into jobs, which gives them the host. Default: false.
    pub(in crate::spec) docker_socket: Option<bool>,
    /// Capabilities taken from jobs and given to them.
    pub(in crate::spec) capabilities: Option<RawCapabilities>,
    /// When job images are pulled, in order of trying. Default: always, if-not-present.
    #[schemars(extend("uniqueItems" = true, "minItems" = 1))]
    pub(in crate::spec) pull_policy: Option<Vec<RawPullPolicy>>,
    /// Further volumes, as gitlab-runner writes them.
    pub(in crate::spec) volumes: Option<Vec<String>>,
    /// Image patterns that jobs may use. Default: all.
    pub(in crate::spec) allowed_images: Option<Vec<String>>,
    /// Image patterns that services may use. Default: all.
    pub(in crate::spec) allowed_services: Option<Vec<String>>,
    /// Further variables of jobs.
    pub(in crate::spec) environment: Option<BTreeMap<String, String>>,
}

/// The network of job containers: `per-job` is one for each job, `shared` the runners' own,
/// `host` the host's, and `auto` is per job unless GitLab can only be reached by the shared one.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::spec) enum RawJobNetwork {
    Auto,
    PerJob,
    Shared,
    Host,
}

/// Capabilities taken from jobs and given to them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawCapabilities {
    /// Taken. Default: `NET_RAW`, `MKNOD`, `AUDIT_WRITE`, `SETFCAP`, `SYS_CHROOT`.
    pub(in crate::spec) drop: Option<Vec<String>>,
    /// Given. Default: none.
    pub(in crate::spec) add: Option<Vec<String>>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::spec) enum RawPullPolicy {
    Always,
    IfNotPresent,
    Never,
}
