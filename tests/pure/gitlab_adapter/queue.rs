use autogit::clock::Clock;
use autogit::gitlab::http::{GitlabSettings, HttpGitlab};
use autogit::gitlab::{Gitlab, GitlabError};
use autogit::sandbox::gitlab::{NewJob, SimulatedGitlab};
use autogit::spec::QueueSource;
use autogit::world::{Place, Queue};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::gitlab_adapter::fake::{NOW, over, server, settings};
use crate::gitlab_adapter::writes::wanted;

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

/// A job that fitting runners leave alone shows that its project may have changed.
#[tokio::test(start_paused = true)]
async fn a_projects_switches_are_asked_for_again_where_they_are_doubted() {
    let fixture = over(server(true).merge(queue_of(1)), settings());
    let projects = std::collections::BTreeSet::from([autogit::world::ProjectId(7)]);
    let mut asked = Vec::new();
    for doubted in [false, false, true, true] {
        if doubted {
            fixture.gitlab.doubt(&projects);
        }
        fixture.gitlab.queue().await.unwrap();
        let again = fixture.asked().iter().any(|asked| asked.ends_with("/projects/7"));
        asked.push(again);
        fixture.pass(if asked.len() == 2 { 61 } else { 10 });
    }
    assert_eq!(asked, [true, false, true, false]);
}

/// GitLab may not tell what a record may take; then the looks go on where the last one stopped.
#[tokio::test(start_paused = true)]
async fn five_thousand_older_jobs_are_passed_within_a_minute() {
    let fixture = over(server(true).merge(queue_of(5_001)), settings());
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..=6 {
        let queue = fixture.gitlab.queue().await.unwrap();
        assert!(queue.jobs.iter().any(|job| job.id.0 == 1));
        seen.extend(queue.jobs.iter().map(|job| job.id.0));
        let asked = fixture.asked();
        assert!(asked.iter().filter(|asked| asked.contains("graphql")).count() <= 10, "{asked:?}");
        fixture.pass(10);
    }
    assert_eq!(seen.len(), 5_001);
    let queue = fixture.gitlab.queue().await.unwrap();
    assert!(queue.more && queue.jobs.len() == 5_001);
    assert!(queue.round.unwrap() <= jiff::SignedDuration::from_mins(1), "{:?}", queue.round);
}

/// What our records may take is asked for by itself, though a flood of other jobs is older.
#[tokio::test(start_paused = true)]
async fn a_flood_hides_nothing_that_a_record_may_take() {
    let clock = Clock::simulated(NOW, 1e-9);
    let server = SimulatedGitlab::new(clock.clone(), 1);
    let root = server.add_administrator("root");
    let token = server.new_token(root, &["api"], None);
    let project = server.add_project("team/app");
    for number in 0..9_000 {
        let tags = vec![if number == 8_999 { "docker" } else { "of-others" }.to_owned()];
        server.add_job(NewJob { tags, ..NewJob::new(project) });
    }
    let settings = GitlabSettings { token, ..settings() };
    let gitlab = HttpGitlab::new(settings, std::sync::Arc::new(server.transport()), clock);
    let id = gitlab.create_record(&wanted(Place::Instance)).await.unwrap().id;
    gitlab.managers(&[id]).await.unwrap();
    let fits = |queue: &Queue| queue.jobs.iter().any(|job| job.tags.contains("docker"));
    assert!(!fits(&gitlab.queue().await.unwrap()));
    let queue = gitlab.queue().await.unwrap();
    assert!(queue.more && fits(&queue));
    for job in server.pending().into_iter().rev().take(1) {
        server.cancel_job(job);
    }
    assert!(!fits(&gitlab.queue().await.unwrap()));
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
