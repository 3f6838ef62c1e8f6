//! How long the planner takes, small and large. `cargo bench --bench planner`.
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
    VolumeKind, WorkloadId, World, leftovers, record_settings, spec_hash,
};
use jiff::{SignedDuration, Timestamp};

const NOW: Timestamp = Timestamp::constant(1_767_323_045, 0);
const ROUNDS: usize = 15;
const POOLS: u32 = 20;

fn main() {
    println!("planner, median of {ROUNDS} rounds");
    measure(1_000, 100, None);
    measure(100_000, 10_000, Some(Duration::from_millis(50)));
}

fn measure(jobs: u32, runners: u32, target: Option<Duration>) {
    let world = world(jobs, runners);
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| time(&world)).collect();
    times.sort();
    let median = times[ROUNDS / 2];
    let decisions = plan(&world).decisions.len();
    let target = target.map_or(String::new(), |target| {
        let ratio = median.as_secs_f64() / target.as_secs_f64();
        format!("  target {target:?}, ratio {ratio:.2}")
    });
    println!(
        "{jobs:>7} jobs × {runners:>6} runners, {decisions:>5} decisions: {median:>10.2?}{target}"
    );
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the real clock")]
fn time(world: &World) -> Duration {
    let start = std::time::Instant::now();
    std::hint::black_box(plan(std::hint::black_box(world)));
    start.elapsed()
}

fn ago(seconds: u32) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds.into())
}

fn world(jobs: u32, runners: u32) -> World {
    let spec = Arc::new(spec(runners));
    let runners = runners_of(&spec, runners);
    let records = (0..POOLS).map(|pool| record(&spec, pool, &runners)).collect();
    let mut look = Look {
        now: NOW,
        queue: Observed::Known {
            at: NOW,
            value: Queue { jobs: jobs_of(jobs), ..Queue::default() },
        },
        records: Observed::Known { at: NOW, value: records },
        scopes: BTreeMap::new(),
        hosts: BTreeMap::from([(HostName::new("local").unwrap(), host(&spec, runners))]),
        disks: BTreeMap::new(),
        memory: Memory::default(),
        spec,
    };
    look.memory.leftovers = leftovers(&look);
    World::of(look)
}

fn spec(runners: u32) -> Spec {
    let most = runners + 100;
    let mut text = format!(
        "gitlab: {{url: 'https://gitlab.example.com', token: secret}}\n\
         starts_per_minute: 1000\n\
         hosts: {{local: {{docker: 'unix:///var/run/docker.sock', budget: {{runners: {most}}}}}}}\n\
         pools:\n",
    );
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

fn runners_of(spec: &Spec, count: u32) -> Vec<Runner> {
    let engine = EngineId::from_observed("ENGINE");
    let host = HostName::new("local").unwrap();
    let runner = |index: u32| {
        let pool = &spec.pools[(index % POOLS) as usize];
        let variant = Variant::new(&pool.name, Arch::Amd64);
        let slot = Slot(index / POOLS);
        let older = slot.0.is_multiple_of(10);
        Runner {
            id: WorkloadId::from_observed(&format!("{index:064}")),
            name: RunnerName::new(&spec.instance, &variant, slot),
            system_id: SystemId::new(&spec.instance, &engine, &variant, slot),
            variant,
            slot,
            record: RecordId((index % POOLS).into()),
            spec: if older {
                SpecHash::from_observed("older")
            } else {
                spec_hash(spec, pool, &host, &engine)
            },
            cost: Some(Cost::of(pool)),
            created_at: ago(600),
            state: ContainerState::Running { started_at: ago(540) },
            paused: false,
            log: None,
        }
    };
    (0..count).map(runner).collect()
}

fn record(spec: &Spec, pool: u32, runners: &[Runner]) -> Record {
    let id = RecordId(pool.into());
    let pool = &spec.pools[pool as usize];
    let row = |system_id: &SystemId, busy| Manager {
        system_id: system_id.clone(),
        contacted_at: Some(NOW),
        busy,
        job: None,
        caller: None,
    };
    let of_record = runners.iter().filter(|runner| runner.record == id);
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
fn host(spec: &Spec, runners: Vec<Runner>) -> Host {
    let images = spec.pools.iter().map(|pool| pool.runner_image.clone());
    let images = images.map(|image| (image, Ok(ImageState::Here))).collect();
    let engine = EngineInfo {
        id: EngineId::from_observed("ENGINE"),
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
            },
        },
    }
}
