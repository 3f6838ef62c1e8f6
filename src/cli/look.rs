//! The commands that look and change nothing: `plan` and `explain`; and the eyes of all that do.

use std::process::ExitCode;

use serde::Serialize;

use super::arguments::{Explain, Format, Plan, PlanFormat, SpecPlace};
use super::failure::Failure;
use super::shell::{Shell, say, talk};
use super::{Adapters, render_explain, render_plan, render_plan_markdown};
use crate::gitlab::JobDetail;
use crate::observe::Ports;
use crate::reconcile::{Controller, loaded_info};
use crate::source::{InstanceLock, Loaded, LockError, file_named, load};
use crate::view::{Subject, View};
use crate::world::JobId;

/// What `plan --detailed-exitcode` ends with if there is something to do.
const CHANGES: u8 = 3;

/// The spec that a command looks with; its warnings are said.
pub(super) fn loaded(place: &SpecPlace, shell: &Shell) -> Result<Loaded, Failure> {
    let path = file_named(&place.config)?;
    let environment = shell.environment(&place.env_file);
    let loaded = load(path, &environment, shell.clock().now())
        .map_err(|error| Failure::spec(&error, shell.colours_talk()))?;
    for warning in &loaded.warnings {
        talk(&format!("warning: {warning}"));
    }
    Ok(loaded)
}

/// One process's eyes.
pub(super) struct Eyes {
    controller: Controller,
    ports: Ports,
    poll_interval: std::time::Duration,
}

impl Eyes {
    pub(super) fn open(
        loaded: &Loaded,
        shell: &Shell,
        adapters: Adapters,
    ) -> Result<Self, Failure> {
        let ports = adapters.connect(loaded, shell).map_err(Failure::Failed)?;
        let info = loaded_info(loaded);
        let instance = info.spec.instance.clone();
        let poll_interval = info.spec.gitlab.poll_interval;
        let mut controller = Controller::new(ports.clone(), shell.clock().clone(), info);
        if let Err(LockError::Held { .. }) = InstanceLock::acquire(&instance, &shell.lock_folders())
        {
            controller.look_beside_another();
        }
        Ok(Self { controller, ports, poll_interval })
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
    let mut eyes = Eyes::open(&loaded(&arguments.spec, shell)?, shell, adapters)?;
    let options = shell.render_options(arguments.verbose);
    let render = |view: &View| match arguments.format {
        PlanFormat::Text => render_plan(&view.plan_output(), &options),
        PlanFormat::Json => json(&view.plan_output()),
        PlanFormat::Markdown => render_plan_markdown(&view.plan_output()),
    };
    if arguments.watch {
        return watch(&mut eyes, shell, render).await;
    }
    let view = eyes.look().await;
    say(&render(&view));
    if !view.unknown_sources().is_empty() {
        return Ok(ExitCode::from(1));
    }
    let changes = arguments.detailed_exitcode && !view.plan.is_empty();
    Ok(if changes { ExitCode::from(CHANGES) } else { ExitCode::SUCCESS })
}

/// Prints the plan whenever its decisions or holds differ; ends with the process.
async fn watch(
    eyes: &mut Eyes,
    shell: &Shell,
    render: impl Fn(&View) -> String,
) -> Result<ExitCode, Failure> {
    let mut last: Option<View> = None;
    loop {
        let view = eyes.look().await;
        if last.as_ref().is_none_or(|last| differs(last, &view)) {
            say(&render(&view));
        }
        last = Some(view);
        shell.clock().sleep(eyes.poll_interval).await;
    }
}

/// Whether there is news: numbers that only grow older are none.
fn differs(one: &View, other: &View) -> bool {
    let key = |view: &View| {
        let plan = &view.plan;
        let decided: Vec<_> =
            plan.decisions.iter().map(|one| (one.rule, one.action.clone())).collect();
        let jobs: Vec<_> =
            plan.held_jobs.iter().map(|held| (held.job, held.hold.as_str())).collect();
        let runners: Vec<_> = plan
            .held_runners
            .iter()
            .map(|held| (held.runner.clone(), held.hold.as_str()))
            .collect();
        (decided, jobs, runners, view.unknown_sources())
    };
    key(one) != key(other)
}

pub(super) async fn explain(
    arguments: Explain,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let mut eyes = Eyes::open(&loaded(&arguments.show.spec, shell)?, shell, adapters)?;
    let view = eyes.look().await;
    let subject =
        view.subject(&arguments.subject).map_err(|error| Failure::Failed(error.to_string()))?;
    let detail = match &subject {
        Subject::Job(id) if !is_pending(&view, *id) => Some(ask(&eyes.ports, *id).await?),
        Subject::Job(_) | Subject::Pool(_) | Subject::Runner(_) => None,
    };
    let Some(output) = view.explain(&subject, detail.as_ref()) else {
        return Err(Failure::Failed(format!("`{}` is gone", arguments.subject)));
    };
    let options = shell.render_options(arguments.show.verbose);
    say(&match arguments.show.format {
        Format::Text => {
            let unknown = view.unknown_sources();
            let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
            render_explain(&output, &unknown, &options)
        }
        Format::Json => json(&output),
    });
    Ok(ExitCode::SUCCESS)
}

fn is_pending(view: &View, id: JobId) -> bool {
    view.world.queue.known().is_some_and(|queue| queue.jobs.iter().any(|job| job.id == id))
}

async fn ask(ports: &Ports, id: JobId) -> Result<JobDetail, Failure> {
    ports.gitlab.job(id).await.map_err(|error| Failure::Failed(error.to_string()))
}

/// One JSON document, for people's eyes too.
pub(super) fn json(output: &impl Serialize) -> String {
    // Our outputs are structs with string keys: serialising them cannot fail.
    serde_json::to_string_pretty(output).unwrap_or_default() + "\n"
}
