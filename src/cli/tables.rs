//! `autogit status`, `runners`, `queue`: from the AutoGit that runs where it answers, else as this
//! process sees it.

use std::process::ExitCode;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments::{Format, Look};
use super::failure::Failure;
use super::look::{Eyes, json, loaded};
use super::running::Running;
use super::shell::{Shell, say, talk};
use super::style::RenderOptions;
use super::{Adapters, render_queue, render_runners, render_status, sources};
use crate::view::{StatusOutput, View};

/// How one table is had and printed.
struct Table<T> {
    path: &'static str,
    of_view: fn(&View) -> T,
    render: fn(&T, &RenderOptions) -> String,
}

pub(super) async fn status(
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let table = Table { path: "/status", of_view: View::status_output, render: render_status };
    show(table, arguments, shell, adapters).await
}

pub(super) async fn runners(
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let table = Table {
        path: "/runners",
        of_view: View::runners_output,
        render: |runners, options| render_runners(runners, options),
    };
    show(table, arguments, shell, adapters).await
}

pub(super) async fn queue(
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let table = Table { path: "/queue", of_view: View::queue_output, render: render_queue };
    show(table, arguments, shell, adapters).await
}

async fn show<T: Serialize + DeserializeOwned>(
    table: Table<T>,
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let loaded = loaded(&arguments.show.spec, shell)?;
    let running = if arguments.direct { None } else { Running::find(&loaded.spec, adapters).await };
    let told = match running {
        Some(running) => running.get(table.path).await.map(|output| (output, running.status)),
        None => None,
    };
    let (output, status) = if let Some(told) = told {
        told
    } else {
        let view = Eyes::open(&loaded, shell, adapters)?.look().await;
        ((table.of_view)(&view), view.status_output())
    };
    let options = shell.render_options(arguments.show.verbose);
    say(&match arguments.show.format {
        Format::Text => (table.render)(&output, &options),
        Format::Json => json(&output),
    });
    Ok(completeness(&status, &options))
}

/// 1 where a source is unknown; a table does not show all of them, so stderr names them.
fn completeness(status: &StatusOutput, options: &RenderOptions) -> ExitCode {
    if status.sources.values().all(crate::view::SourceOutput::is_known) {
        return ExitCode::SUCCESS;
    }
    talk(&sources::lines(&status.sources, options).join("\n"));
    ExitCode::from(1)
}
