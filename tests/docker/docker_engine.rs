//! The Docker adapter against a real engine.

use std::collections::BTreeMap;

use crate::support::docker::{Bench, TOKEN, on_engine, settings};
use autogit::engine::docker::DockerEngine;
use autogit::engine::{Engine as _, EngineError, ImageRequest, Sighting, Wakes};
use autogit::spec::PullPolicy;
use autogit::world::{
    ContainerId, ContainerState, ImageState, JobContainer, JobId, JobNetworkObject, JobVolume,
    VolumeKind,
};
use bollard::models::{ContainerCreateBody, HostConfig, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, ListNetworksOptions,
};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;

#[tokio::test]
async fn a_runner_lives_from_creation_to_removal_and_leaves_nothing() {
    on_engine(async |bench| {
        let Bench { engine, instance, .. } = &*bench;
        let new = bench.runner(0);
        let id = engine.create_runner(&new).await.unwrap();
        let only = || async {
            let runners = engine.runners(instance).await.unwrap().runners;
            assert_eq!(runners.len(), 1, "{runners:?}");
            runners[0].clone()
        };
        let created = only().await;
        assert_eq!(created.state, ContainerState::Created);
        assert_eq!((created.id, created.name), (id.clone(), new.name));
        assert_eq!((created.variant, created.slot), (new.variant, new.slot));
        assert_eq!((created.system_id, created.record), (new.system_id, new.record));
        assert_eq!(created.spec, new.spec);

        engine.start(&id).await.unwrap();
        engine.start(&id).await.unwrap();
        bench.until_logged(&id, "ready").await;
        let running = only().await;
        assert!(matches!(running.state, ContainerState::Running { .. }), "{running:?}");
        let refusal = engine.remove_container(&id).await.unwrap_err();
        assert!(matches!(refusal, EngineError::Running { .. }), "{refusal}");

        engine.drain(&id).await.unwrap();
        bench.until_exited(&id).await;
        engine.drain(&id).await.unwrap();
        let ContainerState::Exited { code, finished_at, oom_killed } = only().await.state else {
            panic!("it runs on")
        };
        assert_eq!((code, oom_killed), (3, false));
        assert!(finished_at >= running.created_at);

        let volume = config_volume(&bench, id.as_str()).await;
        engine.remove_container(&id).await.unwrap();
        engine.remove_container(&id).await.unwrap();
        engine.drain(&id).await.unwrap();
        assert!(engine.runners(instance).await.unwrap().runners.is_empty());
        let gone = bench.docker.inspect_volume(&volume).await;
        assert!(gone.is_err(), "the config's volume stays: {gone:?}");
        assert!(matches!(engine.start(&id).await, Err(EngineError::NotFound { .. })));
    })
    .await;
}

async fn config_volume(bench: &Bench, id: &str) -> String {
    let shown = bench.docker.inspect_container(id, None::<InspectContainerOptions>).await.unwrap();
    let mounts = shown.mounts.unwrap();
    let config = |mount: &&bollard::models::MountPoint| {
        mount.destination.as_deref() == Some("/etc/gitlab-runner")
    };
    mounts.iter().find(config).unwrap().name.clone().unwrap()
}

#[tokio::test]
async fn a_runner_has_no_more_rights_than_it_needs_and_shows_no_token() {
    on_engine(async |bench| {
        let mut new = bench.runner(0);
        new.jobs_max = 1;
        let label = ("com.example.team".to_owned(), "a".to_owned());
        new.labels.extend([label, ("io.autogit.slot".to_owned(), "7".to_owned())]);
        new.environment.insert("HTTP_PROXY".to_owned(), "http://proxy:1".to_owned());
        let id = bench.engine.create_runner(&new).await.unwrap();
        bench.engine.start(&id).await.unwrap();
        bench.until_logged(&id, "ready").await;
        let shown = bench.docker.inspect_container(id.as_str(), None::<InspectContainerOptions>);
        let shown = serde_json::to_value(shown.await.unwrap()).unwrap();
        assert!(!shown.to_string().contains(TOKEN));
        assert_eq!(shown["Config"]["Labels"]["com.example.team"], "a");
        assert_eq!(shown["Config"]["Labels"]["io.autogit.slot"], "0");
        let environment = shown["Config"]["Env"].as_array().unwrap();
        assert!(environment.contains(&"HTTP_PROXY=http://proxy:1".into()), "{environment:?}");
        let host = &shown["HostConfig"];
        assert_eq!(host["ReadonlyRootfs"], true);
        assert_eq!(host["Privileged"], false);
        assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
        assert_eq!(host["CapAdd"], serde_json::json!(["CHOWN", "SETUID", "SETGID"]));
        assert_eq!(host["SecurityOpt"][0], "no-new-privileges:true");
        assert_eq!(host["PidsLimit"], 512);
        assert_eq!(host["RestartPolicy"]["Name"], "no");
        assert_eq!(host["LogConfig"]["Type"], "json-file");
        assert_eq!(host["NetworkMode"], bench.network);
        assert_eq!(shown["Config"]["StopSignal"], "SIGQUIT");
        assert!(
            host["Tmpfs"]["/tmp"].is_string() && host["Tmpfs"]["/home/gitlab-runner"].is_string()
        );

        let log = bench.engine.log_tail(&id, 100).await.unwrap().join("\n");
        let command = format!(
            "ready: --log-format json --log-level info run-single \
             --config /etc/gitlab-runner/config.toml --runner {} --max-builds 1",
            new.name
        );
        for line in [
            "CapEff:\t00000000000000c1",
            "NoNewPrivs:\t1",
            "config readable",
            "socket mounted",
            "root read-only",
            new.system_id.as_str(),
            &command,
        ] {
            assert!(log.contains(line), "`{line}` is not in\n{log}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_is_taken_once_and_its_system_id_is_found() {
    on_engine(async |bench| {
        let Bench { engine, instance, .. } = &*bench;
        let system_id = bench.system_id(0);
        let id = engine.create_runner(&bench.runner(0)).await.unwrap();
        let refusal = engine.create_runner(&bench.runner(0)).await.unwrap_err();
        assert!(matches!(refusal, EngineError::NameTaken { .. }), "{refusal}");
        let with = || async { engine.with_system_id(instance, &system_id).await.unwrap() };
        assert_eq!(with().await, std::slice::from_ref(&id));
        engine.start(&id).await.unwrap();
        bench.until_logged(&id, "ready").await;
        assert_eq!(with().await, std::slice::from_ref(&id));
        assert!(engine.with_system_id(instance, &bench.system_id(1)).await.unwrap().is_empty());
        engine.drain(&id).await.unwrap();
        bench.until_exited(&id).await;
        assert!(with().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_config_is_read_back_in_every_state() {
    on_engine(async |bench| {
        let mut new = bench.runner(0);
        new.ca = Some("-----BEGIN CERTIFICATE-----\n".to_owned());
        let id = bench.engine.create_runner(&new).await.unwrap();
        let read = || async { bench.engine.read_config(&id).await.unwrap() };
        assert_eq!(read().await.expose_secret(), new.config.expose_secret());
        bench.engine.start(&id).await.unwrap();
        bench.until_logged(&id, "ready").await;
        assert_eq!(read().await.expose_secret(), new.config.expose_secret());
        bench.engine.drain(&id).await.unwrap();
        bench.until_exited(&id).await;
        assert_eq!(read().await.expose_secret(), new.config.expose_secret());
        bench.engine.remove_container(&id).await.unwrap();
        let gone = bench.engine.read_config(&id).await.unwrap_err();
        assert!(matches!(gone, EngineError::NotFound { .. }), "{gone}");
    })
    .await;
}

#[tokio::test]
async fn a_log_is_read_once_and_then_its_growth() {
    on_engine(async |bench| {
        let id = bench.started(0).await;
        let first = bench.engine.runner_log(&id).await.unwrap();
        let (job, received) = first.received.unwrap();
        assert_eq!((job, first.jobs_ended), (JobId(41), 1));
        assert!(first.ended.unwrap() >= received);
        assert_eq!(bench.engine.runner_log(&id).await.unwrap(), first);
        bench.engine.drain(&id).await.unwrap();
        bench.until_exited(&id).await;
        let grown = bench.engine.runner_log(&id).await.unwrap();
        assert_eq!((grown.received.unwrap().0, grown.jobs_ended), (JobId(42), 2));
        assert!(grown.ended >= first.ended);
        assert_eq!(bench.engine.runner_log(&id).await.unwrap(), grown);
        let anew = DockerEngine::connect(settings(None)).unwrap();
        assert_eq!(anew.runner_log(&id).await.unwrap(), grown);
    })
    .await;
}

#[tokio::test]
async fn a_container_with_our_label_alone_is_set_aside() {
    on_engine(async |bench| {
        let label = ("io.autogit.instance".to_owned(), bench.instance.to_string());
        let body = ContainerCreateBody {
            image: Some(bench.image.clone()),
            labels: Some([label].into()),
            ..ContainerCreateBody::default()
        };
        bench.docker.create_container(None::<CreateContainerOptions>, body).await.unwrap();
        let list = bench.engine.runners(&bench.instance).await.unwrap();
        assert!(list.runners.is_empty());
        let why: Vec<_> = list.aside.iter().map(|aside| &*aside.why).collect();
        assert_eq!(why, ["its label `io.autogit.schema` cannot be read"]);
    })
    .await;
}

#[tokio::test]
async fn a_network_is_made_once_known_as_ours_and_removed_when_empty() {
    on_engine(async |bench| {
        let Bench { engine, instance, network, .. } = &*bench;
        engine.create_network(network, instance).await.unwrap();
        let seen = || async { engine.network(network, instance).await.unwrap().unwrap() };
        assert!(seen().await.ours);
        assert_eq!(seen().await.containers, 0);
        let foreign = engine.network("bridge", instance).await.unwrap().unwrap();
        assert!(!foreign.ours);
        let refusal = engine.remove_network(&foreign.id).await.unwrap_err();
        assert!(matches!(refusal, EngineError::Refused { .. }), "{refusal}");

        let id = engine.create_runner(&bench.runner(0)).await.unwrap();
        assert_eq!(seen().await.containers, 1);
        engine.start(&id).await.unwrap();
        bench.until_logged(&id, "ready").await;
        let refusal = engine.remove_network(&seen().await.id).await.unwrap_err();
        assert!(matches!(refusal, EngineError::Refused { .. }), "{refusal}");
        engine.drain(&id).await.unwrap();
        bench.until_exited(&id).await;
        assert_eq!(seen().await.containers, 1);
        engine.remove_container(&id).await.unwrap();
        let network_id = seen().await.id;
        engine.remove_network(&network_id).await.unwrap();
        engine.remove_network(&network_id).await.unwrap();
        assert!(engine.network(network, instance).await.unwrap().is_none());
    })
    .await;
}

/// Labels as gitlab-runner gives them, and one by which the bench cleans up.
#[tokio::test]
async fn a_network_that_several_make_at_once_is_one() {
    on_engine(async |bench| {
        let name = format!("{}-several", bench.instance);
        let engines: Vec<_> =
            (0..6).map(|_| DockerEngine::connect(settings(None)).unwrap()).collect();
        let made = engines.iter().map(|engine| engine.create_network(&name, &bench.instance));
        for made in futures_util::future::join_all(made).await {
            made.unwrap();
        }
        let all = bench.docker.list_networks(None::<ListNetworksOptions>).await.unwrap();
        let named = all.into_iter().filter(|network| network.name.as_ref() == Some(&name));
        assert_eq!(named.count(), 1);
    })
    .await;
}

fn job_labels<M: FromIterator<(String, String)>>(bench: &Bench, kind: &str) -> M {
    let system_id = bench.system_id(0);
    let prefix = "com.gitlab.gitlab-runner.";
    [
        ("autogit.test".to_owned(), bench.instance.to_string()),
        (format!("{prefix}managed"), "true".to_owned()),
        (format!("{prefix}runner.system_id"), system_id.to_string()),
        (format!("{prefix}job.id"), "41".to_owned()),
        (format!("{prefix}job.url"), "http://gitlab/a/-/jobs/41".to_owned()),
        (format!("{prefix}type"), kind.to_owned()),
        (format!("{prefix}reusable"), "true".to_owned()),
    ]
    .into_iter()
    .collect()
}

async fn make_job_objects(bench: &Bench) -> (JobContainer, JobVolume, JobNetworkObject) {
    let system_id = bench.system_id(0);
    let request = ContainerCreateBody {
        image: Some(bench.image.clone()),
        labels: Some(job_labels(bench, "build")),
        // Not every engine has a bridge of its own.
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let container = bench.docker.create_container(None::<CreateContainerOptions>, request);
    let id = ContainerId::from_observed(&container.await.unwrap().id);
    bench.engine.start(&id.clone().into()).await.unwrap();
    let name = format!("{}-cache", bench.instance);
    let request = VolumeCreateRequest {
        name: Some(name.clone()),
        labels: Some(job_labels(bench, "cache")),
        ..VolumeCreateRequest::default()
    };
    bench.docker.create_volume(request).await.unwrap();
    let request = NetworkCreateRequest {
        name: format!("{}-job", bench.instance),
        labels: Some(job_labels(bench, "")),
        ..NetworkCreateRequest::default()
    };
    let network = bench.docker.create_network(request).await.unwrap().id;
    let job_url = Some("http://gitlab/a/-/jobs/41".to_owned());
    (
        JobContainer {
            id,
            system_id: system_id.clone(),
            job: Some(JobId(41)),
            job_url,
            project: None,
            runner: None,
            kind: "build".to_owned(),
            running: true,
        },
        JobVolume { name, system_id: system_id.clone(), kind: VolumeKind::Reusable },
        JobNetworkObject { id: network, system_id },
    )
}

#[tokio::test]
async fn what_jobs_made_is_seen_and_removed() {
    on_engine(async |bench| {
        let (container, volume, network) = make_job_objects(&bench).await;
        let jobs = bench.engine.jobs().await.unwrap();
        assert!(jobs.containers.contains(&container), "{jobs:?}");
        assert!(jobs.volumes.contains(&volume), "{jobs:?}");
        assert!(jobs.networks.contains(&network), "{jobs:?}");
        for _ in 0..2 {
            bench.engine.remove_job_container(&container).await.unwrap();
            bench.engine.remove_job_volume(&volume).await.unwrap();
            bench.engine.remove_job_network(&network).await.unwrap();
        }
        let jobs = bench.engine.jobs().await.unwrap();
        assert!(!jobs.containers.iter().any(|other| other.id == container.id));
        assert!(!jobs.volumes.contains(&volume) && !jobs.networks.contains(&network));
    })
    .await;
}

#[tokio::test]
async fn what_another_runners_job_made_or_no_job_is_not_removed() {
    on_engine(async |bench| {
        let (mut container, mut volume, mut network) = make_job_objects(&bench).await;
        container.system_id = bench.system_id(1);
        volume.system_id = bench.system_id(1);
        network.system_id = bench.system_id(1);
        let runner = bench.started(0).await;
        let id = ContainerId::from_observed(runner.as_str());
        let ours = JobContainer { id, ..container.clone() };
        let refused = |result: Result<(), EngineError>| {
            assert!(matches!(result, Err(EngineError::Refused { .. })), "{result:?}");
        };
        refused(bench.engine.remove_job_container(&container).await);
        refused(bench.engine.remove_job_container(&ours).await);
        refused(bench.engine.remove_job_volume(&volume).await);
        refused(bench.engine.remove_job_network(&network).await);
        let runners = bench.engine.runners(&bench.instance).await.unwrap().runners;
        assert!(matches!(runners[0].state, ContainerState::Running { .. }));
    })
    .await;
}

#[tokio::test]
async fn events_wake_until_nobody_listens() {
    on_engine(async |bench| {
        let (wake, mut woken) = mpsc::channel(1);
        let watch = bench.engine.watch(Wakes::new(&bench.instance, wake, mpsc::channel(1).0));
        let act = async {
            // The stream is opened at some time; repeated events reach it then.
            let mut slot = 0;
            while woken.is_empty() {
                let id = bench.engine.create_runner(&bench.runner(slot)).await.unwrap();
                bench.engine.remove_container(&id).await.unwrap();
                slot += 1;
            }
            woken.recv().await.unwrap();
            drop(woken);
        };
        tokio::join!(watch, act);
    })
    .await;
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_refused_with_a_hint_and_leaves_nothing() {
    on_engine(async |bench| {
        let found = bench.engine.socket().await.unwrap();
        assert!(found.ends_with("docker.sock") || found.ends_with("podman.sock"), "{found:?}");
        let mut wrong = settings(None);
        wrong.socket = Some("/nowhere/docker.sock".into());
        let engine = DockerEngine::connect(wrong).unwrap();
        let refusal = engine.create_runner(&bench.runner(0)).await.unwrap_err().to_string();
        assert!(refusal.contains("/nowhere/docker.sock"), "{refusal}");
        assert!(refusal.contains("hint: set `socket`"), "{refusal}");
        assert!(engine.runners(&bench.instance).await.unwrap().runners.is_empty());
    })
    .await;
}

#[tokio::test]
async fn images_are_pulled_as_the_policy_says() {
    on_engine(async |bench| {
        let engine = &bench.engine;
        let ensure = |image: &str, policy| {
            let request = ImageRequest { image: image.to_owned(), arch: bench.arch, policy };
            async move { engine.ensure_image(&request).await }
        };
        let absent = "localhost:1/autogit-test:absent";
        let is = async |image: &str| engine.image(image, bench.arch).await.unwrap();
        assert_eq!(
            (is(&bench.image).await, is(absent).await),
            (ImageState::Here, ImageState::Absent)
        );
        ensure(&bench.image, PullPolicy::Never).await.unwrap();
        ensure(&bench.image, PullPolicy::IfNotPresent).await.unwrap();
        ensure(&bench.image, PullPolicy::Always).await.unwrap();
        let never = ensure(absent, PullPolicy::Never).await.unwrap_err();
        assert!(matches!(never, EngineError::NoImage { .. }), "{never}");
        let twice = [(); 2].map(|()| ensure(absent, PullPolicy::IfNotPresent));
        for outcome in futures_util::future::join_all(twice).await {
            let error = outcome.unwrap_err();
            assert!(error.to_string().contains("localhost:1"), "{error}");
        }
        let mut new = bench.runner(0);
        new.image = absent.to_owned();
        let error = engine.create_runner(&new).await.unwrap_err();
        assert!(matches!(error, EngineError::NoImage { .. }), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_volume_is_of_the_kind_that_its_label_says_else_its_name() {
    on_engine(async |bench| {
        let hex = format!("{:0>32x}", std::process::id());
        let reusable = format!("runner-{hex}-cache-{hex}");
        let temporary =
            format!("runner-abcdefghi-project-7-concurrent-0-{}-cache-{hex}", &hex[16..]);
        let other = format!("{}-data", bench.instance);
        for name in [&reusable, &temporary, &other] {
            let mut labels: BTreeMap<String, String> = job_labels(&bench, "cache");
            labels.retain(|key, _| !key.ends_with("reusable"));
            let request = VolumeCreateRequest {
                name: Some(name.clone()),
                labels: Some(labels.into_iter().collect()),
                ..VolumeCreateRequest::default()
            };
            bench.docker.create_volume(request).await.unwrap();
        }
        let system_id = bench.system_id(0);
        let volume = |name: &String, kind| JobVolume {
            name: name.clone(),
            system_id: system_id.clone(),
            kind,
        };
        let expected = [
            volume(&reusable, VolumeKind::Reusable),
            volume(&temporary, VolumeKind::Temporary),
            volume(&other, VolumeKind::Other),
        ];
        let seen = bench.engine.jobs().await.unwrap().volumes;
        assert!(expected.iter().all(|volume| seen.contains(volume)), "{seen:?}");
        for volume in &expected[..2] {
            bench.engine.remove_job_volume(volume).await.unwrap();
        }
        // Also where somebody takes it for another kind.
        let refused = bench.engine.remove_job_volume(&expected[2]).await;
        assert!(matches!(refused, Err(EngineError::Refused { .. })), "{refused:?}");
        let mistaken = JobVolume { kind: VolumeKind::Temporary, ..expected[2].clone() };
        let refused = bench.engine.remove_job_volume(&mistaken).await;
        assert!(matches!(refused, Err(EngineError::Refused { .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_paused_runner_is_known_as_such_and_runs_on() {
    on_engine(async |bench| {
        let id = bench.started(0).await;
        let paused = async || {
            let runners = bench.engine.runners(&bench.instance).await.unwrap().runners;
            let found = bench.engine.find(&bench.instance, id.as_str()).await.unwrap().unwrap();
            let Sighting::Runner(found) = found else { panic!("{found:?}") };
            assert!(matches!(runners[0].state, ContainerState::Running { .. }));
            assert_eq!((runners.len(), runners[0].paused), (1, found.paused));
            found.paused
        };
        assert!(!paused().await);
        bench.docker.pause_container(id.as_str()).await.unwrap();
        assert!(paused().await);
        bench.docker.unpause_container(id.as_str()).await.unwrap();
        assert!(!paused().await);
    })
    .await;
}
