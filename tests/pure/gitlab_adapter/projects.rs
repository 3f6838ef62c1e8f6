use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use autogit::gitlab::{Gitlab, GitlabError};
use autogit::spec::Scope;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::gitlab_adapter::fake::{over, server, settings};

/// `total` projects in pages of a hundred; the link names the host that GitLab is configured with.
fn listed(total: u64) -> Router {
    let list = move |Query(query): Query<Value>| async move {
        let page: u64 = query["page"].as_str().map_or(1, |page| page.parse().unwrap());
        let last = total.min(page * 100);
        let projects: Vec<Value> = ((page - 1) * 100 + 1..=last)
            .map(|id| json!({ "id": id, "path_with_namespace": format!("team/p{id}") }))
            .collect();
        let mut headers = HeaderMap::new();
        if last < total {
            let next = format!("<https://configured.test/api/v4/projects?page={}>", page + 1);
            headers.insert("link", format!("{next}; rel=\"next\"").parse().unwrap());
        }
        (headers, Json(projects))
    };
    Router::new().route("/api/v4/projects", get(list))
}

/// Projects of which one has a pending job.
fn jobs(busy: Arc<AtomicU64>) -> Router {
    let jobs = move |Path(project): Path<u64>| {
        let busy = busy.load(Ordering::SeqCst) == project;
        let job = json!({ "id": 41, "name": "build", "ref": "main", "tag": false,
            "tag_list": ["docker"], "created_at": "2023-11-14T22:00:00Z", "queued_duration": 60.0 });
        async move { Json(if busy { vec![job] } else { vec![] }) }
    };
    Router::new().route("/api/v4/projects/{id}/jobs", get(jobs))
}

fn read(asked: &[String]) -> BTreeSet<String> {
    asked.iter().filter(|asked| asked.contains("/jobs?")).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn five_hundred_idle_projects_cost_no_more_than_the_budget() {
    let busy = Arc::new(AtomicU64::new(0));
    let router = server(false).merge(listed(500)).merge(jobs(Arc::clone(&busy)));
    let fixture = over(router, settings());
    assert!(fixture.gitlab.queue().await.unwrap().more);
    fixture.asked();
    let mut seen = BTreeSet::new();
    for _ in 0..25 {
        fixture.pass(10);
        fixture.gitlab.queue().await.unwrap();
        let asked = fixture.asked();
        assert!(asked.len() <= 20, "{asked:?}");
        seen.extend(read(&asked));
    }
    assert_eq!(seen.len(), 500);
    let queue = fixture.gitlab.queue().await.unwrap();
    assert!(queue.jobs.is_empty() && !queue.more);
}

#[tokio::test(start_paused = true)]
async fn a_project_with_a_pending_job_is_read_at_each_look() {
    let busy = Arc::new(AtomicU64::new(3));
    let router = server(false).merge(listed(100)).merge(jobs(Arc::clone(&busy)));
    let fixture = over(router, settings());
    for _ in 0..10 {
        let queue = fixture.gitlab.queue().await.unwrap();
        assert_eq!(queue.jobs.len(), 1);
        let job = &queue.jobs[0];
        assert_eq!(job.queued_at.as_second(), 1_700_000_000 - 60);
        assert_eq!(job.project_path.as_str(), "team/p3");
        let asked = read(&fixture.asked());
        assert!(asked.iter().any(|asked| asked.contains("/projects/3/jobs")), "{asked:?}");
        fixture.pass(10);
    }
    busy.store(0, Ordering::SeqCst);
    assert!(fixture.gitlab.queue().await.unwrap().jobs.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_visible_project_is_an_error_and_not_an_empty_queue() {
    let fixture = over(server(false).merge(listed(0)), settings());
    let error = fixture.gitlab.probe().await.unwrap_err();
    assert!(matches!(error, GitlabError::Forbidden { .. }), "{error:?}");
    assert!(error.to_string().contains("hint: "), "{error}");
    assert!(fixture.gitlab.queue().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn projects_whose_jobs_may_not_be_read_are_no_empty_queue() {
    let refuse = || async { (StatusCode::FORBIDDEN, Json(json!({ "message": "403 Forbidden" }))) };
    let router = server(false).merge(listed(3)).route("/api/v4/projects/{id}/jobs", get(refuse));
    let error = over(router, settings()).gitlab.queue().await.unwrap_err();
    assert!(matches!(error, GitlabError::Forbidden { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_project_that_the_server_fails_on_does_not_hide_the_others() {
    let job = json!({ "id": 9, "name": "build", "ref": "v1", "tag": true, "tag_list": [],
        "created_at": "2023-11-14T22:00:00Z" });
    let jobs = move |Path(project): Path<u64>| async move {
        match project {
            1 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => Json(vec![job]).into_response(),
        }
    };
    let router = server(false).merge(listed(2)).route("/api/v4/projects/{id}/jobs", get(jobs));
    let queue = over(router, settings()).gitlab.queue().await.unwrap();
    assert_eq!(queue.jobs.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn protection_is_inferred_from_the_projects_rules() {
    let rule = |name: &'static str| move || async move { Json(json!([{ "name": name }])) };
    let refuse = || async { (StatusCode::FORBIDDEN, Json(json!({}))) };
    let jobs = |names: [(&'static str, bool); 3]| {
        move || async move {
            let jobs = names.iter().enumerate().map(|(id, (name, tag))| {
                json!({ "id": id, "name": "x", "ref": name, "tag": tag, "tag_list": [],
                    "created_at": "2023-11-14T22:00:00Z" })
            });
            Json(jobs.collect::<Vec<_>>())
        }
    };
    let router = server(false)
        .merge(listed(1))
        .route(
            "/api/v4/projects/1/jobs",
            get(jobs([("release/1", false), ("x", false), ("v1", true)])),
        )
        .route("/api/v4/projects/1", get(|| async { Json(json!({ "id": 1 })) }))
        .route("/api/v4/projects/1/protected_branches", get(rule("release/*")))
        .route("/api/v4/projects/1/protected_tags", get(refuse));
    let mut settings = settings();
    settings.needs_protection = true;
    let fixture = over(router, settings);
    let queue = fixture.gitlab.queue().await.unwrap();
    let protected: Vec<_> = queue.jobs.iter().map(|job| job.protected).collect();
    assert_eq!(protected, [Some(true), Some(false), None]);
    fixture.asked();
    fixture.gitlab.queue().await.unwrap();
    assert!(!fixture.asked().iter().any(|asked| asked.contains("protected")));
}

#[tokio::test(start_paused = true)]
async fn a_job_seen_in_the_queue_is_found_by_its_id() {
    let detail = || async {
        Json(json!({ "id": 41, "name": "build", "status": "running", "ref": "main",
            "tag_list": ["docker"], "web_url": "http://gitlab.test/team/p3/-/jobs/41",
            "runner": { "id": 5 } }))
    };
    let router = server(false)
        .merge(listed(5))
        .merge(jobs(Arc::new(AtomicU64::new(3))))
        .route("/api/v4/projects/3/jobs/41", get(detail));
    let fixture = over(router, settings());
    let unseen = fixture.gitlab.job(autogit::world::JobId(41), None).await.unwrap_err();
    assert!(matches!(unseen, GitlabError::NotFound { .. }), "{unseen:?}");
    fixture.gitlab.queue().await.unwrap();
    let job = fixture.gitlab.job(autogit::world::JobId(41), None).await.unwrap();
    assert_eq!((job.project_path.as_deref(), job.runner.unwrap().0), (Some("team/p3"), 5));
}

#[tokio::test(start_paused = true)]
async fn a_renamed_project_is_followed_within_its_origin() {
    let moved = || async {
        Response::builder()
            .status(301)
            .header("location", "http://gitlab.test/api/v4/projects/1")
            .body(axum::body::Body::empty())
            .unwrap()
    };
    let router = server(false)
        .merge(jobs(Arc::new(AtomicU64::new(1))))
        .route("/api/v4/projects/old%2Fname", get(moved))
        .route(
            "/api/v4/projects/1",
            get(|| async { Json(json!({ "id": 1, "path_with_namespace": "new/name" })) }),
        );
    let mut settings = settings();
    settings.limits = [Scope::Project("old/name".to_owned())].into();
    let queue = over(router, settings).gitlab.queue().await.unwrap();
    assert_eq!(queue.jobs[0].project_path.as_str(), "new/name");
}
