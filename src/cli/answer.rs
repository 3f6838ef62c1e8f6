//! What `autogit status`, `runners` and `queue` print: the answer of the AutoGit that runs, or the
//! same made of a look of this process.

use std::process::ExitCode;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Adapters;
use super::arguments::{Format, Look};
use super::chosen_view::{About, ChosenView, WhoseView, completeness};
use super::failure::Failure;
use super::shell::{Shell, say, talk};
use super::text::{RenderOptions, json, sources};
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
        let asked = (&arguments.spec, &arguments.asking, About::Present);
        let mut chosen = ChosenView::choose(asked, shell, adapters).await?;
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
        chosen.say_head(arguments.show.format == Format::Text)?;
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
