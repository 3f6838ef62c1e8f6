//! `autogit runners`: each runner, what it does, and why it stays.

use std::process::ExitCode;

use super::answer::Answer;
use super::arguments::Look;
use super::shell::Shell;
use super::text::{RenderOptions, rows};
use crate::operate::{Adapters, Failure};
use crate::view::RunnerOutput;

pub(super) async fn runners(
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let answer = Answer {
        path: "/runners",
        of_view: |view| view.runners_output(),
        render: |runners, options| render_runners(runners, options),
        shows_sources: false,
    };
    answer.print(arguments, shell, adapters).await
}

/// The runners as a table.
pub fn render_runners(runners: &[RunnerOutput], options: &RenderOptions) -> String {
    if runners.is_empty() {
        return "no runners\n".to_owned();
    }
    rows::runners(runners).table().text(options)
}
