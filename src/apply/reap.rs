//! Cleaning up after a runner, in an order in which each step is safe to repeat: report the lost
//! job → job containers → volumes and networks → the manager's row → the container, last, because
//! it holds the slot and says what is still to be done.

use super::sweep::has;
use super::{ApplyError, Effect};
use crate::engine::{Engine, EngineError, Sighting, runner_config};
use crate::error_policy::ErrorKind;
use crate::gitlab::{DeadJob, GitlabError};
use crate::observe::Ports;
use crate::plan::LostJob;
use crate::world::{ContainerState, JobObjects, Runner, RunnerName, SystemId, World};

/// Lines of the log of a runner that failed which are kept in ours.
const TAIL_LINES: usize = 20;

/// A runner that ended, or never ran.
pub(super) struct Reap<'a> {
    pub(super) runner: &'a Runner,
    pub(super) discard_cache: bool,
    pub(super) lost_job: Option<&'a LostJob>,
}

impl Reap<'_> {
    pub(super) async fn run(
        &self,
        ports: &Ports,
        world: &World,
        engine: &dyn Engine,
    ) -> Result<Effect, ApplyError> {
        let Runner { id, system_id, .. } = self.runner;
        let ended = self.runner.state != ContainerState::Created;
        if ended {
            // First what its jobs left, then whether it still has its slot: what is listed now is
            // no successor's, even if one comes meanwhile.
            let left = engine.jobs().await?;
            let holders = engine.with_system_id(&world.spec.instance, system_id).await?;
            if holders.contains(id) {
                return Ok(Effect::Skipped("a person started it again"));
            }
            // Where another container has the slot by now, all but the container is that one's, also
            // where the list lacks that one.
            let instance = &world.spec.instance;
            let name = RunnerName::new(instance, &self.runner.variant, self.runner.slot);
            let found = engine.find(instance, name.as_str()).await?;
            if matches!(&found, Some(Sighting::Aside(aside)) if aside.id == *id) {
                return Ok(Effect::Skipped("what its container says cannot be read just now"));
            }
            let held = !holders.is_empty() || found.is_some_and(|found| has(&found, system_id));
            let vanished = matches!(self.runner.state, ContainerState::Running { .. });
            if held && vanished {
                self.report(ports, engine).await?;
            }
            if !held {
                self.report(ports, engine).await?;
                remove_job_objects(engine, left, system_id, self.discard_cache).await?;
                self.remove_manager(ports, engine).await?;
            }
        }
        match engine.remove_container(id).await {
            // Whoever created it, a rival or one that died since, had asked for its start.
            Err(EngineError::Running { .. }) if !ended => {
                Ok(Effect::Skipped("it was started after all"))
            }
            removed => Ok(removed.map(|()| Effect::Done)?),
        }
    }

    /// Says what is lost, and what the runner said last if it failed.
    async fn report(&self, ports: &Ports, engine: &dyn Engine) -> Result<(), ApplyError> {
        let runner = &self.runner.name;
        if let Some(lost) = self.lost_job {
            self.report_lost(ports, lost).await?;
        }
        if let ContainerState::Exited { code, .. } = self.runner.state
            && code != 0
        {
            let tail = engine.log_tail(&self.runner.id, TAIL_LINES).await.unwrap_or_default();
            tracing::warn!(%runner, code, log = tail.join("\n"), "the runner ended with an error");
        }
        Ok(())
    }

    /// Says which job is lost, and queues it again where the pool asks for that.
    ///
    /// Errors: where GitLab cannot be reached, so that the reap is repeated; a refusal is final.
    async fn report_lost(&self, ports: &Ports, lost: &LostJob) -> Result<(), ApplyError> {
        let (runner, job) = (&self.runner.name, lost.id);
        let url = lost.url.as_deref().unwrap_or("unknown");
        let dead = DeadJob { id: job, project: lost.project, lost_at: lost.lost_at };
        if !lost.retry {
            tracing::warn!(%runner, %job, url, "the runner ended while it had this job; GitLab shows it as running for up to an hour\nhint: retry the job in GitLab, or set `lost_jobs: retry`");
            return Ok(());
        }
        match ports.gitlab.retry_lost_job(dead).await {
            Ok(Some(again)) => {
                tracing::warn!(%runner, %job, url, %again, "the runner ended while it had this job; it is queued again");
            }
            Ok(None) => {
                tracing::warn!(%runner, %job, url, "the runner ended with this job, which is not running any more and so is left as it is");
            }
            Err(error) if error.kind() == ErrorKind::Unreachable => return Err(error.into()),
            Err(error) => {
                tracing::error!(%runner, %job, url, "the runner ended while it had this job, and it cannot be queued again: {error}");
            }
        }
        Ok(())
    }

    /// The row of this runner at GitLab; its token is in its own files. A container without them is
    /// being removed, or was meddled with: its row is then swept, with its record's token.
    async fn remove_manager(&self, ports: &Ports, engine: &dyn Engine) -> Result<(), ApplyError> {
        let config = match engine.read_config(&self.runner.id).await {
            Err(EngineError::NotFound { .. }) => return Ok(()),
            config => config?,
        };
        if let Some(token) = runner_config::token_of(&config) {
            match ports.gitlab.delete_manager(&token, &self.runner.system_id).await {
                // Nobody can delete it with that token: it goes with its record.
                Err(GitlabError::Forbidden { .. }) => {}
                deleted => deleted?,
            }
        }
        Ok(())
    }
}

/// Removes what jobs of that runner left: containers, then volumes, then networks.
async fn remove_job_objects(
    engine: &dyn Engine,
    JobObjects { containers, volumes, networks, refused: _ }: JobObjects,
    system_id: &SystemId,
    discard_cache: bool,
) -> Result<(), ApplyError> {
    for container in containers.iter().filter(|container| container.system_id == *system_id) {
        engine.remove_job_container(container).await?;
    }
    let volumes = volumes.iter().filter(|volume| volume.system_id == *system_id);
    for volume in volumes.filter(|volume| volume.kind.goes(!discard_cache)) {
        engine.remove_job_volume(volume).await?;
    }
    for network in networks.iter().filter(|network| network.system_id == *system_id) {
        engine.remove_job_network(network).await?;
    }
    Ok(())
}
