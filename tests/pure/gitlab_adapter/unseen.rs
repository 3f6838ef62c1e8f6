//! One odd answer does not hide the rest, and a list is not the truth about one record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use autogit::gitlab::{Gitlab, GitlabError};
use autogit::spec::{Arch, PoolName};
use autogit::world::{Origin, Record, RecordId, Variant};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::gitlab_adapter::fake::{Fixture, claims, claims_naming, over, server, settings};

fn linux() -> Variant {
    Variant::new(&PoolName::new("linux").unwrap(), Arch::Amd64)
}

fn named(ids: impl IntoIterator<Item = u64>) -> BTreeMap<RecordId, Variant> {
    ids.into_iter().map(|id| (RecordId(id), linux())).collect()
}

fn details(id: u64, description: &str, note: Option<&str>) -> Value {
    json!({ "id": id, "description": description, "maintenance_note": note,
        "runner_type": "instance_type", "tag_list": ["docker"], "run_untagged": false,
        "access_level": "not_protected", "maximum_timeout": null, "paused": false,
        "created_at": "2023-11-01T00:00:00Z" })
}

fn ours(id: u64) -> Value {
    details(id, "autogit/autogit/linux-amd64", Some("autogit installation=home"))
}

type Answering = Arc<Mutex<Box<dyn Fn(u64) -> Response + Send>>>;

/// A server that lists `listed` and answers a question for one runner as it is told to.
fn listing(listed: Vec<Value>) -> (Fixture, Answering) {
    let answering: Answering = Arc::new(Mutex::new(Box::new(|id| Json(ours(id)).into_response())));
    let told = Arc::clone(&answering);
    let one = move |Path(id): Path<u64>| {
        let answer = (told.lock().unwrap())(id);
        async move { answer }
    };
    let router = server(true)
        .route("/api/v4/runners/all", get(|| async { Json(listed) }))
        .route("/api/v4/runners/{id}", get(one));
    (over(router, settings()), answering)
}

fn answer(answering: &Answering, answer: impl Fn(u64) -> Response + Send + 'static) {
    *answering.lock().unwrap() = Box::new(answer);
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

async fn look(fixture: &Fixture, named: &BTreeMap<RecordId, Variant>) -> Vec<Record> {
    fixture.pass(10);
    fixture.gitlab.records(&claims_naming(named)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_does_not_hide_the_others() {
    let odd: [fn() -> Response; 5] = [
        || refused(StatusCode::FORBIDDEN, "403 Forbidden - No access granted"),
        || (StatusCode::BAD_GATEWAY, "<h1>502</h1>").into_response(),
        || "<title>Sign in</title>".into_response(),
        || Json(json!({ "id": 1, "tag_list": null })).into_response(),
        || axum::response::Redirect::temporary("https://elsewhere.test/").into_response(),
    ];
    for odd in odd {
        let (fixture, answering) = listing(vec![ours(1), ours(2)]);
        answer(&answering, move |id| if id == 1 { odd() } else { Json(ours(id)).into_response() });
        let records = look(&fixture, &named([])).await;
        let told: Vec<_> = records
            .iter()
            .map(|record| (record.id.0, record.origin.clone(), record.unseen.is_some()))
            .collect();
        assert_eq!(told, [(1, Origin::Untold, true), (2, Origin::Ours, false)]);
        assert_eq!(records[0].variant, linux());
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_read_before_is_told_as_it_was() {
    let (fixture, answering) = listing(vec![ours(1)]);
    assert_eq!(look(&fixture, &named([])).await[0].unseen, None);
    answer(&answering, |_| refused(StatusCode::FORBIDDEN, "403 Forbidden - No access granted"));
    fixture.pass(61);
    let records = look(&fixture, &named([])).await;
    assert_eq!((&records[0].origin, records[0].settings.tags.len()), (&Origin::Ours, 1));
    assert!(records[0].unseen.as_ref().unwrap().contains("No access granted"));
}

#[tokio::test(start_paused = true)]
async fn a_record_is_gone_when_gitlab_itself_says_so_twice() {
    let (fixture, answering) = listing(vec![]);
    answer(&answering, |_| refused(StatusCode::NOT_FOUND, "404 Not found"));
    for gone in [false, true, true] {
        let records = look(&fixture, &named([7])).await;
        assert_eq!(records.is_empty(), gone);
        assert!(records.iter().all(|record| record.unseen.is_some()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_gitlabs_own_word_leaves_a_record_unseen() {
    let ambiguous: [fn() -> Response; 4] = [
        || (StatusCode::NOT_FOUND, "default backend - 404").into_response(),
        || refused(StatusCode::NOT_FOUND, "no Route matched with those values"),
        || (StatusCode::NOT_FOUND, "<html>").into_response(),
        || refused(StatusCode::FORBIDDEN, "403 Forbidden"),
    ];
    for ambiguous in ambiguous {
        let (fixture, answering) = listing(vec![]);
        answer(&answering, move |_| ambiguous());
        for _ in 0..4 {
            let records = look(&fixture, &named([7])).await;
            assert_eq!(records[0].origin, Origin::Untold);
            assert!(records[0].unseen.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_404_counts_only_while_gitlab_says_that_it_is_itself() {
    let down = || async { (StatusCode::SERVICE_UNAVAILABLE, "<h1>503</h1>") };
    let gone = || async { (StatusCode::NOT_FOUND, Json(json!({ "message": "404 Not found" }))) };
    let user = || async { Json(json!({ "username": "ann", "is_admin": true })) };
    let up = Arc::new(Mutex::new(true));
    let told = Arc::clone(&up);
    let metadata = move || {
        let up = *told.lock().unwrap();
        async move {
            if up {
                Json(json!({ "version": "18.6.0" })).into_response()
            } else {
                down().await.into_response()
            }
        }
    };
    let router = Router::new()
        .route(
            "/api/v4/personal_access_tokens/self",
            get(|| async { Json(json!({ "scopes": ["api"] })) }),
        )
        .route("/api/v4/user", get(user))
        .route("/api/v4/metadata", get(metadata))
        .route("/api/v4/runners/all", get(|| async { Json(json!([])) }))
        .route("/api/v4/runners/{id}", get(gone));
    let fixture = over(router, settings());
    fixture.gitlab.probe().await.unwrap();
    *up.lock().unwrap() = false;
    for _ in 0..3 {
        assert_eq!(look(&fixture, &named([7])).await.len(), 1);
    }
    *up.lock().unwrap() = true;
    assert_eq!(look(&fixture, &named([7])).await.len(), 1);
    assert!(look(&fixture, &named([7])).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn few_records_are_asked_for_at_a_look_and_all_in_turn() {
    let (fixture, answering) = listing(vec![]);
    answer(&answering, |_| refused(StatusCode::FORBIDDEN, "403 Forbidden"));
    let untold = RecordId::untold("glrt-1");
    let mut named = named(1..=25);
    named.insert(untold, linux());
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let records = look(&fixture, &named).await;
        assert_eq!(records.len(), 25);
        assert!(records.iter().all(|record| record.unseen.is_some()));
        let asked = fixture.asked();
        let asked = asked.iter().filter_map(|asked| asked.strip_prefix("GET /api/v4/runners/"));
        let asked: BTreeSet<String> =
            asked.filter(|id| !id.starts_with("all")).map(str::to_owned).collect();
        assert!(asked.len() <= 10, "{asked:?}");
        seen.extend(asked);
    }
    assert_eq!(seen.len(), 25, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_renamed_record_and_one_without_its_note_are_known_by_their_container() {
    let (fixture, answering) = listing(vec![details(2, "autogit/autogit/linux-amd64", None)]);
    answer(&answering, |id| match id {
        1 => Json(details(1, "bigfoot", Some("autogit installation=home"))).into_response(),
        2 => Json(details(2, "autogit/autogit/linux-amd64", None)).into_response(),
        _ => Json(details(3, "an operator's", None)).into_response(),
    });
    let told = |records: Vec<Record>| -> Vec<_> {
        records
            .into_iter()
            .map(|record| (record.id.0, record.variant, record.origin, record.unseen))
            .collect()
    };
    assert_eq!(
        told(look(&fixture, &named([1, 2, 3])).await),
        [
            (2, linux(), Origin::Ours, None),
            (1, linux(), Origin::Ours, None),
            (3, linux(), Origin::Given, None),
        ]
    );
}

/// A note that a person cleared is not another installation's.
#[tokio::test(start_paused = true)]
async fn a_record_without_its_note_that_nobody_knows_is_held_and_not_foreign() {
    let cleared = || details(2, "autogit/autogit/linux-amd64", None);
    let (fixture, answering) = listing(vec![cleared()]);
    answer(&answering, move |_| Json(cleared()).into_response());
    let records = look(&fixture, &named([])).await;
    assert_eq!(records[0].origin, Origin::Untold);
    let why = records[0].unseen.as_ref().unwrap();
    assert!(why.contains("hint: write `autogit installation=home`"), "{why}");
}

/// GraphQL leaves things out for a fine-grained token, and says nothing.
#[tokio::test(start_paused = true)]
async fn a_fine_grained_token_reads_managers_by_rest_in_turn() {
    let rows = |Path(id): Path<u64>| async move {
        Json(json!([{ "system_id": format!("r_{id}"), "contacted_at": null,
            "job_execution_status": if id == 2 { "active" } else { "idle" } }]))
    };
    let router = Router::new()
        .route(
            "/api/v4/personal_access_tokens/self",
            get(|| async { Json(json!({ "scopes": ["granular"] })) }),
        )
        .route(
            "/api/v4/user",
            get(|| async { Json(json!({ "username": "ann", "is_admin": true })) }),
        )
        .route("/api/v4/metadata", get(|| async { Json(json!({ "version": "18.10.0" })) }))
        .route(
            "/api/v4/projects",
            get(|| async { Json(json!([{ "id": 1, "path_with_namespace": "a/b" }])) }),
        )
        .route("/api/v4/runners/{id}/managers", get(rows));
    let fixture = over(router, settings());
    fixture.gitlab.probe().await.unwrap();
    let ids: Vec<RecordId> = (1..=12).map(RecordId).collect();
    assert_eq!(fixture.gitlab.managers(&ids).await.unwrap().len(), 10);
    fixture.asked();
    fixture.pass(10);
    let managers = fixture.gitlab.managers(&ids).await.unwrap();
    assert_eq!(managers.len(), 12);
    assert!(managers[&RecordId(2)][0].busy && !managers[&RecordId(1)][0].busy);
    let asked = fixture.asked();
    assert!(asked.len() <= 10 && !asked.iter().any(|asked| asked.contains("graphql")), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_list_is_not_replaced_where_instance_runners_count() {
    let refuse = || async { refused(StatusCode::FORBIDDEN, "403 Forbidden") };
    let router = || {
        server(true)
            .route("/api/v4/runners/all", get(refuse))
            .route("/api/v4/runners", get(|| async { Json(json!([])) }))
    };
    let mut settings = settings();
    settings.instance_records = true;
    let fixture = over(router(), settings.clone());
    let error = fixture.gitlab.records(&claims()).await.unwrap_err();
    assert!(matches!(error, GitlabError::Forbidden { .. }), "{error:?}");
    assert!(error.to_string().contains("admin_mode"), "{error}");
    settings.instance_records = false;
    let fixture = over(router(), settings);
    assert!(fixture.gitlab.records(&claims()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_row_of_the_list_that_cannot_be_read_hides_no_other_and_may_be_ours() {
    let router = server(true)
        .route(
            "/api/v4/runners/all",
            get(|| async { Json(json!([{ "id": null }, details(2, "x", None)])) }),
        )
        .route("/api/v4/runners/{id}", get(|Path(id): Path<u64>| async move { Json(ours(id)) }));
    let fixture = over(router, settings());
    assert!(look(&fixture, &named([])).await.is_empty());
    let error = fixture
        .gitlab
        .create_record(&crate::gitlab_adapter::writes::wanted(autogit::world::Place::Instance))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("1 of the runners"), "{error}");
    assert!(!fixture.asked().iter().any(|asked| asked.starts_with("POST")));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_token_once_told_is_not_forgotten() {
    let ends = Arc::new(Mutex::new(json!("2024-01-01T00:00:00Z")));
    let told = Arc::clone(&ends);
    let managers = move || {
        let ends = told.lock().unwrap().clone();
        let info = json!({ "hasNextPage": false, "endCursor": null });
        async move {
            Json(json!({ "data": { "r1": { "tokenExpiresAt": ends,
                "managers": { "pageInfo": info, "nodes": [] } } } }))
        }
    };
    let router = server(true)
        .route("/api/graphql", post(managers))
        .route("/api/v4/runners/all", get(|| async { Json(json!([ours(1)])) }))
        .route("/api/v4/runners/{id}", get(|Path(id): Path<u64>| async move { Json(ours(id)) }));
    let fixture = over(router, settings());
    for _ in 0..2 {
        look(&fixture, &named([])).await;
        fixture.gitlab.managers(&[RecordId(1)]).await.unwrap();
        let record = look(&fixture, &named([])).await.remove(0);
        assert_eq!(record.token_expires_at.unwrap().to_string(), "2024-01-01T00:00:00Z");
        *ends.lock().unwrap() = Value::Null;
    }
}

#[tokio::test(start_paused = true)]
async fn an_odd_row_of_a_manager_leaves_that_records_rows_unknown() {
    let info = json!({ "hasNextPage": false, "endCursor": null });
    let runner = |nodes: Value| json!({ "managers": { "pageInfo": info, "nodes": nodes } });
    let row = json!({ "systemId": "r_1", "contactedAt": null, "jobExecutionStatus": "IDLE" });
    let data = json!({
        "r1": runner(json!([row])),
        "r2": runner(json!([row, null])),
        "r3": runner(json!([{ "systemId": null }])),
        "r4": runner(json!([row, null])),
    });
    let errors = json!([{ "message": "Internal error", "path": ["r4", "managers", "nodes", 1] }]);
    let answer = Json(json!({ "data": data, "errors": errors }));
    let fixture = over(server(true).route("/api/graphql", post(|| async { answer })), settings());
    let ids: Vec<RecordId> = (1..=4).map(RecordId).collect();
    let managers = fixture.gitlab.managers(&ids).await.unwrap();
    assert_eq!(managers.keys().copied().collect::<Vec<_>>(), [RecordId(1)]);
}
