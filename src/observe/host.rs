//! One look at one host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use crate::engine::{Engine, EngineError, RunnerList};
use crate::spec::{Arch, HostName, Spec};
use crate::world::{
    ContainerState, EngineInfo, HostState, ImageState, Runner, RunnerLog, WorkloadId, images_kept,
    pools_on,
};

/// Logs that are read at the same time: enough to hide the latency of ssh, few for an engine.
const LOGS_AT_ONCE: usize = 16;

/// What the host of that name holds; `last` is what was seen there before.
pub(super) async fn look(
    engine: &dyn Engine,
    spec: &Spec,
    name: &HostName,
    last: Option<&HostState>,
) -> Result<HostState, EngineError> {
    let info = engine.info().await?;
    let arch = info.node.arch;
    let held = hold(engine, spec, info, last);
    let images = images(engine, images_of(spec, name, arch), arch, last);
    let kept_images = engine.kept_images(&spec.instance);
    let (held, images, kept_images) = tokio::join!(held, images, kept_images);
    // What is not told is neither missing nor old.
    Ok(HostState { images, kept_images: kept_images.ok(), ..held? })
}

/// All but the images.
async fn hold(
    engine: &dyn Engine,
    spec: &Spec,
    info: EngineInfo,
    last: Option<&HostState>,
) -> Result<HostState, EngineError> {
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
        images: BTreeMap::new(),
        kept_images: None,
    })
}

/// The images that runners need there, and those that are kept ready for jobs.
fn images_of(spec: &Spec, host: &HostName, arch: Arch) -> BTreeSet<String> {
    let of_runners = pools_on(spec, host, arch).map(|pool| pool.runner_image.clone());
    of_runners.chain(images_kept(spec, host, arch).into_keys()).collect()
}

/// Whether these images are there. Each is asked for at each look, for anybody
/// may remove one; of one that the engine does not tell of counts what it told last.
async fn images(
    engine: &dyn Engine,
    images: BTreeSet<String>,
    arch: Arch,
    last: Option<&HostState>,
) -> BTreeMap<String, Result<ImageState, Arc<str>>> {
    let ask = |image: String| async move {
        let told = engine.image(&image, arch).await.map_err(|error| error.to_string().into());
        let before = || last?.images.get(&image)?.as_ref().ok().copied();
        let told = told.or_else(|error| before().ok_or(error));
        (image, told)
    };
    join_all(images.into_iter().map(ask)).await.into_iter().collect()
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
