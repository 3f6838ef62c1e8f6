//! Drains that an operator asks for: each runner finishes the job it has and exits.

use serde::Deserialize;

use super::adapters::Adapters;
use super::alone::{Alone, plan_drains};
use super::chosen_view::{ChosenView, Question, RunningView, WhoseView};
use super::failure::Failure;
use super::process::Process;
use super::running::{Reply, Running, escaped};
use crate::view::RunnerOutput;

/// What was asked for, and who does it.
pub(crate) struct Asked {
    /// The runners that drain now, with the jobs that they finish before they exit.
    pub(crate) runners: Vec<RunnerOutput>,
    /// An AutoGit runs, so what they leave is cleaned up, and pools start others where they need them.
    pub(crate) goes_on: bool,
}

/// Asks for a runner, or for all runners of a pool, to be drained.
pub(crate) async fn drain(
    question: &Question,
    word: &str,
    process: &Process,
    adapters: Adapters,
) -> Result<Asked, Failure> {
    let chosen = ChosenView::choose(question, process, adapters).await?;
    match chosen.whose {
        WhoseView::Running(there) => {
            Ok(Asked { runners: drain_there(&there, word).await?, goes_on: true })
        }
        WhoseView::Own(_) => {
            let loaded = question.place.load(process, adapters).await?;
            let mut alone = Alone::open(&loaded, plan_drains, process, adapters).await?;
            let view = alone.look().await;
            let runners = meant(view.as_of(process.clock().now()).runners_output(), word)?;
            let seen = view.world.runners();
            let meant = |name: &str| runners.iter().any(|runner| runner.name == name);
            for seen in seen.iter().filter(|seen| meant(&seen.runner.name.to_string())) {
                alone.drain(&seen.runner.name);
            }
            alone.settle().await?;
            Ok(Asked { runners, goes_on: false })
        }
    }
}

/// Asks the AutoGit that runs for it; the runners that drain now.
pub(crate) async fn drain_there(
    there: &RunningView,
    word: &str,
) -> Result<Vec<RunnerOutput>, Failure> {
    let runners = meant(there.running.get("/runners").await?, word)?;
    let running = there.running.clone();
    let running = match &there.loaded {
        Some(loaded) => running.acting_for(&loaded.spec),
        None => running,
    };
    for runner in &runners {
        ask(&running, runner).await?;
    }
    Ok(runners)
}

/// The runners that `word` names and that do not exit already.
fn meant(runners: Vec<RunnerOutput>, word: &str) -> Result<Vec<RunnerOutput>, Failure> {
    let named = |runner: &RunnerOutput| runner.name == word || runner.pool == word;
    let found: Vec<RunnerOutput> = runners.into_iter().filter(named).collect();
    if found.is_empty() {
        return Err(Failure::Failed(format!(
            "no runner and no pool with runners is called `{word}`\n\
             hint: `autogit runners` lists them"
        )));
    }
    let over = ["draining", "exited", "failed", "created"];
    Ok(found.into_iter().filter(|runner| !over.contains(&&*runner.phase)).collect())
}

/// What an AutoGit that takes a drain answers.
#[derive(Deserialize)]
struct Taken {}

async fn ask(running: &Running, runner: &RunnerOutput) -> Result<(), Failure> {
    let path = format!("/runners/{}/drain", escaped(&runner.name));
    match running.act::<Taken>(&path).await? {
        Reply::Fine(_) => Ok(()),
        Reply::Refused { words, .. } => Err(Failure::Failed(words)),
    }
}
