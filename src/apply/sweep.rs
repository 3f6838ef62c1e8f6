//! Removing what is ours and has no runner. Each removal looks again right before it.

use super::act::engine;
use super::start::RecordToken;
use super::{ApplyError, Effect};
use crate::engine::{Engine, RunnerList, Sighting};
use crate::observe::Ports;
use crate::spec::HostName;
use crate::world::{
    Absence, ContainerState, KeptImage, Leftover, RecordId, Runner, RunnerName, SetAside, SystemId,
    World, may_stop,
};

const IN_USE: Effect = Effect::Skipped("it is in use after all");
const GONE: Effect = Effect::Skipped("it is gone already");

/// Removes one leftover.
pub(super) async fn sweep(
    ports: &Ports,
    world: &World,
    record_token: Option<&RecordToken>,
    leftover: &Leftover,
) -> Result<Effect, ApplyError> {
    match leftover {
        Leftover::JobContainer(host, _)
        | Leftover::JobVolume(host, _)
        | Leftover::JobNetwork(host, _) => sweep_job_object(ports, world, host, leftover).await,
        Leftover::Network(host, id) => remove_network(ports, world, host, id).await,
        Leftover::KeptImage(host, mark) => remove_kept_image(ports, world, host, mark).await,
        Leftover::Manager(record, system_id) => {
            delete_manager(ports, world, record_token, *record, system_id).await
        }
        Leftover::Record(record) => delete_record(ports, world, *record).await,
    }
}

/// Removes what a job made, if it is still there and no living runner has its slot.
async fn sweep_job_object(
    ports: &Ports,
    world: &World,
    host: &HostName,
    leftover: &Leftover,
) -> Result<Effect, ApplyError> {
    let engine = engine(ports, host)?;
    let jobs = engine.jobs().await?;
    let container = jobs
        .containers
        .iter()
        .find(|container| matches!(leftover, Leftover::JobContainer(_, id) if *id == container.id));
    let volume = jobs
        .volumes
        .iter()
        .find(|volume| matches!(leftover, Leftover::JobVolume(_, name) if *name == volume.name));
    let network = jobs
        .networks
        .iter()
        .find(|network| matches!(leftover, Leftover::JobNetwork(_, id) if *id == network.id));
    let owner = container.map(|container| &container.system_id);
    let owner = owner.or(volume.map(|volume| &volume.system_id));
    let Some(owner) = owner.or(network.map(|network| &network.system_id)) else { return Ok(GONE) };
    if is_held(engine, world, host, owner).await? {
        return Ok(IN_USE);
    }
    if let Some(container) = container {
        // It may run again since it was seen.
        if container.running && !may_stop(world, host, container) {
            return Ok(IN_USE);
        }
        engine.remove_job_container(container).await?;
    }
    if let Some(volume) = volume {
        engine.remove_job_volume(volume).await?;
    }
    if let Some(network) = network {
        engine.remove_job_network(network).await?;
    }
    Ok(Effect::Done)
}

/// A container of ours that did not end has that slot: the engine lists it, or has one of its name
/// when it is asked.
async fn is_held(
    engine: &dyn Engine,
    world: &World,
    host: &HostName,
    system_id: &SystemId,
) -> Result<bool, ApplyError> {
    let instance = &world.spec.instance;
    if !engine.with_system_id(instance, system_id).await?.is_empty() {
        return Ok(true);
    }
    let state = world.hosts.get(host).and_then(|host| host.state.known());
    match state.and_then(|state| state.missing.get(system_id)) {
        Some(Absence::Gone { name }) => is_there(engine, world, name, system_id).await,
        Some(Absence::Nameless) => Ok(false),
        Some(Absence::Unsaid(_)) | None => Ok(true),
    }
}

/// A container of that name has that slot and did not end.
async fn is_there(
    engine: &dyn Engine,
    world: &World,
    name: &RunnerName,
    system_id: &SystemId,
) -> Result<bool, ApplyError> {
    let found = engine.find(&world.spec.instance, name.as_str()).await?;
    Ok(found.is_some_and(|found| has(&found, system_id)))
}

/// Whether what was found may be living under that system id.
pub(super) fn has(found: &Sighting, system_id: &SystemId) -> bool {
    match found {
        Sighting::Runner(runner) => {
            runner.system_id == *system_id && !matches!(runner.state, ContainerState::Exited { .. })
        }
        Sighting::Aside(aside) => aside.system_id.as_ref().is_none_or(|its| its == system_id),
    }
}

async fn remove_network(
    ports: &Ports,
    world: &World,
    host: &HostName,
    id: &str,
) -> Result<Effect, ApplyError> {
    let engine = engine(ports, host)?;
    let (name, instance) = (&world.spec.network, &world.spec.instance);
    let mut networks = engine.old_networks(name, instance).await?;
    networks.extend(engine.network(name, instance).await?);
    match networks.into_iter().find(|network| network.id == id) {
        Some(network) if network.ours && network.containers == 0 => {
            engine.remove_network(id).await?;
            Ok(Effect::Done)
        }
        Some(_) => Ok(IN_USE),
        None => Ok(GONE),
    }
}

/// First the reference goes, so that no job begins with the image, and at a later look, when no job
/// has it from before, the image itself.
async fn remove_kept_image(
    ports: &Ports,
    world: &World,
    host: &HostName,
    mark: &KeptImage,
) -> Result<Effect, ApplyError> {
    let engine = engine(ports, host)?;
    let instance = &world.spec.instance;
    let state = world.hosts.get(host).and_then(|host| host.state.known());
    let named = state.is_none_or(|state| {
        let arch = state.engine.node.arch;
        world.is_named(host, arch, &mark.image)
    });
    if !named && !mark.found && engine.forget_reference(instance, mark).await? {
        return Ok(Effect::Done);
    }
    let removed = engine.remove_mark(instance, mark).await?;
    Ok(if removed { Effect::Done } else { Effect::Skipped("a container has it") })
}

/// Deletes the row of a runner that no host has.
async fn delete_manager(
    ports: &Ports,
    world: &World,
    record_token: Option<&RecordToken>,
    record: RecordId,
    system_id: &SystemId,
) -> Result<Effect, ApplyError> {
    for engine in ports.engines.values() {
        let RunnerList { runners, aside } = engine.runners(&world.spec.instance).await?;
        let its = |runner: &Runner| runner.record == record && runner.system_id == *system_id;
        let may_be_its = |aside: &SetAside| {
            aside.record.is_none_or(|its| its == record)
                && aside.system_id.as_ref().is_none_or(|its| its == system_id)
        };
        if runners.iter().any(its) || aside.iter().any(may_be_its) {
            return Ok(IN_USE);
        }
    }
    let Some(record_token) = record_token else {
        return Ok(Effect::Skipped(
            "its token is not available; GitLab removes the row after a week",
        ));
    };
    ports.gitlab.delete_manager(&record_token.token, system_id).await?;
    Ok(Effect::Done)
}

/// Deletes a record that no container of any host has.
pub(super) async fn delete_record(
    ports: &Ports,
    world: &World,
    record: RecordId,
) -> Result<Effect, ApplyError> {
    for engine in ports.engines.values() {
        let RunnerList { runners, aside } = engine.runners(&world.spec.instance).await?;
        let may_have_it = |aside: &SetAside| aside.record.is_none_or(|its| its == record);
        if runners.iter().any(|runner| runner.record == record) || aside.iter().any(may_have_it) {
            return Ok(IN_USE);
        }
    }
    ports.gitlab.delete_record(record).await?;
    Ok(Effect::Done)
}
