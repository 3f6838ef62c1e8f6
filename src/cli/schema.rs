//! `autogit schema`: the JSON Schema of the spec, for editors.

use crate::operate::Failure;
use std::process::ExitCode;

use super::shell::say;

pub(super) fn schema() -> Result<ExitCode, Failure> {
    say(&crate::spec::schema_json())?;
    Ok(ExitCode::SUCCESS)
}
