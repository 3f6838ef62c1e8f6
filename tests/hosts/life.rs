//! A runner's whole life, whatever the way to its host.

use std::sync::Arc;

use autogit::engine::Engine as _;
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;

use crate::bench::{Bench, TOKEN};

/// Creates, starts, watches, reads, drains and removes a runner.
pub(crate) async fn lives(bench: Arc<Bench>) {
    let Bench { engine, instance, .. } = &*bench;
    let (wake, mut woken) = mpsc::channel(1);
    let watch = engine.watch(instance, wake);
    let live = async {
        // The stream is opened at some time; repeated events reach it then.
        while woken.is_empty() {
            let id = engine.create_runner(&bench.runner(1)).await.unwrap();
            engine.remove_container(&id).await.unwrap();
        }
        let id = bench.started(0).await;
        let log = engine.log_tail(&id, 100).await.unwrap().join("\n");
        for line in ["config readable", "socket mounted", bench.system_id(0).as_str()] {
            assert!(log.contains(line), "`{line}` is not in\n{log}");
        }
        assert!(engine.read_config(&id).await.unwrap().expose_secret().contains(TOKEN));
        assert_eq!(engine.network(&bench.network, instance).await.unwrap().unwrap().containers, 1);
        engine.drain(&id).await.unwrap();
        bench.until_exited(&id).await;
        assert_eq!(engine.runner_log(&id).await.unwrap().jobs_ended, 2);
        engine.remove_container(&id).await.unwrap();
        woken.recv().await.unwrap();
        drop(woken);
    };
    tokio::join!(watch, live);
    assert!(engine.runners(instance).await.unwrap().is_empty());
    let network = engine.network(&bench.network, instance).await.unwrap().unwrap();
    engine.remove_network(&network.id).await.unwrap();
}
