//! Which proxy runners and jobs use, and who says so.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::{HostName, Pool, Proxy, ProxyOrigin, Spec};

/// A proxy in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProxyOutput {
    /// The pools whose runners and jobs use it.
    pub pools: Vec<String>,
    /// All pools do.
    pub all_pools: bool,
    /// For `http://`, without credentials.
    pub http: Option<String>,
    /// For `https://`, without credentials.
    pub https: Option<String>,
    /// What is asked directly.
    pub no_proxy: Option<String>,
    /// It asks for credentials, so that jobs alone use it.
    pub jobs_only: bool,
    /// Who says so: the pool, the file, AutoGit's environment or Docker's configuration.
    pub from: Cow<'static, str>,
}

impl ProxyOutput {
    /// `http://proxy:3128 for all pools, not for .lan (AutoGit's environment)`
    pub(crate) fn in_words(&self) -> String {
        let urls = match (&self.http, &self.https) {
            (Some(http), Some(https)) if http == https => http.clone(),
            (Some(http), Some(https)) => format!("{http} for http, {https} for https"),
            (Some(http), None) => format!("{http} for http"),
            (None, Some(https)) => format!("{https} for https"),
            (None, None) => "none".to_owned(),
        };
        let what = if self.jobs_only { "jobs" } else { "runners and jobs" };
        let whose = if self.all_pools { "all pools".to_owned() } else { self.pools.join(", ") };
        let direct = self.no_proxy.as_ref().map(|direct| format!("; not for {direct}"));
        let direct = direct.unwrap_or_default();
        format!("{urls}, {what} of {whose}{direct} (by {})", self.from)
    }
}

/// The proxies that a spec leads to, in file order of the pools.
pub(crate) fn proxies(spec: &Spec) -> Vec<ProxyOutput> {
    let hosts: Vec<&HostName> = spec.hosts.keys().collect();
    let mut found: Vec<(Proxy, ProxyOrigin, Vec<&Pool>)> = Vec::new();
    for (pool, host) in spec.pools.iter().flat_map(|pool| hosts.iter().map(move |it| (pool, *it))) {
        let Some((proxy, origin)) = spec.proxy(pool, host) else { continue };
        match found.iter_mut().find(|(one, by, _)| *one == proxy && *by == origin) {
            Some((_, _, pools)) if pools.iter().any(|it| it.name == pool.name) => {}
            Some((_, _, pools)) => pools.push(pool),
            None => found.push((proxy, origin, vec![pool])),
        }
    }
    let outputs = found.into_iter().map(|(proxy, origin, pools)| ProxyOutput {
        all_pools: pools.len() == spec.pools.len(),
        pools: pools.iter().map(|pool| pool.name.to_string()).collect(),
        http: proxy.http.as_ref().map(ToString::to_string),
        https: proxy.https.as_ref().map(ToString::to_string),
        no_proxy: proxy.no_proxy.clone(),
        jobs_only: proxy.of_runners().is_empty(),
        from: origin.to_string().into(),
    });
    outputs.collect()
}
