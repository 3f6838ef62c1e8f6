use autogit::reconcile::{Exposition, Wake};
use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::api::harness::{Answer, Harness, With, secret, small};
use crate::support::world::NOW;

const JOB: &str = include_str!("hooks/job.json");
const PIPELINE: &str = include_str!("hooks/pipeline.json");
const PUSH: &str = include_str!("hooks/push.json");

const TOKEN: &str = "the-hooks-own-token";
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

fn with_token() -> Harness {
    Harness::of(small().with(|spec| spec.gitlab.webhook_secret = Some(secret(TOKEN))))
}

fn with_key() -> Harness {
    let key = format!("whsec_{}", STANDARD.encode(KEY));
    Harness::of(small().with(|spec| spec.gitlab.webhook_secret = Some(secret(&key))))
}

fn hook(event: &str) -> Builder {
    Request::post("/webhook/gitlab")
        .header("content-type", "application/json")
        .header("x-gitlab-instance", "https://gitlab.example.com")
        .header("x-gitlab-webhook-uuid", "7ad9a6c8-0f2a-4a7e-9d6b-1f6f3b1c2d3e")
        .header("x-gitlab-event", event)
}

async fn by_token(harness: &Harness, event: &str, token: &str, body: &str) -> Answer {
    let request = hook(event).header("x-gitlab-token", token);
    harness.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

fn signature(key: &[u8], id: &str, time: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, format!("{id}.{time}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

async fn by_signature(harness: &Harness, time: &str, signatures: &str, body: &str) -> Answer {
    let request = hook("Job Hook")
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", time)
        .header("webhook-signature", signatures);
    harness.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

fn seconds(ahead: i64) -> String {
    (NOW.as_second() + ahead).to_string()
}

#[tokio::test]
async fn what_gitlab_sends_wakes_the_loop() {
    for (event, body, wake) in [
        ("Job Hook", JOB, Some(Wake::Reconcile)),
        ("Pipeline Hook", PIPELINE, Some(Wake::Pushed)),
        ("Push Hook", PUSH, Some(Wake::Pushed)),
        ("Tag Push Hook", PUSH, Some(Wake::Pushed)),
        ("System Hook", PUSH, Some(Wake::Pushed)),
        ("Note Hook", "{}", None),
        ("", "{}", None),
    ] {
        let mut harness = with_token();
        assert_eq!(by_token(&harness, event, TOKEN, body).await.status, 204, "{event}");
        assert_eq!(harness.wakes.try_recv().ok(), wake, "{event}");
    }
}

#[tokio::test]
async fn what_is_authentic_is_never_refused_for_what_it_says() {
    let mut harness = with_token();
    let deep = "[".repeat(100_000);
    let long = "x".repeat(3 << 20);
    for body in ["", "{", "null", "\u{0}\u{1}", "{\"object_kind\":1}", &deep, &long] {
        assert_eq!(by_token(&harness, "Job Hook", TOKEN, body).await.status, 204);
        assert_eq!(harness.wakes.try_recv(), Ok(Wake::Reconcile));
    }
}

#[tokio::test]
async fn what_is_not_authentic_wakes_nobody_and_is_counted() {
    let mut harness = with_token();
    by_token(&harness, "Job Hook", "wrong", JOB).await.is_problem(401, "forged");
    by_token(&harness, "Job Hook", "", JOB).await.is_problem(401, "forged");
    let nothing = hook("Job Hook").body(Body::from(JOB)).unwrap();
    harness.send(nothing).await.is_problem(401, "unsigned");
    let signed = by_signature(&harness, &seconds(0), &signature(KEY, "msg_1", "0", JOB), JOB).await;
    signed.is_problem(401, "unsigned");
    assert!(harness.wakes.try_recv().is_err());
    let metrics = harness.metrics.encode(NOW, Exposition::OpenMetrics).unwrap();
    for line in ["{reason=\"forged\"} 2", "{reason=\"unsigned\"} 2", "{reason=\"expired\"} 0"] {
        assert!(metrics.contains(&format!("autogit_webhooks_refused_total{line}")), "{metrics}");
    }
    assert!(metrics.contains("autogit_webhooks_total{event=\"job\"} 0"), "{metrics}");
}

#[tokio::test]
async fn without_a_secret_no_webhook_is_served() {
    let mut harness = Harness::of(small());
    by_token(&harness, "Job Hook", "", JOB).await.is_problem(403, "no-secret-configured");
    assert!(harness.wakes.try_recv().is_err());
}

#[tokio::test]
async fn a_signature_is_right_by_key_id_time_and_body() {
    let mut harness = with_key();
    let now = seconds(0);
    let right = signature(KEY, "msg_1", &now, JOB);
    assert_eq!(by_signature(&harness, &now, &right, JOB).await.status, 204);
    assert_eq!(harness.wakes.try_recv(), Ok(Wake::Reconcile));
    let others = format!("v1,AAAA v2,x {right}");
    assert_eq!(by_signature(&harness, &now, &others, JOB).await.status, 204);
    harness.wakes.try_recv().unwrap();
    for (wrong, body) in [
        (signature(b"another key", "msg_1", &now, JOB), JOB),
        (signature(KEY, "msg_2", &now, JOB), JOB),
        (signature(KEY, "msg_1", &seconds(1), JOB), JOB),
        (right.clone(), PUSH),
        (right.replace("v1,", "v2,"), JOB),
        (right.replace("v1,", ""), JOB),
        ("v1,".to_owned(), JOB),
        ("v1,%%%".to_owned(), JOB),
    ] {
        by_signature(&harness, &now, &wrong, body).await.is_problem(401, "forged");
    }
    assert!(harness.wakes.try_recv().is_err());
}

#[tokio::test]
async fn a_signature_is_good_for_five_minutes_before_and_after() {
    let harness = with_key();
    for (ahead, status) in [(-301, 401), (-299, 204), (299, 204), (301, 401)] {
        let time = seconds(ahead);
        let signed = signature(KEY, "msg_1", &time, JOB);
        let answer = by_signature(&harness, &time, &signed, JOB).await;
        assert_eq!(answer.status, status, "{ahead}");
    }
    for odd in ["", "soon", "-9223372036854775808", "99999999999999999999"] {
        let signed = signature(KEY, "msg_1", odd, JOB);
        assert_eq!(by_signature(&harness, odd, &signed, JOB).await.status, 401, "{odd}");
    }
}

#[tokio::test]
async fn a_replay_costs_a_look_and_nothing_else() {
    let mut harness = with_key();
    let now = seconds(0);
    let signed = signature(KEY, "msg_1", &now, JOB);
    for _ in 0..2 {
        assert_eq!(by_signature(&harness, &now, &signed, JOB).await.status, 204);
        assert_eq!(harness.wakes.try_recv(), Ok(Wake::Reconcile));
    }
}

#[tokio::test]
async fn a_signing_key_is_no_token() {
    let harness = with_key();
    let key = format!("whsec_{}", STANDARD.encode(KEY));
    by_token(&harness, "Job Hook", &key, JOB).await.is_problem(401, "unsigned");
}

#[tokio::test]
async fn a_key_that_is_no_base64_lets_nobody_in() {
    for key in ["whsec_", "whsec_%%%"] {
        let harness = Harness::of(small().with(|s| s.gitlab.webhook_secret = Some(secret(key))));
        let now = seconds(0);
        let signed = signature(b"", "msg_1", &now, JOB);
        by_signature(&harness, &now, &signed, JOB).await.is_problem(401, "forged");
    }
}

#[tokio::test]
async fn a_storm_of_webhooks_is_one_wake_and_no_error() {
    let mut harness = with_token();
    for _ in 0..100 {
        assert_eq!(by_token(&harness, "Pipeline Hook", TOKEN, PIPELINE).await.status, 204);
    }
    let mut waiting = 0;
    while harness.wakes.try_recv().is_ok() {
        waiting += 1;
    }
    assert!(waiting <= 4, "{waiting}");
}

#[tokio::test]
async fn webhooks_are_taken_before_the_first_look() {
    let fixture = small().with(|spec| spec.gitlab.webhook_secret = Some(secret(TOKEN)));
    let mut harness = Harness::before_a_look(fixture);
    assert_eq!(by_token(&harness, "Job Hook", TOKEN, JOB).await.status, 204);
    assert_eq!(harness.wakes.try_recv(), Ok(Wake::Reconcile));
}
