//! The example files for Prometheus and Grafana name metrics that there are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use autogit::reconcile::Metrics;
use serde_json::Value;

use crate::support::skipped::note_skipped;

const FILES: &[&str] = &["alerts.yml", "grafana-dashboard.json"];

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/observability").join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap()
}

/// The metrics that a text names, without the endings that counters and histograms get.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    let words = words.filter(|word| word.starts_with("autogit_")).map(|word| {
        let endings = ["_total", "_bucket", "_sum", "_count"];
        let bare = endings.iter().find_map(|ending| word.strip_suffix(ending));
        bare.unwrap_or(word).to_owned()
    });
    words.collect()
}

#[test]
fn each_metric_that_the_examples_name_is_there() {
    let known: BTreeSet<String> = Metrics::default().names().into_iter().collect();
    for file in FILES {
        let named = named(&read(file));
        assert!(named.len() > 5, "{file}: {named:?}");
        let unknown: Vec<&String> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn what_shall_wake_somebody_has_a_rule() {
    let rules = read("alerts.yml");
    for alert in [
        "NoProgress",
        "UnmatchedJobs",
        "PoolFailing",
        "SpecRefused",
        "TokenExpiresSoon",
        "JobsWait",
    ] {
        assert!(rules.contains(&format!("alert: AutoGit{alert}\n")), "{alert}");
    }
}

#[test]
fn the_dashboards_panels_have_a_title_and_a_question_each() {
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10);
    for panel in panels {
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{panel}");
        assert!(
            panel["targets"][0]["expr"].as_str().is_some_and(|expr| !expr.is_empty()),
            "{panel}"
        );
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap();
            let asked = expr.matches("autogit_").count();
            assert_eq!(expr.matches("instance=~\"$instance\"").count(), asked, "{expr}");
        }
    }
}

#[test]
fn promtool_accepts_the_rules_and_the_scrape_job() {
    for (verb, file) in [("rules", "alerts.yml"), ("config", "prometheus.yml")] {
        match Command::new("promtool").args(["check", verb]).arg(path(file)).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return note_skipped("promtool is not installed");
            }
            checked => {
                let output = checked.unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{file}: {said}");
            }
        }
    }
}
