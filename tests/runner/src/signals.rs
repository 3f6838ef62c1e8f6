//! SIGQUIT drains, SIGTERM and SIGINT abort, as in gitlab-runner.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, warn};

/// gitlab-runner's own limit between the wish to abort and the forced exit.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// What the outside asked for; it only ever grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    No,
    /// Finish the job at hand, take no other.
    AfterJob,
    /// Break off the job at hand.
    Now,
}

/// Starts to listen; the receiver follows what was asked for.
pub fn listen() -> std::io::Result<watch::Receiver<Stop>> {
    let (asked, stop) = watch::channel(Stop::No);
    let quit = signal(SignalKind::quit())?;
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(follow(asked, quit, terminate, interrupt));
    Ok(stop)
}

async fn follow(
    asked: watch::Sender<Stop>,
    mut quit: Signal,
    mut terminate: Signal,
    mut interrupt: Signal,
) {
    loop {
        tokio::select! {
            _ = quit.recv() => {
                warn!("Requested quit, waiting for builds to finish");
                asked.send_replace(Stop::AfterJob);
            }
            _ = terminate.recv() => break warn!("Requested exit: terminated"),
            _ = interrupt.recv() => break warn!("Requested exit: interrupt"),
        }
    }
    asked.send_replace(Stop::Now);
    tokio::select! {
        _ = terminate.recv() => error!("forced exit: terminated"),
        _ = interrupt.recv() => error!("forced exit: interrupt"),
        _ = quit.recv() => error!("forced exit: quit"),
        () = tokio::time::sleep(SHUTDOWN_TIMEOUT) => error!("shutdown timed out"),
    }
    std::process::exit(1);
}
