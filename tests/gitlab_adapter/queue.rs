use autogit::gitlab::{Gitlab, GitlabError};
use autogit::spec::QueueSource;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::fake::{over, server, settings};

fn node(id: u64) -> Value {
    json!({ "id": format!("gid://gitlab/Ci::Build/{id}"), "name": "build", "tags": ["docker"],
        "queuedAt": format!("2023-11-14T22:{:02}:{:02}Z", id / 60 % 60, id % 60),
        "createdAt": "2023-11-14T20:00:00Z", "refName": "main", "createdByTag": false,
        "project": { "id": "gid://gitlab/Project/7", "fullPath": "team/app" } })
}

/// A list of `total` jobs, newest first, as GraphQL pages it backwards.
fn queue_of(total: u64) -> Router {
    let answer = move |Json(body): Json<Value>| async move {
        let query = body["query"].as_str().unwrap();
        assert!(query.contains("last:100"), "{query}");
        let before = body["variables"]["before"].as_str();
        let read = before.map_or(0, |cursor| cursor.parse().unwrap());
        let next = total.min(read + 100);
        let nodes: Vec<Value> = (read..next).rev().map(|id| node(id + 1)).collect();
        let info = json!({ "hasPreviousPage": next < total, "startCursor": next.to_string() });
        Json(json!({ "data": { "jobs": { "pageInfo": info, "nodes": nodes } } }))
    };
    Router::new().route("/api/graphql", post(answer)).route(
        "/api/v4/projects/7",
        get(|| async {
            Json(json!({ "id": 7, "shared_runners_enabled": false, "group_runners_enabled": true }))
        }),
    )
}

#[tokio::test(start_paused = true)]
async fn an_administrator_reads_the_oldest_jobs_first() {
    let fixture = over(server(true).merge(queue_of(250)), settings());
    let queue = fixture.gitlab.queue().await.unwrap();
    assert!(!queue.more);
    let ids: Vec<u64> = queue.jobs.iter().map(|job| job.id.0).collect();
    assert_eq!(ids, (1..=250).collect::<Vec<_>>());
    assert_eq!(queue.jobs[0].instance_runners, Some(false));
    assert_eq!(queue.jobs[0].group_runners, Some(true));
    assert_eq!(queue.jobs[0].protected, None);
    assert_eq!(fixture.asked().iter().filter(|asked| asked.contains("graphql")).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn reading_stops_after_ten_pages_and_says_so() {
    let fixture = over(server(true).merge(queue_of(1500)), settings());
    let queue = fixture.gitlab.queue().await.unwrap();
    assert!(queue.more);
    assert_eq!(queue.jobs.len(), 1000);
    assert_eq!(queue.jobs[0].id.0, 1);
}

#[tokio::test(start_paused = true)]
async fn an_instance_queue_without_an_administrator_is_an_error_and_not_empty() {
    let mut settings = settings();
    settings.queue_source = QueueSource::Instance;
    let fixture = over(server(false).merge(queue_of(0)), settings);
    let error = fixture.gitlab.queue().await.unwrap_err();
    assert!(matches!(error, GitlabError::Forbidden { .. }), "{error:?}");
    assert!(error.to_string().contains("gitlab.queue_source: projects"), "{error}");
    assert!(!fixture.asked().iter().any(|asked| asked.contains("graphql")));
}

#[tokio::test(start_paused = true)]
async fn an_administrator_who_lost_the_right_does_not_read_an_empty_queue() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let administrator = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&administrator);
    let user = move || {
        let is_admin = told.load(Ordering::SeqCst);
        async move { Json(json!({ "username": "ann", "is_admin": is_admin })) }
    };
    let probes = Router::new()
        .route(
            "/api/v4/personal_access_tokens/self",
            get(|| async { Json(json!({ "scopes": ["read_api"] })) }),
        )
        .route("/api/v4/metadata", get(|| async { Json(json!({ "version": "16.3.0" })) }))
        .route("/api/v4/user", get(user));
    let fixture = over(probes.merge(queue_of(0)), settings());
    assert!(fixture.gitlab.queue().await.unwrap().jobs.is_empty());
    administrator.store(false, Ordering::SeqCst);
    fixture.pass(61);
    let error = fixture.gitlab.queue().await.unwrap_err();
    assert!(error.to_string().contains("no administrator"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_error_beside_partial_data_is_an_error() {
    let partial = json!({ "data": { "jobs": null }, "errors": [{ "message": "Internal error" }] });
    let router = Router::new().route("/api/graphql", post(|| async { Json(partial) }));
    let fixture = over(server(true).merge(router), settings());
    let error = fixture.gitlab.queue().await.unwrap_err();
    assert!(error.to_string().contains("Internal error"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn times_are_corrected_by_the_servers_clock() {
    let ahead = |mut answer: axum::response::Response| async move {
        let date = "Tue, 14 Nov 2023 23:13:20 GMT".parse().unwrap();
        answer.headers_mut().insert("date", date);
        answer
    };
    let router = server(true).merge(queue_of(1)).layer(axum::middleware::map_response(ahead));
    let fixture = over(router, settings());
    let queue = fixture.gitlab.queue().await.unwrap();
    let queued_at = queue.jobs[0].queued_at;
    let expected: jiff::Timestamp = "2023-11-14T21:00:01Z".parse().unwrap();
    assert!(queued_at.duration_since(expected).abs() < jiff::SignedDuration::from_secs(2));
}
