//! `autogit drain`: a runner, or all of a pool, finish the job they have and exit.

use std::process::ExitCode;

use super::arguments::Drain;
use super::shell::{Shell, say};
use crate::operate::{About, Adapters, Failure, drain as ask};
use crate::view::words;

pub(super) async fn drain(
    arguments: &Drain,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let question = arguments.asking.question(arguments.spec.place(shell), About::Present)?;
    let asked = ask(&question, &arguments.runner, shell, adapters).await?;
    let mut lines: Vec<String> = Vec::new();
    for runner in &asked.runners {
        let job = runner.job.as_ref().and_then(|job| job.id);
        let job = job.map_or_else(String::new, |id| format!(", after job #{id}"));
        lines.push(format!("{} on {} exits{job}", runner.name, runner.host));
    }
    if asked.runners.is_empty() {
        lines.push("all of these exit already".to_owned());
    }
    lines.push(if asked.goes_on {
        "its pool starts others where jobs need them; `enabled: false` stops a pool".to_owned()
    } else {
        "no AutoGit runs here: what they leave is cleaned up when one does".to_owned()
    });
    say(&format!("{}\n", words::plain_lines(&lines.join("\n"))))?;
    Ok(ExitCode::SUCCESS)
}
