//! `autogit selftest`: a real pipeline, followed from its trigger until nothing of it is left.

mod text;

use std::process::ExitCode;

use futures_util::future::select_all;
use tokio::signal::unix::{SignalKind, signal};

use super::arguments::{Format, Selftest};
use super::explain::render_explain;
use super::shell::{Shell, say, talk};
use super::text::json;
use crate::error_policy::EXIT_FAILED;
use crate::operate::selftest::{Wishes, selftest as test};
use crate::operate::{About, Adapters, Failure};
use crate::view::{ExplainOutput, words};
use text::render_selftest;

pub(super) async fn selftest(
    arguments: &Selftest,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let place = arguments.spec.place(shell);
    let token = arguments.gitlab_token_file.as_ref().map(|path| crate::source::read(path));
    let token = token.transpose().map_err(|error| {
        Failure::Usage(format!("error: GitLab's token cannot be read: {error}"))
    })?;
    let wishes = Wishes {
        question: arguments.asking.question(place, About::Present)?,
        project: arguments.project.clone(),
        group: arguments.group.clone(),
        token: token.map(|text| text.trim().to_owned().into()),
        runs: arguments.runs,
        timeout: arguments.timeout,
    };
    let tell = |line: &str| {
        let time = shell.render_options(false).time(shell.clock().now());
        talk(&format!("{time}  {}", words::plain_lines(line)));
    };
    let tested = test(&wishes, stopped(), &tell, shell, adapters).await?;
    let options = shell.render_options(false);
    say(&match arguments.format {
        Format::Json => json(&tested.output),
        Format::Text => render_selftest(&tested.output, &options),
    })?;
    for job in tested.explained {
        talk("");
        talk(render_explain(&ExplainOutput::Job(job), &[], &[], &options).trim_end());
    }
    Ok(if tested.output.pass { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Whoever stops it has it clean up; whoever stops it again does not want to wait for that.
async fn stopped() -> Failure {
    let wait = async || {
        let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let mut arrivals = Vec::new();
        for kind in signals {
            arrivals.push(signal(kind).map_err(|error| error.to_string())?);
        }
        select_all(arrivals.iter_mut().map(|arrival| Box::pin(arrival.recv()))).await;
        Ok::<(), String>(())
    };
    if let Err(error) = wait().await {
        return Failure::Failed(error);
    }
    talk("stopped: what was made is removed first; Ctrl-C once more leaves it");
    tokio::spawn(async move {
        let _ = wait().await;
        talk("what was made stays: its name begins with `autogit-selftest-`");
        #[expect(clippy::exit, reason = "the clean-up is what is not waited for")]
        std::process::exit(i32::from(EXIT_FAILED));
    });
    Failure::Failed("stopped before the self-test ended".to_owned())
}
