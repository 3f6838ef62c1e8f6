//! What a sandbox shows while it runs: a board on a terminal, else a line per change.

use std::collections::VecDeque;
use std::sync::Arc;

use super::board::decided;
use crate::cli::shell::{Shell, say};
use crate::cli::text::RenderOptions;
use crate::cli::{Board, SandboxStats, render_changes, render_live};
use crate::operate::Failure;
use crate::sandbox::demo::Demo;
use crate::sandbox::gitlab::Status;
use crate::view::View;

/// Decisions that are kept to be shown: what a high terminal has room for.
const DECISIONS_KEPT: usize = 40;

/// The place where views are shown.
#[derive(Debug)]
pub(super) struct Screen {
    shell: Shell,
    demo: Demo,
    options: RenderOptions,
    last: Option<Arc<View>>,
    /// What was decided, oldest first.
    recent: VecDeque<String>,
    /// The widths of the lines that stand on the terminal.
    drawn: Vec<usize>,
}

impl Screen {
    pub(super) fn new(shell: &Shell, demo: Demo) -> Self {
        let options = shell.render_options(false);
        let (recent, drawn) = (VecDeque::new(), Vec::new());
        Self { shell: shell.clone(), demo, options, last: None, recent, drawn }
    }

    /// Shows the view, as far as it is news.
    pub(super) fn show(&mut self, view: &Arc<View>) -> Result<(), Failure> {
        match self.shell.terminal() {
            Some(size) => self.draw(view, size)?,
            None => {
                for line in render_changes(self.last.as_deref(), view, &self.options) {
                    say(&format!("{line}\n"))?;
                }
            }
        }
        self.last = Some(Arc::clone(view));
        Ok(())
    }

    /// Draws the board over the one before.
    fn draw(&mut self, view: &View, size: (usize, usize)) -> Result<(), Failure> {
        let at = view.world.now.to_zoned_datetime(self.options.zone.clone());
        let at = at.strftime("%H:%M:%S").to_string();
        let news = decided(self.last.as_deref(), view);
        self.recent.extend(news.into_iter().map(|line| format!("{at} {line}")));
        let surplus = self.recent.len().saturating_sub(DECISIONS_KEPT);
        self.recent.drain(..surplus);
        let stats = self.stats();
        let board = Board { view, stats, recent: self.recent.make_contiguous() };
        let text = render_live(&board, size, &self.options);
        let back = match self.height_of_drawn(size.0) {
            0 => String::new(),
            drawn => format!("\u{1b}[{drawn}A"),
        };
        say(&format!("{back}\u{1b}[J{text}"))?;
        self.drawn = text.lines().map(visible).collect();
        Ok(())
    }

    /// Lines of the terminal that the board fills; one that became narrower since has folded them.
    fn height_of_drawn(&self, width: usize) -> usize {
        self.drawn.iter().map(|line| line.div_ceil(width.max(1)).max(1)).sum()
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

/// Letters that a line shows: all but its colours.
fn visible(line: &str) -> usize {
    let mut escaped = false;
    let shown = line.chars().filter(|letter| {
        let hidden = escaped || *letter == '\u{1b}';
        escaped = hidden && *letter != 'm';
        !hidden
    });
    shown.count()
}
