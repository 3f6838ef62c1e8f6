//! The AutoGit that runs on this machine, asked through its API: it remembers what a fresh look
//! cannot see, such as which runners it asked to exit and what failed lately.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::Adapters;
use crate::gitlab::Transport;
use crate::spec::Spec;
use crate::view::StatusOutput;

/// A running AutoGit of the spec's instance.
#[derive(Debug)]
pub(super) struct Running {
    transport: Arc<dyn Transport>,
    base: String,
    /// How everything stands.
    pub(super) status: StatusOutput,
}

impl Running {
    /// The one that answers where the spec says that it listens. Another instance's is none.
    pub(super) async fn find(spec: &Spec, adapters: Adapters) -> Option<Self> {
        let base = format!("http://{}", reachable(spec.api.listen));
        let transport = (adapters.api)().ok()?;
        let status: StatusOutput = get(transport.as_ref(), &base, "/status").await?;
        (status.instance == spec.instance.as_str()).then_some(Self { transport, base, status })
    }

    /// What it answers to `path`; `None`: it does not, or not in our words.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        get(self.transport.as_ref(), &self.base, path).await
    }
}

async fn get<T: DeserializeOwned>(transport: &dyn Transport, base: &str, path: &str) -> Option<T> {
    let request = http::Request::get(format!("{base}{path}")).body(Bytes::new()).ok()?;
    let answer = transport.send(request).await.ok()?;
    let body = answer.status().is_success().then(|| answer.into_body())?;
    serde_json::from_slice(&body).ok()
}

/// One that listens everywhere is asked on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        any if !any.is_unspecified() => any,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(address, listen.port())
}
