//! Starting a container: its task.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::container::{Container, Process, Task};
use super::freeze::Freeze;
use super::machine::Place;
use super::state::State;
use super::{Inner, SimulatedEngineSettings};
use crate::engine::EngineError;
use crate::sandbox::runner::{Invocation, Quit, run_single};
use crate::world::ContainerId;

/// Starts a container that does not run yet: a runner's runs gitlab-runner.
pub(super) fn start(
    state: &mut State,
    id: &str,
    settings: &SimulatedEngineSettings,
    engine: &Weak<Inner>,
) -> Result<(), EngineError> {
    let container = state.container(id)?;
    if container.runs() {
        return Ok(());
    }
    state.expect_network(container.network.as_deref()).map_err(|problem| EngineError::Refused {
        attempt: format!("start container {id}"),
        problem,
    })?;
    let container = state.container_mut(id)?;
    let task = container.process.as_mut().map(|process| {
        (process.quit, process.freeze) = (Quit::default(), Freeze::default());
        run_gitlab_runner(id, process, settings, engine)
    });
    state.started(id, task);
    Ok(())
}

fn run_gitlab_runner(
    id: &str,
    process: &Process,
    settings: &SimulatedEngineSettings,
    engine: &Weak<Inner>,
) -> Task {
    let invocation = Invocation {
        version: process.version,
        config: process.config.clone(),
        system_id: process.system_id.clone(),
        runner: process.runner.clone(),
        max_builds: process.jobs_max,
        quit: process.quit.clone(),
        clock: settings.clock.clone(),
        gitlab: settings.gitlab.clone(),
        gitlab_url: settings.gitlab_url.clone(),
        seed: settings.seed,
    };
    let id = ContainerId::from_observed(id);
    let (engine, freeze) = (engine.clone(), process.freeze.clone());
    let place = Arc::new(Place { engine: engine.clone(), container: id.clone() });
    let task = tokio::spawn(async move {
        let code = freeze.run(run_single(invocation, place)).await;
        exit(&engine, &id, code);
    });
    Task(task.abort_handle())
}

/// Starts a job's container, which ends by itself after `ends`, if ever.
pub(super) fn start_job(
    state: &mut State,
    container: Container,
    ends: Option<(Duration, i64)>,
    settings: &SimulatedEngineSettings,
    engine: &Weak<Inner>,
) -> Result<ContainerId, String> {
    state.expect_network(container.network.as_deref())?;
    let id = state.create(container).map_err(|error| error.to_string())?;
    let task = ends.map(|(after, code)| {
        let (id, engine, clock) = (id.clone(), engine.clone(), settings.clock.clone());
        let task = tokio::spawn(async move {
            clock.sleep(after).await;
            exit(&engine, &id, code);
        });
        Task(task.abort_handle())
    });
    state.started(id.as_str(), task);
    Ok(id)
}

fn exit(engine: &Weak<Inner>, id: &ContainerId, code: i64) {
    if let Some(engine) = engine.upgrade() {
        engine.state().exited(id.as_str(), code, false);
    }
}
