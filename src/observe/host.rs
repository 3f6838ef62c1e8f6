//! One look at one host.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use crate::engine::{Engine, EngineError, RunnerList};
use crate::spec::Spec;
use crate::world::{ContainerState, HostState, Runner, RunnerLog, WorkloadId};

/// Logs that are read at the same time: enough to hide the latency of ssh, few for an engine.
const LOGS_AT_ONCE: usize = 16;

/// What the host holds; `last` is what was seen there before.
pub(super) async fn look(
    engine: &dyn Engine,
    spec: &Spec,
    last: Option<&HostState>,
) -> Result<HostState, EngineError> {
    let info = engine.info().await?;
    let jobs = engine.jobs().await?;
    let RunnerList { mut runners, aside } = engine.runners(&spec.instance).await?;
    runners.sort_by(|one, other| one.name.cmp(&other.name));
    read_logs(engine, &mut runners, last).await;
    let network = engine.network(&spec.network, &spec.instance).await?;
    let old_networks = engine.old_networks(&spec.network, &spec.instance).await?;
    Ok(HostState {
        engine: info,
        jobs,
        runners,
        aside,
        missing: BTreeMap::new(),
        network,
        old_networks,
    })
}

/// Adds each runner's log; one that cannot be read keeps what it told last.
pub(super) async fn read_logs(
    engine: &dyn Engine,
    runners: &mut [Runner],
    last: Option<&HostState>,
) {
    let before: BTreeMap<&WorkloadId, &RunnerLog> = last
        .into_iter()
        .flat_map(|state| &state.runners)
        .filter_map(|runner| Some((&runner.id, runner.log.as_ref()?)))
        .collect();
    let read = |runner: &Runner| {
        let (id, started) = (runner.id.clone(), runner.state != ContainerState::Created);
        async move { if started { engine.runner_log(&id).await.ok() } else { None } }
    };
    let reads: Vec<_> = runners.iter().map(read).collect();
    let logs: Vec<Option<RunnerLog>> = stream::iter(reads).buffered(LOGS_AT_ONCE).collect().await;
    for (runner, log) in runners.iter_mut().zip(logs) {
        runner.log = log.or_else(|| before.get(&runner.id).map(|log| (*log).clone()));
    }
}
