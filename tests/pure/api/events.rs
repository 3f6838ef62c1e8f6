use autogit::view::EventOutput;
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::api::harness::{Harness, small};
use crate::support::world::{Doing, Fixture, NOW};

/// A stream that is read message by message.
struct Reader {
    body: BodyDataStream,
    text: String,
}

/// One message: its name, id and data.
#[derive(Debug, PartialEq)]
struct Message {
    event: String,
    id: String,
    data: Value,
}

impl Reader {
    async fn open(harness: &Harness, last: Option<&str>) -> Self {
        let mut request = Request::get("/events");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = harness.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    async fn next(&mut self) -> Message {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let message: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let mut lines = message.lines().filter_map(|line| line.strip_prefix(name));
                    lines.next().unwrap_or_default().trim().to_owned()
                };
                let (event, id, data) = (field("event:"), field("id:"), field("data:"));
                if !event.is_empty() {
                    return Message { event, id, data: serde_json::from_str(&data).unwrap() };
                }
            }
            let chunk = self.body.next().await.expect("the stream goes on").unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

/// Shows a fixture as the loop does: the view, then what is new in it.
fn look(harness: &Harness, fixture: Fixture) {
    let before = harness.views.borrow().clone();
    harness.show(fixture);
    let after = harness.views.borrow().clone().unwrap();
    harness.history.add(NOW, after.events_since(before.as_deref()));
}

fn idle() -> Fixture {
    Fixture::new().pool("linux", "docker", |_| {}).runner("linux", 0, "local", Doing::Idle(30))
}

fn busy() -> Fixture {
    Fixture::new().pool("linux", "docker", |_| {}).runner("linux", 0, "local", Doing::Busy(41, 1))
}

#[tokio::test]
async fn each_change_of_phase_is_an_event_with_an_id() {
    let harness = Harness::of(idle());
    let mut reader = Reader::open(&harness, None).await;
    look(&harness, busy());
    let message = reader.next().await;
    assert_eq!(message.event, "phase");
    assert!(message.id.ends_with("-1"), "{}", message.id);
    assert_eq!(message.data["type"], "phase");
    assert_eq!(message.data["at"], "2026-01-02T03:04:05Z");
    assert_eq!(message.data["runner"], "autogit-runner-linux-amd64-0");
    assert_eq!(message.data["from"], "idle");
    assert_eq!(message.data["to"], "busy");
    assert_eq!(message.data["job"], 41);
}

#[tokio::test]
async fn each_decision_is_an_event_once() {
    let harness = Harness::of(Fixture::new().pool("linux", "docker", |_| {}));
    let waiting =
        || Fixture::new().pool("linux", "docker", |_| {}).job(42, "team/app", &["docker"], 5);
    look(&harness, waiting());
    look(&harness, waiting());
    let events = harness.history.since(None).events;
    let decisions = events.iter().filter(|event| event.what.kind() == "decision");
    let rules: Vec<&str> = decisions
        .map(|event| {
            let EventOutput::Decision(decision) = &event.what else { panic!("{event:?}") };
            &*decision.rule
        })
        .collect();
    assert_eq!(rules, ["serve-demand"]);
}

#[tokio::test]
async fn a_runner_that_is_gone_and_a_source_that_is_lost_are_events() {
    let harness = Harness::of(idle());
    look(
        &harness,
        Fixture::new().pool("linux", "docker", |_| {}).lose_queue("GitLab failed with 502"),
    );
    let mut reader = Reader::open(&harness, None).await;
    let lost = reader.next().await;
    assert_eq!((lost.event.as_str(), &lost.data["known"]), ("source", &Value::Bool(false)));
    assert_eq!(lost.data["error"], "GitLab failed with 502");
    let gone = reader.next().await;
    assert_eq!((gone.event.as_str(), &gone.data["to"]), ("phase", &Value::from("gone")));
}

#[tokio::test]
async fn each_look_is_told_so_that_a_page_knows_when_to_ask() {
    let harness = Harness::of(small());
    let mut reader = Reader::open(&harness, None).await;
    let (message, ()) = tokio::join!(reader.next(), async { harness.show(small()) });
    assert_eq!(message.event, "look");
    assert_eq!(message.id, "");
    assert_eq!(message.data["at"], "2026-01-02T03:04:05Z");
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed() {
    let harness = Harness::of(idle());
    look(&harness, busy());
    look(&harness, idle());
    let mut reader = Reader::open(&harness, None).await;
    let (first, second) = (reader.next().await, reader.next().await);
    let mut again = Reader::open(&harness, Some(&first.id)).await;
    assert_eq!(again.next().await, second);
}

#[tokio::test]
async fn a_client_of_another_process_is_told_to_begin_anew() {
    let harness = Harness::of(idle());
    look(&harness, busy());
    let mut reader = Reader::open(&harness, Some("1234-7")).await;
    assert_eq!(reader.next().await.event, "reset");
    assert_eq!(reader.next().await.event, "phase");
}

#[tokio::test]
async fn an_id_that_is_none_is_no_id() {
    let harness = Harness::of(idle());
    look(&harness, busy());
    for odd in ["", "x", "1-", "-", "99999999999999999999-1", "1-1-1"] {
        let mut reader = Reader::open(&harness, Some(odd)).await;
        assert_eq!(reader.next().await.event, "phase", "{odd}");
    }
}

#[tokio::test]
async fn streams_are_bounded_and_a_closed_one_makes_room() {
    let harness = Harness::small();
    let mut readers = Vec::new();
    for _ in 0..64 {
        readers.push(Reader::open(&harness, None).await);
    }
    harness.get("/events").await.is_problem(503, "too-many-streams");
    readers.pop();
    Reader::open(&harness, None).await;
}
