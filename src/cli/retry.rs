//! `autogit retry`: begins what failed or was cancelled once more.

use std::process::ExitCode;

use super::arguments::ChangeArguments;
use super::cancel::change;
use super::shell::Shell;
use crate::gitlab::user::Change;
use crate::operate::{Adapters, Failure};

pub(super) async fn retry(
    arguments: &ChangeArguments,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    change(Change::Retry, arguments, shell, adapters).await
}
