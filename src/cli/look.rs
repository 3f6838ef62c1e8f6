//! The commands that look and change nothing: `plan` and `explain`; and this process's eyes.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::arguments::{Explain, Format, Plan, PlanFormat};
use super::failure::Failure;
use super::running::escaped;
use super::shell::{Shell, say, talk};
use super::sight::{About, Sight, Theirs, Whoever, completeness};
use super::{Adapters, candidate, render_explain, render_plan, render_plan_markdown};
use crate::clock::Clock;
use crate::error_policy::{EXIT_CHANGES, EXIT_FAILED, ErrorKind};
use crate::gitlab::Gitlab;
use crate::observe::Ports;
use crate::reconcile::{Controller, loaded_info};
use crate::source::Loaded;
use crate::view::{AsOf, ExplainOutput, HeldOutput, PlanOutput, SourceOutput, Subject, View};
use crate::world::{JobId, Memory};

/// Time between two questions of `plan --watch` to an AutoGit that runs: it looks no more often for
/// it. A look of one's own costs GitLab requests, so that takes the spec's interval.
const WATCH_PAUSE: Duration = Duration::from_secs(2);

/// One process's eyes.
pub(super) struct Eyes {
    controller: Controller,
    ports: Ports,
    hash: String,
    poll_interval: Duration,
    clock: Clock,
}

impl Eyes {
    /// `beside`: another AutoGit of the instance runs and has the tokens.
    pub(super) fn open(
        loaded: &Loaded,
        beside: bool,
        shell: &Shell,
        adapters: Adapters,
    ) -> Result<Self, Failure> {
        let ports = adapters.connect(loaded, shell).map_err(Failure::Failed)?;
        let info = loaded_info(loaded);
        let mut controller = Controller::new(ports.clone(), shell.clock().clone(), info);
        if beside {
            controller.look_beside_another();
        } else {
            controller.look_only();
        }
        let poll_interval = loaded.spec.gitlab.poll_interval;
        let (hash, clock) = (loaded.hash.clone(), shell.clock().clone());
        Ok(Self { controller, ports, hash, poll_interval, clock })
    }

    /// Looks with what another AutoGit remembers.
    pub(super) fn borrow_memory(&mut self, memory: Memory) {
        self.controller.borrow_memory(memory);
    }

    /// The plan of a look.
    pub(super) async fn plan(&mut self) -> PlanOutput {
        let view = self.look().await;
        view.as_of(self.clock.now()).plan_output()
    }

    pub(super) async fn look(&mut self) -> View {
        let view = self.controller.look().await;
        // A sweep needs two looks that agree; without the second one it would not be shown.
        if self.controller.saw_leftovers() { self.controller.look().await } else { view }
    }
}

pub(super) async fn plan(
    arguments: Plan,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    if arguments.watch {
        return watch(&arguments, shell, adapters).await;
    }
    let preview = candidate::preview(&arguments, shell, adapters).await?;
    let plan = if let Some(preview) = preview {
        let head = [vec![preview.head.clone()], preview.notes()].concat().join("\n");
        if arguments.format == PlanFormat::Text {
            say(&(head + "\n"))?;
        } else {
            talk(&head);
        }
        preview.plan
    } else {
        let asked = (&arguments.spec, &arguments.asking, About::File);
        let mut sight = Sight::open(asked, shell, adapters).await?;
        sight.say_head(arguments.format == PlanFormat::Text)?;
        sight.plan().await?
    };
    say(&rendered(&plan, &arguments, shell))?;
    if !SourceOutput::unknown(&plan.sources).is_empty() {
        return Ok(ExitCode::from(EXIT_FAILED));
    }
    let changes = arguments.detailed_exitcode && !plan.decisions.is_empty();
    Ok(if changes { ExitCode::from(EXIT_CHANGES) } else { ExitCode::SUCCESS })
}

fn rendered(plan: &PlanOutput, arguments: &Plan, shell: &Shell) -> String {
    match arguments.format {
        PlanFormat::Text => render_plan(plan, &shell.render_options(arguments.verbose)),
        PlanFormat::Json => json(plan),
        PlanFormat::Markdown => render_plan_markdown(plan),
    }
}

/// Prints the plan whenever its decisions or holds differ; ends with the process. An AutoGit that
/// comes or goes and a file that changes are taken up as they are.
async fn watch(arguments: &Plan, shell: &Shell, adapters: Adapters) -> Result<ExitCode, Failure> {
    let mut last: Option<PlanOutput> = None;
    let mut kept: Option<Box<Eyes>> = None;
    let mut said = String::new();
    loop {
        let mut pause = WATCH_PAUSE;
        match watched(arguments, &mut kept, shell, adapters).await {
            Ok((sight, plan)) => {
                if last.as_ref().is_none_or(|last| differs(last, &plan)) {
                    sight.say_head(arguments.format == PlanFormat::Text)?;
                    say(&rendered(&plan, arguments, shell))?;
                }
                last = Some(plan);
                said.clear();
                if let Whoever::Own(eyes) = sight.eyes {
                    pause = eyes.poll_interval;
                    kept = Some(eyes);
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

/// One look of `plan --watch`. Eyes that have looked at the same spec before know more.
async fn watched(
    arguments: &Plan,
    kept: &mut Option<Box<Eyes>>,
    shell: &Shell,
    adapters: Adapters,
) -> Result<(Sight, PlanOutput), Failure> {
    let mut sight =
        Sight::open((&arguments.spec, &arguments.asking, About::File), shell, adapters).await?;
    if let Whoever::Own(eyes) = &mut sight.eyes
        && let Some(before) = kept.take_if(|before| before.hash == eyes.hash)
    {
        *eyes = before;
    }
    let plan = sight.plan().await?;
    Ok((sight, plan))
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

pub(super) async fn explain(
    arguments: Explain,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let (subject, place) = arguments.parts();
    let mut sight =
        Sight::open((&place, &arguments.asking, About::FileOrForce), shell, adapters).await?;
    let (output, sources, notices) = match &mut sight.eyes {
        Whoever::Theirs(theirs) => {
            let output = explained_there(theirs, &subject, shell, adapters).await?;
            (output, theirs.status.sources.clone(), theirs.status.notices.clone())
        }
        Whoever::Own(eyes) => {
            let view = eyes.look().await;
            let told = view.as_of(shell.clock().now());
            let output = explained_here(told, &subject, &eyes.ports).await?;
            (output, told.sources(), told.notices())
        }
    };
    sight.say_head(arguments.show.format == Format::Text)?;
    let options = shell.render_options(arguments.show.verbose);
    say(&match arguments.show.format {
        Format::Text => {
            render_explain(&output, &SourceOutput::unknown(&sources), &notices, &options)
        }
        Format::Json => json(&output),
    })?;
    Ok(completeness(sources.values()))
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
    theirs: &Theirs,
    word: &str,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExplainOutput, Failure> {
    let path = format!("/explain/{}", escaped(word));
    let output: ExplainOutput = theirs.running.get(&path).await?;
    let ExplainOutput::Job(job) = output else { return Ok(output) };
    let gitlab = theirs.loaded.as_ref().filter(|_| !job.is_pending());
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

/// One JSON document, for people's eyes too.
pub(super) fn json(output: &impl Serialize) -> String {
    // Our outputs are structs with string keys: serialising them cannot fail.
    serde_json::to_string_pretty(output).unwrap_or_default() + "\n"
}
