use std::sync::Arc;

use autogit::reconcile::Wake;
use autogit::source::Pending;

use axum::body::Body;
use axum::http::Request;

use crate::api::harness::{Harness, TOKEN, With, secret, small};

#[tokio::test]
async fn an_operator_wakes_the_loop_and_has_the_spec_read_again() {
    let mut harness = Harness::small();
    let answer = harness.post("/reconcile", Some(TOKEN), "").await;
    assert_eq!(answer.json(), serde_json::json!({ "accepted": "reconcile" }));
    assert_eq!(harness.wakes.try_recv(), Ok(Wake::Reconcile));
    harness.post("/reload", Some(TOKEN), "").await;
    assert_eq!(harness.wakes.try_recv(), Ok(Wake::Reload));
}

#[tokio::test]
async fn a_drain_is_left_for_the_loop_that_owns_the_runners() {
    let mut harness = Harness::small();
    let name = "autogit-runner-linux-amd64-0";
    let answer = harness.post(&format!("/runners/{name}/drain"), Some(TOKEN), "").await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json()["runner"], name);
    let asked: Vec<String> = harness.drains.asked().iter().map(ToString::to_string).collect();
    assert_eq!(asked, [name]);
    assert_eq!(harness.wakes.try_recv(), Ok(Wake::Reconcile));
    harness.post("/runners/nobody/drain", Some(TOKEN), "").await.is_problem(404, "not-found");
}

#[tokio::test]
async fn the_token_is_that_of_the_spec_in_force() {
    let harness = Harness::small();
    harness.show(small().with(|spec| spec.api.token = Some(secret("another"))));
    harness.post("/reconcile", Some(TOKEN), "").await.is_problem(401, "unauthorized");
    assert_eq!(harness.post("/reconcile", Some("another"), "").await.status, 202);
}

#[tokio::test]
async fn with_a_read_token_nothing_is_shown_without_one() {
    let harness = Harness::of(small().with(|spec| {
        spec.api.token = Some(secret(TOKEN));
        spec.api.read_token = Some(secret("the-readers"));
        spec.api.plan_token = Some(secret("the-planners"));
    }));
    let read = async |path: &str, token: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        harness.send(request.body(Body::empty()).unwrap()).await
    };
    for path in [
        "/status",
        "/runners",
        "/queue",
        "/plan",
        "/trend",
        "/metrics",
        "/explain/jobs/41",
        "/events",
        "/runners/autogit-runner-linux-amd64-0",
        "/nothing",
    ] {
        harness.get(path).await.is_problem(401, "unauthorized");
        read(path, "guessed").await.is_problem(401, "unauthorized");
        read(path, "the-planners").await.is_problem(403, "insufficient-token");
        if path != "/events" {
            let status = if path == "/nothing" { 404 } else { 200 };
            assert_eq!(read(path, "the-readers").await.status, status, "{path}");
            assert_eq!(read(path, TOKEN).await.status, status, "{path}");
        }
    }
    for open in ["/", "/health", "/openapi.json"] {
        assert_eq!(harness.get(open).await.status, 200, "{open}");
    }
    harness.post("/reconcile", Some("the-readers"), "").await.is_problem(403, "insufficient-token");
}

#[tokio::test]
async fn the_spec_in_force_is_read_with_a_token_and_without_its_secrets() {
    let harness = Harness::small();
    harness.get("/spec").await.is_problem(401, "unauthorized");
    let request = Request::get("/spec").header("authorization", format!("Bearer {TOKEN}"));
    let answer = harness.send(request.body(Body::empty()).unwrap()).await.json();
    let text = "gitlab:\n  url: https://gitlab.example.com\n  token: ***\npools:\n  linux:\n    tags: [docker]\n";
    assert_eq!(answer["text"], text);
    assert_eq!(answer["pending"], serde_json::json!([]));
    let changes = vec!["pools.linux.max 2 → 3".to_owned()];
    let pending = Arc::new(Pending { changes, after_restart: vec!["api.listen"] });
    harness.in_force.send_modify(|in_force| in_force.pending = pending);
    let request = Request::get("/spec").header("authorization", format!("Bearer {TOKEN}"));
    let answer = harness.send(request.body(Body::empty()).unwrap()).await.json();
    assert_eq!(answer["pending"], serde_json::json!(["pools.linux.max 2 → 3"]));
    assert_eq!(answer["after_restart"], serde_json::json!(["api.listen"]));
    let open = Harness::of(small());
    open.get("/spec").await.is_problem(403, "no-token-configured");
}

#[tokio::test]
async fn who_is_refused_is_counted_and_seen() {
    let harness = Harness::small();
    harness.post("/reconcile", None, "").await;
    harness.post("/reload", Some("guessed"), "").await;
    let health = harness.get("/health").await.json();
    assert_eq!((&health["refused_bearers"], &health["refused_webhooks"]), (&2.into(), &0.into()));
    let text = harness.get("/metrics").await;
    for series in ["missing", "wrong"] {
        let line = format!("autogit_bearers_refused_total{{reason=\"{series}\"}} 1\n");
        assert!(text.text().contains(&line), "{}", text.text());
    }
}

#[tokio::test]
async fn wakes_that_pile_up_are_one_and_a_reload_is_never_lost_in_silence() {
    let harness = Harness::small();
    for _ in 0..20 {
        assert_eq!(harness.post("/reconcile", Some(TOKEN), "").await.status, 202);
    }
    harness.post("/reload", Some(TOKEN), "").await.is_problem(503, "busy");
}

#[tokio::test]
async fn a_loop_that_ended_is_said_to_have() {
    let mut harness = Harness::small();
    harness.wakes.close();
    harness.post("/reconcile", Some(TOKEN), "").await.is_problem(503, "ending");
}

#[tokio::test]
async fn before_the_first_look_an_operator_is_known_already() {
    let mut harness =
        Harness::before_a_look(small().with(|spec| spec.api.token = Some(secret(TOKEN))));
    harness.post("/reload", None, "").await.is_problem(401, "unauthorized");
    assert_eq!(harness.post("/reload", Some(TOKEN), "").await.status, 202);
    assert_eq!(harness.wakes.try_recv(), Ok(Wake::Reload));
    let drain = "/runners/autogit-runner-linux-amd64-0/drain";
    harness.post(drain, Some(TOKEN), "").await.is_problem(503, "starting");
}
