//! The ways to an engine on another machine: how a connection is made is ours, what is said on it
//! is bollard's.
//!
//! bollard's own ways make a connection for each request, which over ssh is a login each; its TLS
//! trusts every public authority beside the operator's, and goes on without a client certificate
//! that it cannot read; its ssh leaves a process behind that outlives a killed AutoGit.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tower::{Service as _, service_fn};

use super::raw::Wire;

/// bollard's own limit, in seconds; only to be longer than each of ours, which say what was
/// attempted.
pub(super) const BOLLARD_LIMIT: u64 = 3600;

/// What a look needs at once; more come and go with their requests.
const IDLE_MAX: usize = 4;
/// Longer than the pause between two looks, or each would connect anew.
const IDLE_LIMIT: Duration = Duration::from_secs(90);

/// A host that vanished says nothing: without asking, its event stream would look quiet for ever.
/// After a minute without an answer it is opened anew.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(10);
const KEEPALIVES: u32 = 3;

/// A connection, whatever it is made of.
pub(super) struct Way(Pin<Box<dyn Stream>>);

trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

impl Way {
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

/// A client whose connections `connect` makes; `address` is what it calls the engine.
pub(super) fn over<C, F>(address: &str, connect: C) -> Result<(Docker, Wire), Error>
where
    C: Fn(Uri) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = io::Result<Way>> + Send + 'static,
{
    let wire = wire(address, connect);
    let way = wire.clone();
    let send = move |request: BollardRequest| way.send(request);
    let base = Some(format!("http://{address}"));
    let docker =
        Docker::connect_with_custom_transport(send, base, BOLLARD_LIMIT, API_DEFAULT_VERSION)?;
    Ok((docker, wire))
}

/// The way on which `connect` makes the connections.
pub(super) fn wire<C, F>(address: &str, connect: C) -> Wire
where
    C: Fn(Uri) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = io::Result<Way>> + Send + 'static,
{
    let connector = service_fn(move |uri| {
        let connected = connect(uri);
        Box::pin(async move { connected.await.map(TokioIo::new) })
    });
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(IDLE_MAX)
        .pool_idle_timeout(IDLE_LIMIT)
        .pool_timer(TokioTimer::new())
        .build(connector);
    Wire::new(format!("http://{address}"), move |request: BollardRequest| {
        let answer = client.request(request);
        async move { answer.await.map_err(Error::from) }
    })
}

/// A client that speaks plain HTTP with the host and port `address`.
pub(super) fn over_tcp(address: &str) -> Result<(Docker, Wire), Error> {
    over(address, |uri| async { tcp(uri).await.map(Way::new) })
}

/// The way to a socket.
pub(super) fn wire_to_socket(path: &Path) -> Wire {
    let path = path.to_owned();
    wire("docker", move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(Way::new) }
    })
}

/// A connection to the host and port of `uri`.
pub(super) async fn tcp(uri: Uri) -> io::Result<TcpStream> {
    let mut connector = HttpConnector::new();
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE_AGAIN));
    connector.set_keepalive_retries(Some(KEEPALIVES));
    let connected = connector.call(uri).await.map_err(io::Error::other)?;
    Ok(connected.into_inner())
}

impl Connection for Way {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Way {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Way {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }
}
