//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keeps GitLab Runner containers in agreement with one declarative file.
#[derive(Debug, Parser)]
#[command(name = "autogit", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 fine · 1 failed, or a source is unknown · 2 the command line \
    or the spec is wrong · 3 `plan --detailed-exitcode` found changes (terraform says 2 there)";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make GitLab and Docker agree with the spec, and keep them so
    Run(Run),
    /// Show what would be done now and what waits for what; changes nothing
    Plan(Plan),
    /// Check the spec: all faults at once
    Check(Check),
    /// Show what differs between two specs, in the operator's terms
    Diff(Diff),
    /// Tell why a job waits, why a pool has its size, what a runner does and why it is still there
    Explain(Explain),
    /// Show how everything stands: sources, pools, hosts
    Status(Look),
    /// List the runners and what keeps them
    Runners(Look),
    /// List the pending jobs and what each waits for
    Queue(Look),
    /// Print the JSON Schema of the spec, for editors
    Schema,
    /// Run the whole system on this machine: a simulated GitLab, demo jobs, the real controller
    Sandbox(Sandbox),
}

/// Where the spec is.
#[derive(Debug, Args)]
pub(super) struct SpecPlace {
    /// The spec's file
    #[arg(
        long,
        short,
        env = "AUTOGIT_CONFIG",
        default_value = "autogit.yaml",
        value_name = "FILE"
    )]
    pub(super) config: PathBuf,
    /// Read variables from this file, too; the process's own win (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) spec: SpecPlace,
    /// End as soon as nothing is to be done; does not wait for jobs
    #[arg(long)]
    pub(super) once: bool,
    /// How the log is written; JSON by default under systemd and in containers
    #[arg(long, value_enum)]
    pub(super) log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    Human,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) spec: SpecPlace,
    /// How the plan is printed
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub(super) format: PlanFormat,
    /// List everything that stays as it is, too
    #[arg(long, short)]
    pub(super) verbose: bool,
    /// End with 3 if there is something to do
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// Look again and again, and print each plan that differs
    #[arg(long, conflicts_with = "detailed_exitcode")]
    pub(super) watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For a merge request's comment
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// What is looked at, and how it is printed.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    pub(super) spec: SpecPlace,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// List all of it, however long
    #[arg(long, short)]
    pub(super) verbose: bool,
}

#[derive(Debug, Args)]
pub(super) struct Look {
    #[command(flatten)]
    pub(super) show: Show,
    /// Look at GitLab and Docker, also where an AutoGit runs that could tell
    #[arg(long)]
    pub(super) direct: bool,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A job's id or name, a pool's name or a runner's name
    #[arg(value_name = "JOB|POOL|RUNNER")]
    pub(super) subject: String,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The spec's file
    #[arg(env = "AUTOGIT_CONFIG", default_value = "autogit.yaml", value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Read variables from this file, too; the process's own win (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Vec<PathBuf>,
    /// Accept variables that have no value here, and read no file that the spec names; for CI
    #[arg(long)]
    pub(super) no_env: bool,
    /// How the faults are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The spec to compare with, as it was
    #[arg(value_name = "OLD")]
    pub(super) old: PathBuf,
    /// The spec as it is
    #[arg(default_value = "autogit.yaml", value_name = "NEW")]
    pub(super) new: PathBuf,
    /// Read variables from this file, too; the process's own win (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Sandbox {
    /// Your own spec instead of the built-in one; `${SANDBOX_URL}` and `${SANDBOX_TOKEN}` lead to
    /// the simulated GitLab
    #[arg(long, short, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Use the Docker Engine of this machine: the containers are real, GitLab stays simulated
    #[arg(long)]
    pub(super) docker: bool,
    /// The runners' image with `--docker`; `tests/runner/build-image` builds the default one
    #[arg(long, value_name = "IMAGE", default_value = "autogit-test-runner:latest")]
    pub(super) runner_image: String,
    /// The jobs' image with `--docker`; needs a shell
    #[arg(long, value_name = "IMAGE", default_value = "autogit-test-job:latest")]
    pub(super) job_image: String,
    /// The same seed gives the same jobs
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(super) seed: u64,
    /// How many times as fast as real time; 1 with `--docker`
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", value_parser = speed)]
    pub(super) speed: f64,
    /// End when all demo jobs have ended and all runners are gone; 0 says that they are
    #[arg(long)]
    pub(super) until_idle: bool,
    /// End after this time, as in 60s; with `--until-idle` that is a failure
    #[arg(long = "for", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub(super) limit: Option<Duration>,
    /// Where the simulated GitLab listens; with `--docker` where containers reach it
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<std::net::SocketAddr>,
}

fn speed(word: &str) -> Result<f64, String> {
    let speed: f64 = word.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=1000.0).contains(&speed) { Ok(speed) } else { Err("not within 0.1 to 1000".into()) }
}
