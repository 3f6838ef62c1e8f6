use std::sync::Arc;

use autogit::world::{ContainerId, Deed};
use jiff::SignedDuration;
use serde_json::json;

use crate::api::stage::{Answer, Stage, small};
use crate::support::world::ago;

async fn health(stage: &Stage, path: &str) -> (u16, String) {
    let answer: Answer = stage.get(path).await;
    (answer.status.as_u16(), answer.json()["status"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_loop_that_sees_everything_is_ok() {
    let stage = Stage::small();
    assert_eq!(health(&stage, "/health").await, (200, "ok".to_owned()));
    assert_eq!(health(&stage, "/health?strict=1").await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn an_outage_of_gitlab_fails_only_the_strict_check() {
    let stage = Stage::of(small().lose_queue("GitLab failed with 502"));
    let answer = stage.get("/health").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["status"], "degraded");
    assert_eq!(answer.json()["stale"], serde_json::json!(["gitlab"]));
    assert_eq!(health(&stage, "/health?strict=1").await, (503, "degraded".to_owned()));
    assert_eq!(health(&stage, "/health?strict=0").await, (200, "degraded".to_owned()));
}

#[tokio::test]
async fn an_action_that_hangs_is_named() {
    let mut scene = small();
    let id = ContainerId::from_observed("feed");
    scene.memory.under_way.insert(Deed::Drain(id), ago(80));
    let stage = Stage::of(scene);
    assert_eq!(health(&stage, "/health").await, (200, "ok".to_owned()));
    stage.clock.jump(SignedDuration::from_secs(15));
    let answer = stage.get("/health").await.json();
    assert_eq!(answer["status"], "degraded");
    assert_eq!(answer["hanging"], json!(["asking container feed to exit, for 1m35s"]));
    let notices = &stage.get("/status").await.json()["notices"];
    assert_eq!(*notices, json!(["no answer yet to asking container feed to exit, for 1m35s"]));
}

#[tokio::test]
async fn a_refused_spec_is_a_degradation_but_no_failed_check() {
    let stage = Stage::empty();
    let mut view = small().view();
    view.spec.pending_fault = Some("autogit.yaml:1:1: not YAML".to_owned());
    stage.views.send_replace(Some(Arc::new(view)));
    assert_eq!(health(&stage, "/health?strict=1").await, (200, "degraded".to_owned()));
    assert_eq!(stage.get("/health").await.json()["spec_valid"], false);
}

#[tokio::test]
async fn before_the_first_look_there_is_health_and_nothing_else() {
    let stage = Stage::empty();
    assert_eq!(health(&stage, "/health").await, (200, "starting".to_owned()));
    assert_eq!(health(&stage, "/health?strict=1").await, (503, "starting".to_owned()));
    for path in ["/status", "/runners", "/queue", "/plan", "/explain/jobs/1", "/runners/x"] {
        let answer = stage.get(path).await;
        answer.is_problem(503, "starting");
        assert_eq!(answer.header("retry-after"), "1");
    }
}

#[tokio::test]
async fn a_loop_that_no_longer_ticks_is_stuck() {
    let stage = Stage::small();
    stage.clock.jump(SignedDuration::from_mins(4));
    assert_eq!(health(&stage, "/health").await, (200, "ok".to_owned()));
    stage.clock.jump(SignedDuration::from_mins(2));
    assert_eq!(health(&stage, "/health").await, (503, "stuck".to_owned()));
    let never = Stage::empty();
    never.clock.jump(SignedDuration::from_mins(6));
    assert_eq!(health(&never, "/health").await, (503, "stuck".to_owned()));
}
