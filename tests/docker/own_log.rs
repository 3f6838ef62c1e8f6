//! A runner's own log, as the operator follows it.

use autogit::engine::EngineError;
use autogit::engine::own_log::{LogPart, OwnLog as _};
use autogit::world::{ContainerId, WorkloadId};
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};
use tokio::sync::mpsc;

use crate::support::docker::{Bench, on_engine};

/// Six times as much as one file of its log holds, a few lines at a time.
const WRITER: &str = "i=0; while [ $i -lt 600 ]; do echo \"line $i\"; i=$((i+1)); \
    [ $((i % 20)) = 0 ] && /bin/busybox usleep 50000; done; true";

#[tokio::test]
async fn a_followed_log_is_told_to_its_end_and_each_line_once_though_its_file_changes() {
    on_engine(async |bench| {
        let id = writer(&bench).await;
        let lines = read(&bench, &id, LogPart { last: None, followed: true }).await;
        let expected: Vec<String> = (0..600).map(|number| format!("line {number}")).collect();
        assert_eq!(lines, expected);
        let last = read(&bench, &id, LogPart { last: Some(2), followed: false }).await;
        assert_eq!(last, expected[598..]);
    })
    .await;
}

#[tokio::test]
async fn the_log_of_a_runner_that_nobody_listens_to_is_let_go() {
    on_engine(async |bench| {
        let id = bench.started(0).await;
        let (send, mut lines) = mpsc::channel(1);
        let part = LogPart { last: None, followed: true };
        let read = bench.engine.own_log(&id, part, send);
        let hear = async {
            lines.recv().await.unwrap();
            drop(lines);
        };
        let (read, ()) = tokio::join!(read, hear);
        read.unwrap();
        let absent = ContainerId::from_observed("0123456789ab").into();
        let (send, _lines) = mpsc::channel(1);
        let refused = bench.engine.own_log(&absent, part, send).await;
        assert!(matches!(refused, Err(EngineError::NotFound { .. })), "{refused:?}");
    })
    .await;
}

async fn read(bench: &Bench, id: &WorkloadId, part: LogPart) -> Vec<String> {
    let (send, mut lines) = mpsc::channel(10);
    let read = bench.engine.own_log(id, part, send);
    let hear = async {
        let mut heard = Vec::new();
        while let Some(line) = lines.recv().await {
            heard.push(line.text);
        }
        heard
    };
    let (read, heard) = tokio::join!(read, hear);
    read.unwrap();
    heard
}

/// A container whose log's file is full after a hundred lines.
async fn writer(bench: &Bench) -> WorkloadId {
    let sizes = [("max-size", "8k"), ("max-file", "9")];
    let log = HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(sizes.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
    };
    let instance = bench.instance.to_string();
    let body = ContainerCreateBody {
        image: Some(bench.image.clone()),
        entrypoint: Some(["/bin/busybox", "sh", "-c", WRITER].map(str::to_owned).to_vec()),
        labels: Some([("io.autogit.instance".to_owned(), instance)].into()),
        host_config: Some(HostConfig { log_config: Some(log), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    };
    let made = bench.docker.create_container(None::<CreateContainerOptions>, body).await.unwrap();
    bench.docker.start_container(&made.id, None::<StartContainerOptions>).await.unwrap();
    ContainerId::from_observed(&made.id).into()
}
