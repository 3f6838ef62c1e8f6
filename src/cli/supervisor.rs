//! Who started AutoGit and waits to hear from it, by systemd's protocol (`sd_notify(3)`, 252): one
//! datagram of lines to the socket that `NOTIFY_SOCKET` names. Podman and others speak it, too.
//!
//! It is ready after its first look: then the spec is good, the lock held, the token not refused, and
//! whoever was waiting can ask it. A source that is away is part of a look and keeps nobody waiting:
//! GitLab may start after AutoGit. That its loop goes on is what `GET /health` says, so that one rule
//! tells what hangs: a call that never ends is noticed by that rule, a thread that never yields by
//! the silence.
//!
//! Nothing tells of a reload: it takes no time, and happens whenever the file changes.

use std::convert::Infallible;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use super::health::in_words;
use super::shell::Shell;
use crate::api::Api;
use crate::clock::Clock;

/// The first look is over.
const READY: &str = "READY=1";

/// How often a supervisor without a watchdog is told how AutoGit is.
const STATUS_INTERVAL: Duration = Duration::from_secs(15);

/// How long a supervisor waits for the next word of an AutoGit that is not ready yet.
const WAITING_LIMIT: Duration = Duration::from_mins(2);

/// How long a message waits for its place: between a container and its supervisor stands a runtime,
/// which may have stopped reading (crun passes READY and WATCHDOG on, runc READY alone).
const SEND_LIMIT: Duration = Duration::from_secs(5);

/// Whoever supervises this process; perhaps nobody.
#[derive(Debug)]
pub struct Supervisor {
    address: Option<SocketAddr>,
    /// How long it waits for the next sign of life, if it does.
    patience: Option<Duration>,
}

impl Supervisor {
    /// The one that the process's variables name.
    pub fn of(shell: &Shell) -> Self {
        let address = shell.variable("NOTIFY_SOCKET").and_then(|name| match address(&name) {
            Ok(address) => Some(address),
            Err(error) => {
                tracing::warn!(
                    "the supervisor at `{name}` is not told how AutoGit is: {error}\n\
                     hint: a unix socket is all that is supported"
                );
                None
            }
        });
        // Set for another process, it was inherited from that one.
        let number = |name| shell.variable(name)?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let patience = number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0);
        Self { address, patience: patience.map(Duration::from_micros) }
    }

    /// Tells it that AutoGit is ready, and from then on how it is and that its loop goes on, for as
    /// long as it does.
    pub async fn follow(&self, api: &Api, clock: &Clock) -> Infallible {
        if self.address.is_none() {
            return std::future::pending().await;
        }
        api.first_look().await;
        self.tell(READY).await;
        let pause = self.patience.map_or(STATUS_INTERVAL, |patience| patience / 2);
        loop {
            let health = api.health();
            let sign = if health.is_stuck() { "" } else { "WATCHDOG=1\n" };
            let (stale, hanging) = (&health.stale, &health.hanging);
            let words = in_words(health.status, stale, hanging, health.spec_valid);
            self.tell(&format!("{sign}STATUS={words}")).await;
            clock.sleep(pause).await;
        }
    }

    /// Tells it that AutoGit is not ready yet, and why; it is not to give up for another while.
    pub async fn waiting(&self, why: &str) {
        let micros = WAITING_LIMIT.as_micros();
        self.tell(&format!("EXTEND_TIMEOUT_USEC={micros}\nSTATUS={why}")).await;
    }

    /// Tells it that AutoGit ends by itself.
    pub async fn stopping(&self) {
        self.tell("STOPPING=1").await;
    }

    /// What follows the first message is for who goes on reading; many do not.
    async fn tell(&self, lines: &str) {
        let Some(address) = &self.address else { return };
        let sent = tokio::time::timeout(SEND_LIMIT, send(address, lines)).await;
        if let Err(error) = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            let first = lines == READY;
            let words = format!("the supervisor does not hear `{lines}`: {error}");
            if first { tracing::warn!("{words}") } else { tracing::debug!("{words}") }
        }
    }
}

/// A path, or with `@` a name of Linux's own.
fn address(name: &str) -> io::Result<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None if name.starts_with('/') => SocketAddr::from_pathname(name),
        None => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Waits for its place in the supervisor's queue, as the loop must not.
async fn send(address: &SocketAddr, lines: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(address)?;
    socket.set_nonblocking(true)?;
    tokio::net::UnixDatagram::from_std(socket)?.send(lines.as_bytes()).await?;
    Ok(())
}
