//! `autogit explain`: why a job waits, why a pool has its size, what a runner does.

mod text;

pub use text::render_explain;

use std::process::ExitCode;

use super::answer::completeness;
use super::arguments::{Explain, Format};
use super::shell::{Shell, say, say_head, talk};
use super::text::json;
use crate::error_policy::ErrorKind;
use crate::gitlab::Gitlab;
use crate::observe::Ports;
use crate::operate::{About, Adapters, ChosenView, Failure, RunningView, WhoseView, escaped};
use crate::source::Loaded;
use crate::view::{AsOf, ExplainOutput, SourceOutput, Subject, View};
use crate::world::JobId;

/// Records about which GitLab is asked.
const RECORDS_MAX: usize = 5;

pub(super) async fn explain(
    arguments: Explain,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let (subject, spec) = arguments.parts();
    let question = arguments.asking.question(spec.place(shell), About::FileOrForce)?;
    let mut chosen = ChosenView::choose(&question, shell, adapters).await?;
    let loaded = match &chosen.whose {
        WhoseView::Running(there) => there.loaded.clone(),
        WhoseView::Own(_) => question.place.load(shell, adapters).await.ok(),
    };
    let (output, sources, notices) = match &mut chosen.whose {
        WhoseView::Running(there) => {
            let output = explained_there(there, &subject, shell, adapters).await?;
            (output, there.status.sources.clone(), there.status.notices.clone())
        }
        WhoseView::Own(own) => {
            let view = own.look().await;
            let told = view.as_of(shell.clock().now());
            let output = explained_here(told, &subject, &own.ports).await?;
            (output, told.sources(), told.notices())
        }
    };
    let output = judged(output, loaded.as_ref(), shell, adapters).await;
    say_head(&chosen, arguments.show.format == Format::Text)?;
    let options = shell.render_options(arguments.show.verbose);
    say(&match arguments.show.format {
        Format::Text => {
            render_explain(&output, &SourceOutput::unknown(&sources), &notices, &options)
        }
        Format::Json => json(&output),
    })?;
    Ok(completeness(sources.values()))
}

/// With GitLab's own word on whether its runners may take a job that is pending, where it tells: only
/// who asks for one job asks GitLab for it.
async fn judged(
    output: ExplainOutput,
    loaded: Option<&Loaded>,
    shell: &Shell,
    adapters: Adapters,
) -> ExplainOutput {
    let (ExplainOutput::Job(job), Some(loaded)) = (&output, loaded) else { return output };
    let Ok(gitlab) = (adapters.gitlab_inspection)(loaded, shell) else { return output };
    let mut answers = Vec::new();
    for record in job.fitting_records().into_iter().take(RECORDS_MAX) {
        // What GitLab does not tell is no answer; the rest of the explanation stands.
        if let Ok(Some(takes)) = gitlab.takes(record.into(), job.id.into()).await {
            answers.push((record, takes));
        }
    }
    ExplainOutput::Job(job.clone().judged_by_gitlab(&answers))
}

async fn explained_here(
    view: AsOf<'_>,
    word: &str,
    ports: &Ports,
) -> Result<ExplainOutput, Failure> {
    let subject = view.subject(word).map_err(|error| Failure::Failed(error.to_string()))?;
    let detail = match &subject {
        Subject::Job(id) if !is_pending(&view, *id) => {
            let told = ports.gitlab.job(*id, None).await;
            Some(told.map_err(|error| Failure::Failed(error.to_string()))?)
        }
        Subject::Job(_) | Subject::Pool(_) | Subject::Runner(_) => None,
    };
    let explained = view.explain(&subject, detail.as_ref());
    explained.ok_or_else(|| Failure::Failed(format!("`{word}` is gone")))
}

/// The AutoGit that runs asks GitLab for no single job on anybody's behalf; this process may, where
/// it has the token.
async fn explained_there(
    there: &RunningView,
    word: &str,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExplainOutput, Failure> {
    let path = format!("/explain/{}", escaped(word));
    let output: ExplainOutput = there.running.get(&path).await?;
    let ExplainOutput::Job(job) = output else { return Ok(output) };
    let gitlab = there.loaded.as_ref().filter(|_| !job.is_pending() && !job.failed_here());
    let gitlab = gitlab.and_then(|loaded| (adapters.gitlab)(loaded, shell).ok());
    let Some(gitlab) = gitlab else { return Ok(ExplainOutput::Job(job)) };
    match Gitlab::job(gitlab.as_ref(), job.id.into(), None).await {
        Ok(told) => Ok(ExplainOutput::Job(job.told_by_gitlab(&told))),
        // What the AutoGit that runs knows is better than nothing.
        Err(error) if error.kind() == ErrorKind::Unreachable => {
            talk(&error.to_string());
            Ok(ExplainOutput::Job(job))
        }
        Err(error) => Err(Failure::Failed(error.to_string())),
    }
}

fn is_pending(view: &View, id: JobId) -> bool {
    view.world.queue.known().is_some_and(|queue| queue.jobs.iter().any(|job| job.id == id))
}
