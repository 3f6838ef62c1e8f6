//! Removing what is ours and has no runner. Each removal looks again right before it.

use std::collections::BTreeMap;

use super::start::Registration;
use super::{ApplyError, Effect, engine};
use crate::observe::Ports;
use crate::spec::HostName;
use crate::world::{Leftover, RecordId, Runner, SystemId, Variant, World};

const IN_USE: Effect = Effect::Skipped("it is in use after all");
const GONE: Effect = Effect::Skipped("it is gone already");

/// Removes one leftover.
pub(super) async fn sweep(
    ports: &Ports,
    world: &World,
    records: &BTreeMap<Variant, Registration>,
    leftover: &Leftover,
) -> Result<Effect, ApplyError> {
    match leftover {
        Leftover::JobContainer(host, _)
        | Leftover::JobVolume(host, _)
        | Leftover::JobNetwork(host, _) => sweep_job_object(ports, world, host, leftover).await,
        Leftover::Network(host, id) => remove_network(ports, world, host, id).await,
        Leftover::Manager(record, system_id) => {
            delete_manager(ports, world, records, *record, system_id).await
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
    if is_held(ports, world, host, owner).await? {
        return Ok(IN_USE);
    }
    if let Some(container) = container {
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

/// A living container of ours has that slot.
async fn is_held(
    ports: &Ports,
    world: &World,
    host: &HostName,
    system_id: &SystemId,
) -> Result<bool, ApplyError> {
    let holders = engine(ports, host)?.with_system_id(&world.spec.instance, system_id).await?;
    Ok(!holders.is_empty())
}

async fn remove_network(
    ports: &Ports,
    world: &World,
    host: &HostName,
    id: &str,
) -> Result<Effect, ApplyError> {
    let engine = engine(ports, host)?;
    let network = engine.network(&world.spec.network, &world.spec.instance).await?;
    match network {
        Some(network) if network.id == id && network.ours && network.containers == 0 => {
            engine.remove_network(id).await?;
            Ok(Effect::Done)
        }
        Some(_) => Ok(IN_USE),
        None => Ok(GONE),
    }
}

/// Deletes the row of a runner that no host has.
async fn delete_manager(
    ports: &Ports,
    world: &World,
    records: &BTreeMap<Variant, Registration>,
    record: RecordId,
    system_id: &SystemId,
) -> Result<Effect, ApplyError> {
    for engine in ports.engines.values() {
        let runners = engine.runners(&world.spec.instance).await?;
        let its = |runner: &Runner| runner.record == record && runner.system_id == *system_id;
        if runners.iter().any(its) {
            return Ok(IN_USE);
        }
    }
    let Some(registration) = records.values().find(|registration| registration.record == record)
    else {
        return Ok(Effect::Skipped(
            "its token is not at hand; GitLab removes the row after a week",
        ));
    };
    ports.gitlab.delete_manager(&registration.token, system_id).await?;
    Ok(Effect::Done)
}

/// Deletes a record that no container of any host has.
pub(super) async fn delete_record(
    ports: &Ports,
    world: &World,
    record: RecordId,
) -> Result<Effect, ApplyError> {
    for engine in ports.engines.values() {
        let runners = engine.runners(&world.spec.instance).await?;
        if runners.iter().any(|runner| runner.record == record) {
            return Ok(IN_USE);
        }
    }
    ports.gitlab.delete_record(record).await?;
    Ok(Effect::Done)
}
