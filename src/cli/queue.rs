//! `autogit queue`: the pending jobs, oldest first, and what each waits for.

use std::process::ExitCode;

use super::answer::Answer;
use super::arguments::Look;
use super::shell::Shell;
use super::text::{RenderOptions, rows};
use crate::operate::{Adapters, Failure};
use crate::view::{QueueOutput, words};

/// Jobs listed at most without `--verbose`: a screen.
const JOBS_MAX: usize = 40;

pub(super) async fn queue(
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let answer = Answer {
        path: "/queue",
        of_view: |view| view.queue_output(),
        render: render_queue,
        shows_sources: false,
    };
    answer.print(arguments, shell, adapters).await
}

/// The queue as a table.
pub fn render_queue(queue: &QueueOutput, options: &RenderOptions) -> String {
    if let Some(error) = &queue.error {
        return format!("the queue is unknown: {}\n", words::plain_lines(error));
    }
    let jobs = &queue.jobs;
    if jobs.is_empty() {
        return "no pending jobs\n".to_owned();
    }
    let shown = if options.verbose { jobs.len() } else { JOBS_MAX };
    let mut lines = rows::jobs(jobs.iter().take(shown)).table().headed(options);
    let more = jobs.len().saturating_sub(shown);
    if more > 0 {
        let jobs = words::count(more, "more job");
        lines.push(format!("and {jobs}   (--verbose lists them; `autogit plan` groups them)"));
    }
    let set_aside = queue.set_aside.iter();
    lines.extend(set_aside.map(|said| format!("set aside: {}", words::plain_lines(said))));
    if let Some(round) = &queue.round {
        lines
            .push(format!("the queue is longer than a look reads: each job is seen every {round}"));
    }
    if queue.more {
        lines.push("GitLab may have more jobs than these".to_owned());
    }
    lines.join("\n") + "\n"
}
