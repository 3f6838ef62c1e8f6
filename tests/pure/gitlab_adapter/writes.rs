use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use autogit::gitlab::http::HttpGitlab;
use autogit::gitlab::{Gitlab, GitlabError, NewRecord, Transport, TransportError};
use autogit::spec::{Arch, PoolName};
use autogit::world::{
    Access, GroupId, Mark, Origin, Place, RecordId, RecordSettings, SystemId, Variant,
};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::{Method, Request, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Notify;

use crate::gitlab_adapter::fake::{
    Fixture, InProcess, NOW, REGISTRATION_TOKEN, TOKEN, claims, claims_naming, home, over, server,
    settings,
};
use crate::gitlab_adapter::registry::Registry;

fn record_settings() -> RecordSettings {
    RecordSettings {
        tags: vec!["amd64".to_owned(), "docker".to_owned()],
        run_untagged: false,
        access: Access::NotProtected,
        maximum_timeout: None,
        paused: false,
        marks: BTreeSet::from([home()]),
    }
}

pub(crate) fn wanted(place: Place) -> NewRecord {
    NewRecord {
        variant: Variant::new(&PoolName::new("linux").unwrap(), Arch::Amd64),
        place,
        settings: record_settings(),
        in_use: Some(BTreeSet::new()),
        old: BTreeSet::new(),
    }
}

/// The same, where these are old enough to be taken for lost.
fn wanted_beside_old(old: &[u64]) -> NewRecord {
    NewRecord { old: old.iter().copied().map(RecordId).collect(), ..wanted(Place::Instance) }
}

fn process(registry: &Registry) -> Fixture {
    over(server(true).merge(registry.router()), settings())
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_answer_left_behind_goes_before_the_next_record_once_it_is_old() {
    let registry = Registry::default();
    let fixture = process(&registry);
    fixture.transport.lost.store(1, Ordering::SeqCst);
    let error = fixture.gitlab.create_record(&wanted(Place::Instance)).await.unwrap_err();
    assert!(error.in_doubt(), "{error:?}");
    assert_eq!(registry.ids(), [1]);
    let made = fixture.gitlab.create_record(&wanted_beside_old(&[1])).await.unwrap();
    assert_eq!(registry.ids(), [2]);
    assert_eq!(made.token.expose_secret(), "glrt-2-very-secret");
    assert!(!format!("{made:?}").contains("very-secret"));
    let body = registry.runners()[0].body.clone();
    assert_eq!(body["description"], "autogit/autogit/linux-amd64");
    assert_eq!(body["maintenance_note"], "autogit installation=home");
    assert_eq!(body["runner_type"], "instance_type");
}

/// Its maker may have its token in memory only.
#[tokio::test(start_paused = true)]
async fn a_young_record_that_another_process_made_stays() {
    let registry = Registry::default();
    process(&registry).gitlab.create_record(&wanted(Place::Instance)).await.unwrap();
    process(&registry).gitlab.create_record(&wanted(Place::Instance)).await.unwrap();
    process(&registry).gitlab.create_record(&wanted_beside_old(&[1])).await.unwrap();
    assert_eq!(registry.ids(), [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_runners_use_or_whose_token_is_known_stays() {
    let registry = Registry::default();
    let first = process(&registry);
    first.gitlab.create_record(&wanted(Place::Instance)).await.unwrap();
    first.gitlab.create_record(&wanted(Place::Instance)).await.unwrap();
    assert_eq!(registry.ids(), [1, 2]);
    // Another process knows neither token; only the first record is used.
    registry.contact(1, "r_1");
    process(&registry).gitlab.create_record(&wanted_beside_old(&[1, 2])).await.unwrap();
    assert_eq!(registry.ids(), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_token_a_container_has_stays_though_it_made_no_contact_yet() {
    let registry = Registry::default();
    process(&registry).gitlab.create_record(&wanted(Place::Instance)).await.unwrap();
    let in_use = Some(BTreeSet::from([RecordId(1)]));
    let again = NewRecord { in_use, ..wanted_beside_old(&[1]) };
    process(&registry).gitlab.create_record(&again).await.unwrap();
    assert_eq!(registry.ids(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn no_record_is_taken_for_lost_while_a_host_does_not_tell_which_it_uses() {
    let registry = Registry::default();
    process(&registry).gitlab.create_record(&wanted(Place::Instance)).await.unwrap();
    let again = NewRecord { in_use: None, ..wanted_beside_old(&[1]) };
    process(&registry).gitlab.create_record(&again).await.unwrap();
    assert_eq!(registry.ids(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_record_is_never_deleted() {
    let registry = Registry::default();
    let mut elsewhere = wanted(Place::Instance);
    elsewhere.settings.marks = BTreeSet::from([Mark::from_observed("elsewhere")]);
    process(&registry).gitlab.create_record(&elsewhere).await.unwrap();
    process(&registry).gitlab.create_record(&wanted_beside_old(&[1])).await.unwrap();
    assert_eq!(registry.ids(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_scope_is_sent_by_its_id() {
    let registry = Registry::default();
    let place = Place::Group { id: GroupId(9), path: "infra/os".into() };
    process(&registry).gitlab.create_record(&wanted(place)).await.unwrap();
    let body = registry.runners()[0].body.clone();
    assert_eq!((&body["runner_type"], &body["group_id"]), (&json!("group_type"), &json!(9)));
}

#[tokio::test(start_paused = true)]
async fn the_registration_token_serves_where_runners_may_not_be_made() {
    for (status, made) in [(201, true), (403, false), (410, false)] {
        let refuse = || async { (StatusCode::FORBIDDEN, Json(json!({}))) };
        let register = move |Json(body): Json<Value>| async move {
            assert_eq!(body["token"], REGISTRATION_TOKEN);
            assert!(body.get("runner_type").is_none());
            let answer = json!({ "id": 5, "token": "abc", "message": "record disallowed" });
            (StatusCode::from_u16(status).unwrap(), Json(answer))
        };
        let router = server(true)
            .route("/api/v4/user/runners", post(refuse))
            .route("/api/v4/runners/all", get(|| async { Json(json!([])) }))
            .route("/api/v4/runners", post(register));
        let mut settings = settings();
        settings.registration_token = Some(SecretString::from(REGISTRATION_TOKEN));
        let created = over(router, settings).gitlab.create_record(&wanted(Place::Instance)).await;
        match created {
            Ok(created) => assert!(made && created.id == RecordId(5)),
            Err(error) => assert!(!made && error.to_string().contains("runner_token"), "{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_make_a_record_is_told_what_it_takes() {
    let registry = Registry::default();
    let projects = || async { Json(json!([{ "id": 1, "path_with_namespace": "a/b" }])) };
    let router = registry.router().route("/api/v4/projects", get(projects));
    let fixture = over(server(false).merge(router), settings());
    let error = fixture.gitlab.create_record(&wanted(Place::Instance)).await.unwrap_err();
    assert!(error.to_string().contains("administrator's token"), "{error}");
    assert!(registry.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_already_counts_as_deleted() {
    process(&Registry::default()).gitlab.delete_record(RecordId(99)).await.unwrap();
    for status in [204, 404] {
        let gone = Json(json!({ "message": "404 Not found" }));
        let answer = move || async move { (StatusCode::from_u16(status).unwrap(), gone) };
        let router = Router::new().route("/api/v4/runners/managers", delete(answer));
        let fixture = over(router, settings());
        let token = SecretString::from("glrt-1");
        let system_id = SystemId::from_observed("r_1");
        fixture.gitlab.delete_manager(&token, &system_id).await.unwrap();
        let (_, body) = &fixture.asked_with_bodies()[0];
        assert_eq!(body, &json!({ "token": "glrt-1", "system_id": "r_1" }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_record_is_read_again_at_the_next_look() {
    let registry = Registry::default();
    let fixture = process(&registry);
    let id = fixture.gitlab.create_record(&wanted(Place::Instance)).await.unwrap().id;
    fixture.gitlab.records(&claims()).await.unwrap();
    let mut to = record_settings();
    to.tags.push("fast".to_owned());
    to.access = Access::RefProtected;
    fixture.gitlab.update_record(id, &to).await.unwrap();
    let records = fixture.gitlab.records(&claims()).await.unwrap();
    assert_eq!(records[0].settings, to);
    assert_eq!(registry.runners()[0].body["maximum_timeout"], Value::Null);
}

/// What a person wrote beside the marks a moment ago was not read at the last look.
#[tokio::test(start_paused = true)]
async fn other_marks_are_written_into_the_note_beside_what_people_write() {
    let registry = Registry::default();
    let fixture = process(&registry);
    let id = fixture.gitlab.create_record(&wanted(Place::Instance)).await.unwrap().id;
    fixture.gitlab.records(&claims()).await.unwrap();
    registry.set(id.0, "maintenance_note", "ask ann: autogit installation=home (rack 3)");
    let marks = ["home", "rack"].map(Mark::from_observed);
    let to = RecordSettings { marks: marks.into(), ..record_settings() };
    fixture.gitlab.update_record(id, &to).await.unwrap();
    let note = &registry.runners()[0].body["maintenance_note"];
    assert_eq!(note, "ask ann: autogit installation=home,rack (rack 3)");
    let records = fixture.gitlab.records(&claims()).await.unwrap();
    assert_eq!((&records[0].origin, &records[0].settings), (&Origin::Ours, &to));
    fixture.asked();
    fixture.gitlab.update_record(id, &to).await.unwrap();
    assert_eq!(fixture.asked(), ["PUT /api/v4/runners/1"], "the note is as it is to be");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_verified_with_or_without_an_id() {
    let told = r#"{"id":7,"token":"glrt-1"}"#;
    for (body, id) in [(told, Some(RecordId(7))), ("null", None), ("", None)] {
        let router =
            Router::new().route("/api/v4/runners/verify", post(move || async move { body }));
        let fixture = over(router, settings());
        let token = SecretString::from("glrt-1");
        let system_id = SystemId::from_observed("r_1");
        assert_eq!(fixture.gitlab.verify(&token, &system_id).await.unwrap().id, id);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_came_is_named_without_a_secret() {
    let fixture = process(&Registry::default());
    fixture.transport.lost.store(1, Ordering::SeqCst);
    let error = fixture.gitlab.create_record(&wanted(Place::Instance)).await.unwrap_err();
    let GitlabError::Unreachable { source: TransportError::TimedOut(_), .. } = &error else {
        panic!("{error:?}");
    };
    assert!(!format!("{error:?}").contains(TOKEN));
}

#[tokio::test(start_paused = true)]
async fn a_row_whose_token_gitlab_does_not_take_is_not_called_deleted() {
    let answer = || async { (StatusCode::FORBIDDEN, Json(json!({ "message": "403 Forbidden" }))) };
    let router = Router::new().route("/api/v4/runners/managers", delete(answer));
    let token = SecretString::from("glrt-1-very-secret");
    let system_id = SystemId::from_observed("r_1");
    let error = over(router, settings()).gitlab.delete_manager(&token, &system_id).await;
    let error = error.unwrap_err();
    assert!(matches!(error, GitlabError::Forbidden { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("very-secret"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn what_this_process_made_and_gitlab_does_not_show_is_in_doubt_and_not_gone() {
    let registry = Registry::default();
    let fixture = process(&registry);
    let id = fixture.gitlab.create_record(&wanted(Place::Instance)).await.unwrap().id;
    let look = async || {
        fixture.pass(12);
        fixture.gitlab.records(&claims()).await.unwrap()
    };
    registry.lag(true);
    for _ in 0..9 {
        let records = look().await;
        assert_eq!((records[0].id, &records[0].origin), (id, &Origin::Ours));
        assert_eq!(records[0].settings, record_settings());
        assert!(records[0].unseen.is_some());
    }
    registry.lag(false);
    assert!(look().await[0].unseen.is_none());
    // By now it is too old to be on its way.
    registry.lag(true);
    assert!(look().await[0].unseen.is_some());
    assert!(look().await.is_empty());
}

/// A reload makes another connection to the same GitLab.
#[tokio::test(start_paused = true)]
async fn what_this_process_made_is_known_through_another_connection() {
    let registry = Registry::default();
    let before = process(&registry);
    let id = before.gitlab.create_record(&wanted(Place::Instance)).await.unwrap().id;
    let after = process(&registry);
    after.gitlab.made_before(&BTreeMap::from([(id, NOW)]));
    registry.lag(true);
    let named = BTreeMap::from([(id, wanted(Place::Instance).variant)]);
    for _ in 0..3 {
        after.pass(12);
        let records = after.gitlab.records(&claims_naming(&named)).await.unwrap();
        assert!(records[0].unseen.is_some(), "{records:?}");
    }
    after.gitlab.create_record(&wanted_beside_old(&[1])).await.unwrap();
    assert_eq!(registry.ids(), [1, 2]);
}

/// Holds back what is told of one runner until somebody lets it go.
#[derive(Debug)]
struct Late {
    to: InProcess,
    let_go: Notify,
}

#[async_trait]
impl Transport for Late {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let is_told = request.method() == Method::GET && request.uri().path().ends_with("/1");
        let answer = self.to.send(request).await;
        if is_told {
            self.let_go.notified().await;
        }
        answer
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_told_before_a_change_is_not_what_holds_after_it() {
    let Fixture { gitlab, transport, clock } = process(&Registry::default());
    let id = gitlab.create_record(&wanted(Place::Instance)).await.unwrap().id;
    let late = Arc::new(Late { to: transport, let_go: Notify::new() });
    let gitlab = HttpGitlab::new(settings(), Arc::clone(&late) as Arc<dyn Transport>, clock);
    let mut to = record_settings();
    to.tags.push("fast".to_owned());
    let change = async {
        gitlab.update_record(id, &to).await.unwrap();
        late.let_go.notify_one();
    };
    let claims = claims();
    let (told, ()) = futures_util::join!(gitlab.records(&claims), change);
    assert_eq!(told.unwrap()[0].settings, record_settings());
    late.let_go.notify_one();
    assert_eq!(gitlab.records(&claims).await.unwrap()[0].settings, to);
}
