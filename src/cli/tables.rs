//! `autogit status`, `runners`, `queue`: from the AutoGit that runs where it answers, else as this
//! process sees it.

use std::process::ExitCode;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments::{Format, Look};
use super::failure::Failure;
use super::look::json;
use super::shell::{Shell, say, talk};
use super::sight::{About, Sight, Whoever, completeness};
use super::style::RenderOptions;
use super::{Adapters, render_queue, render_runners, render_status, sources};
use crate::view::{AsOf, SourceOutput};

/// How one table is had and printed.
struct Table<T> {
    path: &'static str,
    of_view: fn(&AsOf<'_>) -> T,
    render: fn(&T, &RenderOptions) -> String,
    /// It tells of all sources by itself.
    shows_sources: bool,
}

pub(super) async fn status(
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let table = Table {
        path: "/status",
        of_view: |view| view.status_output(),
        render: render_status,
        shows_sources: true,
    };
    show(table, arguments, shell, adapters).await
}

pub(super) async fn runners(
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let table = Table {
        path: "/runners",
        of_view: |view| view.runners_output(),
        render: |runners, options| render_runners(runners, options),
        shows_sources: false,
    };
    show(table, arguments, shell, adapters).await
}

pub(super) async fn queue(
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let table = Table {
        path: "/queue",
        of_view: |view| view.queue_output(),
        render: render_queue,
        shows_sources: false,
    };
    show(table, arguments, shell, adapters).await
}

async fn show<T: Serialize + DeserializeOwned>(
    table: Table<T>,
    arguments: Look,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let asked = (&arguments.spec, &arguments.asking, About::Present);
    let mut sight = Sight::open(asked, shell, adapters).await?;
    let (output, sources) = match &mut sight.eyes {
        Whoever::Theirs(theirs) => {
            (theirs.running.get(table.path).await?, theirs.status.sources.clone())
        }
        Whoever::Own(eyes) => {
            let view = eyes.look().await;
            let told = view.as_of(shell.clock().now());
            ((table.of_view)(&told), told.sources())
        }
    };
    sight.say_head(arguments.show.format == Format::Text)?;
    let options = shell.render_options(arguments.show.verbose);
    say(&match arguments.show.format {
        Format::Text => (table.render)(&output, &options),
        Format::Json => json(&output),
    })?;
    // A list does not show the sources, so stderr names those that are unknown.
    if !table.shows_sources && !SourceOutput::unknown(&sources).is_empty() {
        talk(&sources::lines(&sources, &options).join("\n"));
    }
    Ok(completeness(sources.values()))
}
