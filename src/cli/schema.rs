//! `autogit schema`: the JSON Schema of the spec, for editors.

use std::process::ExitCode;

use super::failure::Failure;
use super::shell::say;

pub(super) fn schema() -> Result<ExitCode, Failure> {
    say(&crate::spec::schema_json())?;
    Ok(ExitCode::SUCCESS)
}
