//! Real connections: half-open ones, clients that never read, floods. The loop is not among what
//! they can hold up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use autogit::api::{Api, CONNECTIONS_MAX, serve};
use autogit::view::{EventOutput, SourceChangeOutput};
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::api::harness::{Harness, With, secret, small};
use crate::support::world::{Fixture, NOW};

struct Server {
    address: SocketAddr,
    harness: Harness,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(fixture: Fixture) -> Self {
        Self::start_at("127.0.0.1:0", fixture).await
    }

    async fn start_at(address: &str, fixture: Fixture) -> Self {
        let harness = Harness::of(fixture);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let api: Api = harness.api.clone();
        let task = tokio::spawn(serve(listener, api, async {
            let _ = stopped.await;
        }));
        Self { address, harness, stop, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Asks as curl does; the whole answer.
    async fn ask(&self, path: &str) -> String {
        let mut stream = self.connect().await;
        send(&mut stream, path, "close").await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

async fn send(stream: &mut TcpStream, path: &str, connection: &str) {
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: {connection}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

/// Reads up to and with the end of the head.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A tick of the loop, as far as clients could come into its way.
fn tick(harness: &Harness, fixture: Fixture) {
    let before = harness.views.borrow().clone();
    harness.show(fixture);
    let after = harness.views.borrow().clone().unwrap();
    harness.history.add(NOW, after.events_since(before.as_deref()));
}

#[tokio::test]
async fn a_client_is_answered_and_the_server_ends_when_told() {
    let server = Server::start(small()).await;
    let answer = server.ask("/health").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\"status\":\"ok\""), "{answer}");
    let mut following = server.connect().await;
    send(&mut following, "/events", "keep-alive").await;
    assert!(read_head(&mut following).await.contains("text/event-stream"));
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    let mut rest = Vec::new();
    following.read_to_end(&mut rest).await.unwrap();
    TcpStream::connect(server.address).await.unwrap_err();
}

#[tokio::test]
async fn half_open_connections_keep_nobody_out_and_the_oldest_goes_first() {
    let server = Server::start(small()).await;
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /status HTTP/1.1\r\nhost: ").await.unwrap();
        open.push(stream);
    }
    assert!(server.ask("/health").await.starts_with("HTTP/1.1 200"));
    let mut rest = Vec::new();
    let _ = open[0].read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP/1.1 200"), "{rest:?}");
    let youngest = open.last_mut().unwrap();
    youngest.write_all(b"localhost\r\n\r\n").await.unwrap();
    assert!(read_head(youngest).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn connections_with_a_request_are_bounded_and_the_next_client_is_told() {
    let fixture =
        small().with(|spec| spec.gitlab.webhook_secret = Some(secret("the-hooks-secret")));
    let server = Server::start(fixture).await;
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut stream = server.connect().await;
        let head = "POST /webhook/gitlab HTTP/1.1\r\nhost: a\r\nx-gitlab-token: the-hooks-secret\r\n\
                    content-length: 10\r\nexpect: 100-continue\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // The body is asked for, so the request is under way.
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 100"));
        open.push(stream);
    }
    let answer = server.ask("/health").await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["code"], "too-many-connections");
    tick(&server.harness, small());
    drop(open);
    let answered = async {
        while !server.ask("/health").await.starts_with("HTTP/1.1 200") {
            tokio::task::yield_now().await;
        }
    };
    answered.await;
}

#[tokio::test]
async fn on_loopback_another_sites_name_is_not_answered() {
    let fixture = small().with(|spec| {
        spec.gitlab.webhook_secret = Some(secret("the-hooks-secret"));
        spec.api.external_url = Some("https://autogit.example.com".to_owned());
    });
    let server = Server::start(fixture).await;
    for (host, status) in [
        ("rebound.example", 421),
        ("127.0.0.1.rebound.example:8080", 421),
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("autogit.example.com", 200),
    ] {
        let mut stream = server.connect().await;
        let head = format!("GET /status HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {head}");
    }
    // A tunnel may call the webhook by any name.
    let mut stream = server.connect().await;
    let hook = b"POST /webhook/gitlab HTTP/1.1\r\nhost: tunnel.example\r\n\
                 x-gitlab-token: the-hooks-secret\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(hook).await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 204"));
}

/// The same address, written as IPv6 maps it.
#[tokio::test]
async fn a_mapped_loopback_address_is_loopback() {
    let server = Server::start_at("[::ffff:127.0.0.1]:0", small()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /status HTTP/1.1\r\nhost: rebound.example\r\n\r\n").await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 421"));
}

#[tokio::test]
async fn a_head_that_never_ends_is_not_waited_for() {
    let server = Server::start(small()).await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET /status HTTP/1.1\r\nhost: ").await.unwrap();
    // Simulated time: from here on the clock runs when everybody waits.
    tokio::time::pause();
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    let answer = String::from_utf8(rest).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_closed() {
    let server = Server::start(small()).await;
    let mut silent = server.connect().await;
    send(&mut silent, "/nothing", "keep-alive").await;
    assert!(read_head(&mut silent).await.starts_with("HTTP/1.1 404"));
    tokio::time::pause();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_mins(5), silent.read_to_end(&mut rest));
    closed.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_head_beyond_all_measure_is_refused() {
    let server = Server::start(small()).await;
    let mut stream = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(64 << 10));
    // The server may close before all of it is sent.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = [0; 12];
    if stream.read_exact(&mut answer).await.is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 431");
    }
    assert!(server.ask("/health").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_is_no_http_is_closed() {
    let server = Server::start(small()).await;
    for nonsense in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"\0\0\0\0\r\n\r\n", b"HELO\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(nonsense).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    }
    assert!(server.ask("/health").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() {
    let server = Server::start(small()).await;
    let mut slow = server.connect().await;
    slow.write_all(
        b"POST /plan HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer plan\r\ncontent-length: 1000\r\n\r\nx",
    )
    .await
    .unwrap();
    let head = read_head(&mut slow).await;
    // Without a configured token the body is not even read.
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
}

#[tokio::test]
async fn a_client_that_never_reads_its_stream_holds_up_nobody_and_is_dropped() {
    let server = Server::start(small()).await;
    let mut deaf = server.connect().await;
    send(&mut deaf, "/events", "keep-alive").await;
    read_head(&mut deaf).await;
    // More than the buffers of both ends hold: the history keeps 2048, and the stream falls behind.
    for _ in 0..20_000 {
        server.harness.history.add(NOW, vec![long_event()]);
        tokio::task::yield_now().await;
    }
    assert!(server.ask("/health").await.starts_with("HTTP/1.1 200"));
    assert!(server.harness.history.since(None).events.len() <= 2048);
    // Simulated time: the stall is over when everybody waits.
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(2)).await;
    let mut rest = Vec::new();
    let _ = deaf.read_to_end(&mut rest).await;
    assert!(rest.len() < 18_000_000, "{}", rest.len());
}

#[tokio::test]
async fn a_flood_of_requests_is_answered_and_the_loop_goes_on() {
    let server = Arc::new(Server::start(small()).await);
    let ask = async |number: usize| {
        let path = ["/status", "/queue", "/metrics", "/nothing", "/plan"][number % 5];
        let answer = server.ask(path).await;
        // A connection that said nothing yet gives way to a new one.
        let status: Option<u16> = answer.get(9..12).map(|status| status.parse().unwrap());
        assert!(matches!(status, None | Some(200 | 404 | 503)), "{answer}");
        status
    };
    let loop_goes_on = async {
        for _ in 0..50 {
            tick(&server.harness, small());
            tokio::task::yield_now().await;
        }
    };
    let (statuses, ()) = tokio::join!(join_all((0..1000).map(ask)), loop_goes_on);
    let answers = statuses.iter().filter(|status| matches!(status, Some(200 | 404))).count();
    assert!(answers >= CONNECTIONS_MAX / 2, "{answers}");
}

fn long_event() -> EventOutput {
    let error = Some("x".repeat(1000));
    let source = "gitlab".to_owned();
    EventOutput::Source(SourceChangeOutput { source, known: false, error })
}
