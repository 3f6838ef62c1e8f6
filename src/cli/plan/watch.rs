//! `autogit plan --watch`: look again and again, and print each plan that differs.

use std::process::ExitCode;
use std::time::Duration;

use super::{question, rendered};
use crate::cli::arguments::{Plan, PlanFormat};
use crate::cli::shell::{Shell, say, say_head, talk};
use crate::operate::{Adapters, ChosenView, Failure, OwnLook, WhoseView};
use crate::view::{HeldOutput, PlanOutput, SourceOutput};

/// Time between two questions of `plan --watch` to an AutoGit that runs: it looks no more often for
/// it. A look of one's own costs GitLab requests, so that takes the spec's interval.
const WATCH_PAUSE: Duration = Duration::from_secs(2);

/// Prints the plan whenever its decisions or holds differ; ends with the process. An AutoGit that
/// comes or goes and a file that changes are taken up as they are.
pub(super) async fn watch(
    arguments: &Plan,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let mut last: Option<PlanOutput> = None;
    let mut kept: Option<Box<OwnLook>> = None;
    let mut said = String::new();
    loop {
        let mut pause = WATCH_PAUSE;
        match watched(arguments, &mut kept, shell, adapters).await {
            Ok((chosen, plan)) => {
                if last.as_ref().is_none_or(|last| differs(last, &plan)) {
                    say_head(&chosen, arguments.format == PlanFormat::Text)?;
                    say(&rendered(&plan, arguments, shell))?;
                }
                last = Some(plan);
                said.clear();
                if let WhoseView::Own(own) = chosen.whose {
                    pause = own.poll_interval;
                    kept = Some(own);
                }
            }
            Err(failure) if last.is_none() => return Err(failure),
            Err(failure) => {
                let words = failure.to_string();
                if words != said {
                    talk(&words);
                    said = words;
                }
            }
        }
        shell.clock().sleep(pause).await;
    }
}

/// One look of `plan --watch`. One that has looked at the same spec before knows more.
async fn watched(
    arguments: &Plan,
    kept: &mut Option<Box<OwnLook>>,
    shell: &Shell,
    adapters: Adapters,
) -> Result<(ChosenView, PlanOutput), Failure> {
    let mut chosen = ChosenView::choose(&question(arguments, shell)?, shell, adapters).await?;
    if let WhoseView::Own(own) = &mut chosen.whose
        && let Some(before) = kept.take_if(|before| before.hash == own.hash)
    {
        *own = before;
    }
    let plan = chosen.plan(None).await?;
    Ok((chosen, plan))
}

/// Whether there is news: numbers that only grow older are none.
fn differs(one: &PlanOutput, other: &PlanOutput) -> bool {
    let key = |plan: &PlanOutput| {
        let decided = plan.decisions.iter().map(|one| {
            let about = (one.runner.clone(), one.pool.clone(), one.arch.clone(), one.record);
            (one.action.clone(), one.rule.clone(), about, one.host.clone())
        });
        let held = plan.held.iter().map(|held| match held {
            HeldOutput::Job(job) => (job.job.to_string(), job.reason.clone()),
            HeldOutput::Runner(held) => (held.runner.clone(), held.reason.clone()),
        });
        let unknown = SourceOutput::unknown(&plan.sources);
        let unknown: Vec<String> = unknown.into_iter().map(str::to_owned).collect();
        (decided.collect::<Vec<_>>(), held.collect::<Vec<_>>(), unknown, plan.spec.hash.clone())
    };
    key(one) != key(other)
}
