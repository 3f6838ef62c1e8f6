//! The `gitlab` section.

use schemars::JsonSchema;
use serde::Deserialize;

/// How GitLab is reached.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawGitlab {
    /// GitLab's base URL.
    #[schemars(required)]
    pub(in crate::spec) url: Option<String>,
    /// API token: `read_api` for the queue; `create_runner` and `manage_runner` unless every pool
    /// has a `runner_token`.
    pub(in crate::spec) token: Option<String>,
    /// File that holds the API token.
    pub(in crate::spec) token_file: Option<String>,
    /// Legacy registration token, for servers that still take it.
    pub(in crate::spec) registration_token: Option<String>,
    /// File that holds the legacy registration token.
    pub(in crate::spec) registration_token_file: Option<String>,
    /// Folder in which runner tokens are kept over restarts. Losing it costs caches only.
    pub(in crate::spec) token_cache: Option<String>,
    /// Time between two looks at the queue, from 1s to 5m. Default: 10s.
    #[schemars(extend("format" = "time-span"))]
    pub(in crate::spec) poll_interval: Option<String>,
    /// How the queue is read. Default: auto.
    pub(in crate::spec) queue_source: Option<RawQueueSource>,
    /// What is said of jobs that no pool may take: `warn`, unless another runner of GitLab that is
    /// online may take them; `ignore`: they are for runners that the token does not see. Default:
    /// warn.
    pub(in crate::spec) unmatched: Option<RawUnmatched>,
    /// Full paths or ids of groups to which the queue is limited. Default: all the token may see.
    pub(in crate::spec) groups: Option<Vec<String>>,
    /// Full paths or ids of projects to which the queue is limited. Default: all the token may see.
    pub(in crate::spec) projects: Option<Vec<String>>,
    /// What runners use to reach GitLab. Default: `url`.
    pub(in crate::spec) runner_url: Option<String>,
    /// What jobs clone from. Default: what GitLab says.
    pub(in crate::spec) clone_url: Option<String>,
    /// A certificate authority to trust beside the system's.
    pub(in crate::spec) ca_file: Option<String>,
    /// The webhook's secret: a plain token or `whsec_…`.
    pub(in crate::spec) webhook_secret: Option<String>,
    /// File that holds the webhook's secret.
    pub(in crate::spec) webhook_secret_file: Option<String>,
}

/// How the queue is read: `instance` needs an administrator's token, `projects` does not, `auto`
/// takes what the token allows.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::spec) enum RawQueueSource {
    Auto,
    Instance,
    Projects,
}

/// What is said of jobs that no pool may take.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::spec) enum RawUnmatched {
    Warn,
    Ignore,
}
