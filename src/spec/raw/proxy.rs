//! The `proxy` section, of the file and of a pool.

use schemars::JsonSchema;
use serde::Deserialize;

/// The proxy of runners and their jobs; empty: none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawProxy {
    /// For http:// URLs, as in <http://proxy.example.com:3128>. One with a password goes to jobs
    /// alone.
    pub(in crate::spec) http: Option<String>,
    /// For https:// URLs. One with a password goes to jobs alone.
    pub(in crate::spec) https: Option<String>,
    /// Hosts, domains and networks that are asked directly, with commas between them. A GitLab whose
    /// name has no dot always is.
    pub(in crate::spec) no_proxy: Option<String>,
}
