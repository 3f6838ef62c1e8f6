//! Starting a runner: image → create with its files → list → start only if alone in the slot.

use secrecy::SecretString;

use super::act::engine;
use super::{ApplyError, Effect};
use crate::engine::runner_config::{self, RunnerConfig};
use crate::engine::{Engine, EngineError, ImageRequest, NewRunner};
use crate::observe::Ports;
use crate::spec::{Arch, Cost, Gpu, HostName, Pool, Proxy};
use crate::world::{Host, RecordId, RunnerName, Slot, SystemId, Variant, WorkloadId, World};

/// The record and token that a new runner gets.
#[derive(Debug)]
pub(super) struct RecordToken {
    pub(super) record: RecordId,
    pub(super) token: SecretString,
}

/// A runner to be started.
pub(super) struct Start<'a> {
    pub(super) host: &'a HostName,
    pub(super) runner: &'a RunnerName,
    pub(super) variant: &'a Variant,
    pub(super) slot: Slot,
    pub(super) system_id: &'a SystemId,
    pub(super) cost: &'a Cost,
    pub(super) record_token: &'a RecordToken,
}

impl Start<'_> {
    pub(super) async fn run(&self, ports: &Ports, world: &World) -> Result<Effect, ApplyError> {
        let Some(pool) = world.spec.pool(&self.variant.pool) else {
            return Ok(Effect::Skipped("its pool is gone"));
        };
        let engine = engine(ports, self.host)?;
        // Docker would take the container and refuse its start.
        if world.lacks_network(self.host) {
            let network = engine.network(&world.spec.network, &world.spec.instance).await?;
            if network.is_none() {
                return Ok(Effect::Skipped("its host has no network for it"));
            }
        }
        // Nothing starts on a host that was never seen.
        let node = world.hosts.get(self.host).and_then(Host::node);
        let arch = node.ok_or_else(|| ApplyError::NoHost(self.host.clone()))?.arch;
        let image =
            ImageRequest { image: pool.runner_image.clone(), arch, policy: pool.pull_policy };
        let Some(gpus) = self.gpus(world) else {
            return Ok(Effect::Skipped("a GPU of it is not there any more"));
        };
        engine.ensure_image(&image).await?;
        let new = self.container(world, engine, pool, arch, &gpus).await?;
        let id = engine.create_runner(&new).await?;
        start_alone(engine, &new, id).await
    }

    /// The GPUs that it was decided to get.
    fn gpus(&self, world: &World) -> Option<Vec<Gpu>> {
        let offered = world.gpus_of(self.host);
        let of_id = |id: &str| offered.seen.gpus.iter().find(|gpu| gpu.id == id).cloned();
        self.cost.gpus.iter().map(of_id).collect()
    }

    async fn container(
        &self,
        world: &World,
        engine: &dyn Engine,
        pool: &Pool,
        arch: Arch,
        gpus: &[Gpu],
    ) -> Result<NewRunner, ApplyError> {
        let spec = &world.spec;
        let socket = engine.socket().await?;
        let token = &self.record_token.token;
        let proxy = spec.proxy(pool, self.host).map(|(proxy, _)| proxy);
        let config = RunnerConfig::of(spec, pool, self.runner, token, &socket, proxy.as_ref());
        let config = RunnerConfig { guarded: Some(self.variant.arch), gpus, ..config };
        let config = runner_config::render(&config)?;
        // Nothing starts on a host that was never seen.
        let hash = world.spec_hash(self.host, pool);
        let hash = hash.ok_or_else(|| ApplyError::NoHost(self.host.clone()))?;
        Ok(NewRunner {
            name: self.runner.clone(),
            instance: spec.instance.clone(),
            variant: self.variant.clone(),
            arch,
            slot: self.slot,
            system_id: self.system_id.clone(),
            record: self.record_token.record,
            spec: hash,
            cost: self.cost.clone(),
            image: pool.runner_image.clone(),
            network: spec.network.clone(),
            jobs_max: pool.jobs_per_runner,
            config,
            environment: proxy.as_ref().map(Proxy::of_runners).unwrap_or_default(),
            labels: pool.labels.clone(),
            ca: spec.gitlab.ca.clone(),
        })
    }
}

/// Starts the created container if no living one shares its system id, for gitlab-runner would mix
/// their build directories; else removes it: it never ran.
async fn start_alone(
    engine: &dyn Engine,
    new: &NewRunner,
    id: WorkloadId,
) -> Result<Effect, ApplyError> {
    let alone = match engine.with_system_id(&new.instance, &new.system_id).await {
        Ok(holders) => holders.iter().all(|holder| *holder == id),
        Err(error) => return Err(undo(engine, &id, error.into()).await),
    };
    if !alone {
        return Err(undo(engine, &id, ApplyError::SlotTaken(new.name.clone())).await);
    }
    match engine.start(&id).await {
        Ok(()) => Ok(Effect::Started(id)),
        // Nobody but another AutoGit removes what was made this moment.
        Err(EngineError::NotFound { .. }) => Err(ApplyError::SlotTaken(new.name.clone())),
        Err(error) if error.in_doubt() => Err(error.into()),
        Err(error) => Err(undo(engine, &id, error.into()).await),
    }
}

/// Removes the container that was not started. If that fails, too, the next look at its host finds
/// it created and never started, and the plan removes it; until then it has its slot.
async fn undo(engine: &dyn Engine, id: &WorkloadId, error: ApplyError) -> ApplyError {
    match engine.remove_container(id).await {
        Ok(()) | Err(EngineError::NotFound { .. }) => error,
        Err(left) => {
            tracing::debug!(%id, error = %left, "the container that was not started stays for the next look");
            ApplyError::NotUndone(Box::new(error))
        }
    }
}
