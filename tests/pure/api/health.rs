use std::sync::Arc;

use autogit::world::{Deed, WorkloadId};
use jiff::SignedDuration;
use serde_json::json;

use crate::api::harness::{Answer, Harness, small};
use crate::support::world::ago;

async fn health(harness: &Harness, path: &str) -> (u16, String) {
    let answer: Answer = harness.get(path).await;
    (answer.status.as_u16(), answer.json()["status"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_loop_that_sees_everything_is_ok() {
    let harness = Harness::small();
    assert_eq!(health(&harness, "/health").await, (200, "ok".to_owned()));
    assert_eq!(health(&harness, "/health?strict=1").await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn an_outage_of_gitlab_fails_only_the_strict_check() {
    let harness = Harness::of(small().lose_queue("GitLab failed with 502"));
    let answer = harness.get("/health").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["status"], "degraded");
    assert_eq!(answer.json()["stale"], serde_json::json!(["gitlab"]));
    assert_eq!(health(&harness, "/health?strict=1").await, (503, "degraded".to_owned()));
    assert_eq!(health(&harness, "/health?strict=0").await, (200, "degraded".to_owned()));
}

#[tokio::test]
async fn an_action_that_hangs_is_named() {
    let mut fixture = small();
    let id = WorkloadId::from_observed("feed");
    fixture.memory.under_way.insert(Deed::Drain(id), ago(80));
    let harness = Harness::of(fixture);
    assert_eq!(health(&harness, "/health").await, (200, "ok".to_owned()));
    harness.clock.jump(SignedDuration::from_secs(15));
    let answer = harness.get("/health").await.json();
    assert_eq!(answer["status"], "degraded");
    assert_eq!(answer["hanging"], json!(["asking container feed to exit, for 1m35s"]));
    let notices = &harness.get("/status").await.json()["notices"];
    assert_eq!(*notices, json!(["no answer yet to asking container feed to exit, for 1m35s"]));
}

#[tokio::test]
async fn a_refused_spec_is_a_degradation_but_no_failed_check() {
    let harness = Harness::empty();
    let mut view = small().view();
    view.spec.pending_fault = Some("autogit.yaml:1:1: not YAML".to_owned());
    harness.views.send_replace(Some(Arc::new(view)));
    assert_eq!(health(&harness, "/health?strict=1").await, (200, "degraded".to_owned()));
    assert_eq!(harness.get("/health").await.json()["spec_valid"], false);
}

#[tokio::test]
async fn before_the_first_look_there_is_health_and_nothing_else() {
    let harness = Harness::empty();
    assert_eq!(health(&harness, "/health").await, (200, "starting".to_owned()));
    assert_eq!(health(&harness, "/health?strict=1").await, (503, "starting".to_owned()));
    for path in ["/status", "/runners", "/queue", "/plan", "/explain/jobs/1", "/runners/x"] {
        let answer = harness.get(path).await;
        answer.is_problem(503, "starting");
        assert_eq!(answer.header("retry-after"), "1");
    }
}

#[tokio::test]
async fn a_loop_that_no_longer_ticks_is_stuck() {
    let harness = Harness::small();
    harness.clock.jump(SignedDuration::from_mins(4));
    assert_eq!(health(&harness, "/health").await, (200, "ok".to_owned()));
    harness.clock.jump(SignedDuration::from_mins(2));
    assert_eq!(health(&harness, "/health").await, (503, "stuck".to_owned()));
    let never = Harness::empty();
    never.clock.jump(SignedDuration::from_mins(6));
    assert_eq!(health(&never, "/health").await, (503, "stuck".to_owned()));
}
