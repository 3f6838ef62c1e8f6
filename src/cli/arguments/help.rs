//! The command line of what tells shells and readers of manuals about it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct Completions {
    /// Print the completions for this shell
    #[arg(value_name = "SHELL", value_enum, required = true)]
    pub(in crate::cli) shell: Option<Shell>,
    #[command(subcommand)]
    pub(in crate::cli) what: Option<CompletionsCommand>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CompletionsCommand {
    /// Write them to the folder in which the shell looks for those of a user, and say where
    Install(Install),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Install {
    /// The shell; else that of `SHELL`
    #[arg(value_name = "SHELL", value_enum)]
    pub(in crate::cli) shell: Option<Shell>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Manual {
    /// Write the pages of all commands to this folder, as in `~/.local/share/man/man1`
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) into: Option<PathBuf>,
}
