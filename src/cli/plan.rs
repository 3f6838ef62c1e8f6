//! `autogit plan`: what would happen now, and what waits for what; changes nothing.

mod at;
mod candidate;
mod groups;
mod markdown;
mod text;
mod waiting;
mod watch;

pub use markdown::render_plan_markdown;
pub use text::render_plan;

pub(crate) use text::decision_line;

use std::process::ExitCode;

use super::arguments::{Plan, PlanFormat};
use super::shell::{Shell, say, say_head, talk};
use super::text::json;
use crate::error_policy::{EXIT_CHANGES, EXIT_FAILED};
use crate::operate::{About, Adapters, ChosenView, Failure, Question};
use crate::view::{PlanOutput, SourceOutput};

pub(super) async fn plan(
    arguments: Plan,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    if arguments.watch {
        return watch::watch(&arguments, shell, adapters).await;
    }
    let at = at::given(&arguments, shell)?;
    let preview = candidate::preview(&arguments, at, shell, adapters).await?;
    let plan = if let Some(preview) = preview {
        let head = [vec![preview.head.clone()], preview.notes()].concat().join("\n");
        if arguments.format == PlanFormat::Text {
            say(&(head + "\n"))?;
        } else {
            talk(&head);
        }
        preview.plan
    } else {
        let mut chosen = ChosenView::choose(&question(&arguments, shell)?, shell, adapters).await?;
        say_head(&chosen, arguments.format == PlanFormat::Text)?;
        chosen.plan(at).await?
    };
    say(&rendered(&plan, &arguments, shell))?;
    if !SourceOutput::unknown(&plan.sources).is_empty() {
        return Ok(ExitCode::from(EXIT_FAILED));
    }
    let changes = arguments.detailed_exitcode && !plan.decisions.is_empty();
    Ok(if changes { ExitCode::from(EXIT_CHANGES) } else { ExitCode::SUCCESS })
}

fn question(arguments: &Plan, shell: &Shell) -> Result<Question, Failure> {
    arguments.asking.question(arguments.spec.place(shell), About::File)
}

fn rendered(plan: &PlanOutput, arguments: &Plan, shell: &Shell) -> String {
    match arguments.format {
        PlanFormat::Text => render_plan(plan, &shell.render_options(arguments.verbose)),
        PlanFormat::Json => json(plan),
        PlanFormat::Markdown => render_plan_markdown(plan),
    }
}
