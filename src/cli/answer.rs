//! What `autogit status`, `runners` and `queue` print: the answer of the AutoGit that runs, or the
//! same made of a look of this process.

use std::process::ExitCode;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments::{Format, Look};
use super::shell::{Shell, say, say_head, talk};
use super::text::{RenderOptions, json, sources};
use crate::error_policy::EXIT_FAILED;
use crate::operate::{About, Adapters, ChosenView, Failure, WhoseView};
use crate::view::{AsOf, SourceOutput};

/// One question to a view.
pub(super) struct Answer<T> {
    /// Where the API answers it.
    pub(super) path: &'static str,
    pub(super) of_view: fn(&AsOf<'_>) -> T,
    pub(super) render: fn(&T, &RenderOptions) -> String,
    /// The text tells of all sources by itself.
    pub(super) shows_sources: bool,
}

impl<T: Serialize + DeserializeOwned> Answer<T> {
    /// Prints it; the exit code says whether all sources are known.
    pub(super) async fn print(
        self,
        arguments: Look,
        shell: &Shell,
        adapters: Adapters,
    ) -> Result<ExitCode, Failure> {
        let question = arguments.asking.question(arguments.spec.place(shell), About::Present)?;
        let mut chosen = ChosenView::choose(&question, shell, adapters).await?;
        let (output, sources) = match &mut chosen.whose {
            WhoseView::Running(there) => {
                (there.running.get(self.path).await?, there.status.sources.clone())
            }
            WhoseView::Own(own) => {
                let view = own.look().await;
                let told = view.as_of(shell.clock().now());
                ((self.of_view)(&told), told.sources())
            }
        };
        say_head(&chosen, arguments.show.format == Format::Text)?;
        let options = shell.render_options(arguments.show.verbose);
        say(&match arguments.show.format {
            Format::Text => (self.render)(&output, &options),
            Format::Json => json(&output),
        })?;
        // A list does not show the sources, so stderr names those that are unknown.
        if !self.shows_sources && !SourceOutput::unknown(&sources).is_empty() {
            talk(&sources::lines(&sources, &options).join("\n"));
        }
        Ok(completeness(sources.values()))
    }
}

/// 1 where a source is unknown.
pub(super) fn completeness<'s>(mut sources: impl Iterator<Item = &'s SourceOutput>) -> ExitCode {
    if sources.all(SourceOutput::is_known) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_FAILED)
    }
}
