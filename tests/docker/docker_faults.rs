//! The Docker adapter against an engine that fails on purpose, at a socket of the test's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use autogit::clock::Clock;
use autogit::engine::docker::{DockerEngine, DockerSettings};
use autogit::engine::{Engine as _, EngineError, ImageRequest, NewRunner};
use autogit::spec::{Arch, Cost, InstanceName, PoolName, PullPolicy};
use autogit::world::{ImageState, RecordId, RunnerName, Slot, SpecHash, SystemId, Variant};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use http::StatusCode;
use serde_json::{Value, json};

/// Answers one request, by `METHOD /path?query` without the API's version.
type Answer = Arc<dyn Fn(&str) -> (u16, Value) + Send + Sync>;

/// One request's line, and the registry credentials that came with it.
type Line = (String, Option<String>);

/// What a fake engine was asked.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<Line>>>);

impl Asked {
    fn having(&self, word: &str) -> Vec<String> {
        let asked = self.0.lock().unwrap();
        asked.iter().map(|(line, _)| line.clone()).filter(|line| line.contains(word)).collect()
    }

    fn credentials(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().filter_map(|(_, credentials)| credentials.clone()).collect()
    }
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("autogit-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("docker.sock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The status of an answer that never comes.
const NEVER: u16 = 0;

fn serve(socket: &Path, answer: Answer) -> Asked {
    let asked = Asked::default();
    let listener = tokio::net::UnixListener::bind(socket).unwrap();
    let router = Router::new().fallback(reply).with_state((asked.clone(), answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    asked
}

async fn reply(State((asked, answer)): State<(Asked, Answer)>, request: Request) -> Response {
    let target = request.uri().to_string();
    let target = target
        .split_once("/v1.")
        .map_or(target.as_str(), |(_, rest)| rest.find('/').map_or(rest, |slash| &rest[slash..]));
    let line = format!("{} {target}", request.method());
    let credentials = request.headers().get("x-registry-auth");
    let credentials = credentials.map(|value| value.to_str().unwrap().to_owned());
    asked.0.lock().unwrap().push((line.clone(), credentials));
    let (status, body) = match line.as_str() {
        "GET /version" => (200, json!({"ApiVersion": "1.41"})),
        "GET /info" => (
            200,
            json!({"ID": "E", "Architecture": "x86_64", "NCPU": 2, "MemTotal": 1, "ServerVersion": "20.10.24"}),
        ),
        _ => answer(&line),
    };
    if status == NEVER {
        std::future::pending::<()>().await;
    }
    let status = StatusCode::from_u16(status).unwrap();
    // An answer without a body may not have one.
    if status == StatusCode::NO_CONTENT {
        status.into_response()
    } else {
        (status, body.to_string()).into_response()
    }
}

fn settings(socket: &Path) -> DockerSettings {
    DockerSettings {
        endpoint: Some(format!("unix://{}", socket.display())),
        docker_host: None,
        tls: None,
        socket: Some("/var/run/docker.sock".into()),
        home: None,
        xdg_runtime_dir: None,
        docker_config: None,
        ssh: "ssh".into(),
        clock: Clock::system(),
    }
}

fn runner() -> NewRunner {
    let instance = InstanceName::standard();
    let variant = Variant::new(&PoolName::new("linux").unwrap(), Arch::Amd64);
    NewRunner {
        arch: Arch::Amd64,
        name: RunnerName::new(&instance, &variant, Slot(0)),
        instance,
        variant,
        slot: Slot(0),
        system_id: SystemId::from_observed("r_abcdefghijkl"),
        record: RecordId(17),
        spec: SpecHash::from_observed("spec"),
        cost: Cost::default(),
        image: "image".to_owned(),
        network: "network".to_owned(),
        jobs_max: 0,
        config: "token = \"glrt-secret\"".into(),
        environment: BTreeMap::new(),
        labels: BTreeMap::new(),
        ca: None,
    }
}

fn image(policy: PullPolicy) -> ImageRequest {
    ImageRequest { image: "r.example.com/runner".to_owned(), arch: Arch::Amd64, policy }
}

#[tokio::test]
async fn an_engine_that_is_down_is_named_and_used_as_soon_as_it_is_up() {
    let folder = Folder::new("down");
    let engine = DockerEngine::connect(settings(&folder.socket())).unwrap();
    let down = engine.info().await.unwrap_err();
    assert!(matches!(down, EngineError::Unreachable { .. }), "{down}");
    assert!(down.to_string().contains(&*folder.socket().to_string_lossy()), "{down}");
    std::fs::write(folder.socket(), "").unwrap();
    let refused = engine.info().await.unwrap_err();
    assert!(refused.to_string().contains("onnection refused"), "{refused}");
    std::fs::remove_file(folder.socket()).unwrap();
    serve(&folder.socket(), Arc::new(|_| (500, json!({}))));
    assert_eq!(engine.info().await.unwrap().version, "20.10.24");
}

/// Speaks that minor version of the API and no other.
async fn strict(State(minor): State<Arc<AtomicU32>>, request: Request) -> Response {
    let (minor, path) = (minor.load(Ordering::Relaxed), request.uri().path().to_owned());
    let named = path.strip_prefix("/v1.").and_then(|rest| rest.split('/').next());
    if named.is_some_and(|named| named != minor.to_string()) {
        return (StatusCode::BAD_REQUEST, json!({"message": "too old"}).to_string())
            .into_response();
    }
    let told = json!({
        "ApiVersion": format!("1.{minor}"),
        "ID": "E",
        "Architecture": "x86_64",
        "NCPU": 2,
        "MemTotal": 1,
    });
    told.to_string().into_response()
}

#[tokio::test]
async fn an_engine_that_is_upgraded_meanwhile_is_spoken_to_as_before() {
    let folder = Folder::new("upgrade");
    let minor = Arc::new(AtomicU32::new(41));
    let listener = tokio::net::UnixListener::bind(folder.socket()).unwrap();
    let router = Router::new().fallback(strict).with_state(Arc::clone(&minor));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let engine = DockerEngine::connect(settings(&folder.socket())).unwrap();
    engine.info().await.unwrap();
    minor.store(99, Ordering::Relaxed);
    engine.info().await.unwrap();
}

#[tokio::test]
async fn a_container_whose_config_cannot_be_put_in_is_removed() {
    let folder = Folder::new("upload");
    let asked = serve(
        &folder.socket(),
        Arc::new(|line| match line.split(['?', ' ']).nth(1).unwrap() {
            "/containers/create" => (201, json!({"Id": "c1", "Warnings": []})),
            "/containers/c1/archive" => (500, json!({"message": "no space left on device"})),
            "/containers/c1" => (204, Value::Null),
            other => panic!("asked for {other}"),
        }),
    );
    let engine = DockerEngine::connect(settings(&folder.socket())).unwrap();
    let error = engine.create_runner(&runner()).await.unwrap_err().to_string();
    assert!(error.contains("no space left on device"), "{error}");
    let removed = asked.having("DELETE");
    assert_eq!(removed.len(), 1, "{removed:?}");
    assert!(removed[0].contains("v=true") && removed[0].contains("force=false"), "{removed:?}");
    assert!(asked.having("/start").is_empty());
}

#[tokio::test]
async fn a_create_without_an_answer_leaves_its_slot_in_doubt() {
    let folder = Folder::new("doubt");
    serve(&folder.socket(), Arc::new(|_| (NEVER, Value::Null)));
    let engine = DockerEngine::connect(settings(&folder.socket())).unwrap();
    engine.info().await.unwrap();
    tokio::time::pause();
    let error = engine.create_runner(&runner()).await.unwrap_err();
    assert!(error.in_doubt(), "{error}");
    assert_eq!(error.to_string(), "Docker did not create autogit-runner-linux-amd64-0 within 60s");
}

#[tokio::test]
async fn a_name_conflict_and_a_running_container_are_told_apart_from_other_refusals() {
    let folder = Folder::new("refusals");
    serve(
        &folder.socket(),
        Arc::new(|line| match line.split(['?', ' ']).nth(1).unwrap() {
            "/containers/create" => (409, json!({"message": "name in use"})),
            "/containers/gone" | "/containers/gone/kill" => (404, json!({"message": "no such"})),
            "/containers/ended/kill" => (409, json!({"message": "is not running"})),
            "/containers/runs/json" => (200, json!({"Id": "runs", "State": {"Running": true}})),
            "/containers/going/json" => (200, json!({"Id": "going", "State": {"Running": false}})),
            "/containers/going" => (409, json!({"message": "removal is already in progress"})),
            _ => (409, json!({"message": "conflict"})),
        }),
    );
    let engine = DockerEngine::connect(settings(&folder.socket())).unwrap();
    let id = autogit::world::WorkloadId::from_observed;
    let taken = engine.create_runner(&runner()).await.unwrap_err();
    assert!(matches!(taken, EngineError::NameTaken { .. }), "{taken}");
    let runs = engine.remove_container(&id("runs")).await.unwrap_err();
    assert!(matches!(runs, EngineError::Running { .. }), "{runs}");
    let going = engine.remove_container(&id("going")).await.unwrap_err();
    assert!(matches!(going, EngineError::BeingRemoved { .. }), "{going}");
    engine.remove_container(&id("gone")).await.unwrap();
    engine.drain(&id("gone")).await.unwrap();
    engine.drain(&id("ended")).await.unwrap();
}

/// A runner as a list has it, in that state, without those labels.
fn listed(id: &str, state: &str, lacks: &[&str]) -> Value {
    let labels = [
        ("schema", "1"),
        ("pool", "linux"),
        ("arch", "amd64"),
        ("slot", "0"),
        ("system-id", "r_abcdefghijkl"),
        ("record", "17"),
        ("spec", "s"),
    ];
    let labels = labels.into_iter().filter(|(name, _)| !lacks.contains(name));
    let mut labels: serde_json::Map<String, Value> =
        labels.map(|(name, value)| (format!("io.autogit.{name}"), value.into())).collect();
    labels.insert("io.autogit.instance".to_owned(), "autogit".into());
    json!({"Id": id, "Names": [format!("/{id}")], "State": state, "Created": 1, "Labels": labels})
}

#[tokio::test]
async fn a_container_that_cannot_be_read_hides_no_other() {
    let folder = Folder::new("odd");
    let unshown = || listed("unshown", "running", &[]);
    let list = json!([
        listed("a", "created", &[]),
        listed("b", "stopped", &[]),
        listed("c", "running", &["system-id", "record"]),
        unshown(),
        {"Names": ["/without-an-id"]},
        7,
    ]);
    serve(
        &folder.socket(),
        Arc::new(move |line| match line.split(['?', ' ']).nth(1).unwrap() {
            "/containers/json" => (200, list.clone()),
            "/containers/c/json" => {
                (200, json!({"Id": "c", "State": {"Status": "running", "Running": true}}))
            }
            other => (500, json!({"message": format!("cannot show {other}")})),
        }),
    );
    let engine = DockerEngine::connect(settings(&folder.socket())).unwrap();
    let list = engine.runners(&InstanceName::standard()).await.unwrap();
    let ids: Vec<_> = list.runners.iter().map(|runner| runner.id.as_str()).collect();
    assert_eq!(ids, ["a"]);
    let aside: Vec<_> = list.aside.iter().map(|it| (it.id.as_str(), &*it.why)).collect();
    let [stopped, unlabelled, unshown] = aside[..] else { panic!("{aside:?}") };
    assert_eq!(stopped, ("b", "its state is `stopped`, which AutoGit does not know"));
    assert_eq!(unlabelled, ("c", "its label `io.autogit.system-id` cannot be read"));
    assert!(unshown.0 == "unshown" && unshown.1.contains("cannot show"), "{unshown:?}");
    let known = |place: usize| (list.aside[place].system_id.is_some(), list.aside[place].record);
    assert_eq!(known(0), (true, Some(RecordId(17))));
    assert_eq!(known(1), (false, None));
    let system_id = SystemId::from_observed("r_abcdefghijkl");
    let holders = engine.with_system_id(&InstanceName::standard(), &system_id).await.unwrap();
    assert_eq!(holders.len(), 4, "{holders:?}");
}

#[tokio::test]
async fn only_the_engine_itself_says_that_there_is_no_such_container() {
    let folder = Folder::new("absent");
    serve(
        &folder.socket(),
        Arc::new(|line| match line.split(['?', ' ']).nth(1).unwrap() {
            "/containers/docker/json" => (404, json!({"message": "No such container: docker"})),
            "/containers/podman/json" => {
                let said = "no container with name or ID \"podman\" found: no such container";
                (404, json!({"message": said}))
            }
            "/containers/foreign/json" => (200, json!({"Id": "f", "State": {"Status": "exited"}})),
            _ => (404, json!("<html>404 page not found</html>")),
        }),
    );
    let engine = DockerEngine::connect(settings(&folder.socket())).unwrap();
    let instance = InstanceName::standard();
    for none in ["docker", "podman", "foreign"] {
        assert!(engine.find(&instance, none).await.unwrap().is_none(), "{none}");
    }
    assert!(engine.find(&instance, "proxy").await.is_err());
}

/// An engine that lacks the image, or has it, and answers pulls with `status`.
fn registry(status: u16, present: bool) -> Answer {
    Arc::new(move |line| match (line.starts_with("POST /images/create"), present) {
        (true, _) => (status, json!({"message": "said the registry"})),
        (false, true) => (200, json!({"Architecture": "amd64"})),
        (false, false) => (404, json!({"message": "no such image"})),
    })
}

#[tokio::test]
async fn all_who_ask_for_an_image_wait_for_one_pull() {
    let folder = Folder::new("pull");
    let asked = serve(&folder.socket(), registry(NEVER, false));
    let engine = DockerEngine::connect(settings(&folder.socket())).unwrap();
    let request = image(PullPolicy::IfNotPresent);
    let both = async { tokio::join!(engine.ensure_image(&request), engine.ensure_image(&request)) };
    let looked_up_twice_and_pulled = async {
        while asked.having("/json").len() < 2 || asked.having("/images/create").is_empty() {
            tokio::task::yield_now().await;
        }
        // Room for a second pull to be asked for, if there were one.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = both => panic!("the pull is never answered"),
        () = looked_up_twice_and_pulled => {}
    }
    let pulls = asked.having("/images/create");
    assert_eq!(pulls.len(), 1, "{pulls:?}");
    assert!(pulls[0].contains("fromImage=r.example.com%2Frunner%3Alatest"), "{pulls:?}");
    assert!(pulls[0].contains("platform=linux%2Famd64"), "{pulls:?}");
}

#[tokio::test]
async fn an_image_for_another_architecture_is_not_there() {
    let folder = Folder::new("other-arch");
    serve(&folder.socket(), registry(NEVER, true));
    let engine = DockerEngine::connect(settings(&folder.socket())).unwrap();
    let found = engine.image("r.example.com/runner", Arch::Arm64).await.unwrap();
    assert_eq!(found, ImageState::OtherArch(Arch::Amd64));
}

#[tokio::test]
async fn always_makes_do_with_what_is_there_only_if_the_registry_cannot_be_reached() {
    let outcome = async |name: &str, status, present| {
        let folder = Folder::new(name);
        serve(&folder.socket(), registry(status, present));
        let engine = DockerEngine::connect(settings(&folder.socket())).unwrap();
        engine.ensure_image(&image(PullPolicy::Always)).await
    };
    outcome("always-500", 500, true).await.unwrap();
    let absent = outcome("always-absent", 500, false).await.unwrap_err();
    assert!(matches!(absent, EngineError::Refused { .. }), "{absent}");
    let denied = outcome("always-404", 404, true).await.unwrap_err();
    assert!(matches!(denied, EngineError::NoImage { .. }), "{denied}");
}

#[tokio::test]
async fn registry_credentials_of_dockers_own_config_reach_the_engine() {
    let folder = Folder::new("credentials");
    let asked = serve(&folder.socket(), registry(404, false));
    let config = folder.0.join("config.json");
    let pair = base64::engine::general_purpose::STANDARD.encode("ci:a>?~>?~>?~b");
    std::fs::write(&config, json!({"auths": {"r.example.com": {"auth": pair}}}).to_string())
        .unwrap();
    let settings =
        DockerSettings { docker_config: Some(config.clone()), ..settings(&folder.socket()) };
    let engine = DockerEngine::connect(settings).unwrap();
    engine.ensure_image(&image(PullPolicy::IfNotPresent)).await.unwrap_err();
    let sent = base64::engine::general_purpose::URL_SAFE.decode(&asked.credentials()[0]).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!((&sent["username"], &sent["password"]), (&json!("ci"), &json!("a>?~>?~>?~b")));

    let helpers = json!({"credHelpers": {"r.example.com": "of-no-machine"}});
    std::fs::write(&config, helpers.to_string()).unwrap();
    let error = engine.ensure_image(&image(PullPolicy::IfNotPresent)).await.unwrap_err();
    assert!(error.to_string().contains("credential helper"), "{error}");
    assert!(error.to_string().contains("cannot be run"), "{error}");
    assert_eq!(asked.credentials().len(), 1);
}
