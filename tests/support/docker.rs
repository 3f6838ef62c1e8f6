//! A real engine for tests: an image of a few lines of shell, and nothing left behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    reason = "tests fail by panicking, and say on stderr why they were skipped"
)]

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use autogit::clock::Clock;
use autogit::engine::docker::{DockerEngine, DockerSettings};
use autogit::engine::{Engine as _, NewRunner};
use autogit::spec::{Arch, Cost, InstanceName, PoolName};
use autogit::world::{RecordId, RunnerName, Slot, SpecHash, SystemId, Variant, WorkloadId};
use bollard::Docker;
use bollard::query_parameters::{
    CreateImageOptions, ListContainersOptions, ListNetworksOptions, ListVolumesOptions,
    LogsOptions, RemoveContainerOptions, RemoveImageOptions, RemoveVolumeOptions,
    WaitContainerOptions,
};
use futures_util::{FutureExt as _, StreamExt as _};

/// Longer than any engine takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The token of all test runners; must be in no answer of the engine but the config itself.
pub(crate) const TOKEN: &str = "glrt-test-secret";

/// Says what gitlab-runner says of a job, tells its own rights, and ends by SIGQUIT only.
const RUNNER: &str = r#"#!/bin/sh
trap 'echo "{\"job\":42,\"msg\":\"Checking for jobs... received\"}"; echo "{\"msg\":\"Job failed: exit code 1\"}"; exit 3' QUIT
/bin/busybox grep -E "CapEff|NoNewPrivs" /proc/self/status
[ -r /etc/gitlab-runner/config.toml ] && echo "config readable"
echo "$(/bin/busybox cat /etc/gitlab-runner/.runner_system_id)"
[ -S /var/run/docker.sock ] && echo "socket mounted"
(: > /written) 2>/dev/null || echo "root read-only"
echo '{"job":41,"msg":"Checking for jobs... received"}' >&2
echo '{"job":41,"duration_s":1.5,"msg":"Job succeeded"}' >&2
echo "ready: $*"
while :; do /bin/busybox sleep 3600 & wait $!; done
"#;

/// One test's own part of the engine.
pub(crate) struct Bench {
    pub(crate) docker: Docker,
    pub(crate) engine: DockerEngine,
    pub(crate) instance: InstanceName,
    pub(crate) arch: Arch,
    /// An image whose entrypoint is the shell runner.
    pub(crate) image: String,
    /// A bridge network of the instance.
    pub(crate) network: String,
}

/// Runs `test` on the engine of this machine, and removes whatever it made, also when it fails.
/// Without an engine it says so; with `AUTOGIT_REQUIRE_DOCKER=1` that is a failure.
pub(crate) async fn on_engine<F: Future<Output = ()>>(
    test: impl FnOnce(std::sync::Arc<Bench>) -> F,
) {
    let bench = match Bench::new().await {
        Ok(bench) => bench,
        Err(reason) if required() => panic!("an engine is required: {reason}"),
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    on_bench(bench, test).await;
}

/// As [`on_engine`], on a bench of the test's own.
pub(crate) async fn on_bench<F: Future<Output = ()>>(
    bench: Bench,
    test: impl FnOnce(std::sync::Arc<Bench>) -> F,
) {
    let bench = std::sync::Arc::new(bench);
    let run = tokio::time::timeout(PATIENCE, test(std::sync::Arc::clone(&bench)));
    let outcome = AssertUnwindSafe(run).catch_unwind().await;
    bench.clean_up().await;
    match outcome {
        Ok(finished) => finished.expect("the test takes too long"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own environment")]
fn required() -> bool {
    std::env::var("AUTOGIT_REQUIRE_DOCKER").is_ok_and(|value| value == "1")
}

pub(crate) fn settings(endpoint: Option<&str>) -> DockerSettings {
    DockerSettings {
        endpoint: endpoint.map(str::to_owned),
        docker_host: None,
        tls: None,
        socket: None,
        home: None,
        xdg_runtime_dir: None,
        docker_config: None,
        ssh: "ssh".into(),
        clock: Clock::system(),
    }
}

impl Bench {
    async fn new() -> Result<Self, String> {
        let docker = Docker::connect_with_unix_defaults().map_err(|error| error.to_string())?;
        Self::at(settings(None), docker).await
    }

    /// A bench on the engine of these settings, which `docker` reaches by another way.
    pub(crate) async fn at(settings: DockerSettings, docker: Docker) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let engine = DockerEngine::connect(settings).map_err(|error| error.to_string())?;
        let arch = engine.info().await.map_err(|error| error.to_string())?.node.arch;
        let docker = docker.negotiate_version().await.map_err(|error| error.to_string())?;
        let instance = format!("test-{}-{number}", std::process::id());
        let image = format!("localhost:1/autogit-test:{instance}");
        import(&docker, &image).await?;
        let bench = Self {
            docker,
            engine,
            network: format!("{instance}-network"),
            instance: InstanceName::new(&instance).unwrap(),
            arch,
            image,
        };
        bench.engine.create_network(&bench.network, &bench.instance).await.unwrap();
        Ok(bench)
    }

    /// A runner of this bench.
    pub(crate) fn runner(&self, slot: u32) -> NewRunner {
        let variant = Variant::new(&PoolName::new("linux").unwrap(), self.arch);
        NewRunner {
            arch: Arch::Amd64,
            name: RunnerName::new(&self.instance, &variant, Slot(slot)),
            instance: self.instance.clone(),
            variant,
            slot: Slot(slot),
            system_id: self.system_id(slot),
            record: RecordId(17),
            spec: SpecHash::from_observed("spec"),
            cost: Cost::default(),
            image: self.image.clone(),
            network: self.network.clone(),
            jobs_max: 0,
            config: format!("[[runners]]\ntoken = \"{TOKEN}\"\n").into(),
            environment: BTreeMap::new(),
            labels: BTreeMap::new(),
            ca: None,
        }
    }

    pub(crate) fn system_id(&self, slot: u32) -> SystemId {
        let digits: String = self.instance.as_str().chars().filter(char::is_ascii_digit).collect();
        SystemId::from_observed(&format!("r_{:0>12}", format!("{digits}{slot}")))
    }

    /// Creates and starts a runner, and waits until its shell is up.
    pub(crate) async fn started(&self, slot: u32) -> WorkloadId {
        let id = self.engine.create_runner(&self.runner(slot)).await.unwrap();
        self.engine.start(&id).await.unwrap();
        self.until_logged(&id, "ready").await;
        id
    }

    pub(crate) async fn until_logged(&self, id: &WorkloadId, word: &str) {
        let options =
            LogsOptions { follow: true, stdout: true, stderr: true, ..LogsOptions::default() };
        let mut log = std::pin::pin!(self.docker.logs(id.as_str(), Some(options)));
        while let Some(piece) = log.next().await {
            if piece.unwrap().to_string().contains(word) {
                return;
            }
        }
        panic!("{id} ended without saying `{word}`");
    }

    pub(crate) async fn until_exited(&self, id: &WorkloadId) {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let _ = self.docker.wait_container(id.as_str(), Some(options)).next().await;
    }

    async fn clean_up(&self) {
        let docker = &self.docker;
        let ours = format!("io.autogit.instance={}", self.instance);
        let of_jobs = format!("autogit.test={}", self.instance);
        for label in [ours, of_jobs] {
            let filters = Some([("label".to_owned(), vec![label])].into());
            let options = ListContainersOptions {
                all: true,
                filters: filters.clone(),
                ..ListContainersOptions::default()
            };
            for container in docker.list_containers(Some(options)).await.unwrap() {
                let options = RemoveContainerOptions { v: true, force: true, link: false };
                let _ = docker.remove_container(&container.id.unwrap(), Some(options)).await;
            }
            let options = ListVolumesOptions { filters: filters.clone() };
            let volumes = docker.list_volumes(Some(options)).await.unwrap().volumes;
            for volume in volumes.unwrap_or_default() {
                let _ = docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await;
            }
            let options = ListNetworksOptions { filters };
            for network in docker.list_networks(Some(options)).await.unwrap() {
                let _ = docker.remove_network(&network.id.unwrap()).await;
            }
        }
        let _ = docker.remove_image(&self.image, None::<RemoveImageOptions>, None).await;
    }
}

/// Imports an image of busybox and the shell runner; no registry is needed.
async fn import(docker: &Docker, image: &str) -> Result<(), String> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].iter().find_map(|path| fs::read(path).ok());
    let busybox = busybox.ok_or("there is no static busybox on this machine")?;
    let mut tar = tar::Builder::new(Vec::new());
    // A folder that the archive does not name is made for root with all its capabilities only.
    // The config's is as in gitlab-runner's image.
    for (path, mode) in [("bin", 0o755), ("etc", 0o755), ("etc/gitlab-runner", 0o700)] {
        let mut folder = tar::Header::new_gnu();
        folder.set_entry_type(tar::EntryType::Directory);
        folder.set_size(0);
        folder.set_mode(mode);
        tar.append_data(&mut folder, path, std::io::empty()).unwrap();
    }
    for (path, content) in [("bin/busybox", busybox.as_slice()), ("runner", RUNNER.as_bytes())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, path, content).unwrap();
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    tar.append_link(&mut link, "bin/sh", "busybox").unwrap();
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        // With its tag, for Podman takes none beside it.
        repo: Some(image.to_owned()),
        changes: vec!["ENTRYPOINT [\"/runner\"]".to_owned()],
        ..CreateImageOptions::default()
    };
    let body = bollard::body_full(tar.into_inner().unwrap().into());
    let mut steps = std::pin::pin!(docker.create_image(Some(options), Some(body), None));
    while let Some(step) = steps.next().await {
        step.map_err(|error| error.to_string())?;
    }
    Ok(())
}
