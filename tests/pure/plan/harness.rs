//! A [`Look`] in the making: everything is there and well, until a case says otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use autogit::model::deny_missing;
use autogit::spec::{Arch, BudgetSpec, Cost, Cpus, HostName, HostSpec, Missing, Scope, Spec};
use autogit::world::{
    Absence, ContainerId, ContainerState, EngineId, EngineInfo, FailedStart, GroupId, Host,
    HostState, ImageState, Job, JobContainer, JobId, JobObjects, Look, Manager, Memory,
    NetworkState, Node, Observed, Origin, Place, ProjectId, Queue, Record, RecordId, Runner,
    RunnerLog, RunnerName, Slot, SpecHash, SystemId, Token, Variant, WorkloadId, World,
    record_settings,
};
use jiff::{SignedDuration, Timestamp};

/// 2026-01-02T03:04:05Z, the time of every look.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_767_323_045, 0);

/// The first record's id.
const FIRST_RECORD: u64 = 17;

/// The record of a runner whose variant has none.
const NO_RECORD: RecordId = RecordId(99);

/// That many seconds before now.
/// GitLab told what it tells at that time.
pub(crate) fn tell(look: &mut Look, told_at: Timestamp) {
    if let Observed::Known { at, .. } = &mut look.records {
        *at = told_at;
    }
    if let Observed::Known { at, .. } = &mut look.queue {
        *at = told_at;
    }
}

pub(crate) fn ago(seconds: i64) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds)
}

/// A place where a runner is or was.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(crate) variant: Variant,
    pub(crate) slot: Slot,
    pub(crate) host: HostName,
}

/// What a runner does, with the seconds that it does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Its container was never started.
    Created(i64),
    /// No contact yet.
    Starting(i64),
    /// No job.
    Idle(i64),
    /// A container of that job runs.
    Busy(u64, i64),
    /// GitLab says that it has a job; nothing on the host does.
    BusyAtGitlab(i64),
    /// Its log says that it picked up that job; nothing else does yet.
    Picked(u64, i64),
    /// Was asked to exit.
    Draining(i64),
    /// Was asked to exit and has that job.
    DrainingBusy(u64, i64),
    /// Ended with that code.
    Exited(i64, i64),
}

impl Doing {
    fn has_contact(self) -> bool {
        !matches!(self, Self::Created(_) | Self::Starting(_))
    }
}

/// The spec of a file that says this beside the usual `gitlab`.
pub(crate) fn spec(text: &str) -> Spec {
    let gitlab = "gitlab: {url: 'https://gitlab.example.com', token: glpat-of-a-test}\n";
    let gitlab = if text.contains("gitlab:") { "" } else { gitlab };
    match Spec::parse("autogit.yaml", &format!("{gitlab}{text}"), &|_| None, Missing::Fault) {
        Ok(parsed) => parsed.spec,
        Err(faults) => panic!("{}", faults.render(false)),
    }
}

/// A host with the engine's whole budget for all pools.
pub(crate) fn host_spec() -> HostSpec {
    let budget = BudgetSpec::default();
    HostSpec { budget, ..HostSpec::default() }
}

/// A look in which every declared host is an idle engine of 8 cpus and 16 GiB; `arch` tells their
/// architectures.
pub(crate) fn look(spec: Spec, arch: impl Fn(&HostName) -> Arch) -> Look {
    let hosts = spec.hosts.keys().map(|name| (name.clone(), host(&spec, name, arch(name))));
    let hosts = hosts.collect();
    let queue = Observed::Known { at: ago(0), value: Queue::default() };
    let records = Observed::Known { at: ago(0), value: Vec::new() };
    let memory = Memory::default();
    let scopes = spec.pools.iter().map(|pool| (pool.scope.clone(), Ok(place_of(&pool.scope))));
    let scopes = scopes.collect();
    let disks = BTreeMap::new();
    let spec = Arc::new(spec);
    let mut look = Look { now: NOW, spec, queue, records, scopes, hosts, disks, memory };
    let variants: Vec<Variant> = look.variants().into_iter().map(|(variant, _)| variant).collect();
    for (id, variant) in (FIRST_RECORD..).zip(variants) {
        let record = record(&look, RecordId(id), &variant);
        records_of(&mut look).push(record);
    }
    look
}

/// What a scope is at GitLab, where each path has an id that follows from it.
pub(crate) fn place_of(scope: &Scope) -> Place {
    match scope {
        Scope::Instance => Place::Instance,
        Scope::Group(path) => Place::Group { id: GroupId(id_of(path)), path: path.as_str().into() },
        Scope::Project(path) => {
            Place::Project { id: ProjectId(id_of(path)), path: path.as_str().into() }
        }
    }
}

/// The id of what has that path.
pub(crate) fn id_of(path: &str) -> u64 {
    path.to_lowercase()
        .bytes()
        .fold(1, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)) % 1_000_003)
}

fn host(spec: &Spec, name: &HostName, arch: Arch) -> Host {
    let engine = EngineInfo {
        id: EngineId::from_observed(&format!("engine-of-{name}")),
        node: Node { arch, cpus: Cpus::of_count(8), memory: 16 << 30 },
        emulates: BTreeSet::new(),
        version: "28.0.0".to_owned(),
        gpus: autogit::world::GpusSeen::default(),
        skew: SignedDuration::ZERO,
    };
    let of_runners = spec.pools.iter().map(|pool| pool.runner_image.clone());
    let of_jobs = spec.pools.iter().flat_map(|pool| pool.images.clone().unwrap_or_default());
    let images = of_runners.chain(of_jobs);
    let network = Some(NetworkState { id: format!("net-{name}"), ours: true, containers: 1 });
    let value = HostState {
        engine,
        jobs: JobObjects::default(),
        runners: Vec::new(),
        aside: Vec::new(),
        missing: BTreeMap::new(),
        network,
        old_networks: Vec::new(),
        images: images.map(|image| (image, Ok(ImageState::Here))).collect(),
        kept_images: Some(Vec::new()),
    };
    Host { state: Observed::Known { at: ago(0), value } }
}

/// A record as AutoGit would have made it a day ago, also for a pool that the spec had then.
pub(crate) fn record(look: &Look, id: RecordId, variant: &Variant) -> Record {
    let pool = look.spec.pool(&variant.pool).or(look.spec.pools.first());
    let pool = pool.expect("the spec has a pool");
    let first = look.architectures(pool).first() == Some(&variant.arch);
    Record {
        id,
        variant: variant.clone(),
        origin: Origin::Ours,
        settings: record_settings(pool, variant.arch, first),
        owner: place_of(&pool.scope).owner(),
        created_at: Some(ago(86_400)),
        token_expires_at: None,
        token: Token::AtHand,
        managers: Observed::Known { at: ago(0), value: Vec::new() },
        unseen: None,
    }
}

/// The records; a case that makes them unknown does so last.
pub(crate) fn records_of(look: &mut Look) -> &mut Vec<Record> {
    known(&mut look.records)
}

/// The engine's state; a case that loses a host does so last.
pub(crate) fn state_of<'a>(look: &'a mut Look, host: &HostName) -> &'a mut HostState {
    let host = look.hosts.get_mut(host).unwrap_or_else(|| panic!("`{host}` is not declared"));
    known(&mut host.state)
}

pub(crate) fn known<T>(observed: &mut Observed<T>) -> &mut T {
    match observed {
        Observed::Known { value, .. } => value,
        Observed::Unknown { error, .. } => panic!("unknown already: {error}"),
    }
}

/// Makes it unknown since so many seconds; it keeps what was last seen.
pub(crate) fn lose<T: Clone>(observed: &mut Observed<T>, seconds: i64, error: &str) {
    *observed = observed.clone().next(ago(seconds), Err(error.into()));
}

/// The manager's name that a runner there has.
pub(crate) fn system_id(look: &Look, spot: &Spot) -> SystemId {
    let engine = look.hosts[&spot.host].engine().expect("the host was seen");
    SystemId::new(&look.spec.instance, &engine.id, &spot.variant, spot.slot)
}

/// Adds a runner, its row at GitLab if it made contact, and its job's container.
pub(crate) fn add_runner(look: &mut Look, spot: &Spot, doing: Doing) -> WorkloadId {
    let runner = runner(look, spot, doing);
    let (id, system_id) = (runner.id.clone(), runner.system_id.clone());
    if doing.has_contact() {
        let record = runner.record;
        let row = Manager {
            system_id: system_id.clone(),
            contacted_at: Some(ago(1)),
            busy: matches!(doing, Doing::BusyAtGitlab(_) | Doing::Busy(..)),
            job: None,
            caller: None,
        };
        let of_record = records_of(look).iter_mut().find(|one| one.id == record);
        if let Some(of_record) = of_record {
            known(&mut of_record.managers).push(row);
        }
    }
    if let Doing::Draining(since) | Doing::DrainingBusy(_, since) = doing {
        look.memory.runner_mut(&id).draining = Some(ago(since));
    }
    let state = state_of(look, &spot.host);
    if let Doing::Busy(job, _) | Doing::DrainingBusy(job, _) = doing {
        state.jobs.containers.push(job_container(JobId(job), &system_id, true));
    }
    state.runners.push(runner);
    state.runners.sort_by(|one, other| one.name.cmp(&other.name));
    id
}

/// They said so two minutes ago, too, and what is left over was seen then.
pub(crate) fn look_before(look: &mut Look) {
    deny_missing(look);
    let known = look.hosts.iter().filter_map(|(name, host)| Some((name, host.state.known()?)));
    let gone = known.flat_map(|(name, state)| {
        let gone = state.missing.iter().filter(|(_, it)| matches!(it, Absence::Gone { .. }));
        gone.map(|(id, _)| ((name.clone(), id.clone()), ago(120)))
    });
    let gone: Vec<_> = gone.collect();
    look.memory.gone.extend(gone);
    look.memory.leftovers = World::of(look.clone()).next_memory().leftovers;
}

/// A container of a job.
pub(crate) fn job_container(job: JobId, system_id: &SystemId, running: bool) -> JobContainer {
    JobContainer {
        id: ContainerId::from_observed(&format!("job-{job}")),
        system_id: system_id.clone(),
        job: Some(job),
        job_url: Some(format!("https://gitlab.example.com/team/app/-/jobs/{job}")),
        project: Some(ProjectId(1)),
        runner: None,
        kind: "build".to_owned(),
        running,
    }
}

fn runner(look: &Look, spot: &Spot, doing: Doing) -> Runner {
    let Spot { variant, slot, host } = spot;
    let name = RunnerName::new(&look.spec.instance, variant, *slot);
    let pool = look.spec.pool(&variant.pool);
    let mut of_variant = look.records.last().into_iter().flatten();
    let record = pool
        .and_then(|pool| look.current_record(variant, pool))
        .or_else(|| of_variant.find(|record| record.variant == *variant));
    let hash = pool.and_then(|pool| look.spec_hash(host, pool));
    let (created_at, state, log) = container(doing);
    Runner {
        id: WorkloadId::from_observed(&format!("{host}-{name}")),
        system_id: system_id(look, spot),
        name,
        variant: variant.clone(),
        slot: *slot,
        record: record.map_or(NO_RECORD, |record| record.id),
        spec: hash.unwrap_or_else(|| SpecHash::from_observed("gone")),
        cost: Some(pool.map(Cost::of).unwrap_or_default()),
        created_at,
        state,
        paused: false,
        log,
    }
}

/// When the container was made, what it does, and what its log tells; work began a minute after.
fn container(doing: Doing) -> (Timestamp, ContainerState, Option<RunnerLog>) {
    let running = |seconds| (ago(seconds), ContainerState::Running { started_at: ago(seconds) });
    let log = |received: Option<(u64, i64)>, ended: Option<i64>| {
        let received = received.map(|(job, at)| (JobId(job), ago(at)));
        let works = received.is_some() && ended.is_none();
        let jobs_ended = u32::from(ended.is_some());
        Some(RunnerLog {
            received,
            ended: ended.map(ago),
            jobs_ended,
            works,
            ..RunnerLog::default()
        })
    };
    let ((created_at, state), log) = match doing {
        Doing::Created(since) => ((ago(since), ContainerState::Created), None),
        Doing::Starting(since) => (running(since), None),
        Doing::Idle(since) | Doing::Draining(since) => {
            (running(since + 60), log(Some((1, since + 30)), Some(since)))
        }
        Doing::BusyAtGitlab(since) => (running(since + 60), None),
        Doing::Busy(job, since) | Doing::DrainingBusy(job, since) | Doing::Picked(job, since) => {
            (running(since + 60), log(Some((job, since)), None))
        }
        Doing::Exited(code, since) => {
            let finished_at = ago(since);
            let state = ContainerState::Exited { code, finished_at, oom_killed: false };
            ((ago(since + 60), state), None)
        }
    };
    (created_at, state, log)
}

/// A start that failed, of no slot that is known any more.
pub(crate) fn failed_start(seconds: i64) -> FailedStart {
    FailedStart { at: ago(seconds), of: None }
}

/// A pending job of `team/app` on a protected ref.
pub(crate) fn job(id: u64, tags: &[&str], seconds: i64) -> Job {
    Job {
        id: JobId(id),
        name: format!("job-{id}").into(),
        project: ProjectId(id_of("team/app")),
        project_path: "team/app".into(),
        tags: Arc::new(tags.iter().map(|&tag| tag.to_owned()).collect::<BTreeSet<_>>()),
        queued_at: ago(seconds),
        ref_name: "main".into(),
        protected: Some(true),
        instance_runners: Some(true),
        group_runners: Some(true),
    }
}

/// Puts the jobs in the queue, oldest first.
pub(crate) fn queue(look: &mut Look, jobs: Vec<Job>) {
    let queue = known(&mut look.queue);
    queue.jobs.extend(jobs);
    queue.jobs.sort_by_key(|job| (job.queued_at, job.id));
}
