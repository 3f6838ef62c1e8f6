//! What a command needs of the process it runs in: variables, terminals, the time and its zone.

use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal, Write};
use std::ops::Deref;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::text::{Paint, RenderOptions};
use crate::clock::Clock;
use crate::operate::{ChosenView, Failure, Process};

/// The process, as far as commands need it.
#[derive(Debug, Clone)]
pub struct Shell {
    process: Process,
}

impl Deref for Shell {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Shell {
    /// A process with these variables.
    pub fn new(variables: BTreeMap<String, String>, temp_dir: PathBuf) -> Self {
        Self { process: Process::new(variables, temp_dir) }
    }

    /// The same process, living by another clock.
    pub(super) fn with_clock(&self, clock: Clock) -> Self {
        Self { process: self.process.with_clock(clock) }
    }

    /// The same process with more variables.
    pub(super) fn with_variables(
        &self,
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        Self { process: self.process.with_variables(variables) }
    }

    /// How text for stdout is rendered.
    pub(super) fn render_options(&self, verbose: bool) -> RenderOptions {
        let paint = self.paint(std::io::stdout().is_terminal());
        RenderOptions { zone: TimeZone::system(), paint, verbose }
    }

    /// Whether text for stderr is coloured.
    pub(super) fn colours_talk(&self) -> bool {
        self.paint(std::io::stderr().is_terminal()).is_on()
    }

    /// Colour on terminals that can show it, unless `NO_COLOR` is set (no-color.org).
    fn paint(&self, terminal: bool) -> Paint {
        let dumb = self.variable("TERM").is_some_and(|term| term == "dumb");
        if terminal && !dumb && self.variable("NO_COLOR").is_none() {
            Paint::on()
        } else {
            Paint::off()
        }
    }

    /// Columns and rows of the terminal on stdout; `None`: there is none.
    pub(super) fn terminal(&self) -> Option<(usize, usize)> {
        let dumb = self.variable("TERM").is_some_and(|term| term == "dumb");
        let out = std::io::stdout();
        let size = (out.is_terminal() && !dumb).then(|| terminal_size::terminal_size_of(out));
        size.map(|size| match size {
            Some((width, height)) => (usize::from(width.0), usize::from(height.0)),
            None => (80, 24),
        })
    }

    /// The log goes to systemd's journal, or is collected from a container.
    pub(super) fn is_supervised(&self) -> bool {
        if std::io::stderr().is_terminal() {
            return false;
        }
        let set = |name: &&str| self.has_variable(name);
        ["JOURNAL_STREAM", "KUBERNETES_SERVICE_HOST", "container"].iter().any(set)
            || std::path::Path::new("/.dockerenv").exists()
    }
}

/// Writes data to stdout, which need not be text.
pub(super) fn say_bytes(data: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(data).and_then(|()| out.flush()))
}

/// Writes data to stdout. Whoever closed it wants no more of it, so that ends the command.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    say_bytes(text.as_bytes())
}

/// What came of writing to stdout.
fn written(outcome: std::io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::Unread),
        Err(error) => Err(Failure::Failed(format!("the output cannot be written: {error}"))),
    }
}

/// Says on a terminal what takes its time.
pub(super) fn talk_meanwhile(line: &str) {
    if std::io::stderr().is_terminal() {
        talk(line);
    }
}

/// Writes a line of talk to stderr; where that is closed, nobody listens.
pub(super) fn talk(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Says first whose view is shown: before text on stdout, beside data on stderr.
pub(super) fn say_head(chosen: &ChosenView, text: bool) -> Result<(), Failure> {
    for warning in chosen.warnings() {
        talk(warning);
    }
    let lines = chosen.head().join("\n");
    if text {
        return say(&(lines + "\n"));
    }
    talk(&lines);
    Ok(())
}
