//! `autogit down`: the way out. Every runner exits after its job, and what is ours goes.

use std::process::ExitCode;

use jiff::{SignedDuration, Timestamp};

use super::arguments::Down;
use super::logging;
use super::plan::render_plan;
use super::shell::{Shell, say, talk};
use crate::operate::{
    Adapters, Failure, Records, Running, Whose, down as begin, own_records, remains,
};
use crate::view::{View, words};

/// How often it is told what is waited for.
const TELL_AGAIN: SignedDuration = SignedDuration::from_secs(30);

pub(super) async fn down(
    arguments: &Down,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    logging::start(shell, None, if arguments.yes { "info" } else { "warn" });
    let loaded = arguments.spec.place(shell).load(shell, adapters).await?;
    if let Some(running) = Running::find(&Whose::Spec(&loaded.spec), shell, adapters).await? {
        return Err(Failure::Failed(format!(
            "{}\nhint: stop it first; it would start runners for new jobs",
            running.head()
        )));
    }
    let records = if arguments.keep_records { Records::Keep } else { Records::Delete };
    let mut alone = begin(&loaded, records, shell, adapters).await?;
    if !arguments.yes {
        let plan = alone.look().await.as_of(shell.clock().now()).plan_output();
        say(&render_plan(&plan, &shell.render_options(false)))?;
        talk("nothing was changed: `autogit down --yes` does this, and waits for jobs that run");
        return Ok(ExitCode::SUCCESS);
    }
    let view = alone.empty(records, telling(shell)).await?;
    let instance = &loaded.spec.instance;
    say(&format!("no runner, network or cache of instance `{instance}` is left\n"))?;
    for one in remains(&view.world) {
        say(&format!("{one} stays\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells from time to time which jobs are waited for.
pub(super) fn telling(shell: &Shell) -> impl FnMut(&View) + use<> {
    let clock = shell.clock().clone();
    let mut told: Option<Timestamp> = None;
    move |view: &View| {
        let now = clock.now();
        if told.is_some_and(|at| now.duration_since(at) < TELL_AGAIN) {
            return;
        }
        told = Some(now);
        let runners = view.as_of(now).runners_output();
        let jobs: Vec<String> = runners
            .iter()
            .filter_map(|runner| Some(format!("#{}", runner.job.as_ref()?.id?)))
            .collect();
        let records: Vec<String> =
            own_records(&view.world).map(|record| record.id.to_string()).collect();
        let none = runners.is_empty();
        let runners = words::count(runners.len(), "runner");
        talk(&match jobs.as_slice() {
            [] if none && !records.is_empty() => format!(
                "no runner left; a record stays until it is ten minutes old, because another AutoGit \
                 may have made it just now: {} (Ctrl-C leaves it)",
                records.join(" ")
            ),
            [] => format!("{runners} left"),
            jobs => format!("{runners} left; jobs that run are waited for: {}", jobs.join(" ")),
        });
    }
}
