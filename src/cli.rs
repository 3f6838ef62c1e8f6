//! The commands: arguments, rendering, exit codes. Rendering is pure: a
//! [`View`](crate::view::View) in, text out; nothing here acts on GitLab or Docker but by starting
//! the loop.

mod answer;
mod arguments;
mod cancel;
mod check;
mod completions;
mod diff;
mod doctor;
mod down;
mod drain;
mod explain;
mod health;
mod init;
mod job;
mod job_log;
mod jobs;
mod logging;
mod logs;
mod man;
mod pipelines;
mod plan;
mod projects;
mod prompt;
mod queue;
mod retry;
mod run;
mod runners;
mod sandbox;
mod schema;
mod selftest;
mod shell;
mod status;
mod supervisor;
mod sweep;
mod text;
mod token;
mod top;
mod trigger;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::error_policy::EXIT_USAGE;
use crate::operate::{Adapters, Failure};
use arguments::{Arguments, Command};

pub use check::{CheckOutput, FaultOutput};
pub use doctor::{
    CountsOutput, DoctorOutput, DoneOutput, FindingOutput, finding_output, render_doctor,
};
pub use explain::render_explain;
pub use plan::{render_plan, render_plan_markdown};
pub use queue::render_queue;
pub use runners::render_runners;
pub use sandbox::{Board, SandboxStats, render_changes, render_live};
pub use shell::Shell;
pub use status::render_status;
pub use supervisor::Supervisor;
pub use text::{Paint, RenderOptions};
pub use top::{News, Seen, TopState, Wish, draw_top};

/// The whole command line, for what describes it.
pub fn command_line() -> clap::Command {
    Arguments::command()
}

/// Does what the command line asks for; the exit code says how it went.
pub fn main(
    command_line: impl Iterator<Item = OsString>,
    shell: &Shell,
    adapters: Adapters,
) -> ExitCode {
    let arguments = match Arguments::try_parse_from(command_line) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way, too.
            if error.use_stderr() {
                let _ = error.print();
                return ExitCode::from(EXIT_USAGE);
            }
            let text = error.render();
            let painted = shell.render_options(false).paint.is_on();
            let text = if painted { text.ansi().to_string() } else { text.to_string() };
            return shell::say(&text).map_or_else(ended, |()| ExitCode::SUCCESS);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(command(arguments.command, shell, adapters)),
        Err(error) => Err(Failure::Failed(format!("the event loop cannot start: {error}"))),
    };
    outcome.unwrap_or_else(ended)
}

/// Says why, and ends with its code.
#[expect(clippy::needless_pass_by_value, reason = "it is the end of what went wrong")]
fn ended(failure: Failure) -> ExitCode {
    if !matches!(failure, Failure::Unread) {
        shell::talk(&failure.to_string());
    }
    failure.exit_code()
}

async fn command(command: Command, shell: &Shell, adapters: Adapters) -> Result<ExitCode, Failure> {
    match command {
        Command::Init(arguments) => init::init(*arguments, shell, adapters).await,
        Command::Run(arguments) => run::run(arguments, shell, adapters).await,
        Command::Plan(arguments) => plan::plan(arguments, shell, adapters).await,
        Command::Check(arguments) => check::check(&arguments, shell, adapters).await,
        Command::Diff(arguments) => diff::diff(&arguments, shell, adapters).await,
        Command::Doctor(arguments) => doctor::doctor(arguments, shell, adapters).await,
        Command::Selftest(arguments) => selftest::selftest(&arguments, shell, adapters).await,
        Command::Explain(arguments) => explain::explain(arguments, shell, adapters).await,
        Command::Status(arguments) => status::status(arguments, shell, adapters).await,
        Command::Runners(arguments) => runners::runners(arguments, shell, adapters).await,
        Command::Queue(arguments) => queue::queue(arguments, shell, adapters).await,
        Command::Top(arguments) => top::top(arguments, shell, adapters).await,
        Command::Health(arguments) => health::health(arguments, shell, adapters).await,
        Command::Token(arguments) => token::token(arguments, shell, adapters).await,
        Command::Logs(arguments) => logs::logs(&arguments, shell, adapters).await,
        Command::Drain(arguments) => drain::drain(&arguments, shell, adapters).await,
        Command::Sweep(arguments) => sweep::sweep(&arguments, shell, adapters).await,
        Command::Down(arguments) => down::down(&arguments, shell, adapters).await,
        Command::Projects(arguments) => projects::projects(&arguments, shell, adapters).await,
        Command::Pipelines(arguments) => pipelines::pipelines(&arguments, shell, adapters).await,
        Command::Jobs(arguments) => jobs::jobs(&arguments, shell, adapters).await,
        Command::Trigger(arguments) => trigger::trigger(&arguments, shell, adapters).await,
        Command::JobLog(arguments) => job_log::job_log(&arguments, shell, adapters).await,
        Command::Retry(arguments) => retry::retry(&arguments, shell, adapters).await,
        Command::Cancel(arguments) => cancel::cancel(&arguments, shell, adapters).await,
        Command::Schema => schema::schema(),
        Command::Completions(arguments) => completions::completions(&arguments, shell),
        Command::Man(arguments) => man::man(&arguments),
        Command::Sandbox(arguments) => sandbox::sandbox(arguments, shell, adapters).await,
    }
}
