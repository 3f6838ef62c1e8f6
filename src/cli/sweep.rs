//! `autogit sweep`: what is ours and should not be there, shown and then removed.

use std::process::ExitCode;

use super::arguments::Sweep;
use super::down::telling;
use super::logging;
use super::plan::decision_line;
use super::shell::{Shell, say, talk};
use crate::error_policy::EXIT_FAILED;
use crate::operate::{
    Adapters, Alone, Failure, Records, Running, Whose, down_former, plan_sweep, remains,
};
use crate::source::Loaded;
use crate::spec::InstanceName;
use crate::view::{PlanOutput, SourceOutput, View, words};

pub(super) async fn sweep(
    arguments: &Sweep,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    logging::start(shell, None, if arguments.yes { "info" } else { "warn" });
    let loaded = arguments.spec.place(shell).load(shell, adapters).await?;
    if let Some(former) = &arguments.instance {
        return sweep_former(former, &loaded, arguments.yes, shell, adapters).await;
    }
    if let Some(running) = Running::find(&Whose::Spec(&loaded.spec), shell, adapters).await? {
        let running = running.acting_for(&loaded.spec);
        let plan: PlanOutput = running.get("/plan").await?;
        talk(&format!(
            "{}; it removes what is left over by itself, and this is its plan",
            running.head()
        ));
        return shown(&plan);
    }
    let mut alone = Alone::open(&loaded, plan_sweep, shell, adapters).await?;
    let view = alone.look().await;
    let plan = output(&view, shell);
    let shown = shown(&plan);
    if !arguments.yes || plan.decisions.is_empty() {
        if !plan.decisions.is_empty() {
            talk("nothing was removed: `autogit sweep --yes` does this");
        }
        for other in view.as_of(shell.clock().now()).notices() {
            talk(&words::plain_lines(&other));
        }
        return shown;
    }
    // Also where nobody reads the list to its end.
    alone.settle().await?;
    shown?;
    say(&format!("{} done\n", words::count(plan.decisions.len(), "removal")))?;
    Ok(ExitCode::SUCCESS)
}

async fn sweep_former(
    former: &str,
    loaded: &Loaded,
    yes: bool,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let usage = |problem: String| Failure::Usage(format!("error: {problem}"));
    let instance = InstanceName::new(former).map_err(|error| usage(error.to_string()))?;
    if instance == loaded.spec.instance {
        return Err(usage(format!(
            "`{former}` is the instance of this file\nhint: `autogit down` removes it"
        )));
    }
    let (mut alone, view) = down_former(loaded, instance, shell, adapters).await?;
    let plan = output(&view, shell);
    if !yes {
        let code = shown(&plan)?;
        talk(&format!("nothing was removed: `autogit sweep --instance {former} --yes` does this"));
        return Ok(code);
    }
    let view = alone.empty(Records::Delete, telling(shell)).await?;
    for one in remains(&view.world) {
        say(&format!("{one} stays\n"))?;
    }
    say(&format!("nothing else of instance `{former}` is left on the hosts of this file\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn output(view: &View, shell: &Shell) -> PlanOutput {
    view.as_of(shell.clock().now()).plan_output()
}

/// The removals of a plan, and the exit code that says whether all was seen.
fn shown(plan: &PlanOutput) -> Result<ExitCode, Failure> {
    let removals = ["sweep", "reap", "delete-record"];
    let removals = plan.decisions.iter().filter(|one| removals.contains(&&*one.action));
    let lines: Vec<String> = removals.map(decision_line).collect();
    let nothing = vec!["nothing is left over".to_owned()];
    let unknown = SourceOutput::unknown(&plan.sources);
    let lines = if lines.is_empty() && unknown.is_empty() { nothing } else { lines };
    for line in lines {
        say(&format!("{}\n", words::plain(&line)))?;
    }
    if unknown.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let unknown = unknown.join(", ");
    talk(&format!("unknown, so nothing that hangs on it is removed: {unknown}"));
    Ok(ExitCode::from(EXIT_FAILED))
}
