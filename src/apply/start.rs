//! Starting a runner: image → create with its files → list → start only if alone in the slot.

use secrecy::SecretString;

use super::{ApplyError, Effect, engine};
use crate::engine::runner_config::{self, RunnerConfig, host_of, job_network};
use crate::engine::{Engine, EngineError, ImageRequest, NewRunner};
use crate::observe::Ports;
use crate::spec::{HostName, Pool};
use crate::world::{ContainerId, RecordId, RunnerName, Slot, SystemId, Variant, World, spec_hash};

/// The record and token that a new runner gets.
#[derive(Debug)]
pub(super) struct Registration {
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
    pub(super) registration: &'a Registration,
}

impl Start<'_> {
    pub(super) async fn run(&self, ports: &Ports, world: &World) -> Result<Effect, ApplyError> {
        let Some(pool) = world.spec.pool(&self.variant.pool) else {
            return Ok(Effect::Skipped("its pool is gone"));
        };
        let engine = engine(ports, self.host)?;
        let image = ImageRequest {
            image: pool.runner_image.clone(),
            arch: self.variant.arch,
            policy: pool.pull_policy,
        };
        engine.ensure_image(&image).await?;
        let new = self.container(ports, world, engine, pool).await?;
        let id = engine.create_runner(&new).await?;
        start_alone(engine, &new, id).await
    }

    async fn container(
        &self,
        ports: &Ports,
        world: &World,
        engine: &dyn Engine,
        pool: &Pool,
    ) -> Result<NewRunner, ApplyError> {
        let spec = &world.spec;
        let gitlab = &spec.gitlab;
        let socket = engine.socket().await?;
        let clone_from = gitlab.clone_url.as_deref().unwrap_or(&gitlab.runner_url);
        let clone_host = host_of(clone_from).unwrap_or_default();
        let config = runner_config::render(&RunnerConfig {
            pool,
            name: self.runner,
            runner_url: &gitlab.runner_url,
            clone_url: gitlab.clone_url.as_deref(),
            token: &self.registration.token,
            network: &spec.network,
            job_network: job_network(pool, &clone_host),
            socket: &socket,
            private_ca: ports.ca.is_some(),
        })?;
        Ok(NewRunner {
            name: self.runner.clone(),
            instance: spec.instance.clone(),
            variant: self.variant.clone(),
            slot: self.slot,
            system_id: self.system_id.clone(),
            record: self.registration.record,
            spec: spec_hash(spec, pool),
            image: pool.runner_image.clone(),
            network: spec.network.clone(),
            jobs_max: pool.jobs_per_runner,
            config,
            ca: ports.ca.clone(),
        })
    }
}

/// Starts the created container if no living one shares its system id, for gitlab-runner would mix
/// their build directories; else removes it: it never ran.
async fn start_alone(
    engine: &dyn Engine,
    new: &NewRunner,
    id: ContainerId,
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
async fn undo(engine: &dyn Engine, id: &ContainerId, error: ApplyError) -> ApplyError {
    match engine.remove_container(id).await {
        Ok(()) | Err(EngineError::NotFound { .. }) => error,
        Err(left) => {
            tracing::debug!(%id, error = %left, "the container that was not started stays for the next look");
            ApplyError::NotUndone(Box::new(error))
        }
    }
}
