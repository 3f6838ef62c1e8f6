//! The command line of what tries the runners and looks into them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{AskingArguments, Format, SpecOption};

#[derive(Debug, Args)]
#[command(after_help = SELFTEST_CODES)]
pub(in crate::cli) struct Selftest {
    #[command(flatten)]
    pub(in crate::cli) spec: SpecOption,
    #[command(flatten)]
    pub(in crate::cli) asking: AskingArguments,
    /// Do it in this project, on a branch of its own, instead of in a project that is made for it and
    /// deleted again
    #[arg(long, short, value_name = "GROUP/NAME", conflicts_with = "group")]
    pub(in crate::cli) project: Option<String>,
    /// Make the project in this group; else in the first group that a pool's `scope` names, else in
    /// the user's own namespace
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) group: Option<String>,
    /// A file with the token that makes project and pipeline (scope `api`); else the spec's, else
    /// `GITLAB_TOKEN`
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) gitlab_token_file: Option<PathBuf>,
    /// Do it so often, and tell median and range
    #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(in crate::cli) runs: u32,
    /// How long each run may take, the cooldown of its runners included
    #[arg(long, default_value = "20m", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub(in crate::cli) timeout: Duration,
    /// How the times are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

const SELFTEST_CODES: &str = "Exit codes: 0 every job ended well and its runner with it · 1 one did not, \
    or nothing could be tried · 2 the command line or the spec is wrong";

#[derive(Debug, Args)]
pub(in crate::cli) struct Logs {
    /// A runner's name, or as much of its beginning as tells it from the others; the
    /// `autogit-runner-` of each may be left out
    #[arg(value_name = "RUNNER")]
    pub(in crate::cli) runner: String,
    #[command(flatten)]
    pub(in crate::cli) spec: SpecOption,
    /// Follow it until the runner ends
    #[arg(long, short)]
    pub(in crate::cli) follow: bool,
    /// Of what was written so far, show the last so many lines only
    #[arg(long, short = 'n', value_name = "NUMBER")]
    pub(in crate::cli) lines: Option<usize>,
    /// How it is printed; `json` is what the runner wrote
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    /// Show all that a line holds, also what each of them repeats
    #[arg(long, short)]
    pub(in crate::cli) verbose: bool,
}
