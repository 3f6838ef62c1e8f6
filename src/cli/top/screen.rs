//! The terminal as a screen of its own and its keys. However the view ends, the terminal is again as it
//! was: at its end, at a signal, at an error, and at a panic before its message is printed.

use std::io::IsTerminal as _;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::draw::draw_top;
use super::state::TopState;
use crate::cli::shell::Shell;
use crate::cli::text::RenderOptions;
use crate::operate::Failure;

/// Keys that wait to be taken: more are those of who fell asleep on one.
const KEYS_WAITING: usize = 64;

/// The screen, as long as this lives.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: DefaultTerminal,
    options: RenderOptions,
}

impl Screen {
    /// Says so where there is no terminal to draw on.
    pub(super) fn is_possible(shell: &Shell) -> Result<(), Failure> {
        if shell.terminal().is_some() && std::io::stdin().is_terminal() {
            return Ok(());
        }
        Err(Failure::Usage(
            "error: `autogit top` draws on a terminal, and here is none\n\
             hint: `autogit status`, `autogit runners` and `autogit queue` print the same; \
             `autogit plan --watch` prints each change"
                .to_owned(),
        ))
    }

    /// Takes the terminal.
    pub(super) fn open(shell: &Shell) -> Result<Self, Failure> {
        // It prepares for a panic, too.
        let terminal = ratatui::try_init().map_err(|error| {
            ratatui::restore();
            not_drawn(&error)
        })?;
        Ok(Self { terminal, options: shell.render_options(false) })
    }

    /// Draws the view.
    pub(super) fn draw(&mut self, state: &mut TopState) -> Result<(), Failure> {
        let drawn = self.terminal.draw(|frame| draw_top(frame, state, &self.options));
        drawn.map(drop).map_err(|error| not_drawn(&error))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn not_drawn(error: &std::io::Error) -> Failure {
    Failure::Failed(format!("the terminal cannot be drawn on: {error}"))
}

/// What is pressed, and when the terminal's size changes; it ends when the terminal is gone.
pub(super) fn keys() -> mpsc::Receiver<Event> {
    let (send, keys) = mpsc::channel(KEYS_WAITING);
    // A thread of its own: reading waits for ever, and the runtime would wait for it at its end.
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if send.blocking_send(event).is_err() {
                break;
            }
        }
    });
    keys
}

/// Ends when the process is asked to.
pub(super) fn stopped() -> Result<impl Future<Output = ()>, Failure> {
    let on = |kind| signal(kind).map_err(|error| Failure::Failed(error.to_string()));
    let mut asked = on(SignalKind::terminate())?;
    let mut interrupted = on(SignalKind::interrupt())?;
    let mut left = on(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = asked.recv() => {}
            _ = interrupted.recv() => {}
            _ = left.recv() => {}
        }
    })
}
