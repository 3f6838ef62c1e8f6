use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use autogit::clock::Clock;
use autogit::gitlab::http::{GitlabSettings, HttpGitlab};
use autogit::gitlab::{Claims, Gitlab};
use autogit::sandbox::gitlab::SimulatedGitlab;
use autogit::spec::{Arch, HostName, PoolName};
use autogit::world::{Access, GroupId, Origin, Owner, Place, ProjectId, RecordId, Token, Variant};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::gitlab_adapter::fake::{NOW, claims, claims_naming, over, server, settings};
use crate::gitlab_adapter::writes::wanted;

fn details(id: u64) -> Value {
    let (description, note, kind) = match id {
        1 => ("autogit/autogit/linux-amd64", "autogit installation=home", "instance_type"),
        2 => ("autogit/autogit/docs-arm64", "autogit installation=elsewhere", "group_type"),
        3 => ("autogit/autogit/mac-armv7", "", "project_type"),
        4 => ("somebody's runner", "autogit installation=home", "instance_type"),
        _ => ("autogit/other/linux-amd64", "autogit installation=home", "instance_type"),
    };
    json!({ "id": id, "description": description, "maintenance_note": note, "runner_type": kind,
        "tag_list": ["docker", "amd64"], "run_untagged": true, "access_level": "ref_protected",
        "maximum_timeout": 3600, "paused": id == 1, "created_at": "2023-11-01T00:00:00Z",
        "groups": [{ "id": 9, "web_url": "https://configured.test/groups/infra/os" }],
        "projects": [{ "id": 8, "path_with_namespace": "team/lent" }, { "id": 7 }] })
}

fn runners() -> Router {
    let list = || async { Json((1..=5).map(details).collect::<Vec<_>>()) };
    Router::new()
        .route("/api/v4/runners/all", get(list))
        .route("/api/v4/runners/{id}", get(|Path(id): Path<u64>| async move { Json(details(id)) }))
}

#[tokio::test(start_paused = true)]
async fn a_record_that_two_pages_tell_is_one_record() {
    let list = || async { Json([1, 1, 2, 1].map(details)) };
    let one = |Path(id): Path<u64>| async move { Json(details(id)) };
    let router = Router::new()
        .route("/api/v4/runners/all", get(list))
        .route("/api/v4/runners/{id}", get(one));
    let fixture = over(server(true).merge(router), settings());
    let records = fixture.gitlab.records(&claims()).await.unwrap();
    assert_eq!(records.iter().map(|record| record.id.0).collect::<Vec<_>>(), [1, 2]);
    let asked = fixture.asked();
    let details = asked.iter().filter(|asked| asked.starts_with("GET /api/v4/runners/1"));
    assert_eq!(details.count(), 1, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn ours_are_told_from_foreign_ones_by_the_hosts_marks() {
    let fixture = over(server(true).merge(runners()), settings());
    let records = fixture.gitlab.records(&claims()).await.unwrap();
    let told: Vec<_> = records
        .iter()
        .map(|record| (record.id.0, record.variant.to_string(), record.origin.clone()))
        .collect();
    assert_eq!(
        told,
        [
            (1, "linux/amd64".to_owned(), Origin::Ours),
            (2, "docs/arm64".to_owned(), Origin::Foreign),
            (3, "mac/armv7".to_owned(), Origin::Untold),
        ]
    );
    assert_eq!(records[0].owner, Owner::Instance);
    assert_eq!(records[1].owner, Owner::Group(GroupId(9)));
    assert_eq!(records[2].owner, Owner::Projects([ProjectId(7), ProjectId(8)].into()));
    let settings = &records[0].settings;
    assert_eq!(settings.tags, ["amd64", "docker"]);
    assert_eq!(settings.access, Access::RefProtected);
    assert_eq!(settings.maximum_timeout, Some(Duration::from_hours(1)));
    assert!(settings.paused && settings.run_untagged && records[0].token == Token::Lost);
    assert!(records[0].managers.known().is_none());
}

/// Its mark may be that of the host that was not reached.
#[tokio::test(start_paused = true)]
async fn while_a_hosts_mark_is_unknown_no_record_is_called_foreign() {
    let fixture = over(server(true).merge(runners()), settings());
    let attic = HostName::new("attic").ok();
    let claims = Claims { unmarked_host: attic, ..claims() };
    let records = fixture.gitlab.records(&claims).await.unwrap();
    assert_eq!((records[0].origin.clone(), records[0].unseen.clone()), (Origin::Ours, None));
    assert_eq!(records[1].origin, Origin::Untold);
    let why = records[1].unseen.as_ref().unwrap();
    assert!(why.contains("`attic` was not reached yet"), "{why}");
}

/// That of a cache does not: a copy of it may lie elsewhere.
#[tokio::test(start_paused = true)]
async fn a_container_that_has_its_token_makes_a_record_ours_whatever_its_marks() {
    let docs = Variant::new(&PoolName::new("docs").unwrap(), Arch::Arm64);
    let named = BTreeMap::from([(RecordId(2), docs)]);
    for (held, origin) in [(vec![RecordId(2)], Origin::Ours), (vec![], Origin::Foreign)] {
        let fixture = over(server(true).merge(runners()), settings());
        let held = held.into_iter().collect();
        let claims = Claims { held, ..claims_naming(&named) };
        let records = fixture.gitlab.records(&claims).await.unwrap();
        assert_eq!(records[1].origin, origin);
    }
}

#[tokio::test(start_paused = true)]
async fn details_are_kept_and_read_again_little_by_little() {
    let fixture = over(server(true).merge(runners()), settings());
    fixture.gitlab.records(&claims()).await.unwrap();
    fixture.asked();
    fixture.gitlab.records(&claims()).await.unwrap();
    assert_eq!(fixture.asked(), ["GET /api/v4/runners/all?per_page=100"]);
    fixture.pass(61);
    fixture.gitlab.records(&claims()).await.unwrap();
    assert_eq!(fixture.asked().len(), 3);
    fixture.gitlab.records(&claims()).await.unwrap();
    assert_eq!(fixture.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_administrator_outside_admin_mode_lists_own_runners() {
    let refuse = || async { (StatusCode::FORBIDDEN, Json(json!({}))).into_response() };
    let router = Router::new()
        .route("/api/v4/runners/all", get(refuse))
        .route("/api/v4/runners", get(|| async { Json(vec![details(1)]) }))
        .route("/api/v4/runners/1", get(|| async { Json(details(1)) }));
    let fixture = over(server(true).merge(router), settings());
    assert_eq!(fixture.gitlab.records(&claims()).await.unwrap().len(), 1);
}

fn manager(runner: u64, number: usize) -> Value {
    let status = ["IDLE", "ACTIVE", "RUNNING"][number % 3];
    json!({ "systemId": format!("r_{runner}x{number}"), "status": "ONLINE",
        "contactedAt": "2023-11-14T22:00:00Z", "jobExecutionStatus": status })
}

/// Runners by alias, each with 120 managers in pages of a hundred, but 13 has none and 14 is gone.
fn managing() -> Router {
    let answer = |Json(body): Json<Value>| async move {
        let query = body["query"].as_str().unwrap();
        let mut data = serde_json::Map::new();
        for (at, _) in query.match_indices(":runner(") {
            let (_, id) = query[..at].rsplit_once('r').unwrap();
            let id: u64 = id.parse().unwrap();
            let after = body["variables"][format!("a{id}")].as_str();
            let numbers = match (id, after) {
                (13, _) => 0..0,
                (_, None) => 0..100,
                (_, Some(_)) => 100..120,
            };
            let next = numbers.end == 100;
            let nodes: Vec<Value> = numbers.map(|number| manager(id, number)).collect();
            let info = json!({ "hasNextPage": next, "endCursor": "c" });
            let runner = json!({ "managers": { "pageInfo": info, "nodes": nodes } });
            data.insert(format!("r{id}"), if id == 14 { Value::Null } else { runner });
        }
        Json(json!({ "data": data }))
    };
    Router::new().route("/api/graphql", post(answer))
}

#[tokio::test(start_paused = true)]
async fn managers_of_many_records_come_in_few_requests() {
    let fixture = over(server(true).merge(managing()), settings());
    let ids: Vec<RecordId> = (1..=14).map(RecordId).collect();
    let managers = fixture.gitlab.managers(&ids).await.unwrap();
    assert_eq!(managers.keys().copied().collect::<Vec<_>>(), ids[..13]);
    assert_eq!(managers[&RecordId(1)].len(), 120);
    assert!(managers[&RecordId(13)].is_empty());
    let busy: Vec<bool> = managers[&RecordId(2)][..3].iter().map(|manager| manager.busy).collect();
    assert_eq!(busy, [false, true, true]);
    assert_eq!(fixture.gitlab.requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_may_not_be_seen_is_left_out_and_an_error_about_all_counts() {
    let message = Arc::new(Mutex::new(
        "The resource that you are attempting to access does not exist or you don't have \
         permission to perform this action",
    ));
    let told = Arc::clone(&message);
    let answer = move || {
        let message = *told.lock().unwrap();
        let info = json!({ "hasNextPage": false, "endCursor": null });
        let path = if message.starts_with("Query") { json!([]) } else { json!(["r2"]) };
        async move {
            Json(json!({
                "data": { "r1": { "managers": { "pageInfo": info, "nodes": [] } }, "r2": null },
                "errors": [{ "message": message, "path": path }]
            }))
        }
    };
    let router = server(true).route("/api/graphql", post(answer));
    let fixture = over(router, settings());
    let ids = [RecordId(1), RecordId(2)];
    let managers = fixture.gitlab.managers(&ids).await.unwrap();
    assert_eq!(managers.keys().copied().collect::<Vec<_>>(), [RecordId(1)]);
    *message.lock().unwrap() = "Query has complexity of 300";
    assert!(fixture.gitlab.managers(&ids).await.is_err());
}

/// REST tells when a token ends only once, when it is made; a process that starts later asks.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_token_that_another_process_made_is_found_out() {
    let clock = Clock::simulated(NOW, 1.0);
    let server = SimulatedGitlab::new(clock.clone(), 1);
    let root = server.add_administrator("root");
    let token = server.new_token(root, &["api"], None);
    server.set_runner_token_lifetime(Some(SignedDuration::from_hours(2)));
    let process = || {
        let settings = GitlabSettings { token: token.clone(), ..settings() };
        HttpGitlab::new(settings, Arc::new(server.transport()), clock.clone())
    };
    let id = process().create_record(&wanted(Place::Instance)).await.unwrap().id;
    let gitlab = process();
    gitlab.records(&claims()).await.unwrap();
    gitlab.managers(&[id]).await.unwrap();
    let records = gitlab.records(&claims()).await.unwrap();
    let ends: Vec<_> = records.iter().map(|record| record.token_expires_at).collect();
    assert_eq!(ends, [server.record(id).unwrap().token_expires_at]);
}

/// An update that changes nothing: another setting would undo what a person did.
#[tokio::test(start_paused = true)]
async fn polls_are_ended_by_the_description_alone_and_not_again_for_ten_seconds() {
    let fixture = over(server(true).merge(runners()), settings());
    fixture.gitlab.records(&claims()).await.unwrap();
    fixture.asked();
    let now = || fixture.clock.now();
    let ended = async |since: Timestamp| {
        let _ = fixture.gitlab.end_polls(RecordId(1), since).await;
        fixture.asked_with_bodies()
    };
    let description = json!({ "description": "autogit/autogit/linux-amd64" });
    let sent = [("PUT /api/v4/runners/1".to_owned(), description)];
    let first = now();
    assert_eq!(ended(first).await, sent);
    // It failed, and is not repeated for the same runners.
    fixture.pass(20);
    assert_eq!(ended(first).await, []);
    assert_eq!(ended(now()).await, sent);
    fixture.pass(9);
    let second = now();
    assert_eq!(ended(second).await, []);
    fixture.pass(2);
    assert_eq!(ended(second).await, sent);
    // One that was not read has no description to send.
    let _ = fixture.gitlab.end_polls(RecordId(77), now()).await;
    assert_eq!(fixture.asked_with_bodies(), []);
}
