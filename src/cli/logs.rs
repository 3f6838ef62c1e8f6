//! `autogit logs`: what a runner writes of itself.

mod text;

use std::process::ExitCode;

use tokio::sync::mpsc;

use super::arguments::{Format, Logs};
use super::shell::{Shell, say, talk};
use crate::engine::own_log::LogPart;
use crate::operate::{Adapters, Failure, runner_log};
use crate::view::words;
use text::line_in_words;

/// Lines on their way from the engine to stdout.
const LINES_MAX: usize = 256;

pub(super) async fn logs(
    arguments: &Logs,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let place = arguments.spec.place(shell);
    let (found, log) = runner_log(&place, &arguments.runner, shell, adapters).await?;
    let (name, host) = (words::plain(&found.name), &found.host);
    let over = if found.runs { "" } else { ", which does not run" };
    talk(&format!("{name} on {host}{over}"));
    let part = LogPart { last: arguments.lines, followed: arguments.follow };
    let (send, mut lines) = mpsc::channel(LINES_MAX);
    let read = async {
        let read = log.own_log(&found.id, part, send).await;
        read.map_err(|error| Failure::Failed(error.to_string()))
    };
    let options = shell.render_options(arguments.verbose);
    let show = async {
        while let Some(line) = lines.recv().await {
            say(&match arguments.format {
                Format::Json => line.text + "\n",
                Format::Text => line_in_words(&line, &options) + "\n",
            })?;
        }
        Ok(())
    };
    tokio::try_join!(read, show)?;
    if arguments.follow {
        talk(&format!("{name} ended"));
    }
    Ok(ExitCode::SUCCESS)
}
