//! The command line of what a person does at GitLab.

use clap::Args;

use super::{Format, SpecOption};
use crate::cli::shell::Shell;
use crate::gitlab::user::Variable;
use crate::operate::Failure;

/// Which project, at which GitLab.
#[derive(Debug, Args)]
pub(in crate::cli) struct About {
    /// The project, GROUP/NAME; else that of the git repository in this folder
    #[arg(long, short, value_name = "PROJECT")]
    pub(in crate::cli) project: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) spec: SpecOption,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Projects {
    /// Words in its path or name
    #[arg(value_name = "WORDS")]
    pub(in crate::cli) search: Option<String>,
    /// List all that the token sees, not only those of its user
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// List so many at most
    #[arg(long, short = 'n', default_value_t = 30)]
    pub(in crate::cli) limit: usize,
    /// How they are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) spec: SpecOption,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Pipelines {
    #[command(flatten)]
    pub(in crate::cli) about: About,
    /// Of this branch or tag only
    #[arg(long = "ref", value_name = "REF")]
    pub(in crate::cli) ref_name: Option<String>,
    /// List so many at most
    #[arg(long, short = 'n', default_value_t = 20)]
    pub(in crate::cli) limit: usize,
    /// How they are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Jobs {
    /// Of this pipeline: its number, or its page's address
    #[arg(value_name = "PIPELINE")]
    pub(in crate::cli) pipeline: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) about: About,
    /// List so many at most
    #[arg(long, short = 'n', default_value_t = 40)]
    pub(in crate::cli) limit: usize,
    /// How they are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Trigger {
    /// The branch or tag; else the project's default branch
    #[arg(value_name = "REF")]
    pub(in crate::cli) ref_name: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) about: About,
    /// A variable of the pipeline (may be repeated); `NAME` alone takes its value from the
    /// environment, so that a secret is in no list of processes
    #[arg(long = "variable", visible_alias = "var", value_name = "NAME=VALUE")]
    variables: Vec<String>,
    /// Wait until it ended, and tell what its jobs do; ends with 1 unless it succeeded
    #[arg(long, short)]
    pub(in crate::cli) wait: bool,
    /// How the pipeline is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

impl Trigger {
    /// The variables with their values.
    pub(in crate::cli) fn variables(&self, shell: &Shell) -> Result<Vec<Variable>, Failure> {
        let read = |word: &String| {
            let (key, value) = if let Some((key, value)) = word.split_once('=') {
                (key, value.to_owned())
            } else {
                let value = shell.variable(word).ok_or_else(|| {
                    Failure::Usage(format!(
                        "error: the variable `{word}` has no value here\n\
                         hint: write `--variable {word}=VALUE`, or set it"
                    ))
                })?;
                (word.as_str(), value)
            };
            Ok(Variable { key: key.to_owned(), value: value.into() })
        };
        self.variables.iter().map(read).collect()
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct JobLog {
    /// The job: its number, or its page's address
    #[arg(value_name = "JOB")]
    pub(in crate::cli) job: String,
    #[command(flatten)]
    pub(in crate::cli) about: About,
    /// Follow it until the job ends; ends with 1 unless it succeeded
    #[arg(long, short)]
    pub(in crate::cli) follow: bool,
    /// Print what the runner wrote, byte for byte; terminals obey what is in it
    #[arg(long, conflicts_with = "follow")]
    pub(in crate::cli) raw: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeArguments {
    /// A job's number, `pipeline NUMBER`, or the address of its page
    #[arg(value_names = ["JOB"], required = true, num_args = 1..=2)]
    words: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) about: About,
}

impl ChangeArguments {
    /// `jobs` or `pipelines`, and the word that names one of them.
    pub(in crate::cli) fn named(&self) -> Result<(&'static str, &str), String> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["pipeline", word] => Ok(("pipelines", word)),
            [word] if word.contains("/-/pipelines/") => Ok(("pipelines", word)),
            ["job", word] | [word] => Ok(("jobs", word)),
            other => Err(format!(
                "error: `{}` names neither a job nor a pipeline\n\
                 hint: write a job's number, or `pipeline NUMBER`",
                other.join(" ")
            )),
        }
    }
}
