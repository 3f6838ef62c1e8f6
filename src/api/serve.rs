//! The listener: connections in bounded number, each with bounded patience.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

use super::connections::{self, Connection, Connections};
use super::{Api, routes};

/// Connections that are open at the same time. Each costs a few KiB and a file descriptor, of which
/// a process has 1024 by default; a dozen dashboards and scrapers need fewer than a hundred.
pub const CONNECTIONS_MAX: usize = 256;

/// How long a client may read nothing while there is something for it: phones that change their
/// network come back within this, and a stream's events pile up in the history, not here.
const STALL_MAX: Duration = Duration::from_secs(30);

/// Connections beyond that which wait for a place or are told that there is none, each for
/// [`LINGER`] at most.
const TURNED_AWAY_MAX: usize = 64;

/// How long a client waits for an idle one to leave, and how long one that is turned away may take
/// to read a hundred bytes.
const LINGER: Duration = Duration::from_secs(1);

/// How long a connection that was told to leave may take to write what it has.
const LEAVES_WITHIN: Duration = Duration::from_millis(250);

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
    let on_loopback =
        listener.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
    let router = routes::router(Api { ending: ending.clone(), on_loopback, ..api });
    let places = Connections::new(CONNECTIONS_MAX);
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
        let (router, ending) = (router.clone(), ending.clone());
        if let Some(place) = places.enter() {
            connections.spawn(connection(stream, router, ending, place));
            continue;
        }
        // Beyond this limit, too, there is nothing but the closed connection.
        let Ok(doorstep) = Arc::clone(&doorsteps).try_acquire_owned() else { continue };
        let places = places.clone();
        connections.spawn(async move {
            let freed = tokio::time::timeout(LINGER, places.enter_for_idle()).await;
            match freed.ok().flatten() {
                Some(place) => {
                    drop(doorstep);
                    connection(stream, router, ending, place).await;
                }
                None => turn_away(stream, doorstep).await,
            }
        });
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
    place: Connection,
) {
    // Events are small and each is worth sending at once.
    let _ = stream.set_nodelay(true);
    let place = Arc::new(place);
    let asking = Arc::clone(&place);
    // The request is over when its answer is there; a stream holds on to it for as long as it lives.
    let under_way = move |mut request: Request, next: Next| {
        let under_way = Arc::new(asking.ask());
        request.extensions_mut().insert(UnderWay(Arc::clone(&under_way)));
        async move {
            let answer = next.run(request).await;
            drop(under_way);
            answer
        }
    };
    let service = TowerToHyperService::new(router.layer(from_fn(under_way)));
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALL_MAX));
    let io = TokioIo::new(Box::pin(stream));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(io, service);
    tokio::pin!(connection);
    tokio::select! {
        // What goes wrong here is the client's: it left, was slow or spoke no HTTP.
        served = connection.as_mut() => drop(served),
        () = ending.wait() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
        () = place.told_to_leave() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(LEAVES_WITHIN, connection).await;
        }
    }
}

/// Keeps a connection from being idle while it is held.
#[derive(Debug, Clone)]
pub(super) struct UnderWay(
    #[expect(dead_code, reason = "held, not read")] Arc<connections::Request>,
);

/// The client left before it was accepted.
fn is_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
