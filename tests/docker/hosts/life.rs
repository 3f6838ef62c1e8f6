//! A runner's whole life, whatever the way to its host.

use std::sync::Arc;

use autogit::engine::{Engine as _, EngineError, Wakes};
use autogit::world::{ContainerState, JobId};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;

use crate::support::docker::{Bench, TOKEN};

/// Creates, starts, watches, reads, drains and removes a runner.
pub(crate) async fn lives(bench: Arc<Bench>) {
    lives_with(bench, "00000000000000c1").await;
}

/// As [`lives`], with these capabilities.
pub(crate) async fn lives_with(bench: Arc<Bench>, capabilities: &str) {
    let Bench { engine, instance, .. } = &*bench;
    assert_eq!(engine.info().await.unwrap().id, engine.info().await.unwrap().id);
    let (wake, mut woken) = mpsc::channel(1);
    let watch = engine.watch(Wakes::new(instance, wake, mpsc::channel(1).0));
    let live = async {
        // The stream is opened at some time; repeated events reach it then.
        while woken.is_empty() {
            let id = engine.create_runner(&bench.runner(1)).await.unwrap();
            engine.remove_container(&id).await.unwrap();
        }
        let id = bench.started(0).await;
        let log = engine.log_tail(&id, 100).await.unwrap().join("\n");
        for line in [
            &format!("CapEff:\t{capabilities}"),
            "NoNewPrivs:\t1",
            "config readable",
            "socket mounted",
            "root read-only",
            bench.system_id(0).as_str(),
        ] {
            assert!(log.contains(line), "`{line}` is not in\n{log}");
        }
        assert!(engine.read_config(&id).await.unwrap().expose_secret().contains(TOKEN));
        let taken = engine.create_runner(&bench.runner(0)).await.unwrap_err();
        assert!(matches!(taken, EngineError::NameTaken { .. }), "{taken}");
        let with_id = engine.with_system_id(instance, &bench.system_id(0)).await.unwrap();
        assert_eq!(with_id, std::slice::from_ref(&id));
        let runs = engine.remove_container(&id).await.unwrap_err();
        assert!(matches!(runs, EngineError::Running { .. }), "{runs}");
        let told = engine.runner_log(&id).await.unwrap();
        assert_eq!((told.received.unwrap().0, told.jobs_ended), (JobId(41), 1));
        assert_eq!(engine.network(&bench.network, instance).await.unwrap().unwrap().containers, 1);
        engine.drain(&id).await.unwrap();
        bench.until_exited(&id).await;
        engine.drain(&id).await.unwrap();
        let told = engine.runner_log(&id).await.unwrap();
        assert_eq!((told.received.unwrap().0, told.jobs_ended), (JobId(42), 2));
        let exited = engine.runners(instance).await.unwrap().runners.remove(0).state;
        assert!(matches!(exited, ContainerState::Exited { code: 3, .. }), "{exited:?}");
        engine.remove_container(&id).await.unwrap();
        engine.remove_container(&id).await.unwrap();
        woken.recv().await.unwrap();
        drop(woken);
    };
    tokio::join!(watch, live);
    assert!(engine.runners(instance).await.unwrap().runners.is_empty());
    let network = engine.network(&bench.network, instance).await.unwrap().unwrap();
    engine.remove_network(&network.id).await.unwrap();
}
