//! How long it takes to judge a look and to plan, from ten runners on one host to ten thousand on a
//! hundred, with ten times as many jobs. `cargo bench --bench planner`.
//!
//! Nothing is spared: jobs of forty kinds, half of which no pool takes; runners half busy, a part
//! of the idle ones made from an older spec; rows of runners that no host has; leftovers to sweep.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use autogit::plan::plan;
use autogit::spec::{Arch, Cost, Cpus, HostName, Missing, Spec};
use autogit::world::{
    ContainerState, EngineId, EngineInfo, Host, HostState, ImageState, Job, JobId, JobObjects,
    JobVolume, Look, Manager, Memory, NetworkState, Node, Observed, Origin, Owner, ProjectId,
    Queue, Record, RecordId, Runner, RunnerName, Slot, SpecHash, SystemId, Token, Variant,
    VolumeKind, WorkloadId, World, leftovers, note_observed, record_settings, spec_hash,
};
use jiff::{SignedDuration, Timestamp};

const NOW: Timestamp = Timestamp::constant(1_767_323_045, 0);
const POOLS: u32 = 20;
/// Runners of one host, at most.
const PER_HOST: u32 = 100;

/// What a tick may take of a cpu at the largest size.
const TARGET: Duration = Duration::from_secs(1);

fn main() {
    println!("runners  hosts    jobs     judge      plan     both   per n·log n  decisions");
    let sizes = [(10, 101), (100, 51), (1_000, 15), (10_000, 7)];
    let both = sizes.map(|(runners, rounds)| measure(runners, rounds));
    let last = both[both.len() - 1];
    let verdict = if last <= TARGET { "within" } else { "beyond" };
    println!("a tick at the largest size takes {last:.2?}, {verdict} the target of {TARGET:?}");
}

/// The median of so many rounds, judging and planning together.
fn measure(runners: u32, rounds: usize) -> Duration {
    let (hosts, jobs) = (runners.div_ceil(PER_HOST), 10 * runners);
    let look = look(jobs, runners, hosts);
    let mut world = World::of(look.clone());
    let median = |round: &mut dyn FnMut()| {
        let mut times: Vec<Duration> = (0..rounds).map(|_| time(round)).collect();
        times.sort();
        times[rounds / 2]
    };
    let judge = median(&mut || {
        let mut look = look.clone();
        note_observed(&mut look);
        world = World::of(look);
    });
    let plan_time = median(&mut || drop(std::hint::black_box(plan(std::hint::black_box(&world)))));
    let (both, n) = (judge + plan_time, f64::from(runners));
    let unit = both.div_f64(n * n.log2());
    let decisions = plan(&world).decisions.len();
    println!(
        "{runners:>7} {hosts:>6} {jobs:>7} {judge:>9.2?} {plan_time:>9.2?} {both:>8.2?} {unit:>13.0?} {decisions:>10}"
    );
    both
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the real clock")]
fn time(round: &mut dyn FnMut()) -> Duration {
    let start = std::time::Instant::now();
    round();
    start.elapsed()
}

fn ago(seconds: u32) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds.into())
}

fn look(jobs: u32, runners: u32, hosts: u32) -> Look {
    let names: Vec<HostName> = (0..hosts).map(host_name).collect();
    let spec = Arc::new(spec(runners, &names));
    let runners = runners_of(&spec, runners, &names);
    let records = (0..POOLS).map(|pool| record(&spec, pool, &runners)).collect();
    let hosts = names.iter().map(|name| {
        let its = runners.iter().filter(|(host, _)| host == name);
        (name.clone(), host(&spec, name, its.map(|(_, runner)| runner.clone()).collect()))
    });
    let mut look = Look {
        now: NOW,
        queue: Observed::Known {
            at: NOW,
            value: Queue { jobs: jobs_of(jobs), ..Queue::default() },
        },
        records: Observed::Known { at: NOW, value: records },
        scopes: BTreeMap::new(),
        hosts: hosts.collect(),
        disks: BTreeMap::new(),
        memory: Memory::default(),
        spec,
    };
    look.memory.leftovers = leftovers(&look);
    look
}

fn host_name(index: u32) -> HostName {
    HostName::new(&format!("host-{index}")).unwrap()
}

fn engine_id(host: &HostName) -> EngineId {
    EngineId::from_observed(&format!("engine-of-{host}"))
}

fn spec(runners: u32, hosts: &[HostName]) -> Spec {
    let mut text = "gitlab: {url: 'https://gitlab.example.com', token: secret}\n\
                    starts_per_minute: 1000\nhosts:\n"
        .to_owned();
    for host in hosts {
        let budget = format!("{{runners: {}}}", PER_HOST + 10);
        writeln!(text, "  {host}: {{docker: 'tcp://{host}:2376', tls: {{ca: /a, cert: /b, key: /c}}, budget: {budget}}}")
            .unwrap();
    }
    text.push_str("pools:\n");
    for pool in 0..POOLS {
        let max = runners / POOLS + 5;
        writeln!(text, "  pool-{pool}: {{tags: [docker, t{pool}], max: {max}}}").unwrap();
    }
    Spec::parse("bench.yaml", &text, &|_| None, Missing::Fault).unwrap().spec
}

fn jobs_of(count: u32) -> Vec<Job> {
    let job = |index: u32| Job {
        id: JobId(index.into()),
        name: "test".into(),
        project: ProjectId((index % 500).into()),
        project_path: format!("team/project-{}", index % 500).into(),
        // Each job its own set, as the adapter reads them.
        tags: Arc::new(BTreeSet::from([format!("t{}", index % (2 * POOLS)), "docker".to_owned()])),
        queued_at: ago((count - index) % 3_000),
        ref_name: "main".into(),
        protected: None,
        instance_runners: None,
        group_runners: None,
    };
    let mut jobs: Vec<Job> = (0..count).map(job).collect();
    jobs.sort_by_key(|job| (job.queued_at, job.id));
    jobs
}

fn runners_of(spec: &Spec, count: u32, hosts: &[HostName]) -> Vec<(HostName, Runner)> {
    let runner = |index: u32| {
        let pool = &spec.pools[(index % POOLS) as usize];
        let variant = Variant::new(&pool.name, Arch::Amd64);
        let slot = Slot(index / POOLS);
        let older = slot.0.is_multiple_of(10);
        let host = &hosts[(index / PER_HOST) as usize];
        let engine = engine_id(host);
        let runner = Runner {
            id: WorkloadId::from_observed(&format!("{index:064}")),
            name: RunnerName::new(&spec.instance, &variant, slot),
            system_id: SystemId::new(&spec.instance, &engine, &variant, slot),
            variant,
            slot,
            record: RecordId((index % POOLS).into()),
            spec: if older {
                SpecHash::from_observed("older")
            } else {
                spec_hash(spec, pool, host, &engine)
            },
            cost: Some(Cost::of(pool)),
            created_at: ago(600),
            state: ContainerState::Running { started_at: ago(540) },
            paused: false,
            log: None,
        };
        (host.clone(), runner)
    };
    (0..count).map(runner).collect()
}

fn record(spec: &Spec, pool: u32, runners: &[(HostName, Runner)]) -> Record {
    let id = RecordId(pool.into());
    let pool = &spec.pools[pool as usize];
    let row = |system_id: &SystemId, busy| Manager {
        system_id: system_id.clone(),
        contacted_at: Some(NOW),
        busy,
        job: None,
        caller: None,
    };
    let of_record = runners.iter().map(|(_, runner)| runner).filter(|runner| runner.record == id);
    let rows = of_record.map(|runner| row(&runner.system_id, runner.slot.0.is_multiple_of(2)));
    let unaccounted = SystemId::from_observed("r_somewhereelse");
    Record {
        id,
        variant: Variant::new(&pool.name, Arch::Amd64),
        origin: Origin::Ours,
        settings: record_settings(pool, Arch::Amd64, true),
        owner: Owner::Instance,
        created_at: None,
        token_expires_at: None,
        token: Token::AtHand,
        managers: Observed::Known {
            at: NOW,
            value: rows.chain([row(&unaccounted, false)]).collect(),
        },
        unseen: None,
    }
}

/// Its runners, and a volume for every fourth of them that a runner long gone left.
fn host(spec: &Spec, name: &HostName, runners: Vec<Runner>) -> Host {
    let images = spec.pools.iter().map(|pool| pool.runner_image.clone());
    let images = images.map(|image| (image, Ok(ImageState::Here))).collect();
    let engine = EngineInfo {
        id: engine_id(name),
        node: Node { arch: Arch::Amd64, cpus: Cpus::of_count(64), memory: 1 << 38 },
        emulates: BTreeSet::new(),
        version: "28.0.0".into(),
        gpus: autogit::world::GpusSeen::default(),
        skew: SignedDuration::ZERO,
    };
    let network =
        Some(NetworkState { id: "network".into(), ours: true, containers: runners.len() });
    let prefix = runners.first().and_then(|runner| runner.system_id.as_str().get(..7));
    let prefix = prefix.unwrap_or_default();
    let volume = |index: usize| JobVolume {
        name: format!("volume-{index}"),
        system_id: SystemId::from_observed(&format!("{prefix}{index:07}")),
        kind: VolumeKind::Temporary,
    };
    let volumes = (0..runners.len() / 4).map(volume).collect();
    let jobs = JobObjects { volumes, ..JobObjects::default() };
    Host {
        state: Observed::Known {
            at: NOW,
            value: HostState {
                engine,
                jobs,
                runners,
                aside: Vec::new(),
                missing: BTreeMap::new(),
                network,
                old_networks: Vec::new(),
                images,
                kept_images: Some(Vec::new()),
            },
        },
    }
}
