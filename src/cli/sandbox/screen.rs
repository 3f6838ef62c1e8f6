//! What a sandbox shows while it runs: a board on a terminal, else a line per change.

use std::sync::Arc;

use crate::cli::failure::Failure;
use crate::cli::shell::{Shell, say};
use crate::cli::style::RenderOptions;
use crate::cli::{SandboxStats, render_changes, render_live};
use crate::sandbox::demo::Demo;
use crate::sandbox::gitlab::Status;
use crate::view::View;

/// The place where views are shown.
#[derive(Debug)]
pub(super) struct Screen {
    shell: Shell,
    demo: Demo,
    options: RenderOptions,
    last: Option<Arc<View>>,
    /// Lines of the board that stands on the terminal.
    drawn: usize,
}

impl Screen {
    pub(super) fn new(shell: &Shell, demo: Demo) -> Self {
        let options = shell.render_options(false);
        Self { shell: shell.clone(), demo, options, last: None, drawn: 0 }
    }

    /// Shows the view, as far as it is news.
    pub(super) fn show(&mut self, view: &Arc<View>) -> Result<(), Failure> {
        match self.shell.terminal() {
            Some((width, height)) => self.draw(view, width, height)?,
            None => {
                for line in render_changes(self.last.as_deref(), view, &self.options) {
                    say(&format!("{line}\n"))?;
                }
            }
        }
        self.last = Some(Arc::clone(view));
        Ok(())
    }

    /// Draws the board over the one before. A board higher than the terminal could not be drawn
    /// over, so it is cut.
    fn draw(&mut self, view: &View, width: usize, height: usize) -> Result<(), Failure> {
        let board = render_live(view, &self.stats(), width, &self.options);
        let lines: Vec<&str> = board.lines().take(height.saturating_sub(1)).collect();
        let back = match self.drawn {
            0 => String::new(),
            drawn => format!("\u{1b}[{drawn}A"),
        };
        say(&format!("{back}\u{1b}[J{}\n", lines.join("\n")))?;
        self.drawn = lines.len();
        Ok(())
    }

    /// No job waits or runs.
    pub(super) fn jobs_ended(&self) -> bool {
        let stats = self.stats();
        stats.pending == 0 && stats.running == 0
    }

    fn stats(&self) -> SandboxStats {
        let mut stats = SandboxStats::default();
        for job in self.demo.gitlab.jobs() {
            match job.status {
                Status::Success => stats.done += 1,
                Status::Failed | Status::Canceled => stats.failed += 1,
                Status::Running | Status::Canceling => stats.running += 1,
                Status::Pending | Status::Manual => stats.pending += 1,
            }
        }
        stats
    }
}
