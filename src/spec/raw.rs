//! The file's own shape: what serde reads and both schemas are generated from. The comments here
//! are the descriptions that editors show.

mod gitlab;
mod host;
mod job;
mod pool;
mod proxy;

pub(super) use gitlab::{RawGitlab, RawQueueSource, RawUnmatched};
pub(super) use host::{RawBudget, RawGpus, RawHost, RawTls};
pub(super) use job::{RawJob, RawJobNetwork, RawPullPolicy};
pub(super) use pool::{
    RawArch, RawCache, RawLostJobs, RawPool, RawResources, RawScope, RawWarm, RawWarmMap,
};

pub(super) use proxy::RawProxy;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Keeps GitLab Runner containers in agreement with this file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "autogit.yaml", extend("patternProperties" = {"^x-": true}))]
pub(super) struct RawSpec {
    /// Scopes labels and records. Default: autogit.
    #[schemars(pattern("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub(super) instance: Option<String>,
    /// How GitLab is reached.
    #[schemars(required)]
    pub(super) gitlab: Option<RawGitlab>,
    /// The Docker hosts by name. Default: one, `local`, from `DOCKER_HOST` or the usual sockets.
    #[schemars(extend("minProperties" = 1))]
    pub(super) hosts: Option<BTreeMap<String, RawHost>>,
    /// The bridge network that runners join. Default: autogit-network, or <instance>-network.
    #[schemars(pattern("^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"))]
    pub(super) network: Option<String>,
    /// The proxy of all runners and their jobs. Default: that of AutoGit's own environment
    /// (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`), else that of Docker's `config.json`.
    pub(super) proxy: Option<RawProxy>,
    /// How many runners may be started in a minute, over the whole instance. Default: 30.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) starts_per_minute: Option<u32>,
    /// Any pool field, for all pools. Maps merge deeply, lists replace, null resets.
    #[expect(
        dead_code,
        reason = "for the schema: it is merged into each pool before this is read"
    )]
    pub(super) defaults: Option<RawPool>,
    /// The pools of runners by name. `{}` asks for none: runners exit after their jobs, and what is
    /// left of them is removed.
    #[schemars(required)]
    pub(super) pools: Option<BTreeMap<String, RawPool>>,
    /// The status API.
    pub(super) api: Option<RawApi>,
}

/// The status API.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawApi {
    /// Address and port of the status API. Default: 127.0.0.1:8080.
    pub(super) listen: Option<String>,
    /// Where GitLab reaches the webhook.
    pub(super) external_url: Option<String>,
    /// Bearer token; without it nothing that changes something is served.
    pub(super) token: Option<String>,
    /// File that holds the bearer token.
    pub(super) token_file: Option<String>,
    /// Bearer token without which nothing but the page and `/health` is shown. Default: none, so
    /// whoever reaches the address sees projects, job names and errors.
    pub(super) read_token: Option<String>,
    /// File that holds the token for reading.
    pub(super) read_token_file: Option<String>,
    /// File that holds a bearer token which only previews plans.
    pub(super) plan_token_file: Option<String>,
}
