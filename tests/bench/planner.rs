//! How long the planner takes, small and large. `cargo bench --bench planner`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use autogit::plan::plan;
use autogit::spec::{Arch, HostName, Missing, PoolName, Spec};
use autogit::world::{
    Access, ContainerId, ContainerState, EngineId, EngineInfo, Host, HostState, Job, JobId,
    JobObjects, Manager, Memory, NetworkState, Observed, Origin, ProjectId, Queue, Record,
    RecordId, RecordSettings, Runner, RunnerName, Slot, SystemId, Variant, World, spec_hash,
};
use jiff::{SignedDuration, Timestamp};

const ROUNDS: usize = 15;
const POOLS: usize = 20;

fn main() {
    println!("planner, median of {ROUNDS} rounds");
    measure(1_000, 100, None);
    measure(100_000, 10_000, Some(Duration::from_millis(50)));
}

fn measure(jobs: usize, runners: usize, target: Option<Duration>) {
    let world = world(jobs, runners);
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| time(&world)).collect();
    times.sort();
    let median = times[ROUNDS / 2];
    let target = target.map_or(String::new(), |target| {
        let ratio = median.as_secs_f64() / target.as_secs_f64();
        format!("  target {target:?}, ratio {ratio:.2}")
    });
    println!("{jobs:>7} jobs × {runners:>6} runners: {median:>10.2?}{target}");
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the real clock")]
fn time(world: &World) -> Duration {
    let start = std::time::Instant::now();
    std::hint::black_box(plan(std::hint::black_box(world)));
    start.elapsed()
}

fn world(jobs: usize, runners: usize) -> World {
    let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let spec = Arc::new(spec(runners));
    let runners = runners_of(&spec, runners, now);
    let records =
        spec.pools.iter().enumerate().map(|(index, pool)| record(index, &pool.name, &runners, now));
    World {
        now,
        queue: Observed::Known { at: now, value: Queue { jobs: jobs_of(jobs, now), more: false } },
        records: Observed::Known { at: now, value: records.collect() },
        hosts: BTreeMap::from([(HostName::new("local").unwrap(), host(runners, now))]),
        memory: Memory::default(),
        spec,
    }
}

fn spec(runners: usize) -> Spec {
    let mut text = format!(
        "gitlab: {{url: 'https://gitlab.example.com', token: secret}}\n\
         starts_per_minute: 1000\n\
         hosts: {{local: {{docker: 'unix:///var/run/docker.sock', budget: {{runners: {}}}}}}}\n\
         pools:\n",
        runners + 100,
    );
    for pool in 0..POOLS {
        text.push_str(&format!(
            "  pool-{pool}: {{tags: [docker, t{pool}], max: {}}}\n",
            runners / POOLS + 5
        ));
    }
    Spec::parse("bench.yaml", &text, &|_| None, Missing::Fault).unwrap().spec
}

fn jobs_of(count: usize, now: Timestamp) -> Vec<Job> {
    let tags: Vec<Arc<BTreeSet<String>>> = (0..POOLS * 2)
        .map(|class| Arc::new(BTreeSet::from([format!("t{class}"), "docker".to_owned()])))
        .collect();
    let job = |index: usize| Job {
        id: JobId(index as u64),
        name: "test".into(),
        project: ProjectId((index % 500) as u64),
        project_path: format!("team/project-{}", index % 500).into(),
        tags: Arc::clone(&tags[index % tags.len()]),
        queued_at: now - SignedDuration::from_secs((count - index) as i64 % 3_000),
        ref_name: "main".into(),
        protected: None,
        instance_runners: None,
        group_runners: None,
    };
    let mut jobs: Vec<Job> = (0..count).map(job).collect();
    jobs.sort_by_key(|job| (job.queued_at, job.id));
    jobs
}

fn runners_of(spec: &Spec, count: usize, now: Timestamp) -> Vec<Runner> {
    let engine = EngineId::from_observed("ENGINE");
    let runner = |index: usize| {
        let pool = &spec.pools[index % POOLS];
        let variant = Variant::new(&pool.name, Arch::Amd64);
        let slot = Slot((index / POOLS) as u32);
        Runner {
            id: ContainerId::from_observed(&format!("{index:064}")),
            name: RunnerName::new(&spec.instance, &variant, slot),
            system_id: SystemId::new(
                &spec.instance,
                &engine.installation(),
                &engine,
                &variant,
                slot,
            ),
            variant,
            slot,
            record: RecordId((index % POOLS) as u64),
            spec: spec_hash(spec, pool),
            created_at: now - SignedDuration::from_mins(9),
            state: ContainerState::Running { started_at: now - SignedDuration::from_mins(9) },
            log: None,
        }
    };
    (0..count).map(runner).collect()
}

fn record(index: usize, pool: &PoolName, runners: &[Runner], now: Timestamp) -> Record {
    let id = RecordId(index as u64);
    let managers =
        runners.iter().filter(|runner| runner.record == id).enumerate().map(|(row, runner)| {
            Manager {
                system_id: runner.system_id.clone(),
                contacted_at: Some(now),
                busy: row % 2 == 0,
                job: None,
            }
        });
    Record {
        id,
        variant: Variant::new(pool, Arch::Amd64),
        origin: Origin::Ours,
        settings: RecordSettings {
            tags: vec!["amd64".into(), "docker".into(), format!("t{index}")],
            run_untagged: false,
            access: Access::NotProtected,
            maximum_timeout: None,
            paused: false,
        },
        scope: autogit::spec::Scope::Instance,
        created_at: None,
        token_expires_at: None,
        has_token: true,
        managers: Observed::Known { at: now, value: managers.collect() },
    }
}

fn host(runners: Vec<Runner>, now: Timestamp) -> Host {
    let engine = EngineInfo {
        id: EngineId::from_observed("ENGINE"),
        arch: Arch::Amd64,
        cpus: 64.0,
        memory: 1 << 38,
        version: "28.0.0".into(),
        skew: SignedDuration::ZERO,
    };
    let network =
        Some(NetworkState { id: "network".into(), ours: true, containers: runners.len() });
    Host {
        state: Observed::Known {
            at: now,
            value: HostState { engine, jobs: JobObjects::default(), runners, network },
        },
    }
}
