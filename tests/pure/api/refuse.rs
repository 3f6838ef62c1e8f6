use axum::body::Body;
use axum::http::Request;
use secrecy::{ExposeSecret, SecretString};

use crate::api::harness::{Harness, TOKEN, small};

#[tokio::test]
async fn what_is_not_there_is_a_problem_with_a_next_step() {
    let harness = Harness::small();
    let problem = harness.get("/nothing").await.is_problem(404, "not-found");
    assert_eq!(problem["title"], "Not Found");
    assert_eq!(problem["detail"], "nothing is at `/nothing`");
    assert_eq!(problem["hint"], "`GET /openapi.json` says what there is");
    let problem = harness.get("/runners/nobody").await.is_problem(404, "not-found");
    assert_eq!(problem["detail"], "no runner is called `nobody`");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let harness = Harness::small();
    for (method, path, allowed) in [
        ("POST", "/status", "GET,HEAD"),
        ("DELETE", "/runners/x", "GET,HEAD"),
        ("GET", "/reconcile", "POST"),
        ("OPTIONS", "/health", "GET,HEAD"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = harness.send(request).await;
        answer.is_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
}

#[tokio::test]
async fn what_is_no_number_or_no_text_is_a_bad_request() {
    let harness = Harness::small();
    for path in ["/explain/jobs/x", "/explain/jobs/-1", "/runners/%ff", "/health?strict=1&strict=2"]
    {
        harness.get(path).await.is_problem(400, "bad-request");
    }
}

#[tokio::test]
async fn what_changes_something_needs_the_token() {
    let harness = Harness::small();
    for path in ["/reconcile", "/reload", "/runners/autogit-runner-linux-amd64-1/drain"] {
        for token in [None, Some(""), Some("s3cret"), Some("s3cret-of-the-operator2")] {
            let answer = harness.post(path, token, "").await;
            answer.is_problem(401, "unauthorized");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let request = Request::post(path).header("authorization", format!("Basic {TOKEN}"));
        harness.send(request.body(Body::empty()).unwrap()).await.is_problem(401, "unauthorized");
        assert_eq!(harness.post(path, Some(TOKEN), "").await.status, 202, "{path}");
    }
}

#[tokio::test]
async fn without_a_configured_token_nothing_that_acts_is_served() {
    let mut harness = Harness::of(small());
    for path in ["/reconcile", "/reload", "/runners/autogit-runner-linux-amd64-1/drain"] {
        for token in [None, Some(""), Some(TOKEN)] {
            let problem =
                harness.post(path, token, "").await.is_problem(403, "no-token-configured");
            assert_eq!(problem["hint"], "set `api.token_file`");
        }
    }
    assert!(harness.wakes.try_recv().is_err());
    assert!(harness.drains.asked().is_empty());
}

/// Only whoever may do all that the process may reads the key beside its lock.
#[tokio::test]
async fn the_key_beside_the_lock_acts_without_any_token_and_sees_no_candidate() {
    let mut harness = Harness::of(small());
    let key = || SecretString::from("key-beside-the-lock".to_owned());
    harness.router = harness.api.clone().with_key(key()).router();
    let drain = "/runners/autogit-runner-linux-amd64-1/drain";
    for token in [None, Some(""), Some("key-beside-the-loc"), Some(TOKEN)] {
        harness.post(drain, token, "").await.is_problem(403, "no-token-configured");
    }
    assert!(harness.drains.asked().is_empty());
    let key = key();
    let key = Some(key.expose_secret());
    assert_eq!(harness.post(drain, key, "").await.status, 202);
    assert_eq!(harness.drains.asked().len(), 1);
    harness.post("/plan", key, "").await.is_problem(403, "no-token-configured");
}
