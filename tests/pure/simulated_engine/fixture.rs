//! A whole simulated world around one AutoGit that goes step by step: between its look and what it
//! does about it, anybody may change the world behind its back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use autogit::apply::{Effect, Outcome, Work};
use autogit::clock::Clock;
use autogit::engine::{Engine, EngineError, NewRunner};
use autogit::gitlab::http::{GitlabSettings, HttpGitlab};
use autogit::gitlab::{Transport, TransportError};
use autogit::observe::{Observer, Ports};
use autogit::plan::{Action, Plan, plan};
use autogit::reconcile::Controller;
use autogit::sandbox::engine::{
    Fault, Latencies, Operation, SimulatedEngine, SimulatedEngineSettings,
};
use autogit::sandbox::gitlab::{NewJob, NewRecord, RouterTransport, SimulatedGitlab, WaitsFor};
use autogit::spec::{Arch, Cost, HostName, Missing, PoolName, Scope, Spec};
use autogit::tokens::Tokens;
use autogit::view::SpecInfo;
use autogit::world::{
    EngineId, JobId, Memory, ProjectId, Record, RecordId, Runner, RunnerName, Slot, SpecHash,
    SystemId, Token, Variant, WorkloadId, World,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::simulated_engine::harness::{IMAGE, URL};

/// The world, and an AutoGit that does nothing by itself.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) clock: Clock,
    pub(crate) gitlab: SimulatedGitlab,
    pub(crate) ports: Ports,
    pub(crate) tokens: Tokens,
    project: ProjectId,
    engines: BTreeMap<HostName, SimulatedEngine>,
    front: Front,
    api: SecretString,
    observer: Observer,
    memory: Memory,
    spec: Arc<Spec>,
}

impl Fixture {
    /// One host `alpha`, and these pools.
    pub(crate) fn new(pools: &str) -> Self {
        Self::on(&["alpha"], pools)
    }

    /// These hosts, the first of which is `alpha`.
    pub(crate) fn on(hosts: &[&str], pools: &str) -> Self {
        let clock = Clock::simulated(Timestamp::constant(1_767_323_045, 0), 1.0);
        let spec = Arc::new(parse(hosts, pools));
        let gitlab = SimulatedGitlab::new(clock.clone(), 1);
        let root = gitlab.add_administrator("root");
        let api = gitlab.new_token(root, &["api"], None);
        let gitlab_side = gitlab.transport();
        let front = Front {
            gitlab: gitlab_side,
            hides_managers: Arc::default(),
            hides_jobs: Arc::default(),
            delay: Arc::default(),
            clock: clock.clone(),
        };
        let engines: BTreeMap<_, _> =
            spec.hosts.keys().map(|host| (host.clone(), engine(host, &clock, &gitlab))).collect();
        Self {
            project: gitlab.add_project("team/app"),
            ports: ports(&spec, &front, &api, &engines, &clock),
            tokens: Tokens::new(&spec.instance, None),
            observer: Observer::new(clock.clone()),
            memory: Memory::default(),
            clock,
            gitlab,
            engines,
            front,
            api,
            spec,
        }
    }

    /// AutoGit begins anew and knows nothing.
    pub(crate) fn restart(&mut self) {
        self.ports = ports(&self.spec, &self.front, &self.api, &self.engines, &self.clock);
        self.tokens = Tokens::new(&self.spec.instance, None);
        self.observer = Observer::new(self.clock.clone());
        self.memory = Memory::default();
    }

    /// An AutoGit that knows nothing, with its loop.
    pub(crate) fn another(&self) -> Controller {
        let ports = ports(&self.spec, &self.front, &self.api, &self.engines, &self.clock);
        let info = SpecInfo {
            source: "autogit.yaml".to_owned(),
            hash: "x".to_owned(),
            loaded_at: self.clock.now(),
            commit: None,
            pending_fault: None,
            spec: Arc::clone(&self.spec),
        };
        Controller::new(ports, self.clock.clone(), info)
    }

    /// What reaches a GitLab by another address.
    pub(crate) fn ports_at(&self, url: &str) -> Ports {
        let mut spec = Spec::clone(&self.spec);
        url.clone_into(&mut spec.gitlab.url);
        ports(&spec, &self.front, &self.api, &self.engines, &self.clock)
    }

    pub(crate) fn change_spec(&mut self, change: impl FnOnce(&mut Spec)) {
        change(Arc::make_mut(&mut self.spec));
    }

    /// The engine of the first host.
    pub(crate) fn engine(&self) -> &SimulatedEngine {
        self.engines.values().next().unwrap()
    }

    pub(crate) fn engine_of(&self, host: &str) -> &SimulatedEngine {
        &self.engines[&HostName::new(host).unwrap()]
    }

    /// GitLab's answers on managers say nothing of any record.
    pub(crate) fn hide_managers(&self, hides: bool) {
        self.front.hides_managers.store(hides, Ordering::Relaxed);
    }

    /// A person makes a record for jobs with the tag `docker`.
    pub(crate) fn record_by_hand(&self) -> (RecordId, SecretString) {
        self.gitlab.add_record_by_hand(NewRecord {
            scope: Scope::Instance,
            description: "made by a person".to_owned(),
            tags: vec!["docker".to_owned()],
            run_untagged: false,
            protected: false,
        })
    }

    /// GitLab holds each answer back for so many seconds.
    pub(crate) fn drip(&self, seconds: u64) {
        self.front.delay.store(seconds, Ordering::Relaxed);
    }

    /// GitLab shows no job by itself.
    pub(crate) fn hide_jobs(&self) {
        self.front.hides_jobs.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn look(&mut self) -> World {
        let Self { observer, ports, spec, tokens, memory, .. } = self;
        let world = observer.look(ports, spec, tokens, std::mem::take(memory)).await;
        *memory = world.next_memory();
        world
    }

    /// Looks until what is left over was seen twice.
    pub(crate) async fn look_twice(&mut self) -> World {
        self.look().await;
        self.look().await
    }

    pub(crate) async fn apply(&mut self, world: &World, plan: Plan) -> Vec<Outcome> {
        let (mut work, world) = (Work::default(), Arc::new(world.clone()));
        work.begin(&self.ports, &world, &plan, &mut self.tokens, self.clock.now());
        work.all_ended().await;
        let outcomes = work.collect(&self.ports, &mut self.tokens);
        for Outcome { decision, result, .. } in &outcomes {
            if let (Action::CreateRecord { variant }, Ok(Effect::Recorded(id))) =
                (&decision.action, result)
            {
                self.memory.own_records.answered(variant, Some(*id), self.clock.now());
            }
        }
        work.tokens_checked(&mut self.tokens).await;
        outcomes
    }

    /// Looks, and does all that is to be done.
    pub(crate) async fn tick(&mut self) -> Vec<Outcome> {
        let world = self.look().await;
        self.apply(&world, plan(&world)).await
    }

    /// The loop, which remembers.
    pub(crate) async fn controller(&mut self) -> Controller {
        let info = self.info().await;
        Controller::new(self.ports.clone(), self.clock.clone(), info)
    }

    /// The spec, for a loop to take up.
    pub(crate) async fn info(&mut self) -> SpecInfo {
        SpecInfo {
            source: "autogit.yaml".to_owned(),
            hash: "3f9c1a".to_owned(),
            loaded_at: self.clock.now(),
            commit: None,
            pending_fault: None,
            spec: self.look().await.spec.clone(),
        }
    }

    pub(crate) async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// Until a record that was made now is too old to be that of another AutoGit.
    pub(crate) async fn grow_old(&self) {
        self.pass(601).await;
    }

    /// Queues a job with the tag `docker` that takes an hour.
    pub(crate) fn job(&self, waits_for: WaitsFor) -> JobId {
        let duration = Duration::from_hours(1);
        let job = NewJob::new(self.project).tagged(&["docker"]);
        self.gitlab.add_job(NewJob { duration, waits_for, ..job })
    }

    /// Queues a job with the tag `docker` whose image is for that architecture.
    pub(crate) fn job_with_image_for(&self, arch: Arch) -> JobId {
        let job = NewJob::new(self.project).tagged(&["docker"]);
        self.gitlab.add_job(NewJob { image_arch: Some(arch), ..job })
    }

    /// The one runner on the first host.
    pub(crate) async fn runner(&self) -> Runner {
        let mut runners = self.engine().runners(&self.spec.instance).await.unwrap().runners;
        assert_eq!(runners.len(), 1, "{runners:?}");
        runners.remove(0)
    }

    /// Somebody polls with the token of the one record, from nowhere that AutoGit sees.
    pub(crate) async fn poll_elsewhere(&self, system_id: &str, version: &str) {
        self.poll_with(&self.gitlab.record_tokens().remove(0), system_id, version).await;
    }

    /// Somebody polls with that token.
    pub(crate) async fn poll_with(&self, token: &SecretString, system_id: &str, version: &str) {
        let body = json!({
            "token": token.expose_secret(), "system_id": system_id,
            "info": { "version": version },
        });
        let poll = Request::post(format!("{URL}/api/v4/jobs/request"))
            .header("content-type", "application/json")
            .body(body.to_string().into())
            .unwrap();
        assert_eq!(self.gitlab.transport().send(poll).await.unwrap().status(), 204);
    }

    /// The manager's name of the first runner of the pool `linux` on the first host.
    pub(crate) fn first_slot(&self, world: &World) -> SystemId {
        let host = self.engines.keys().next().unwrap();
        world.system_id(host, &linux(), Slot(0)).unwrap()
    }

    /// Somebody creates a runner with that system id and record, under a name of his own.
    pub(crate) async fn create(&self, system_id: &SystemId, record: RecordId) -> WorkloadId {
        let runner = self.new_runner(system_id, record);
        self.engine().create_runner(&runner).await.unwrap()
    }

    /// The same, and starts it.
    pub(crate) async fn start(&self, system_id: &SystemId, record: RecordId) -> WorkloadId {
        let id = self.create(system_id, record).await;
        self.engine().start(&id).await.unwrap();
        id
    }

    /// The same, with a `config.toml` of his.
    pub(crate) async fn create_with(
        &self,
        system_id: &SystemId,
        record: RecordId,
        config: SecretString,
    ) -> WorkloadId {
        let runner = NewRunner { config, ..self.new_runner(system_id, record) };
        self.engine().create_runner(&runner).await.unwrap()
    }

    /// The same, on our network.
    pub(crate) async fn create_on_our_network(
        &self,
        system_id: &SystemId,
        record: RecordId,
    ) -> WorkloadId {
        let network = self.spec.network.clone();
        let runner = NewRunner { network, ..self.new_runner(system_id, record) };
        self.engine().create_runner(&runner).await.unwrap()
    }

    fn new_runner(&self, system_id: &SystemId, record: RecordId) -> NewRunner {
        NewRunner {
            arch: Arch::Amd64,
            name: name(),
            instance: self.spec.instance.clone(),
            variant: linux(),
            slot: Slot(0),
            system_id: system_id.clone(),
            record,
            spec: SpecHash::from_observed("another"),
            cost: Cost::default(),
            image: IMAGE.to_owned(),
            network: "bridge".to_owned(),
            jobs_max: 0,
            config: crate::simulated_engine::harness::config(&name(), URL, false).into(),
            environment: BTreeMap::new(),
            labels: BTreeMap::new(),
            ca: None,
        }
    }

    pub(crate) fn container_names(&self) -> BTreeSet<String> {
        self.engine().containers().into_iter().map(|container| container.name).collect()
    }

    /// The rows that GitLab has of that record.
    pub(crate) fn rows(&self, record: RecordId) -> Vec<SystemId> {
        let managers = self.gitlab.record(record).unwrap().managers;
        managers.into_iter().map(|manager| manager.system_id).collect()
    }

    /// The next call of `operation` on the first host is refused.
    pub(crate) fn refuse(&self, operation: Operation) {
        self.engine().fail_next(operation, refusal());
    }
}

pub(crate) fn refusal() -> Fault {
    let (attempt, problem) = ("do that".to_owned(), "not now".to_owned());
    Fault::Refused(EngineError::Refused { attempt, problem })
}

pub(crate) fn linux() -> Variant {
    Variant::new(&PoolName::new("linux").unwrap(), Arch::Amd64)
}

/// What somebody calls a runner that he makes by hand.
pub(crate) fn name() -> RunnerName {
    RunnerName::from_observed("made-by-somebody")
}

/// What of the world's plan is such an action; there is at least one.
pub(crate) fn planned(world: &World, such: impl Fn(&Action) -> bool) -> Plan {
    let plan = plan(world);
    let shown = format!("{:?}", plan.decisions);
    let decisions = plan.decisions.into_iter().filter(|decision| such(&decision.action));
    let decisions: Vec<_> = decisions.collect();
    assert!(!decisions.is_empty(), "nothing such is planned: {shown}");
    Plan { decisions, ..plan }
}

/// The one record that is seen.
pub(crate) fn record(world: &World) -> &Record {
    let records = world.records.known().unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    &records[0]
}

/// The token of the one record that is seen.
pub(crate) fn token(world: &World) -> Token {
    record(world).token.clone()
}

/// All hosts are as the one of the file.
fn parse(hosts: &[&str], pools: &str) -> Spec {
    let text = format!(
        "gitlab: {{url: {URL}, token: glpat-of-the-spec}}\n\
         hosts: {{alpha: {{docker: unix:///run/alpha.sock}}}}\n\
         defaults: {{runner_image: \"{IMAGE}\"}}\npools: {pools}\n"
    );
    let parsed = Spec::parse("autogit.yaml", &text, &|_: &str| None, Missing::Fault);
    let mut spec = parsed.unwrap_or_else(|faults| panic!("{faults:?}\n{text}")).spec;
    let first = spec.hosts.values().next().unwrap().clone();
    spec.hosts.extend(hosts.iter().map(|host| (HostName::new(host).unwrap(), first.clone())));
    spec
}

fn engine(host: &HostName, clock: &Clock, gitlab: &SimulatedGitlab) -> SimulatedEngine {
    let engine = SimulatedEngine::new(SimulatedEngineSettings {
        emulates: BTreeSet::new(),
        id: EngineId::from_observed(host.as_str()),
        arch: Arch::Amd64,
        cpus: 8.0,
        memory: 16 << 30,
        gpus: autogit::world::GpusSeen::default(),
        clock: clock.clone(),
        gitlab: Arc::new(gitlab.transport()),
        gitlab_url: URL.to_owned(),
        seed: 1,
        latencies: Latencies::default(),
    });
    engine.publish_image(IMAGE);
    engine.add_image(IMAGE);
    engine
}

fn ports(
    spec: &Spec,
    front: &Front,
    api: &SecretString,
    engines: &BTreeMap<HostName, SimulatedEngine>,
    clock: &Clock,
) -> Ports {
    let settings = GitlabSettings { token: api.clone(), ..GitlabSettings::of(spec) };
    let gitlab = HttpGitlab::new(settings, Arc::new(front.clone()), clock.clone());
    let port = |(host, engine): (&HostName, &SimulatedEngine)| {
        (host.clone(), Arc::new(engine.clone()) as Arc<dyn Engine>)
    };
    Ports { gitlab: Arc::new(gitlab), engines: engines.iter().map(port).collect() }
}

/// What stands between AutoGit and GitLab.
#[derive(Debug, Clone)]
struct Front {
    gitlab: RouterTransport,
    hides_managers: Arc<AtomicBool>,
    hides_jobs: Arc<AtomicBool>,
    /// For how many seconds each answer is held back, by this clock.
    delay: Arc<AtomicU64>,
    clock: Clock,
}

#[async_trait]
impl Transport for Front {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let asks_managers = String::from_utf8_lossy(request.body()).contains("managers(");
        let asks_job = request.uri().path().contains("/jobs/");
        let mut answer = self.gitlab.send(request).await?;
        let delay = Duration::from_secs(self.delay.load(Ordering::Relaxed));
        self.clock.sleep(delay).await;
        if asks_job && self.hides_jobs.load(Ordering::Relaxed) {
            *answer.status_mut() = StatusCode::NOT_FOUND;
        }
        let hides = asks_managers && self.hides_managers.load(Ordering::Relaxed);
        Ok(if hides { answer.map(|body| without_data(&body)) } else { answer })
    }
}

/// The answer to a user who may see none of what was asked for.
fn without_data(body: &[u8]) -> Bytes {
    let mut answer: Value = serde_json::from_slice(body).unwrap();
    for value in answer["data"].as_object_mut().unwrap().values_mut() {
        *value = Value::Null;
    }
    answer.to_string().into()
}
