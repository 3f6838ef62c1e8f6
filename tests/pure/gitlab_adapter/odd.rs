//! One odd answer to a question for the queue does not hide the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use autogit::gitlab::http::HttpGitlab;
use autogit::gitlab::{Gitlab, GitlabError, Transport, TransportError};
use axum::Json;
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::gitlab_adapter::fake::{InProcess, over, server, settings};

type Answer = fn() -> Response;

fn job(id: u64) -> Value {
    json!({ "id": id, "name": "build", "ref": "main", "tag": false, "tag_list": ["docker"],
        "created_at": "2023-11-14T22:00:00Z", "queued_duration": 60.0 })
}

/// Three projects of which the first answers so; each other one has a job of its own number.
fn projects(odd: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Router {
    let list = || async {
        let projects =
            (1..=3).map(|id| json!({ "id": id, "path_with_namespace": format!("team/p{id}") }));
        Json(projects.collect::<Vec<_>>())
    };
    let jobs = move |Path(project): Path<u64>| {
        let answer = if project == 1 { odd() } else { Json([job(project)]).into_response() };
        async move { answer }
    };
    server(false)
        .route("/api/v4/projects", get(list))
        .route("/api/v4/projects/{id}/jobs", get(jobs))
}

async fn ids(gitlab: &HttpGitlab) -> (Vec<u64>, bool, Vec<String>) {
    let queue = gitlab.queue().await.unwrap();
    let ids = queue.jobs.iter().map(|job| job.id.0).collect();
    (ids, queue.more, queue.set_aside.iter().map(ToString::to_string).collect())
}

#[tokio::test(start_paused = true)]
async fn a_project_with_an_odd_answer_is_set_aside_and_named() {
    let odd: [(&str, Answer); 6] = [
        ("odd request", || {
            (StatusCode::BAD_REQUEST, Json(json!({ "message": "odd request" }))).into_response()
        }),
        ("web page", || Html("<title>Sign in</title>").into_response()),
        ("502", || (StatusCode::BAD_GATEWAY, "<h1>502</h1>").into_response()),
        ("elsewhere.test", || Redirect::temporary("https://elsewhere.test/").into_response()),
        ("another shape", || Json(json!({ "jobs": [] })).into_response()),
        ("404 without", || (StatusCode::NOT_FOUND, "default backend - 404").into_response()),
    ];
    for (words, odd) in odd {
        let fixture = over(projects(odd), settings());
        for _ in 0..2 {
            let (jobs, more, set_aside) = ids(&fixture.gitlab).await;
            assert_eq!((jobs, more), (vec![2, 3], true), "{words}");
            let [said] = set_aside.as_slice() else { panic!("{set_aside:?}") };
            assert!(said.contains("team/p1") && said.contains(words), "{said}");
            fixture.pass(10);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_odd_job_of_a_project_hides_none_of_its_others() {
    let jobs = || {
        let (mut nameless, mut idless, mut ageless) = (job(11), job(12), job(13));
        nameless["name"] = Value::Null;
        idless["id"] = Value::Null;
        ageless["created_at"] = Value::Null;
        ageless["queued_duration"] = Value::Null;
        Json([nameless, idless, ageless]).into_response()
    };
    let fixture = over(projects(jobs), settings());
    let (mut jobs, more, set_aside) = ids(&fixture.gitlab).await;
    jobs.sort_unstable();
    assert_eq!((jobs, more), (vec![2, 3, 11, 13], true));
    assert_eq!(set_aside, ["project `team/p1`: 1 pending job cannot be read"]);
}

/// A way on which the answers of the first project's jobs break.
#[derive(Debug)]
struct Breaking {
    to: InProcess,
    error: TransportError,
    /// All answers break.
    all: AtomicBool,
    /// Answers break that hold so many jobs.
    per_page: &'static str,
}

#[async_trait]
impl Transport for Breaking {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let asked = request.uri().to_string();
        let breaks = asked.contains("/projects/1/jobs") && asked.contains(self.per_page);
        if breaks || self.all.load(Ordering::SeqCst) {
            return Err(self.error.clone());
        }
        self.to.send(request).await
    }
}

fn breaking(error: TransportError, per_page: &'static str) -> (HttpGitlab, Arc<Breaking>) {
    let fixture = over(projects(|| Json([job(1)]).into_response()), settings());
    let to = fixture.transport.clone();
    let line = Arc::new(Breaking { to, error, all: AtomicBool::new(false), per_page });
    (HttpGitlab::new(settings(), Arc::clone(&line) as _, fixture.clock), line)
}

#[tokio::test(start_paused = true)]
async fn a_dropped_connection_of_one_project_is_not_gitlabs_end() {
    for error in [
        TransportError::Unreachable("connection closed before message completed".to_owned()),
        TransportError::TimedOut(Duration::from_secs(30)),
    ] {
        let (gitlab, line) = breaking(error, "");
        let (jobs, more, set_aside) = ids(&gitlab).await;
        assert_eq!((jobs, more, set_aside.len()), (vec![2, 3], true, 1));
        line.all.store(true, Ordering::SeqCst);
        let error = gitlab.queue().await.unwrap_err();
        assert!(matches!(error, GitlabError::Unreachable { .. }), "{error:?}");
    }
}

/// A hundred jobs with long commit messages are longer than any answer that is read.
#[tokio::test(start_paused = true)]
async fn a_project_with_long_answers_is_read_in_shorter_ones() {
    let (gitlab, _) = breaking(TransportError::TooLong(16 << 20), "per_page=100");
    gitlab.queue().await.unwrap();
    assert_eq!(ids(&gitlab).await, (vec![1, 2, 3], false, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_project_with_a_thousand_jobs_leaves_room_for_the_others_and_is_read_to_its_end() {
    let jobs = |Path(project): Path<u64>, Query(query): Query<Value>| async move {
        let page: u64 = query["page"].as_str().map_or(1, |page| page.parse().unwrap());
        let total = if project == 1 { 5_000 } else { 1 };
        let newest = total - (page - 1) * 100;
        let oldest = newest.saturating_sub(99).max(1);
        let rows: Vec<_> = (oldest..=newest).rev().map(|id| job(project * 100_000 + id)).collect();
        let next = format!("<http://gitlab.test/x?page={}>; rel=\"next\"", page + 1);
        let link = if oldest > 1 { next } else { String::new() };
        ([("link", link)], Json(rows))
    };
    let list = || async {
        let projects =
            (1..=20).map(|id| json!({ "id": id, "path_with_namespace": format!("team/p{id}") }));
        Json(projects.collect::<Vec<_>>())
    };
    let router = server(false)
        .route("/api/v4/projects", get(list))
        .route("/api/v4/projects/{id}/jobs", get(jobs));
    let fixture = over(router, settings());
    for look in 0..=6 {
        let queue = fixture.gitlab.queue().await.unwrap();
        let others = queue.jobs.iter().filter(|job| job.project.0 > 1).count();
        assert_eq!(others, 19, "look {look}");
        let asked = fixture.asked();
        assert!(look == 0 || asked.len() <= 32, "{}", asked.len());
        fixture.pass(10);
    }
    let queue = fixture.gitlab.queue().await.unwrap();
    assert_eq!(queue.jobs.len(), 5_019);
}

fn node(id: u64) -> Value {
    json!({ "id": format!("gid://gitlab/Ci::Build/{id}"), "name": "build", "tags": ["docker"],
        "queuedAt": "2023-11-14T22:00:00Z", "createdAt": "2023-11-14T20:00:00Z",
        "refName": "main", "createdByTag": false,
        "project": { "id": "gid://gitlab/Project/7", "fullPath": "team/app" } })
}

#[tokio::test(start_paused = true)]
async fn an_odd_node_of_the_instances_queue_hides_no_other() {
    let (mut idless, mut ageless, mut tagless) = (node(2), node(3), node(4));
    idless["id"] = Value::Null;
    (ageless["createdAt"], ageless["queuedAt"]) = (Value::Null, Value::Null);
    tagless["tags"] = Value::Null;
    let nodes = json!([node(1), idless, ageless, tagless, null, node(6)]);
    let info = json!({ "hasPreviousPage": false, "startCursor": "c" });
    let answer = json!({ "data": { "jobs": { "pageInfo": info, "nodes": nodes } },
        "errors": [{ "message": "Internal error", "path": ["jobs", "nodes", 3, "tags"] }] });
    let router = server(true).route("/api/graphql", post(|| async { Json(answer) }));
    let fixture = over(router, settings());
    let (mut jobs, more, set_aside) = ids(&fixture.gitlab).await;
    jobs.sort_unstable();
    assert_eq!((jobs, more), (vec![1, 3, 6], true));
    assert_eq!(set_aside, ["3 pending jobs: Internal error"]);
}
