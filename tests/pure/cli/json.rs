use autogit::spec::Arch;

use crate::cli::plan::busy_day;
use crate::support::world::{Doing, Fixture};

fn small() -> Fixture {
    Fixture::new()
        .host("rack", Arch::Amd64)
        .pool("linux", "docker", |_| {})
        .runner("linux", 0, "local", Doing::Busy(40, 75))
        .job(41, "team/app", &["cuda"], 133)
        .job(42, "team/app", &["docker"], 5)
        .lose_host("rack", 41, "connect timed out")
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn the_plan_has_the_published_fields() {
    insta::assert_snapshot!(json(&small().view().as_seen().plan_output()));
}

#[test]
fn the_runners_have_the_published_fields() {
    insta::assert_snapshot!(json(&small().view().as_seen().runners_output()));
}

#[test]
fn the_status_has_the_published_fields_and_the_guides() {
    insta::assert_snapshot!(json(&small().view().as_seen().status_output()));
}

#[test]
fn the_queue_says_what_each_job_waits_for() {
    insta::assert_snapshot!(json(&small().view().as_seen().queue_output()));
}

#[test]
fn an_unknown_queue_is_said_and_not_empty() {
    let view = small().lose_queue("GitLab failed with 502").view();
    let queue = serde_json::to_value(view.as_seen().queue_output()).unwrap();
    assert_eq!(queue["state"], "unknown");
    assert_eq!(queue["error"], "GitLab failed with 502");
    let status = serde_json::to_value(view.as_seen().status_output()).unwrap();
    assert_eq!(status["queue_pending"], serde_json::Value::Null);
    assert_eq!(status["sources"]["gitlab"]["state"], "unknown");
}

#[test]
fn every_pending_job_of_a_plan_is_served_or_held() {
    let view = busy_day().view();
    let plan = serde_json::to_value(view.as_seen().plan_output()).unwrap();
    let held = plan["held"].as_array().unwrap().iter().filter(|held| held["job"].is_u64());
    let starting = plan["held"].as_array().unwrap().iter().filter(|h| h["reason"] == "starting");
    let starting = starting.filter(|held| held["job"].is_u64()).count();
    assert_eq!(held.count() + view.plan.served_jobs - starting, 8);
}
