//! AutoGit's way to an engine, on which things go wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::invariants::{container_goes_last, kept_cache_stays};
use async_trait::async_trait;
use autogit::engine::{Engine, EngineError, ImageRequest, NewRunner, RunnerList, Sighting, Wakes};
use autogit::sandbox::engine::{ContainerView, Operation, SimulatedEngine};
use autogit::spec::{Arch, HostName, InstanceName};
use autogit::world::{
    ContainerState, DiskUse, EngineInfo, ImageState, JobContainer, JobObjects, JobVolume,
    KeptImage, NetworkState, Runner, RunnerLog, SystemId, WorkloadId,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::chaos::Kind;
use crate::harness::Harness;
use crate::process::Attempt;

/// The adapter's own limit for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// For how long a container is left to its maker, less what clocks that tell seconds may be off.
const NEW_FOR: SignedDuration = SignedDuration::from_secs(55);

#[derive(Debug)]
pub(crate) struct EngineSide {
    harness: Harness,
    attempt: Arc<Attempt>,
    host: HostName,
    engine: SimulatedEngine,
}

impl EngineSide {
    pub(crate) fn connect(
        harness: &Harness,
        attempt: &Arc<Attempt>,
        host: &HostName,
    ) -> Arc<dyn Engine> {
        let engine = harness.engines()[host].clone();
        let (harness, attempt, host) = (harness.clone(), Arc::clone(attempt), host.clone());
        let mutation = harness.mutation();
        let side: Arc<dyn Engine> =
            Arc::new(Self { harness: harness.clone(), attempt, host, engine: engine.clone() });
        match mutation {
            Some(mutation) => mutation.engine(side, engine),
            None => side,
        }
    }

    /// One call, on which things may go wrong before, meanwhile and after.
    async fn call<T>(
        &self,
        operation: Operation,
        on: &str,
        act: impl Future<Output = Result<T, EngineError>> + Send,
    ) -> Result<T, EngineError>
    where
        T: Send,
    {
        self.attempt.may_crash(&self.harness, Kind::CrashBeforeCall).await;
        if self.attempt.acts()
            && let Some(view) = self.attempt.acts_on()
            && changes(operation)
        {
            self.harness.recorder().plans_on(&view);
        }
        let result = self.meet(operation, act).await;
        if changes(operation) {
            let words = result.as_ref().map_or_else(ToString::to_string, |_| "ok".to_owned());
            let words = words.lines().next().unwrap_or_default();
            let (name, host) = (&self.attempt.name, &self.host);
            self.harness.note(&format!("{name}: {host}: {operation} {on}: {words}"));
            self.harness.check();
        }
        if result.is_err() && looks(operation) {
            self.attempt.failed(|reads| {
                reads.hosts.insert(self.host.clone());
            });
        }
        self.attempt.may_crash(&self.harness, Kind::CrashAfterCall).await;
        result
    }

    async fn meet<T>(
        &self,
        operation: Operation,
        act: impl Future<Output = Result<T, EngineError>> + Send,
    ) -> Result<T, EngineError> {
        let chaos = self.harness.chaos();
        let attempt = || operation.to_string();
        if chaos.strikes(Kind::EngineUnreachable) {
            let (endpoint, problem) = (self.host.to_string(), "connection refused".to_owned());
            return Err(EngineError::Unreachable { endpoint, problem });
        }
        if chaos.strikes(Kind::EngineRefuses) {
            let problem = "internal server error".to_owned();
            return Err(EngineError::Refused { attempt: attempt(), problem });
        }
        if chaos.strikes(Kind::EngineTimesOut) {
            self.harness.clock().sleep(LIMIT).await;
            return Err(EngineError::TimedOut { attempt: attempt(), limit: LIMIT });
        }
        let slow = chaos.strikes(Kind::EngineSlow);
        if slow {
            self.wait(Kind::EngineSlow).await;
        }
        let lost = chaos.strikes(Kind::EngineAnswerLost);
        let result = act.await;
        if lost {
            self.harness.clock().sleep(LIMIT).await;
            return Err(EngineError::TimedOut { attempt: attempt(), limit: LIMIT });
        }
        if slow {
            self.wait(Kind::EngineSlow).await;
        }
        result
    }

    async fn wait(&self, kind: Kind) {
        let millis = self.harness.chaos().below(kind, 4_000);
        self.harness.clock().sleep(Duration::from_millis(millis)).await;
    }

    /// A time of the simulation's clock by AutoGit's, as the adapter corrects it.
    fn ours(&self, at: Timestamp) -> Timestamp {
        at.saturating_add(self.harness.our_lead()).unwrap_or(at)
    }

    fn correct(&self, runner: &mut Runner) {
        runner.created_at = self.ours(runner.created_at);
        runner.state = self.our_state(&runner.state);
    }

    fn our_state(&self, state: &ContainerState) -> ContainerState {
        match *state {
            ContainerState::Created => ContainerState::Created,
            ContainerState::Running { started_at } => {
                ContainerState::Running { started_at: self.ours(started_at) }
            }
            ContainerState::Exited { code, finished_at, oom_killed } => {
                ContainerState::Exited { code, finished_at: self.ours(finished_at), oom_killed }
            }
        }
    }
}

/// Operations without which a host is not known.
fn looks(operation: Operation) -> bool {
    matches!(operation, Operation::Info | Operation::Jobs | Operation::Runners | Operation::Network)
}

fn changes(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::CreateNetwork
            | Operation::CreateRunner
            | Operation::Start
            | Operation::Drain
            | Operation::RemoveContainer
            | Operation::RemoveJobContainer
            | Operation::RemoveJobVolume
            | Operation::RemoveNetwork
    )
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[async_trait]
impl Engine for EngineSide {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        let info = self.call(Operation::Info, "", self.engine.info()).await?;
        let skew = info.skew.saturating_sub(self.harness.our_lead());
        Ok(EngineInfo { skew, ..info })
    }

    async fn jobs(&self) -> Result<JobObjects, EngineError> {
        let mut jobs = self.call(Operation::Jobs, "", self.engine.jobs()).await?;
        self.attempt.note_jobs_read(&self.host);
        if self.lacks_something("jobs") {
            match self.harness.chaos().below(Kind::ListPartial, 3) {
                0 => {
                    let left_out = self.leave_out(&mut jobs.containers);
                    let its = left_out.map(|container| container.system_id);
                    self.attempt.failed(|reads| reads.unlisted_jobs.extend(its));
                }
                1 => drop(self.leave_out(&mut jobs.volumes)),
                _ => drop(self.leave_out(&mut jobs.networks)),
            }
        }
        Ok(jobs)
    }

    async fn runners(&self, instance: &InstanceName) -> Result<RunnerList, EngineError> {
        if !self.attempt.acts() && !self.attempt.takes_jobs_read(&self.host) {
            let how = format!("the runners of {} were read first", self.host);
            let sentence = "what jobs made is read before the runners";
            self.harness.break_promise("jobs_are_read_before_runners", sentence, how);
        }
        let runners = self.engine.runners(instance);
        let mut list = self.call(Operation::Runners, instance.as_str(), runners).await?;
        for runner in &mut list.runners {
            self.correct(runner);
        }
        if self.lacks_something("runners") {
            self.leave_out(&mut list.runners);
        }
        let listed = |id: &WorkloadId| list.runners.iter().any(|runner| runner.id == *id);
        let all = self.engine.containers().into_iter().filter_map(|container| container.runner);
        for runner in all.filter(|runner| !listed(&runner.id)) {
            self.harness.note_lacked(&runner.id);
            self.attempt.failed(|reads| {
                reads.unlisted.insert(runner.id);
            });
        }
        Ok(list)
    }

    async fn find(
        &self,
        instance: &InstanceName,
        key: &str,
    ) -> Result<Option<Sighting>, EngineError> {
        let mut found = self.call(Operation::Find, key, self.engine.find(instance, key)).await?;
        if let Some(Sighting::Runner(runner)) = &mut found {
            self.correct(runner);
        }
        Ok(found)
    }

    async fn disk(&self, instance: &InstanceName) -> Result<DiskUse, EngineError> {
        let mut disk = self.call(Operation::Disk, "", self.engine.disk(instance)).await?;
        for volume in disk.volumes.values_mut() {
            volume.created_at = volume.created_at.map(|at| self.ours(at));
        }
        Ok(disk)
    }

    async fn runner_log(&self, id: &WorkloadId) -> Result<RunnerLog, EngineError> {
        let log =
            self.call(Operation::RunnerLog, short(id.as_str()), self.engine.runner_log(id)).await;
        if log.is_err() {
            self.attempt.failed(|reads| {
                reads.logs.insert(id.clone());
            });
        }
        Ok(log?.by_clock(|at| self.ours(at)))
    }

    async fn log_tail(&self, id: &WorkloadId, lines: usize) -> Result<Vec<String>, EngineError> {
        self.call(Operation::LogTail, short(id.as_str()), self.engine.log_tail(id, lines)).await
    }

    async fn network(
        &self,
        name: &str,
        instance: &InstanceName,
    ) -> Result<Option<NetworkState>, EngineError> {
        self.call(Operation::Network, name, self.engine.network(name, instance)).await
    }

    async fn old_networks(
        &self,
        name: &str,
        instance: &InstanceName,
    ) -> Result<Vec<NetworkState>, EngineError> {
        self.call(Operation::Network, name, self.engine.old_networks(name, instance)).await
    }

    async fn create_network(&self, name: &str, instance: &InstanceName) -> Result<(), EngineError> {
        self.call(Operation::CreateNetwork, name, self.engine.create_network(name, instance)).await
    }

    async fn image(&self, image: &str, arch: Arch) -> Result<ImageState, EngineError> {
        self.call(Operation::Image, image, self.engine.image(image, arch)).await
    }

    async fn ensure_image(&self, request: &ImageRequest) -> Result<(), EngineError> {
        let ensure = self.engine.ensure_image(request);
        self.call(Operation::EnsureImage, &request.image, ensure).await
    }

    async fn kept_images(&self, instance: &InstanceName) -> Result<Vec<KeptImage>, EngineError> {
        self.call(Operation::KeptImages, "", self.engine.kept_images(instance)).await
    }

    async fn keep_image(
        &self,
        instance: &InstanceName,
        image: &str,
        arch: Arch,
        at: Timestamp,
    ) -> Result<(), EngineError> {
        let keep = self.engine.keep_image(instance, image, arch, at);
        self.call(Operation::KeepImage, image, keep).await
    }

    async fn forget_reference(
        &self,
        instance: &InstanceName,
        mark: &KeptImage,
    ) -> Result<bool, EngineError> {
        let forget = self.engine.forget_reference(instance, mark);
        self.call(Operation::RemoveImage, "", forget).await
    }

    async fn remove_mark(
        &self,
        instance: &InstanceName,
        mark: &KeptImage,
    ) -> Result<bool, EngineError> {
        let remove = self.engine.remove_mark(instance, mark);
        self.call(Operation::RemoveImage, "", remove).await
    }

    async fn create_runner(&self, runner: &NewRunner) -> Result<WorkloadId, EngineError> {
        let create = async {
            let created = self.engine.create_runner(runner).await;
            if let Ok(id) = &created {
                self.attempt.note_made(id);
            }
            created
        };
        self.call(Operation::CreateRunner, runner.name.as_str(), create).await
    }

    async fn with_system_id(
        &self,
        instance: &InstanceName,
        system_id: &SystemId,
    ) -> Result<Vec<WorkloadId>, EngineError> {
        let look = self.engine.with_system_id(instance, system_id);
        self.call(Operation::WithSystemId, system_id.as_str(), look).await
    }

    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError> {
        self.call(Operation::Start, short(id.as_str()), self.engine.start(id)).await
    }

    async fn drain(&self, id: &WorkloadId) -> Result<(), EngineError> {
        self.asked_once(id);
        let drained = self.call(Operation::Drain, short(id.as_str()), self.engine.drain(id)).await;
        if drained.is_ok() {
            self.attempt.note_drained(id);
        }
        drained
    }

    async fn remove_container(&self, id: &WorkloadId) -> Result<(), EngineError> {
        self.left_to_its_maker(id);
        let act = async {
            let (snapshot, injected) = (self.harness.snapshot(), self.harness.injected());
            if let Err(how) = container_goes_last(&snapshot, &injected, &self.host, id) {
                let sentence = "a runner's container goes after its jobs' objects and its row";
                self.harness.break_promise("the_container_goes_last", sentence, how);
            }
            if self.is_being_removed(id) {
                return Err(EngineError::BeingRemoved { id: id.to_string() });
            }
            self.engine.remove_container(id).await
        };
        self.call(Operation::RemoveContainer, short(id.as_str()), act).await
    }

    async fn remove_job_container(&self, container: &JobContainer) -> Result<(), EngineError> {
        let remove = self.engine.remove_job_container(container);
        self.call(Operation::RemoveJobContainer, short(container.id.as_str()), remove).await
    }

    async fn remove_job_volume(&self, volume: &JobVolume) -> Result<(), EngineError> {
        let remove = async {
            let (snapshot, injected) = (self.harness.snapshot(), self.harness.injected());
            if let Err(how) = kept_cache_stays(&snapshot, &injected, &self.host, &volume.name) {
                let sentence = "a cache that the spec keeps is never removed";
                self.harness.break_promise("the_kept_cache_stays", sentence, how);
            }
            self.engine.remove_job_volume(volume).await
        };
        self.call(Operation::RemoveJobVolume, &volume.name, remove).await
    }

    async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        let remove = self.engine.remove_network(id);
        self.call(Operation::RemoveNetwork, id.get(..12).unwrap_or(id), remove).await
    }

    async fn read_config(&self, id: &WorkloadId) -> Result<SecretString, EngineError> {
        self.call(Operation::ReadConfig, short(id.as_str()), self.engine.read_config(id)).await
    }

    async fn watch(&self, wakes: Wakes) {
        self.engine.watch(wakes).await;
    }

    async fn socket(&self) -> Result<PathBuf, EngineError> {
        self.call(Operation::Socket, "", self.engine.socket()).await
    }
}

impl EngineSide {
    /// Whether a list of the host lacks something this time: seldom enough that the looks before
    /// and after are whole, and only while it looks. What it asks right before it removes something
    /// is narrow, and taken to be whole.
    fn lacks_something(&self, list: &'static str) -> bool {
        !self.attempt.acts()
            && self.harness.chaos().strikes(Kind::ListPartial)
            && self.harness.may_lack(&self.host, list)
    }

    /// The engine answers 409 while a removal hangs, to each who asks, and the container is listed as
    /// one that ended until it is gone by itself.
    fn is_being_removed(&self, id: &WorkloadId) -> bool {
        if self.harness.recorder().removing.contains_key(id) {
            return true;
        }
        let ended = |it: &ContainerView| {
            it.id == *id && !matches!(it.state, ContainerState::Running { .. })
        };
        let chaos = self.harness.chaos();
        let hangs = self.engine.containers().iter().any(ended) && chaos.strikes(Kind::RemovalHangs);
        if hangs {
            let seconds = 5 + chaos.below(Kind::RemovalHangs, 120);
            let until = self.harness.clock().now() + Duration::from_secs(seconds);
            self.harness.recorder().removing.insert(id.clone(), (self.host.clone(), until));
            self.harness.note(&format!(
                "{}: removing {} takes {seconds}s",
                self.host,
                short(id.as_str())
            ));
        }
        hangs
    }

    fn leave_out<T>(&self, list: &mut Vec<T>) -> Option<T> {
        let places: Vec<usize> = (0..list.len()).collect();
        self.harness.chaos().pick(Kind::ListPartial, &places).map(|place| list.remove(place))
    }

    /// But for one that a list lacked meanwhile, or where a clock was set: it may be a new process.
    fn asked_once(&self, id: &WorkloadId) {
        let lacked = self.harness.recorder().lacked.contains(id);
        if self.attempt.has_drained(id) && !lacked && self.harness.jumps() == 0 {
            let how = format!("{} is asked again", short(id.as_str()));
            let sentence = "a runner that was asked to leave is known to leave";
            self.harness.break_promise("drains_are_remembered", sentence, how);
        }
    }

    /// Whoever made a container within the last minute may be about to start it.
    fn left_to_its_maker(&self, id: &WorkloadId) {
        let snapshot = self.harness.snapshot();
        let mut runners = snapshot.runners().map(|(_, runner)| runner);
        let Some(runner) = runners.find(|runner| runner.id == *id) else { return };
        let age = snapshot.at.duration_since(runner.created_at);
        let new = runner.state == ContainerState::Created && age < NEW_FOR;
        if new && !self.attempt.has_made(id) && self.harness.jumps() == 0 {
            let how = format!("{} was made {age:#} ago", runner.name);
            let sentence = "a container that was made just now is left to whoever made it";
            self.harness.break_promise("new_containers_are_their_makers", sentence, how);
        }
    }
}

/// How far one clock is ahead of another.
pub(crate) fn lead(ours: Timestamp, theirs: Timestamp) -> SignedDuration {
    ours.duration_since(theirs)
}
