//! `autogit health`: what `GET /health` of the running AutoGit says, as an exit code. An image of one
//! binary has nothing else to ask with.

use std::process::ExitCode;

use super::arguments::{self, Format};
use super::shell::{Shell, say};
use super::text::json;
use crate::error_policy::EXIT_FAILED;
use crate::operate::{Adapters, Failure, Health, Running, Whose};
use crate::view::words;

pub(super) async fn health(
    arguments: arguments::Health,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let running = if let Some(url) = &arguments.server {
        Running::named(url, shell, adapters).await
    } else {
        // A supervisor's shell may lack the spec's variables, and a faulty file ends no AutoGit.
        let file = arguments.spec.place(shell).origin(shell, adapters)?;
        Running::find(&Whose::File(&file), shell, adapters).await?
    };
    let Some(running) = running else {
        return Err(Failure::Failed(match &arguments.server {
            Some(url) => format!("no AutoGit answers at {url}"),
            None => "no AutoGit answers on this machine\n\
                hint: if it runs, it runs as another user or without its API; the log of \
                `autogit run` says where that is"
                .to_owned(),
        }));
    };
    let gone = || Failure::Failed("the AutoGit that runs does not answer any more".to_owned());
    let (fine, body) = running.health(arguments.strict).await.ok_or_else(gone)?;
    match arguments.format {
        Format::Text => {
            let health: Health = serde_json::from_slice(&body).map_err(|_| gone())?;
            say(&format!("{}\n{}\n", running.head(), health.in_words()))?;
        }
        Format::Json => {
            let health: serde_json::Value = serde_json::from_slice(&body).map_err(|_| gone())?;
            say(&json(&health))?;
        }
    }
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

impl Health {
    fn in_words(&self) -> String {
        in_words(&self.status, &self.stale, &self.hanging, self.spec_valid)
    }
}

/// How well an AutoGit is, in one line: `degraded: gitlab cannot be read`.
pub(super) fn in_words(
    status: &str,
    stale: &[String],
    hanging: &[String],
    spec_valid: bool,
) -> String {
    let stale = stale.iter().map(|source| format!("{source} cannot be read"));
    let hanging = hanging.iter().map(|what| format!("no answer yet to {what}"));
    let refused = (!spec_valid).then(|| "the spec as it is now is refused".to_owned());
    let troubles: Vec<String> = stale.chain(hanging).chain(refused).collect();
    if troubles.is_empty() {
        return words::plain(status).into_owned();
    }
    words::plain(&format!("{status}: {}", troubles.join(", "))).into_owned()
}
