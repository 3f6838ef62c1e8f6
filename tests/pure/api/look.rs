use std::sync::Arc;

use autogit::plan::plan;
use autogit::spec::{Days, Pool, Schedule, Scheduled, Warm};
use autogit::view::View;
use axum::body::Body;
use axum::http::Request;
use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::api::harness::{Harness, small};
use crate::support::world::{Doing, Fixture, NOW};

const POLLED: &[&str] =
    &["/", "/status", "/runners", "/queue", "/plan", "/trend", "/explain/jobs/41", "/openapi.json"];

#[tokio::test(start_paused = true)]
async fn the_api_shows_what_the_commands_print() {
    let harness = Harness::small();
    let view = harness.views.borrow().clone().unwrap();
    let printed = [
        ("/status", serde_json::to_value(view.as_seen().status_output())),
        ("/runners", serde_json::to_value(view.as_seen().runners_output())),
        ("/queue", serde_json::to_value(view.as_seen().queue_output())),
        ("/plan", serde_json::to_value(view.as_seen().plan_output())),
    ];
    for (path, printed) in printed {
        let answer = harness.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        assert_eq!(answer.json(), printed.unwrap(), "{path}");
    }
}

#[tokio::test]
async fn the_guides_names_are_in_the_status() {
    let status = Harness::small().get("/status").await.json();
    let of_the_guide = ["cooldown_minutes", "total_runners", "idle_runners", "busy_runners"];
    let values: Vec<_> = of_the_guide.iter().map(|name| status[name].as_u64().unwrap()).collect();
    assert_eq!(values, [5, 2, 1, 1]);
    assert_eq!(status["queue_pending"], 2);
}

#[tokio::test]
async fn a_runner_is_shown_with_why_it_is_still_there() {
    let answer = Harness::small().get("/runners/autogit-runner-linux-amd64-0").await;
    let runner = answer.json();
    assert_eq!(runner["phase"], "busy");
    assert_eq!(runner["job"]["id"], 40);
    assert_eq!(runner["why"], "runs job 40");
}

#[tokio::test]
async fn a_job_is_explained() {
    let job = Harness::small().get("/explain/jobs/41").await.json();
    assert_eq!(job["reason"], "no-pool-matches");
    assert_eq!(job["pools"][0]["why"], "lacks tag cuda");
}

#[tokio::test]
async fn a_job_that_is_not_in_the_queue_is_said_to_be_unknown() {
    let job = Harness::small().get("/explain/jobs/999").await.json();
    assert_eq!(job["status"], "unknown");
}

#[test]
fn a_pool_whose_scope_gitlab_does_not_know_says_so_without_a_job() {
    for warm in [0, 1] {
        let set_warm = |pool: &mut Pool| pool.warm = Warm::Count(warm);
        let view = Fixture::new().pool("linux", "docker", set_warm).view();
        let world = view.world.changed(|look| {
            for told in look.scopes.values_mut() {
                *told = Err("GitLab knows no group `gone`".into());
            }
        });
        let (plan, world) = (Arc::new(plan(&world)), Arc::new(world));
        let status = View { plan, world, ..view }.as_seen().status_output();
        let why = &serde_json::to_value(status).unwrap()["pools"]["linux"]["why"];
        let why = why.as_str().unwrap();
        assert_eq!(why.matches("knows no group `gone`").count(), 1, "{why}");
        assert!(!why.contains("no jobs"), "{why}");
    }
}

/// Two warm runners of `linux` from 03:00 to 03:30, where it is [`NOW`], and none else.
fn scheduled() -> Harness {
    let minutes = |minutes| Time::constant(3, minutes, 0, 0);
    let entry = Scheduled {
        days: Days::DAILY,
        from: minutes(0),
        to: minutes(30),
        timezone: TimeZone::UTC,
        warm: 2,
    };
    let schedule = Schedule { base: 0, entries: vec![entry] };
    let set_warm = |pool: &mut Pool| pool.warm = Warm::Scheduled(schedule);
    Harness::of(Fixture::new().pool("linux", "docker", set_warm))
}

#[tokio::test]
async fn a_pool_tells_which_entry_counts_and_until_when() {
    let harness = scheduled();
    let entry = "{days: daily, from: \"03:00\", to: \"03:30\", timezone: UTC, warm: 2}";
    let now = serde_json::json!({
        "by": "entry 1", "entry": entry, "until": "2026-01-02T03:30:00Z", "then": 0,
    });
    let words = "warm 2 by entry 1 of its schedule until 2026-01-02T03:30:00Z, then 0";
    for pool in [
        &harness.get("/status").await.json()["pools"]["linux"],
        &harness.get("/explain/linux").await.json(),
    ] {
        assert_eq!(pool["warm"], 2);
        assert_eq!(pool["warm_now"], now);
        assert!(pool["why"].as_str().unwrap().ends_with(words), "{}", pool["why"]);
    }
}

#[tokio::test]
async fn the_plan_of_another_time_is_made_for_the_schedules_of_then() {
    let harness = scheduled();
    let starts = |plan: &serde_json::Value| {
        let decisions = plan["decisions"].as_array().unwrap().iter();
        decisions.filter(|decision| decision["rule"] == "keep-warm").count()
    };
    let now = harness.get("/plan").await.json();
    assert_eq!((starts(&now), now.get("schedules_at")), (2, None));
    let then = harness.get("/plan?at=2026-01-02T03:30:00Z").await.json();
    assert_eq!((starts(&then), &then["schedules_at"]), (0, &"2026-01-02T03:30:00Z".into()));
    assert_eq!(then["at"], now["at"]);
    let refused = harness.get("/plan?at=noon").await;
    assert_eq!(refused.status, 400);
}

/// A look at `fixture`, so many seconds after the first.
fn look_at(harness: &Harness, fixture: Fixture, seconds: i64) {
    let view = fixture.view();
    let world = view.world.changed(|look| look.now = NOW + SignedDuration::from_secs(seconds));
    harness.trend.add(&View { world: Arc::new(world), ..view });
}

#[tokio::test]
async fn the_last_hour_is_shown_in_steps_with_the_most_of_each() {
    let harness = Harness::empty();
    look_at(&harness, small(), 0);
    look_at(&harness, small().job(43, "team/app", &["docker"], 1), 5);
    look_at(&harness, small(), 9);
    look_at(&harness, small().lose_queue("GitLab failed with 502"), 10);
    let trend = harness.get("/trend").await.json();
    assert_eq!(trend["step_secs"], 15);
    let point = |at: &str, queued: Option<u32>| {
        let at = format!("2026-01-02T03:04:{at}Z");
        serde_json::json!({ "at": at, "queued": queued, "starting": 0, "idle": 1, "busy": 1 })
    };
    let points = [point("00", Some(3)), point("15", None)];
    assert_eq!(trend["points"], serde_json::json!(points));
}

#[tokio::test]
async fn one_runner_that_did_three_things_within_a_step_is_one() {
    let harness = Harness::empty();
    let doing =
        |doing| Fixture::new().pool("linux", "docker", |_| {}).runner("linux", 0, "local", doing);
    look_at(&harness, doing(Doing::Starting(1)), 0);
    look_at(&harness, doing(Doing::Idle(1)), 3);
    look_at(&harness, doing(Doing::Busy(41, 1)), 6);
    look_at(&harness, doing(Doing::Idle(1)), 9);
    let point = &harness.get("/trend").await.json()["points"][0];
    let counts = ["starting", "idle", "busy"].map(|name| point[name].as_u64().unwrap());
    assert_eq!(counts, [0, 0, 1]);
}

#[tokio::test]
async fn what_is_older_than_an_hour_is_forgotten() {
    let harness = Harness::empty();
    for step in 0..500 {
        look_at(&harness, small(), step * 15);
    }
    let points = harness.get("/trend").await.json()["points"].as_array().unwrap().clone();
    assert_eq!(points.len(), 241);
    assert_eq!(points[0]["at"], "2026-01-02T04:08:45Z");
    look_at(&harness, small(), 100_000);
    assert_eq!(harness.get("/trend").await.json()["points"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_clock_that_was_set_back_begins_the_hour_anew() {
    let harness = Harness::empty();
    look_at(&harness, small(), 600);
    look_at(&harness, small(), 0);
    assert_eq!(harness.get("/trend").await.json()["points"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_the_newest_look_gets_no_body() {
    let harness = Harness::small();
    for path in POLLED {
        let first = harness.get(path).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 10, "{path}: {tag}");
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let request = Request::get(*path).header("if-none-match", known);
            let second = harness.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(second.status, 304, "{path}");
            assert_eq!(second.header("etag"), tag, "{path}");
            assert!(second.body.is_empty(), "{path}");
        }
    }
}

#[tokio::test]
async fn another_look_has_another_tag() {
    let harness = Harness::of(small());
    let before = harness.get("/queue").await;
    harness.show(small().job(43, "team/app", &["docker"], 1));
    let after = harness.get("/queue").await;
    assert_ne!(before.header("etag"), after.header("etag"));
    assert_eq!(after.json()["jobs"].as_array().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_head_request_gets_the_head_of_the_answer() {
    let harness = Harness::small();
    for path in POLLED.iter().chain(&["/health", "/runners/autogit-runner-linux-amd64-0"]) {
        let whole = harness.get(path).await;
        let head = harness.send(Request::head(*path).body(Body::empty()).unwrap()).await;
        assert_eq!(head.status, whole.status, "{path}");
        assert_eq!(head.header("etag"), whole.header("etag"), "{path}");
        assert_eq!(head.header("content-length"), whole.body.len().to_string(), "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn no_answer_may_be_framed_sniffed_or_read_by_another_site() {
    let harness = Harness::small();
    for path in ["/", "/status", "/health", "/nothing", "/events/", "/openapi.json"] {
        let answer = harness.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
    }
}
