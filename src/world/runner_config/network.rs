//! The network of jobs.

use std::net::IpAddr;

use http::Uri;

use crate::spec::{JobNetwork, Pool};

/// The network of a pool's jobs, decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolvedNetwork {
    /// One per job.
    PerJob,
    /// The runners' own.
    Shared,
    /// The host's.
    Host,
}

/// The network of the jobs of `pool`, which clone from `clone_host`.
///
/// A per-job network resolves public names only. A name without a dot is a container's, or one
/// that a search domain completes, which such a network does not know either.
pub fn job_network(pool: &Pool, clone_host: &str) -> ResolvedNetwork {
    match pool.job.network {
        JobNetwork::Auto if is_single_label(clone_host) => ResolvedNetwork::Shared,
        JobNetwork::Auto | JobNetwork::PerJob => ResolvedNetwork::PerJob,
        JobNetwork::Shared => ResolvedNetwork::Shared,
        JobNetwork::Host => ResolvedNetwork::Host,
    }
}

/// The host in a URL, for [`job_network`].
pub fn host_of(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    url.host().map(str::to_owned)
}

fn is_single_label(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    !host.is_empty() && !host.contains('.') && bare.parse::<IpAddr>().is_err()
}
