use std::collections::BTreeMap;
use std::sync::Arc;

use autogit::reconcile::{Exposition, Measured, Metrics};
use autogit::world::{JobId, OtherRunner, RecordId};
use axum::body::Body;
use axum::http::Request;
use jiff::SignedDuration;

use crate::api::harness::{Harness, small};
use crate::support::world::{Doing, Fixture, NOW};

fn measured() -> Measured {
    Measured { took: SignedDuration::from_millis(20), requests: BTreeMap::new(), token_ends: None }
}

fn show(metrics: &Metrics, fixture: Fixture) -> Vec<String> {
    metrics.observe(&Arc::new(fixture.view()), &[], measured());
    lines(metrics)
}

/// The series, without what is said about them.
fn lines(metrics: &Metrics) -> Vec<String> {
    let text = metrics.encode(NOW, Exposition::OpenMetrics).unwrap();
    assert!(text.ends_with("# EOF\n"));
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The value of that series.
#[track_caller]
fn value(lines: &[String], series: &str) -> String {
    let mut found = lines.iter().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = found.next().unwrap_or_else(|| panic!("no {series} in {lines:#?}"));
    value.strip_suffix(".0").unwrap_or(value).to_owned()
}

fn pools() -> Fixture {
    Fixture::new().pool("linux", "docker", |pool| pool.max = 2000).pool("cuda", "gpu", |_| {}).pool(
        "quiet",
        "quiet",
        |_| {},
    )
}

#[tokio::test]
async fn metrics_are_in_the_format_that_a_scraper_asks_for() {
    const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
    let harness = Harness::small();
    harness.metrics.observe(&Arc::new(small().view()), &[], measured());
    for (accept, media) in [
        // What Prometheus 2 and 3, curl and a browser send.
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", OPEN),
        (
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            OPEN,
        ),
        ("text/plain;version=0.0.4", PLAIN),
        ("application/openmetrics-text;q=0,text/plain", PLAIN),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", PLAIN),
        ("application/OpenMetrics-Text; q=0.9, text/plain; q=0.2", OPEN),
        ("*/*", PLAIN),
        ("text/html,application/xhtml+xml", PLAIN),
    ] {
        let request = Request::get("/metrics").header("accept", accept).body(Body::empty());
        let answer = harness.send(request.unwrap()).await;
        assert_eq!(answer.header("content-type"), media, "{accept}");
        let text = answer.text();
        assert!(text.contains("\nautogit_spec_valid 1\n"), "{text}");
        assert_eq!(text.ends_with("# EOF\n"), media == OPEN, "{accept}");
        let counter = "# TYPE autogit_decisions_total counter\n";
        assert_eq!(text.contains(counter), media == PLAIN, "{accept}");
        assert_eq!(answer.header("cache-control"), "no-cache");
    }
}

#[tokio::test]
async fn what_the_process_uses_is_told_under_the_usual_names() {
    let answer = Harness::small().get("/metrics").await;
    let lines: Vec<String> = answer.text().lines().map(str::to_owned).collect();
    for series in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    ] {
        assert!(value(&lines, series).parse::<f64>().unwrap() >= 0.0, "{series}");
    }
}

#[test]
fn a_look_is_counted_by_pool_and_phase() {
    let lines = show(&Metrics::default(), small());
    let phase =
        |phase| format!("autogit_runners{{pool=\"linux\",arch=\"amd64\",phase=\"{phase}\"}}");
    assert_eq!(value(&lines, &phase("busy")), "1");
    assert_eq!(value(&lines, &phase("idle")), "1");
    assert_eq!(value(&lines, &phase("draining")), "0");
    assert_eq!(value(&lines, "autogit_queue_jobs{pool=\"linux\"}"), "1");
    assert_eq!(value(&lines, "autogit_queue_oldest_seconds{pool=\"linux\"}"), "5");
    assert_eq!(value(&lines, "autogit_queue_unmatched_jobs"), "1");
    assert_eq!(value(&lines, "autogit_held_jobs{reason=\"no-pool-matches\"}"), "1");
    assert_eq!(value(&lines, "autogit_host_budget_runners{host=\"local\"}"), "16");
    assert_eq!(value(&lines, "autogit_host_used_runners{host=\"local\"}"), "2");
    assert_eq!(value(&lines, "autogit_source_known{source=\"gitlab\"}"), "1");
    assert_eq!(value(&lines, "autogit_last_look_timestamp_seconds{}"), NOW.as_second().to_string());
    assert_eq!(value(&lines, "autogit_tick_seconds_count"), "1");
}

#[test]
fn a_job_that_is_left_to_a_runner_of_others_is_not_counted_as_one_that_nobody_takes() {
    let mut fixture = small();
    let runner = OtherRunner { id: RecordId(12), name: "mac mini".into(), of_instance: true };
    fixture.memory.other_runners.insert(JobId(41), runner);
    let lines = show(&Metrics::default(), fixture);
    assert_eq!(value(&lines, "autogit_queue_unmatched_jobs"), "0");
    assert_eq!(value(&lines, "autogit_held_jobs{reason=\"other-runner\"}"), "1");
}

#[test]
fn the_age_of_what_is_known_grows_between_two_looks() {
    let metrics = Metrics::default();
    show(&metrics, small());
    let text =
        metrics.encode(NOW + SignedDuration::from_secs(60), Exposition::OpenMetrics).unwrap();
    assert!(text.contains("autogit_observation_age_seconds{source=\"gitlab\"} 60.4"), "{text}");
    let lost = show(&Metrics::default(), small().lose_queue("GitLab failed with 502"));
    assert_eq!(value(&lost, "autogit_source_known{source=\"gitlab\"}"), "0");
    assert_eq!(value(&lost, "autogit_observation_age_seconds{source=\"gitlab\"}"), "90");
}

#[test]
fn counters_with_a_closed_set_of_labels_begin_at_zero() {
    let lines = lines(&Metrics::default());
    for series in [
        "autogit_decisions_total{rule=\"serve-demand\"}",
        "autogit_apply_failures_total{kind=\"refused\"}",
        "autogit_webhooks_refused_total{reason=\"forged\"}",
        "autogit_webhooks_total{event=\"push\"}",
    ] {
        assert_eq!(value(&lines, series), "0", "{series}");
    }
}

#[test]
fn a_removed_pool_keeps_its_counters_only() {
    let metrics = Metrics::default();
    show(&metrics, pools());
    let lines = show(&metrics, Fixture::new().pool("linux", "docker", |_| {}));
    let mut left = lines.iter().filter(|line| line.contains("cuda"));
    assert!(left.all(|line| line.contains("_total{")), "{lines:#?}");
}

#[test]
fn the_wait_of_a_job_is_measured_to_its_pick_up() {
    let metrics = Metrics::default();
    show(&metrics, pools().job(41, "team/app", &["docker"], 30));
    let lines = show(&metrics, pools().runner("linux", 0, "local", Doing::Busy(41, 4)));
    assert_eq!(value(&lines, "autogit_job_wait_seconds_count{pool=\"linux\"}"), "1");
    assert_eq!(value(&lines, "autogit_job_wait_seconds_sum{pool=\"linux\"}"), "26");
    let again = show(&metrics, pools().runner("linux", 0, "local", Doing::Busy(41, 4)));
    assert_eq!(value(&again, "autogit_job_wait_seconds_count{pool=\"linux\"}"), "1");
}

#[test]
fn runner_time_grows_with_what_runners_do() {
    let metrics = Metrics::default();
    show(&metrics, small());
    let mut later = small().view();
    let world = later.world.changed(|look| look.now = NOW + SignedDuration::from_secs(10));
    later.world = Arc::new(world);
    metrics.observe(&Arc::new(later), &[], measured());
    let lines = lines(&metrics);
    for state in ["busy", "idle"] {
        let series = format!("autogit_runner_seconds_total{{pool=\"linux\",state=\"{state}\"}}");
        assert_eq!(value(&lines, &series), "10");
    }
}

#[test]
fn requests_are_counted_on_over_a_new_connection() {
    let metrics = Metrics::default();
    let view = Arc::new(small().view());
    for count in [3, 5, 1] {
        let requests = BTreeMap::from([(("jobs", 200), count), (("jobs", 299), count)]);
        metrics.observe(&view, &[], Measured { requests, ..measured() });
    }
    let lines = lines(&metrics);
    let series =
        |status| format!("autogit_gitlab_requests_total{{endpoint=\"jobs\",status=\"{status}\"}}");
    assert_eq!(value(&lines, &series("200")), "6");
    assert_eq!(value(&lines, &series("2xx")), "6");
}

#[test]
fn ten_thousand_jobs_and_a_thousand_runners_add_no_series() {
    let few = show(&Metrics::default(), few_of_each());
    let mut fixture = pools();
    for number in 0..10_000 {
        let tag = if number % 3 == 0 { format!("odd-{number}") } else { "docker".to_owned() };
        let project = format!("team-{number}/app");
        fixture = fixture.job(number + 10_000, &project, &[&tag], 60);
    }
    for slot in 0..1000 {
        let doing = match slot % 4 {
            0 => Doing::Busy(slot.into(), 60),
            1 => Doing::Idle(60),
            2 => Doing::Starting(5),
            _ => Doing::Exited(1, 5),
        };
        fixture = fixture.runner("linux", slot, "local", doing);
    }
    let many = show(&Metrics::default(), fixture);
    assert_eq!(value(&many, "autogit_queue_unmatched_jobs"), "3334");
    assert_eq!(names(&few), names(&many));
    assert!(many.len() < 200, "{}", many.len());
}

fn few_of_each() -> Fixture {
    pools()
        .runner("linux", 0, "local", Doing::Busy(1, 5))
        .runner("linux", 1, "local", Doing::Idle(5))
        .runner("linux", 2, "local", Doing::Starting(5))
        .job(2, "team/app", &["docker"], 5)
}

/// The series without values, sorted.
fn names(lines: &[String]) -> Vec<String> {
    let names = lines.iter().map(|line| line.rsplit_once(' ').unwrap().0.to_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Zero would be 1970.
#[test]
fn before_the_first_look_no_time_is_told() {
    let lines = lines(&Metrics::default());
    let timed: Vec<_> = lines.iter().filter(|line| line.contains("timestamp_seconds")).collect();
    let ours = timed.iter().filter(|line| line.starts_with("autogit_"));
    assert_eq!(ours.count(), 0, "{timed:?}");
}
