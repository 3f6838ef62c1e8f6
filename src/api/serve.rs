//! The listener: connections in bounded number, each with bounded patience.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::patience::Patient;
use super::{Api, routes};

/// Connections that are open at the same time. Each costs a few KiB and a file descriptor, of which
/// a process has 1024 by default; a dozen dashboards and scrapers need fewer than a hundred.
pub const CONNECTIONS_MAX: usize = 256;

/// Connections beyond that which are told so at the same time, each for [`LINGER`] at most.
const TURNED_AWAY_MAX: usize = 64;

/// How long a client that is turned away may take to read a hundred bytes.
const LINGER: Duration = Duration::from_secs(1);

/// How long a client may take for the head of a request, and how long a connection may be silent
/// between two requests. A dashboard polls every few seconds; a half-open connection is gone soon.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// Bytes of a connection's buffer, and so of a request's head: browsers send 1 to 8 KiB.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// How long open answers may take to end when the server ends.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// The pause after an accept that failed: the system is short of something.
const SHORTAGE: Duration = Duration::from_millis(500);

/// What a connection beyond the limit is told, without being read.
const FULL: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    content-length: 128\r\nretry-after: 1\r\nconnection: close\r\n\r\n\
    {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"code\":\"too-many-connections\",\"detail\":\"try again in a second\"}";

/// Tells streams and connections that the server ends.
#[derive(Debug, Clone)]
pub(super) struct Ending(watch::Receiver<bool>);

impl Ending {
    /// For handlers that are called in process: no server, so no end.
    pub(super) fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// Waits for the server's end.
    pub(super) async fn wait(&mut self) {
        if self.0.wait_for(|ending| *ending).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Serves the API on `listener` until `shutdown`, then lets open answers end.
pub async fn serve(listener: TcpListener, api: Api, shutdown: impl Future<Output = ()>) {
    let (end, ending) = watch::channel(false);
    let ending = Ending(ending);
    let clock = api.clock.clone();
    let router = routes::router(Api { ending: ending.clone(), ..api });
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let doorsteps = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !is_clients(&error) {
                    tracing::warn!("the API cannot take a connection: {error}");
                    clock.sleep(SHORTAGE).await;
                }
                continue;
            }
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                connections.spawn(connection(stream, router.clone(), ending.clone(), place));
            }
            // Beyond this limit, too, there is nothing but the closed connection.
            Err(_) => {
                if let Ok(place) = Arc::clone(&doorsteps).try_acquire_owned() {
                    connections.spawn(turn_away(stream, place));
                }
            }
        }
    }
    end.send_replace(true);
    let farewell = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = farewell => {}
        () = clock.sleep(FAREWELL_MAX) => {}
    }
}

/// Tells a connection beyond the limit so, and waits a moment for the client to have read it: a
/// connection that is closed while its request arrives is reset, and the answer lost with it.
async fn turn_away(mut stream: TcpStream, _place: OwnedSemaphorePermit) {
    let told = async {
        stream.write_all(FULL.as_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    // Whether it was read in time is the client's own affair.
    let _ = tokio::time::timeout(LINGER, told).await;
}

async fn connection(
    stream: TcpStream,
    router: axum::Router,
    mut ending: Ending,
    _place: OwnedSemaphorePermit,
) {
    // Events are small and each is worth sending at once.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Patient::new(stream));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(io, TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        // What goes wrong here is the client's: it left, was slow or spoke no HTTP.
        served = connection.as_mut() => drop(served),
        () = ending.wait() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

/// The client left before it was accepted.
fn is_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
