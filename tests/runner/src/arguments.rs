//! The part of gitlab-runner's command line that AutoGit uses.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;

#[derive(Parser)]
#[command(name = "gitlab-runner")]
pub struct Arguments {
    /// Only JSON is spoken.
    #[arg(long, default_value = "json")]
    pub log_format: LogFormat,
    #[arg(long, default_value = "info")]
    pub log_level: LevelFilter,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum LogFormat {
    Json,
}

#[derive(Subcommand)]
pub enum Command {
    /// Takes jobs one after the other until told to stop
    RunSingle(RunSingle),
}

#[derive(Args)]
pub struct RunSingle {
    #[arg(long, default_value = "/etc/gitlab-runner/config.toml")]
    pub config: PathBuf,
    /// Which of the file's `[[runners]]` to be
    #[arg(long)]
    pub runner: String,
    /// Exit after this many jobs; 0 means never
    #[arg(long, default_value_t = 0)]
    pub max_builds: u64,
}
