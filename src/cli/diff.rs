//! `autogit diff`: what differs between two specs.

use std::path::Path;
use std::process::ExitCode;

use super::arguments::Diff;
use super::shell::{Shell, say};
use crate::operate::{Adapters, Failure};
use crate::source::{Loaded, load};
use crate::spec;

pub(super) async fn diff(
    arguments: &Diff,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let place = arguments.new.place(shell);
    let environment = shell.environment(&place.env_files);
    let spec = async |path: &Path| -> Result<Loaded, Failure> {
        let origin = adapters.origin(path, &place.env_files, shell)?;
        let loaded = load(&origin, &environment, shell.clock().now()).await;
        loaded.map_err(|error| Failure::spec(&error))
    };
    let (old, new) = (spec(&arguments.old).await?, spec(&place.path).await?);
    let lines = spec::diff(&old.spec, &new.spec);
    let shown = if lines.is_empty() { "no difference".to_owned() } else { lines.join("\n") };
    say(&(shown + "\n"))?;
    Ok(ExitCode::SUCCESS)
}
