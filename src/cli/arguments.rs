//! The command line.

mod asking;
mod help;
mod trial;
mod user;

pub(super) use asking::{AskingArguments, ServerArguments};
pub(super) use help::{Completions, CompletionsCommand, Manual};
pub(super) use trial::{Logs, Selftest};
pub(super) use user::{About, ChangeArguments, JobLog, Jobs, Pipelines, Projects, Trigger};

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::operate::{Process, SpecPlace};
use asking::server;

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
    /// Set AutoGit up: asks, checks GitLab's token, writes `autogit.yaml` and the credentials
    Init(Box<Init>),
    /// Make GitLab and Docker agree with the spec, and keep them so
    Run(Run),
    /// Show what would be done now and what waits for what; changes nothing
    Plan(Plan),
    /// Check the spec: all faults at once
    Check(Check),
    /// Show what differs between two specs, in the operator's terms
    Diff(Diff),
    /// Check everything that AutoGit needs, and say what to do about what is wrong
    Doctor(Doctor),
    /// Try every pool with a real job, follow each until nothing of it is left, and tell the times
    Selftest(Selftest),
    /// Tell why a job waits, why a pool has its size, what a runner does and why it is still there
    Explain(Explain),
    /// Show the state of sources, pools and hosts
    Status(Look),
    /// List the runners and what keeps them
    Runners(Look),
    /// List the pending jobs and what each waits for
    Queue(Look),
    /// Show live in the terminal what the AutoGit that runs sees, explain it, and drain runners
    Top(Top),
    /// Ask the AutoGit that runs here whether its loop goes on; for health checks of containers
    Health(Health),
    /// Replace GitLab's token by a new one
    Token(Token),
    /// Show a runner's own log, also while it runs
    Logs(Logs),
    /// Let a runner, or all of a pool, finish the job it has and exit
    Drain(Drain),
    /// Show, and then remove, what is ours and should not be there; never a runner with a job
    #[command(visible_alias = "gc")]
    Sweep(Sweep),
    /// Drain all runners, wait for their jobs, and remove all that is ours: the way out. Stop the AutoGit
    /// of the instance first: one in a container or on another machine is seen from here only where its
    /// API answers at `api.listen`, or once it starts a runner
    Down(Down),
    /// List the projects that the token's user works in
    Projects(Projects),
    /// List a project's pipelines
    Pipelines(Pipelines),
    /// List a project's or a pipeline's jobs
    Jobs(Jobs),
    /// Begin a pipeline
    #[command(alias = "gitlab-trigger")]
    Trigger(Trigger),
    /// Show a job's log
    #[command(visible_alias = "log")]
    JobLog(JobLog),
    /// Begin a job or a pipeline that failed or was cancelled once more
    Retry(ChangeArguments),
    /// Stop a job or a pipeline
    Cancel(ChangeArguments),
    /// Print the JSON Schema of the spec, for editors
    Schema,
    /// Print what a shell completes, or install it
    Completions(Completions),
    /// Print the manual page, or write those of all commands
    Man(Manual),
    /// Run the whole system on this machine: a simulated GitLab, demo jobs, the real controller
    Sandbox(Sandbox),
}

/// Env files that are read by themselves: what `autogit init` writes, and what its users had before.
const ENV_FILES: [&str; 2] = [".env.gitlab", ".env.runner"];

/// Where the spec is: FILE and `-c FILE` are the same.
#[derive(Debug, Args)]
pub(super) struct SpecArguments {
    /// The spec's file, also as `-c FILE` or in `AUTOGIT_CONFIG`; `autogit.yaml` where nothing is named.
    /// `gitlab://group/project@branch/path.yaml` is a file in a project at the GitLab of `GITLAB_URL`,
    /// read with `GITLAB_TOKEN` or the file of `GITLAB_TOKEN_FILE`; a branch with slashes ends with a
    /// colon (`@feature/x:path.yaml`), `gitlab://group/project` is autogit.yaml of the default branch
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    #[command(flatten)]
    option: SpecOption,
}

/// Where the spec is, for a command whose words are about something else.
#[derive(Debug, Clone, Args)]
pub(super) struct SpecOption {
    /// The spec's file, or `gitlab://group/project@branch/path.yaml`
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read variables from this file, too; those of the process take precedence (may be repeated).
    /// Where none is named: `.env.gitlab` and `.env.runner` beside the spec, if they are there
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
}

impl SpecOption {
    /// Where the spec is.
    pub(super) fn place(&self, process: &Process) -> SpecPlace {
        let spec = SpecArguments { file: None, option: self.clone() };
        spec.place(process)
    }
}

impl SpecArguments {
    /// Where the spec is.
    pub(super) fn place(&self, process: &Process) -> SpecPlace {
        let written = self.file.clone().or_else(|| self.option.config.clone());
        let named = written.or_else(|| process.variable("AUTOGIT_CONFIG").map(PathBuf::from));
        let is_named = named.is_some();
        let path = named.unwrap_or_else(|| PathBuf::from("autogit.yaml"));
        let mut env_files = self.option.env_file.clone();
        if env_files.is_empty() {
            // One at GitLab has the folder of the process beside it.
            let remote = path.to_str().is_some_and(|path| path.contains("://"));
            let spec = if remote { Path::new("autogit.yaml") } else { path.as_path() };
            let beside = ENV_FILES.into_iter().map(|name| spec.with_file_name(name));
            env_files = beside.filter(|file| file.exists()).collect();
        }
        SpecPlace { path, is_named, env_files }
    }

    /// The same place, for a command line that is shown: nothing where nothing was named.
    pub(super) fn words(&self) -> String {
        let written = self.file.as_ref().or(self.option.config.as_ref());
        written.map(|path| format!(" -c {}", path.display())).unwrap_or_default()
    }
}

#[derive(Debug, Args)]
pub(super) struct Init {
    #[command(flatten)]
    pub(super) spec: SpecArguments,
    /// Ask nothing: flags, variables and what is there already say everything, else it fails
    #[arg(long)]
    pub(super) unattended: bool,
    /// GitLab's address; else `GITLAB_URL`, else that of a GitLab container on this machine's engine
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// A file with GitLab's token, `-` for stdin; else `GITLAB_TOKEN`, else it is asked for
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Serve the jobs of this group; without it all that the token may
    #[arg(long, value_name = "PATH", conflicts_with = "project")]
    pub(super) group: Option<String>,
    /// Serve the jobs of this project
    #[arg(long, value_name = "PATH")]
    pub(super) project: Option<String>,
    /// Where containers reach GitLab, if elsewhere
    #[arg(long, value_name = "URL")]
    pub(super) runner_url: Option<String>,
    /// Where GitLab reaches AutoGit's API: makes a webhook that wakes AutoGit
    #[arg(long, value_name = "URL")]
    pub(super) external_url: Option<String>,
    /// The SHA-256 fingerprint of GitLab's certificate, to trust it as itself
    #[arg(long, value_name = "SHA256")]
    pub(super) fingerprint: Option<String>,
    /// Put a new file in the place of one that says something else, which stays beside it as `….old`
    #[arg(long)]
    pub(super) force: bool,
    /// How long to wait for a GitLab that still starts
    #[arg(long, default_value = "10m", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub(super) wait: Duration,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) spec: SpecArguments,
    /// End as soon as nothing is left to do; does not wait for jobs
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
    pub(super) spec: SpecArguments,
    /// How the plan is printed
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub(super) format: PlanFormat,
    /// List everything that stays as it is, too
    #[arg(long, short)]
    pub(super) verbose: bool,
    /// End with 3 if there is something to do
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    #[command(flatten)]
    pub(super) asking: AskingArguments,
    /// Look again and again, and print each plan that differs
    #[arg(long, conflicts_with = "detailed_exitcode")]
    pub(super) watch: bool,
    /// Plan as if it were that time for the schedules of the pools: `18:00` (today), `+2h`,
    /// `2026-10-25T02:30[Europe/Berlin]` or `2026-10-25T00:30:00Z`
    #[arg(long, value_name = "TIME", conflicts_with = "watch")]
    pub(super) at: Option<String>,
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

/// How something is printed.
#[derive(Debug, Args)]
pub(super) struct Show {
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
    pub(super) spec: SpecArguments,
    #[command(flatten)]
    pub(super) asking: AskingArguments,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, Args)]
pub(super) struct Top {
    #[command(flatten)]
    pub(super) spec: SpecArguments,
    #[command(flatten)]
    pub(super) server: ServerArguments,
}

#[derive(Debug, Args)]
pub(super) struct Health {
    #[command(flatten)]
    pub(super) spec: SpecArguments,
    /// End with 1 also while GitLab or a host cannot be read, or before the first look; not for what
    /// restarts AutoGit
    #[arg(long)]
    pub(super) strict: bool,
    /// Ask the AutoGit at this address instead of the one that runs here
    #[arg(long, value_name = "URL", value_parser = server)]
    pub(super) server: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Drain {
    /// A runner's name, or a pool's
    #[arg(value_name = "RUNNER|POOL")]
    pub(super) runner: String,
    #[command(flatten)]
    pub(super) spec: SpecOption,
    #[command(flatten)]
    pub(super) asking: AskingArguments,
}

#[derive(Debug, Args)]
pub(super) struct Sweep {
    #[command(flatten)]
    pub(super) spec: SpecArguments,
    /// Remove it
    #[arg(long)]
    pub(super) yes: bool,
    /// Remove what another instance left, whose engines are the hosts of this file; only if none of
    /// it is alive
    #[arg(long, value_name = "NAME")]
    pub(super) instance: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Down {
    #[command(flatten)]
    pub(super) spec: SpecArguments,
    /// Do it
    #[arg(long)]
    pub(super) yes: bool,
    /// Keep the records at GitLab, for who comes back
    #[arg(long)]
    pub(super) keep_records: bool,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A job's id or name, a pool's or a runner's name, also with its kind, as in `job 14`; then
    /// the spec's file, if it is to be another one
    #[arg(value_names = ["JOB|POOL|RUNNER", "FILE"], required = true, num_args = 1..=3)]
    words: Vec<String>,
    #[command(flatten)]
    spec: SpecOption,
    #[command(flatten)]
    pub(super) asking: AskingArguments,
    #[command(flatten)]
    pub(super) show: Show,
}

impl Explain {
    /// What is to be explained, and where the spec is.
    pub(super) fn parts(&self) -> (String, SpecArguments) {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let (subject, file) = match words.as_slice() {
            [kind @ ("job" | "pool" | "runner"), word] => (format!("{kind} {word}"), None),
            [word, file] => ((*word).to_owned(), Some(PathBuf::from(file))),
            [kind, word, file] => (format!("{kind} {word}"), Some(PathBuf::from(file))),
            other => (other.join(" "), None),
        };
        (subject, SpecArguments { file, option: self.spec.clone() })
    }
}

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) spec: SpecArguments,
    /// Accept variables that have no value here, and read no file that the spec names; for CI
    #[arg(long)]
    pub(super) no_env: bool,
    /// How the faults are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
#[command(after_help = DOCTOR_CODES)]
pub(super) struct Doctor {
    #[command(flatten)]
    pub(super) spec: SpecArguments,
    /// Put right what is safe, and say each thing done: make the runners' network, pull images that
    /// are missing, take the rights of others from files with secrets, make missing webhooks
    #[arg(long)]
    pub(super) fix: bool,
    /// How the findings are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

const DOCTOR_CODES: &str =
    "Exit codes: 0 nothing failed · 1 a check failed · 2 the command line or the spec is wrong";

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The spec to compare with, as it was
    #[arg(value_name = "OLD")]
    pub(super) old: PathBuf,
    #[command(flatten)]
    pub(super) new: SpecArguments,
}

#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    pub(super) what: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Have GitLab replace the token, and put the new one where the old one was. GitLab revokes the
    /// old one at once; an AutoGit that runs takes up the new one within seconds
    Rotate(Rotate),
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    pub(super) spec: SpecArguments,
    /// How long the new token lasts; GitLab allows a year unless its administrator says otherwise
    #[arg(long, default_value = "365d", value_parser = lifetime, value_name = "DURATION")]
    pub(super) expires_in: Duration,
}

/// A year has 365 days here: GitLab's longest life.
fn lifetime(word: &str) -> Result<Duration, String> {
    let days = match word.trim().split_once('y') {
        Some((years, "" | "r" | "ear" | "ears")) => {
            years.trim().parse::<u64>().ok().and_then(|years| years.checked_mul(365))
        }
        _ => None,
    };
    match days {
        Some(days) => Ok(Duration::from_secs(days.saturating_mul(86_400))),
        None => humantime::parse_duration(word).map_err(|error| error.to_string()),
    }
}

#[derive(Debug, Args)]
pub(super) struct Sandbox {
    /// Your own spec instead of the built-in one, also as `-c FILE`. Its `gitlab` is `{url:
    /// ${SANDBOX_URL}, runner_url: ${SANDBOX_RUNNER_URL}, token: ${SANDBOX_TOKEN}}`: no real GitLab
    /// is ever asked
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The spec's file
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
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
    /// End when all demo jobs have ended and all runners are gone; 0 says that they are. Else it
    /// goes on until Ctrl-C, with a job now and then
    #[arg(long)]
    pub(super) until_idle: bool,
    /// End after this time, as in 60s; with `--until-idle` that is a failure
    #[arg(long = "for", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub(super) limit: Option<Duration>,
    /// Where the simulated GitLab listens; with `--docker` where containers reach it
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<std::net::SocketAddr>,
}

impl Sandbox {
    /// The operator's own spec.
    pub(super) fn own_spec(&self) -> Option<&Path> {
        self.file.as_deref().or(self.config.as_deref())
    }
}

fn speed(word: &str) -> Result<f64, String> {
    let speed: f64 = word.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=1000.0).contains(&speed) { Ok(speed) } else { Err("not within 0.1 to 1000".into()) }
}
