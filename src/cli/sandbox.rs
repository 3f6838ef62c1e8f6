//! `autogit sandbox`: a simulated GitLab over HTTP, demo jobs, and the real controller with its real
//! spec file, on simulated or real containers.

mod board;
mod screen;
mod setup;

pub use board::{Board, SandboxStats, render_changes, render_live};

use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::arguments::Sandbox;
use super::shell::{Shell, say};
use super::{logging, run};
use crate::api::Api;
use crate::clock::Clock;
use crate::error_policy::EXIT_FAILED;
use crate::operate::{Adapters, Failure};
use crate::reconcile::{Daemon, Ending, Wake};
use crate::sandbox::demo::{Arrival, Demo, Steady};
use crate::view::View;
use screen::Screen;
use setup::Setup;

/// Why the show is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// All jobs have ended and nothing is left.
    Idle,
    /// Its time is up.
    TimeUp,
    /// Somebody ended it.
    Stopped,
}

pub(super) async fn sandbox(
    arguments: Sandbox,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let shell = shell.with_clock(clock(&arguments, shell)?);
    // A board that is drawn again is no place for a log; failures show on it.
    let level = if shell.terminal().is_some() { "off" } else { "warn" };
    logging::start(&shell, None, level);
    let setup = Setup::build(&arguments, &shell, adapters).await?;
    let (mut daemon, mut lock) = setup.daemon().await?;
    let (wake, mut wakes) = run::signals()?;
    let listen = daemon.source().loaded().spec.api.listen;
    let listener = run::listener(listen).await.map_err(Failure::Failed)?;
    say(&setup.programme(listener.local_addr().ok()))?;
    let presence = setup.presence(&daemon, listener.local_addr().ok())?;
    lock.announce(&presence);
    let api = Api::new(daemon.controller().handle(), wake, shell.clock().clone());
    let api = api.with_key(presence.key.secret());
    let api = run::serve(listener, api);

    let arrivals = setup.demo.load(arguments.seed, setup.job_image());
    let steady = setup.demo.steady(arguments.seed, setup.job_image());
    let steady = (!arguments.until_idle).then_some(steady);
    let loading = tokio::spawn(load(setup.demo.clone(), arrivals, steady, shell.clock().clone()));
    let mut screen = Screen::new(&shell, setup.demo.clone());
    let mut views = daemon.controller().views();
    let limit = arguments.limit;
    let (over, shown) = tokio::select! {
        biased;
        _ = daemon.run(&mut wakes, Ending::Never) => (Over::Stopped, Ok(())),
        () = time_up(limit) => (Over::TimeUp, Ok(())),
        shown = show(&mut screen, &mut views, || arguments.until_idle && loading.is_finished()) => {
            (Over::Idle, shown)
        }
    };
    loading.abort();
    if arguments.docker {
        wind_down(&mut daemon, &mut wakes).await;
    }
    api.end().await;
    shown?;
    sum_up(&setup, over, arguments.until_idle)
}

fn clock(arguments: &Sandbox, shell: &Shell) -> Result<Clock, Failure> {
    #[expect(clippy::float_cmp, reason = "the default is this very number")]
    let real = arguments.speed == 1.0;
    match (real, arguments.docker) {
        (true, _) => Ok(shell.clock().clone()),
        (false, false) => Ok(Clock::simulated(shell.clock().now(), arguments.speed)),
        (false, true) => Err(Failure::Usage(
            "error: `--speed` cannot be used with `--docker`\nhint: real containers take real time"
                .to_owned(),
        )),
    }
}

/// Queues each job at its time, and then those without end.
async fn load(demo: Demo, arrivals: Vec<Arrival>, steady: Option<Steady>, clock: Clock) {
    let mut passed = Duration::ZERO;
    for arrival in arrivals {
        clock.sleep(arrival.after.saturating_sub(passed)).await;
        passed = arrival.after;
        demo.queue(arrival.job);
    }
    for arrival in steady.into_iter().flatten() {
        clock.sleep(arrival.after).await;
        demo.queue(arrival.job);
    }
}

async fn time_up(limit: Option<Duration>) {
    match limit {
        Some(limit) => Clock::system().sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Shows each view; ends when nothing is left of a load that has `loaded`.
async fn show(
    screen: &mut Screen,
    views: &mut watch::Receiver<Option<std::sync::Arc<View>>>,
    loaded: impl Fn() -> bool,
) -> Result<(), Failure> {
    while views.changed().await.is_ok() {
        let Some(view) = views.borrow_and_update().clone() else { continue };
        screen.show(&view)?;
        if loaded() && screen.jobs_ended() && setup::nothing_is_left(&view) {
            return Ok(());
        }
    }
    // The loop ended first, and says so itself.
    std::future::pending().await
}

/// What is real does not end with the sandbox: runners are drained, caches and network removed.
async fn wind_down(daemon: &mut Daemon, wakes: &mut mpsc::Receiver<Wake>) {
    // It is done also where nobody reads that any more.
    let _ = say("cleaning up: what still runs finishes first; Ctrl-C leaves it as it is\n");
    daemon.retire();
    daemon.run(wakes, Ending::WhenNothingIsLeft).await;
}

fn sum_up(setup: &Setup, over: Over, until_idle: bool) -> Result<ExitCode, Failure> {
    let tally = setup.tally();
    let left = match over {
        Over::Idle => "no runner is left",
        Over::TimeUp if until_idle => "its time was up before everything was done",
        Over::TimeUp => "its time is up",
        Over::Stopped => "stopped",
    };
    say(&format!("{tally}; {left}\n"))?;
    let reached = !until_idle || (over == Over::Idle && tally.as_scripted);
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}
