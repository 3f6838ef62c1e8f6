//! `autogit runners`: each runner, what it does, and why it stays.

use std::process::ExitCode;

use super::answer::Answer;
use super::arguments::Look;
use super::shell::Shell;
use super::text::{RenderOptions, Table};
use crate::operate::{Adapters, Failure};
use crate::view::{RunnerOutput, words};

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
    let mut table = Table::new(&["runner", "host", "phase", "for", "job", "why"]);
    for runner in runners {
        let job = runner.job.as_ref().map(|job| {
            let id = job.id.map_or_else(|| "?".to_owned(), |id| format!("#{id}"));
            let words = [job.name.as_ref(), job.project.as_ref()].into_iter().flatten();
            words.fold(id, |said, word| format!("{said} {}", words::plain(word)))
        });
        table.row([
            runner.name.clone(),
            runner.host.clone(),
            if runner.seen { runner.phase.to_string() } else { "unseen".to_owned() },
            runner.lasting.clone().unwrap_or_else(|| "-".to_owned()),
            job.unwrap_or_else(|| "-".to_owned()),
            words::plain(&runner.why).into_owned(),
        ]);
    }
    table.text(options)
}
