//! Where AutoGit is killed: at the wire, right before a request of its or right after its effect,
//! so that AutoGit itself needs no hook for it. All it asks of Docker and GitLab passes here.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use crate::end_to_end::program::Victim;

/// The engine's own socket.
pub(crate) const SOCKET: &str = "/var/run/docker.sock";

/// When the trap springs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// The request is not passed on.
    Before,
    /// The request has its effect, and its answer is not passed on.
    After,
}

/// The request at which AutoGit is killed: a method and a path in which `*` stands for one word;
/// `*` alone for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point(pub(crate) &'static str, pub(crate) When);

impl Point {
    /// `line` is a request's first, of which version and query do not count.
    fn is_met_by(self, line: &str) -> bool {
        let Some((wanted, pattern)) = self.0.split_once(' ') else { return true };
        let mut words = line.split([' ', '?']);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let steps = |path: &str| -> Vec<String> {
            let steps = path.split('/').filter(|step| !step.is_empty()).map(str::to_owned);
            steps
                .skip_while(|step| step.starts_with("v1.") || ["api", "v4"].contains(&&**step))
                .collect()
        };
        let (steps, patterns) = (steps(path), steps(pattern));
        let meets = |(step, pattern): (&String, &String)| pattern == "*" || step == pattern;
        method == wanted && steps.len() == patterns.len() && steps.iter().zip(&patterns).all(meets)
    }
}

/// A trap, set or not; clones are one.
#[derive(Clone)]
pub(crate) struct Trap {
    set: Arc<Mutex<Option<Set>>>,
    cut: watch::Sender<bool>,
}

struct Set {
    point: Point,
    /// So many requests that meet the point go by before.
    spared: u64,
    victim: Victim,
}

impl Trap {
    pub(crate) fn new() -> Self {
        Self { set: Arc::default(), cut: watch::Sender::new(false) }
    }

    /// Springs once, at the next request that meets the point.
    pub(crate) fn set(&self, point: Point, victim: Victim) {
        self.set_after(0, point, victim);
    }

    /// As [`Trap::set`], when so many requests that meet the point have gone by.
    pub(crate) fn set_after(&self, spared: u64, point: Point, victim: Victim) {
        let set = Some(Set { point, spared, victim });
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = set;
    }

    /// Ends all connections to the engine, and those to come.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Lets connections to the engine be made again.
    pub(crate) fn mend(&self) {
        self.cut.send_replace(false);
    }

    /// Kills if `line` meets the point before its effect; else says whom to kill after it.
    fn meet(&self, line: &str) -> Option<(When, Victim)> {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let met = set.take_if(|set| {
            let met = set.point.is_met_by(line);
            let due = met && set.spared == 0;
            set.spared -= u64::from(met && !due);
            due
        });
        let Set { point: Point(_, when), victim, .. } = met?;
        if when == When::Before {
            victim.kill();
        }
        Some((when, victim))
    }

    /// Passes on what comes to a socket at `path` to the engine's, from now on.
    pub(crate) fn serve(&self, path: &Path) {
        let (listener, trap) = (UnixListener::bind(path).unwrap(), self.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let trap = trap.clone();
                // A connection that breaks is AutoGit's end, or its test's.
                tokio::spawn(async move { trap.pass_on(client).await });
            }
        });
    }

    /// A request comes in a read of its own, for none is sent before the last one is answered.
    async fn pass_on(&self, mut client: UnixStream) -> std::io::Result<()> {
        let mut engine = UnixStream::connect(SOCKET).await?;
        let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let (mut doomed, mut cut) = (None, self.cut.subscribe());
        loop {
            tokio::select! {
                biased;
                () = until_cut(&mut cut) => return Ok(()),
                read = client.read(&mut asked) => {
                    let request = &asked[..read?];
                    if request.is_empty() {
                        return Ok(());
                    }
                    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
                    match self.meet(&String::from_utf8_lossy(line)) {
                        Some((When::Before, _)) => return Ok(()),
                        Some((When::After, victim)) => doomed = Some(victim),
                        None => {}
                    }
                    engine.write_all(request).await?;
                }
                read = engine.read(&mut answered) => {
                    let answer = &answered[..read?];
                    if let Some(victim) = doomed {
                        victim.kill();
                        return Ok(());
                    }
                    if answer.is_empty() {
                        return Ok(());
                    }
                    client.write_all(answer).await?;
                }
            }
        }
    }
}

async fn until_cut(cut: &mut watch::Receiver<bool>) {
    // Fails only when the trap is gone, and the way with it.
    let _ = cut.wait_for(|cut| *cut).await;
}

/// The trap on the way to GitLab.
pub(crate) async fn before_gitlab(
    State(trap): State<Trap>,
    request: Request,
    next: Next,
) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    // Runners come the same way.
    let agent = request.headers().get("user-agent").and_then(|agent| agent.to_str().ok());
    let ours = agent.is_some_and(|agent| agent.starts_with("autogit/"));
    match ours.then(|| trap.meet(&line)).flatten() {
        Some((When::Before, _)) => StatusCode::BAD_GATEWAY.into_response(),
        Some((When::After, victim)) => {
            let answer = next.run(request).await;
            victim.kill();
            answer
        }
        None => next.run(request).await,
    }
}
