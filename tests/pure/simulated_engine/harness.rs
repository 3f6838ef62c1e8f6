//! A harness for one simulated engine: a clock, a GitLab that speaks to runners only, a network and
//! an image.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use autogit::clock::Clock;
use autogit::engine::{Engine, NewRunner};
use autogit::gitlab::{Transport, TransportError};
use autogit::sandbox::engine::{
    ContainerView, Latencies, SimulatedEngine, SimulatedEngineSettings,
};
use autogit::spec::{Arch, Cost, InstanceName, PoolName};
use autogit::world::{
    ContainerState, EngineId, RecordId, RunnerName, Slot, SpecHash, SystemId, Variant, WorkloadId,
};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post, put};
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const URL: &str = "http://gitlab.sim";
pub(crate) const TOKEN: &str = "glrt-secretsecretsecret";
pub(crate) const IMAGE: &str = "gitlab/gitlab-runner:alpine-v19.4.0";

#[derive(Debug)]
pub(crate) struct Harness {
    pub(crate) engine: SimulatedEngine,
    pub(crate) gitlab: Gitlab,
    pub(crate) clock: Clock,
    cache: bool,
    jobs_max: u32,
    image: String,
}

impl Harness {
    pub(crate) fn new(seed: u64) -> Self {
        let clock = Clock::simulated(Timestamp::UNIX_EPOCH, 1.0);
        let gitlab = Gitlab { clock: clock.clone(), told: Arc::default() };
        let engine = SimulatedEngine::new(SimulatedEngineSettings {
            emulates: std::collections::BTreeSet::new(),
            id: EngineId::from_observed("ENGINE"),
            arch: Arch::Amd64,
            cpus: 8.0,
            memory: 16 << 30,
            gpus: autogit::world::GpusSeen::default(),
            clock: clock.clone(),
            gitlab: Arc::new(gitlab.clone()),
            gitlab_url: URL.to_owned(),
            seed,
            latencies: Latencies::default(),
        });
        engine.add_image(IMAGE);
        engine.add_foreign_network("autogit", BTreeMap::new());
        Self { engine, gitlab, clock, cache: true, jobs_max: 0, image: IMAGE.to_owned() }
    }

    pub(crate) fn without_cache(self) -> Self {
        Self { cache: false, ..self }
    }

    pub(crate) fn of_version(self, version: &str) -> Self {
        let image = format!("gitlab/gitlab-runner:alpine-v{version}");
        self.engine.add_image(&image);
        Self { image, ..self }
    }

    pub(crate) fn with_jobs_max(self, jobs_max: u32) -> Self {
        Self { jobs_max, ..self }
    }

    pub(crate) fn new_runner(&self, pool: &str, slot: u32) -> NewRunner {
        let instance = InstanceName::standard();
        let variant = Variant::new(&PoolName::new(pool).unwrap(), Arch::Amd64);
        let engine = EngineId::from_observed("ENGINE");
        let name = RunnerName::new(&instance, &variant, Slot(slot));
        let system_id = SystemId::new(&instance, &engine, &variant, Slot(slot));
        NewRunner {
            arch: Arch::Amd64,
            config: config(&name, URL, !self.cache).into(),
            environment: BTreeMap::new(),
            labels: BTreeMap::new(),
            ca: None,
            name,
            instance,
            variant,
            slot: Slot(slot),
            system_id,
            record: RecordId(7),
            spec: SpecHash::from_observed("spec"),
            cost: Cost::default(),
            image: self.image.clone(),
            network: "autogit".to_owned(),
            jobs_max: self.jobs_max,
        }
    }

    pub(crate) async fn start(&self, new: &NewRunner) -> WorkloadId {
        let id = self.engine.create_runner(new).await.unwrap();
        self.engine.start(&id).await.unwrap();
        id
    }

    pub(crate) async fn runner(&self, pool: &str, slot: u32) -> WorkloadId {
        self.start(&self.new_runner(pool, slot)).await
    }

    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    pub(crate) fn exit_code(&self, id: &WorkloadId) -> Option<i64> {
        let container = self.engine.containers().into_iter().find(|it| it.id == *id).unwrap();
        match container.state {
            ContainerState::Exited { code, .. } => Some(code),
            ContainerState::Created | ContainerState::Running { .. } => None,
        }
    }

    pub(crate) fn build_container(&self) -> ContainerView {
        let mut all = self.engine.containers().into_iter();
        all.find(|it| it.name.ends_with("-build")).unwrap()
    }
}

pub(crate) fn config(name: &RunnerName, url: &str, disable_cache: bool) -> String {
    format!(
        r#"
[[runners]]
name = "{name}"
url = "{url}"
token = "{TOKEN}"
executor = "docker"
[runners.feature_flags]
FF_NETWORK_PER_BUILD = true
[runners.docker]
image = "alpine"
disable_cache = {disable_cache}
[runners.docker.container_labels]
"io.autogit.runner" = "{name}"
"#
    )
}

pub(crate) fn job(id: u64, millis: u64) -> Value {
    job_with(id, millis, &[])
}

pub(crate) fn job_with(id: u64, millis: u64, variables: &[(&str, &str)]) -> Value {
    let millis = millis.to_string();
    let variable = |(key, value): &(&str, &str)| json!({ "key": key, "value": value });
    let variables: Vec<_> = variables
        .iter()
        .chain([&("SIMULATED_DURATION_MS", millis.as_str())])
        .map(variable)
        .collect();
    json!({
        "id": id,
        "token": format!("job-{id}"),
        "job_info": { "id": id, "name": "test", "project_id": 3 },
        "git_info": { "repo_url": "http://ci:pass@gitlab.sim/team/app.git", "ref": "main", "sha": "abc" },
        "runner_info": { "timeout": 3600 },
        "variables": variables,
    })
}

/// The runner's side of GitLab.
#[derive(Debug, Clone)]
pub(crate) struct Gitlab {
    clock: Clock,
    told: Arc<Mutex<Told>>,
}

#[derive(Debug, Default)]
struct Told {
    pending: VecDeque<Value>,
    pushes: u64,
    polls: u64,
    forbidden: bool,
    down: bool,
    cancelled: Vec<u64>,
    states: BTreeMap<u64, Vec<String>>,
    traces: BTreeMap<u64, String>,
}

impl Gitlab {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    pub(crate) fn push(&self, job: Value) {
        let mut told = self.told();
        told.pending.push_back(job);
        told.pushes += 1;
    }

    pub(crate) fn cancel(&self, job: u64) {
        self.told().cancelled.push(job);
    }

    pub(crate) fn set_forbidden(&self, forbidden: bool) {
        self.told().forbidden = forbidden;
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.told().down = down;
    }

    pub(crate) fn polls(&self) -> u64 {
        self.told().polls
    }

    pub(crate) fn states(&self, job: u64) -> Vec<String> {
        self.told().states.get(&job).cloned().unwrap_or_default()
    }

    pub(crate) fn trace(&self, job: u64) -> String {
        self.told().traces.get(&job).cloned().unwrap_or_default()
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/api/v4/jobs/request", post(request_job))
            .route("/api/v4/jobs/{id}", put(update))
            .route("/api/v4/jobs/{id}/trace", patch(trace))
            .with_state(self.clone())
    }
}

#[async_trait]
impl Transport for Gitlab {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        if self.told().down {
            return Err(TransportError::Unreachable("connection refused".to_owned()));
        }
        let answer = self.router().oneshot(request.map(Body::from)).await.unwrap();
        let (parts, body) = answer.into_parts();
        Ok(http::Response::from_parts(parts, axum::body::to_bytes(body, 1 << 20).await.unwrap()))
    }
}

/// Held for 50 s if the runner knows the queue's mark and nothing comes.
async fn request_job(State(gitlab): State<Gitlab>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    gitlab.told().polls += 1;
    if gitlab.told().forbidden || body["token"] != TOKEN {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut held = 0;
    loop {
        let mark = gitlab.told().pushes.to_string();
        let next = gitlab.told().pending.pop_front();
        if let Some(job) = next {
            return (StatusCode::CREATED, job.to_string()).into_response();
        }
        if held == 50 || body["last_update"] != mark {
            return (StatusCode::NO_CONTENT, [("X-GitLab-Last-Update", mark)]).into_response();
        }
        held += 1;
        gitlab.clock.sleep(Duration::from_secs(1)).await;
    }
}

async fn update(State(gitlab): State<Gitlab>, Path(id): Path<u64>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["token"], format!("job-{id}"));
    if gitlab.told().cancelled.contains(&id) {
        return (StatusCode::FORBIDDEN, [("Job-Status", "canceled")]).into_response();
    }
    let mut state = body["state"].as_str().unwrap().to_owned();
    for detail in [&body["failure_reason"], &body["exit_code"]] {
        if !detail.is_null() {
            state = format!("{state} {}", detail.to_string().trim_matches('"'));
        }
    }
    gitlab.told().states.entry(id).or_default().push(state);
    StatusCode::OK.into_response()
}

async fn trace(
    State(gitlab): State<Gitlab>,
    Path(id): Path<u64>,
    headers: http::HeaderMap,
    body: String,
) -> Response {
    if gitlab.told().cancelled.contains(&id) {
        return (StatusCode::ACCEPTED, [("Job-Status", "canceled")]).into_response();
    }
    let mut told = gitlab.told();
    let trace = told.traces.entry(id).or_default();
    let range = format!("{}-{}", trace.len(), trace.len() + body.len() - 1);
    assert_eq!(headers["content-range"], range);
    trace.push_str(&body);
    StatusCode::ACCEPTED.into_response()
}
