//! Stands in for gitlab-runner in AutoGit's end-to-end tests.
//!
//! What GitLab sees comes from the third-party `gitlab-runner` client, so that AutoGit is not
//! tested against its own idea of a runner. What Docker sees (command line, log lines, labels,
//! signals, exit codes) follows gitlab-runner's source, 18.4 to 19.4. Left out on purpose: pulling images,
//! cloning, services, artifacts and every executor but docker.
//!
//! One difference is meant: the long pause after a 403 ends at SIGQUIT, where gitlab-runner sits
//! out its five minutes; no test has that time.

mod arguments;
mod config;
mod container;
mod docker;
mod job;
mod labels;
mod log;
mod poll;
mod signals;
mod version;

use std::process::ExitCode;

use clap::Parser as _;
use tracing::error;

use crate::arguments::{Arguments, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { log_format: _, log_level, command: Command::RunSingle(options) } =
        Arguments::parse();
    match poll::run_single(&options, log_level).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            error!("{fault}");
            ExitCode::FAILURE
        }
    }
}
