//! Worlds by hand: a spec, hosts, runners and jobs in a few words each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use autogit::plan::plan;
use autogit::spec::{
    Arch, BudgetSpec, Cpus, HostName, HostSpec, Missing, Pool, PoolName, Scope, Spec,
};
use autogit::view::{SpecInfo, View};
use autogit::world::{
    Caller, ContainerId, ContainerState, EngineId, EngineInfo, GroupId, Host, HostState,
    ImageState, Job, JobContainer, JobFacts, JobId, JobObjects, Look, Manager, Memory,
    NetworkState, Node, Observed, Origin, Place, ProjectId, Queue, Record, RecordId, Runner,
    RunnerLog, RunnerName, Slot, SystemId, Token, Variant, WorkloadId, World, record_settings,
    spec_hash,
};
use jiff::{SignedDuration, Timestamp};

/// 2026-01-02T03:04:05Z, the time of every world.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_767_323_045, 0);

/// That many seconds before now.
pub(crate) fn ago(seconds: i64) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds)
}

/// What a runner does, with the seconds that it does it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Doing {
    /// No contact yet.
    Starting(i64),
    /// No job.
    Idle(i64),
    /// Runs that job.
    Busy(u64, i64),
    /// Was asked to exit.
    Draining(i64),
    /// Ended with that code.
    Exited(i64, i64),
}

/// A world in the making: hosts and pools first, then runners and jobs.
#[derive(Debug)]
pub(crate) struct Fixture {
    /// The spec.
    pub(crate) spec: Spec,
    hosts: BTreeMap<HostName, Host>,
    /// The queue, oldest first.
    pub(crate) jobs: Vec<Job>,
    managers: BTreeMap<Variant, Vec<Manager>>,
    /// What the process remembers.
    pub(crate) memory: Memory,
    queue_error: Option<&'static str>,
}

impl Fixture {
    /// One host `local` of 8 cpus and 16 GiB, nothing else.
    pub(crate) fn new() -> Self {
        let fixture = Self {
            spec: empty_spec(),
            hosts: BTreeMap::new(),
            jobs: Vec::new(),
            managers: BTreeMap::new(),
            memory: Memory::default(),
            queue_error: None,
        };
        fixture.host("local", Arch::Amd64)
    }

    /// Another host.
    pub(crate) fn host(mut self, name: &str, arch: Arch) -> Self {
        let budget = BudgetSpec::default();
        let spec = HostSpec { budget, ..HostSpec::default() };
        self.spec.hosts.insert(host_name(name), spec);
        let engine = EngineInfo {
            id: EngineId::from_observed(name),
            node: Node { arch, cpus: Cpus::of_count(8), memory: 16 << 30 },
            emulates: BTreeSet::new(),
            version: "28.0.0".to_owned(),
            gpus: autogit::world::GpusSeen::default(),
            skew: SignedDuration::ZERO,
        };
        let network = NetworkState { id: "n1".to_owned(), ours: true, containers: 1 };
        let state = HostState {
            engine,
            jobs: JobObjects::default(),
            runners: Vec::new(),
            aside: Vec::new(),
            missing: BTreeMap::new(),
            network: Some(network),
            old_networks: Vec::new(),
            images: BTreeMap::new(),
            kept_images: Some(Vec::new()),
        };
        let state = Observed::Known { at: NOW - SignedDuration::from_millis(100), value: state };
        self.hosts.insert(host_name(name), Host { state });
        self
    }

    /// A pool with one tag, for `amd64`; `change` makes it another.
    pub(crate) fn pool(mut self, name: &str, tag: &str, change: impl FnOnce(&mut Pool)) -> Self {
        let mut pool = plain_pool(name, tag);
        change(&mut pool);
        for &arch in &pool.architectures {
            self.managers.insert(Variant::new(&pool.name, arch), Vec::new());
        }
        self.spec.pools.push(pool);
        self
    }

    /// A runner of `pool` for `amd64` on a host.
    pub(crate) fn runner(mut self, pool: &str, slot: u32, host: &str, doing: Doing) -> Self {
        let variant = Variant::new(&PoolName::new(pool).unwrap(), Arch::Amd64);
        let runner = self.make_runner(&variant, Slot(slot), host, doing);
        if let Doing::Draining(since) = doing {
            self.memory.runner_mut(&runner.id).draining = Some(ago(since));
        }
        if !matches!(doing, Doing::Starting(_)) {
            let row = Manager {
                system_id: runner.system_id.clone(),
                contacted_at: Some(ago(1)),
                busy: matches!(doing, Doing::Busy(..)),
                job: None,
                caller: None,
            };
            self.managers.entry(variant).or_default().push(row);
        }
        if let Doing::Busy(job, _) = doing {
            let project = Some("team/app".into());
            let (name, ref_name) = (format!("job-{job}").into(), "main".into());
            let tags = Arc::new(BTreeSet::from([pool.to_owned()]));
            let facts = JobFacts { name, project, tags, ref_name, started_at: None };
            self.memory.job_facts.insert(JobId(job), facts);
        }
        let state = self.state(host);
        if let Doing::Busy(job, _) = doing {
            state.jobs.containers.push(JobContainer {
                id: ContainerId::from_observed(&format!("job{job}")),
                system_id: runner.system_id.clone(),
                job: Some(JobId(job)),
                job_url: Some(format!("https://gitlab.example.com/team/app/-/jobs/{job}")),
                project: Some(ProjectId(1)),
                runner: Some(runner.name.clone()),
                kind: "build".to_owned(),
                running: true,
            });
        }
        state.runners.push(runner);
        self
    }

    /// The log of the last runner on `local`.
    pub(crate) fn logged(mut self, log: RunnerLog) -> Self {
        self.state("local").runners.last_mut().unwrap().log = Some(log);
        self
    }

    fn make_runner(&self, variant: &Variant, slot: Slot, host: &str, doing: Doing) -> Runner {
        let instance = &self.spec.instance;
        let engine = &self.hosts[&host_name(host)].engine().unwrap().id;
        let name = RunnerName::new(instance, variant, slot);
        let pool = self.spec.pool(&variant.pool);
        let spec = pool.map(|pool| spec_hash(&self.spec, pool, &host_name(host), engine));
        let running = |started_at| ContainerState::Running { started_at };
        let log = |received: Option<_>, ended: Option<_>, jobs_ended| {
            let works = received.is_some() && ended.is_none();
            Some(RunnerLog { received, ended, jobs_ended, works, ..RunnerLog::default() })
        };
        let (created_at, state, log) = match doing {
            Doing::Starting(since) => (ago(since), running(ago(since)), None),
            Doing::Idle(since) | Doing::Draining(since) => {
                (ago(since + 60), running(ago(since + 60)), log(None, Some(ago(since)), 1))
            }
            Doing::Busy(job, since) => (
                ago(since + 60),
                running(ago(since + 60)),
                log(Some((JobId(job), ago(since))), None, 0),
            ),
            Doing::Exited(code, since) => {
                let finished_at = ago(since);
                let state = ContainerState::Exited { code, finished_at, oom_killed: false };
                (ago(since + 60), state, None)
            }
        };
        Runner {
            id: WorkloadId::from_observed(&format!("c0ffee-{name}")),
            system_id: SystemId::new(instance, engine, variant, slot),
            name,
            variant: variant.clone(),
            slot,
            record: self.record_id(variant),
            spec: spec.unwrap_or(autogit::world::SpecHash::from_observed("gone")),
            cost: None,
            created_at,
            state,
            paused: false,
            log,
        }
    }

    /// A pending job of `project` with these tags, queued that many seconds ago.
    pub(crate) fn job(mut self, id: u64, project: &str, tags: &[&str], seconds: i64) -> Self {
        self.jobs.push(Job {
            id: JobId(id),
            name: format!("job-{id}").into(),
            project: ProjectId(id_of(project)),
            project_path: project.into(),
            tags: Arc::new(tags.iter().map(|&tag| tag.to_owned()).collect::<BTreeSet<_>>()),
            queued_at: ago(seconds),
            ref_name: "main".into(),
            protected: Some(true),
            instance_runners: Some(true),
            group_runners: Some(true),
        });
        self
    }

    /// A manager of the pool's record for `amd64` that is on no host.
    pub(crate) fn stranger(mut self, pool: &str, system_id: &str, caller: Option<Caller>) -> Self {
        let variant = Variant::new(&PoolName::new(pool).unwrap(), Arch::Amd64);
        let (system_id, contacted_at) = (SystemId::from_observed(system_id), Some(ago(130)));
        let row = Manager { system_id, contacted_at, busy: false, job: None, caller };
        self.managers.entry(variant).or_default().push(row);
        self
    }

    /// That host cannot be read since so many seconds; it keeps what was last seen.
    pub(crate) fn lose_host(mut self, name: &str, seconds: i64, error: &str) -> Self {
        let host = self.hosts.get_mut(&host_name(name)).unwrap();
        host.state = host.state.clone().next(ago(seconds), Err(error.into()));
        self
    }

    /// The queue cannot be read.
    pub(crate) fn lose_queue(mut self, error: &'static str) -> Self {
        self.queue_error = Some(error);
        self
    }

    /// The world.
    pub(crate) fn world(mut self) -> World {
        for state in self.hosts.values_mut().filter_map(|host| host.state.last_mut()) {
            let images = self.spec.pools.iter().map(|pool| pool.runner_image.clone());
            state.images = images.map(|image| (image, Ok(ImageState::Here))).collect();
        }
        self.jobs.sort_by_key(|job| (job.queued_at, job.id));
        let records = self.records();
        let at = NOW - SignedDuration::from_millis(400);
        let queue = Observed::Known { at, value: Queue { jobs: self.jobs, ..Queue::default() } };
        let scopes = self.spec.pools.iter().map(|pool| pool.scope.clone());
        let scopes = scopes.map(|scope| (scope.clone(), Ok(place_of(&scope)))).collect();
        World::of(Look {
            now: NOW,
            spec: Arc::new(self.spec),
            queue: match self.queue_error {
                Some(error) => queue.next(ago(90), Err(error.into())),
                None => queue,
            },
            records: Observed::Known { at, value: records },
            scopes,
            hosts: self.hosts,
            disks: BTreeMap::new(),
            memory: self.memory,
        })
    }

    /// The world with its plan.
    pub(crate) fn view(self) -> View {
        let world = Arc::new(self.world());
        View {
            plan: Arc::new(plan(&world)),
            spec: SpecInfo {
                source: "autogit.yaml".to_owned(),
                hash: "3f9c1a".to_owned(),
                loaded_at: ago(600),
                commit: None,
                pending_fault: None,
                spec: Arc::clone(&world.spec),
            },
            world,
            requests: 2,
            gitlab_url: "https://gitlab.example.com".to_owned(),
            notices: Vec::new(),
        }
    }

    fn records(&self) -> Vec<Record> {
        let at = NOW - SignedDuration::from_millis(300);
        let record = |(variant, rows): (&Variant, &Vec<Manager>)| {
            let pool = self.spec.pool(&variant.pool)?;
            let first = pool.architectures.first() == Some(&variant.arch);
            Some(Record {
                id: self.record_id(variant),
                variant: variant.clone(),
                origin: if pool.runner_token.is_some() { Origin::Given } else { Origin::Ours },
                settings: record_settings(pool, variant.arch, first),
                owner: place_of(&pool.scope).owner(),
                created_at: Some(ago(86_400)),
                token_expires_at: None,
                token: Token::AtHand,
                managers: Observed::Known { at, value: rows.clone() },
                unseen: None,
            })
        };
        self.managers.iter().filter_map(record).collect()
    }

    fn record_id(&self, variant: &Variant) -> RecordId {
        let place = self.managers.keys().position(|one| one == variant).unwrap_or(80);
        RecordId(17 + u64::try_from(place).unwrap())
    }

    fn state(&mut self, host: &str) -> &mut HostState {
        match &mut self.hosts.get_mut(&host_name(host)).unwrap().state {
            Observed::Known { value, .. } => value,
            Observed::Unknown { .. } => panic!("lose a host after its runners are there"),
        }
    }
}

/// What a scope is at GitLab, where each path has an id that follows from it.
fn place_of(scope: &Scope) -> Place {
    match scope {
        Scope::Instance => Place::Instance,
        Scope::Group(path) => Place::Group { id: GroupId(id_of(path)), path: path.as_str().into() },
        Scope::Project(path) => {
            Place::Project { id: ProjectId(id_of(path)), path: path.as_str().into() }
        }
    }
}

/// The id of what has that path.
fn id_of(path: &str) -> u64 {
    path.to_lowercase()
        .bytes()
        .fold(1, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)) % 1_000_003)
}

fn host_name(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

/// A pool of each, without hosts: what a case does not say.
static PLAIN: LazyLock<Spec> = LazyLock::new(|| {
    let text = "\
gitlab: {url: 'https://gitlab.example.com', token: glpat-x}
pools:
  plain:
    tags: [docker]
    architectures: [amd64]
    runner_image: gitlab/gitlab-runner:alpine
    job: {capabilities: {drop: []}, pull_policy: [always]}
";
    let mut spec = Spec::parse("plain.yaml", text, &|_| None, Missing::Fault).unwrap().spec;
    spec.hosts.clear();
    spec
});

fn empty_spec() -> Spec {
    Spec { pools: Vec::new(), ..PLAIN.clone() }
}

fn plain_pool(name: &str, tag: &str) -> Pool {
    let pool = PLAIN.pools[0].clone();
    Pool { name: PoolName::new(name).unwrap(), tags: vec![tag.to_owned()], ..pool }
}
