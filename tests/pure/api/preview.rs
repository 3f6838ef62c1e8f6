//! `POST /plan`: what a candidate leads to, and what a stranger's candidate must never learn.

use std::collections::BTreeMap;
use std::sync::Arc;

use autogit::reconcile::InForce;
use autogit::source::{Environment, Loaded, Origin, load};
use autogit::spec::Spec;
use axum::body::Body;
use axum::http::Request;
use jiff::SignedDuration;
use serde_json::Value;

use crate::api::harness::{Answer, Harness, With};
use crate::source::folder::Folder;
use crate::support::now::outcome_of;
use crate::support::world::{Doing, Fixture, NOW};

/// What the operator's process knows. None of the long ones may ever be in an answer.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("GITLAB_TOKEN", "glpat-5ecretOfTheProcess"),
    ("HOOK", "hook-5ecretOfTheProcess"),
    ("DEPLOY_KEY", "deploy-5ecretOfTheProcess"),
    ("MIRROR", "mirror-5ecret-of-the-process"),
    ("UNUSED", "unused-5ecretOfTheProcess"),
    ("API_TOKEN", "operator-5ecretOfTheProcess"),
    ("RUNNER", "glrt-5ecretOfTheProcess"),
    ("MAX", "3"),
];

/// What all of them hold, whatever is cut off or put around it.
const SECRET: &str = "5ecret";

pub(crate) const IN_FORCE: &str = "\
gitlab:
  url: https://gitlab.example.com
  token: ${GITLAB_TOKEN}
  webhook_secret: ${HOOK}
api:
  token: ${API_TOKEN}
  plan_token_file: plan-token
defaults:
  cooldown: 5m
pools:
  linux:
    tags: [docker]
    architectures: [amd64]
    max: ${MAX}
    runner_image: registry.example.com/${MIRROR}/runner:1
    job:
      environment:
        KEY: ${DEPLOY_KEY}
  own:
    tags: [own]
    architectures: [amd64]
    runner_token: ${RUNNER}
";

fn loaded() -> Loaded {
    loaded_from(IN_FORCE)
}

fn loaded_from(text: &str) -> Loaded {
    let folder = Folder::new();
    folder.write("plan-token", "plan-only\n");
    let path = folder.write("autogit.yaml", text);
    let variables = ENVIRONMENT.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment::new(variables.collect(), Vec::new());
    outcome_of(load(&Origin::File(path), &environment, NOW)).unwrap()
}

/// An idle runner of the spec in force, which stays as it is.
fn fixture(loaded: &Loaded) -> Fixture {
    let pools = Spec::clone(&loaded.spec).pools;
    let fixture = Fixture::new().pool("linux", "docker", |_| {}).pool("own", "own", |_| {});
    let fixture = fixture.with(|spec| {
        let hosts = std::mem::take(&mut spec.hosts);
        *spec = Spec::clone(&loaded.spec);
        (spec.hosts, spec.pools) = (hosts, pools);
    });
    fixture.runner("linux", 0, "local", Doing::Idle(30))
}

struct Preview(Harness);

impl Preview {
    fn new() -> Self {
        Self::of(fixture)
    }

    fn of(fixture: impl FnOnce(&Loaded) -> Fixture) -> Self {
        Self::from(&loaded(), fixture)
    }

    fn from(loaded: &Loaded, fixture: impl FnOnce(&Loaded) -> Fixture) -> Self {
        let harness = Harness::of(fixture(loaded));
        let spec = Arc::clone(&harness.views.borrow().as_ref().unwrap().world.spec);
        harness.in_force.send_replace(InForce {
            written: Some(Arc::clone(&loaded.written)),
            ..InForce::of(&spec)
        });
        Self(harness)
    }

    async fn send(&self, candidate: &str) -> Answer {
        self.0.clock.jump(SignedDuration::from_secs(3));
        let answer = self.0.post("/plan", Some("plan-only"), candidate).await;
        assert!(!answer.text().contains(SECRET), "{candidate}\n{}", answer.text());
        answer
    }

    #[track_caller]
    fn fine(answer: &Answer) -> Value {
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

fn actions(preview: &Value) -> Vec<String> {
    let decisions = preview["plan"]["decisions"].as_array().unwrap().iter();
    let words = decisions.map(|one| {
        format!("{} {}", one["rule"].as_str().unwrap(), one["pool"].as_str().unwrap_or("-"))
    });
    words.collect()
}

/// The file in force with one piece of it replaced.
#[track_caller]
fn changed(from: &str, to: &str) -> String {
    assert!(IN_FORCE.contains(from), "{from}");
    IN_FORCE.replace(from, to)
}

#[tokio::test(start_paused = true)]
async fn the_file_in_force_changes_nothing() {
    let preview = Preview::new();
    let in_force = preview.0.get("/plan").await.json();
    let answer = preview.send(IN_FORCE).await;
    let output = Preview::fine(&answer);
    assert_eq!(output["plan"]["decisions"], in_force["decisions"]);
    assert_eq!(output["plan"]["held"], in_force["held"]);
    assert_eq!(output["changes"], serde_json::json!([]));
    assert_eq!(output["not_planned"], serde_json::json!([]));
}

#[tokio::test]
async fn a_candidate_is_planned_on_the_last_look() {
    let waiting = |loaded: &Loaded| {
        (50..54).fold(fixture(loaded), |fixture, id| fixture.job(id, "team/app", &["docker"], 5))
    };
    let preview = Preview::of(waiting);
    let output = Preview::fine(&preview.send(IN_FORCE).await);
    assert_eq!(actions(&output), ["serve-demand linux", "serve-demand linux"]);
    let output = Preview::fine(&preview.send(&changed("max: ${MAX}", "max: 9")).await);
    assert_eq!(actions(&output).len(), 3);
    assert_eq!(output["changes"], serde_json::json!(["pool linux: max 3 → 9"]));
    assert!(preview.0.drains.asked().is_empty());
}

#[tokio::test]
async fn a_variable_has_its_value_where_it_stands_in_the_file_in_force() {
    let preview = Preview::new();
    let answer = preview.send(&changed("max: ${MAX}", "warm: 4\n    max: ${MAX}")).await;
    let problem = answer.is_problem(422, "spec-refused");
    assert_eq!(problem["faults"][0]["message"], "pool `linux`: `warm` is … but `max` is …");
    let text = problem["text"].as_str().unwrap();
    assert!(text.contains("error: candidate:14:11: pools.linux.warm: pool `linux`: "), "{text}");
    assert!(!text.contains('^') && !text.contains("is 4"), "{text}");
}

#[tokio::test]
async fn elsewhere_a_variable_has_none_and_that_is_said() {
    let moved = changed("cooldown: 5m", "cooldown: 5m\n  priority: ${MAX}");
    let output = Preview::fine(&Preview::new().send(&moved).await);
    let expected = serde_json::json!({ "at": "/defaults/priority", "name": "MAX" });
    let without = output["without_value"].as_array().unwrap();
    assert!(without.contains(&expected), "{without:?}");
    assert!(!without.iter().any(|one| one["at"] == "/pools/linux/max"), "{without:?}");
}

#[tokio::test]
async fn only_a_change_of_what_goes_into_containers_replaces_idle_runners() {
    let preview = Preview::new();
    let other_key = changed("KEY: ${DEPLOY_KEY}", "KEY: ${MIRROR}");
    let fixed_key = changed("KEY: ${DEPLOY_KEY}", "KEY: fixed");
    let no_key =
        changed("      environment:\n        KEY: ${DEPLOY_KEY}\n", "      image: alpine:3\n");
    let other_image = changed("/runner:1", "/runner:2");
    let label = changed("max: ${MAX}", "labels: {team: a}\n    max: ${MAX}");
    let proxy = changed("max: ${MAX}", "proxy: {http: 'http://p:1'}\n    max: ${MAX}");
    for candidate in [other_key, fixed_key, no_key, other_image, label, proxy] {
        let output = Preview::fine(&preview.send(&candidate).await);
        assert_eq!(actions(&output), ["drain-changed linux"], "{candidate}");
    }
    let in_place = changed("tags: [docker]", "tags: [docker, new]");
    let output = Preview::fine(&preview.send(&in_place).await);
    assert_eq!(actions(&output), ["correct-record linux"]);
}

#[tokio::test]
async fn other_servers_and_hosts_are_reported_and_never_asked() {
    let moved = changed("https://gitlab.example.com", "https://evil.example.com")
        + "hosts:\n  evil: { docker: \"tcp://evil.example.com:2375\" }\n\
           proxy: { https: \"http://me:pw@proxy:1\", http: \"http://proxy:1\" }\n";
    let output = Preview::fine(&Preview::new().send(&moved).await);
    let told: Vec<&str> =
        output["not_planned"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "gitlab: url",
            "gitlab: runner_url",
            "host local: removed",
            "host evil: added",
            "proxy",
            "proxy.http"
        ]
    );
    assert!(actions(&output).is_empty(), "{output}");
}

/// Candidates that try to have a value shown, each in its own way.
fn hostile() -> Vec<String> {
    let secrets = ["GITLAB_TOKEN", "DEPLOY_KEY", "UNUSED"];
    let mut candidates = Vec::new();
    for name in secrets {
        candidates.extend(fields(&format!("${{{name}}}")));
    }
    candidates.extend(fields("x${DEPLOY_KEY:-none}${MAX}y"));
    candidates
}

/// Every kind of field with that value, and the same places as in the file in force in other ways.
fn fields(value: &str) -> Vec<String> {
    let pool = |field: &str| changed("max: ${MAX}", &format!("{field}\n    max: ${{MAX}}"));
    let top = |field: &str| format!("{field}\n{IN_FORCE}");
    let mut candidates = vec![
        changed("[docker]", &format!("[\"{value}\"]")),
        changed("max: ${MAX}", &format!("max: \"{value}\"")),
        changed("cooldown: 5m", &format!("cooldown: \"{value}\"")),
        changed("https://gitlab.example.com", &format!("\"https://{value}\"")),
        changed("https://gitlab.example.com", &format!("\"{value}\"")),
        changed("plan-token", &format!("\"{value}\"")),
        changed("KEY: ${DEPLOY_KEY}", &format!("KEY: [\"{value}\"]")),
        changed("KEY: ${DEPLOY_KEY}", &format!("KEY: {{a: \"{value}\"}}")),
        changed("KEY: ${DEPLOY_KEY}", &format!("KEY: \"{value}\"\n        ${{MAX}}: 1")),
        changed(
            "      environment:\n        KEY: ${DEPLOY_KEY}",
            &format!("      environment: \"{value}\""),
        ),
        changed(
            "token: ${GITLAB_TOKEN}",
            &format!("token: \"{value}\"\n  token_file: /etc/passwd"),
        ),
        changed("token: ${GITLAB_TOKEN}", &format!("token: &t \"{value}\"\n  groups: [*t]")),
        changed("pools:\n", &format!("pools:\n  \"linux.job.environment.KEY\": \"{value}\"\n")),
        changed("pools:\n", &format!("pools:\n  \"linux/job/environment/KEY\": \"{value}\"\n")),
        changed("pools:\n", &format!("pools:\n  linux~1job: \"{value}\"\n")),
        format!("\"{value}\""),
        format!("- \"{value}\""),
        format!("{IN_FORCE}{IN_FORCE}extra: \"{value}\""),
        format!("{IN_FORCE}<<: {{network: \"{value}\"}}\n"),
        format!("{IN_FORCE}bad: [\"{value}\"\n"),
    ];
    for field in ["network", "instance", "starts_per_minute", "unknown", "hosts", "api", "defaults"]
    {
        candidates.push(top(&format!("{field}: \"{value}\"")));
    }
    for field in [
        "scope: {group: \"$\"}",
        "scope: \"$\"",
        "warm: \"$\"",
        "warm: {\"amd64\": \"$\"}",
        "pull_policy: \"$\"",
        "cache: \"$\"",
        "priority: \"$\"",
        "startup_timeout: \"$\"",
        "resources: {memory: \"$\"}",
        "resources: \"$\"",
        "runner_config: {\"$\": 1}",
        "runner_config: {token: \"$\"}",
        "runner_config: {docker: {image: \"$\"}}",
        "lost_jobs: \"$\"",
        "gpu: {vendor: \"$\"}",
        "protected: \"$\"",
        "nonsense: \"$\"",
        "maximum_timeout: \"$\"",
        "runner_token_file: \"$\"",
        "jobs_per_runner: \"$\"",
    ] {
        candidates.push(pool(&field.replace('$', value)));
    }
    candidates
}

#[tokio::test(start_paused = true)]
async fn no_candidate_gets_a_value_of_the_process_shown() {
    let preview = Preview::new();
    let mut refused = 0;
    let candidates = hostile();
    for candidate in &candidates {
        // That nothing is shown is looked at in there.
        let answer = preview.send(candidate).await;
        assert!(matches!(answer.status.as_u16(), 200 | 422), "{candidate}\n{}", answer.text());
        refused += usize::from(answer.status == 422);
    }
    assert!(refused > 40 && refused < candidates.len() - 40, "{refused} of {}", candidates.len());
}

#[tokio::test]
async fn a_right_guess_at_a_secret_looks_like_a_wrong_one() {
    let preview = Preview::new();
    for (place, right) in [
        ("token: ${GITLAB_TOKEN}", "glpat-5ecretOfTheProcess"),
        ("webhook_secret: ${HOOK}", "hook-5ecretOfTheProcess"),
        ("token: ${API_TOKEN}", "operator-5ecretOfTheProcess"),
        ("KEY: ${DEPLOY_KEY}", "deploy-5ecretOfTheProcess"),
        ("runner_token: ${RUNNER}", "glrt-5ecretOfTheProcess"),
        ("${MIRROR}", "mirror-5ecret-of-the-process"),
    ] {
        let key = place.split_once(": ").map_or("", |(key, _)| key);
        let with = |guess: &str| {
            let value = if key.is_empty() { guess.to_owned() } else { format!("{key}: {guess}") };
            changed(place, &value)
        };
        let wrong = right.replace("5ecret", "5ecreq");
        let told = async |guess: &str| {
            // A guess is the guesser's own word, and may come back to them.
            let answer = preview.0.post("/plan", Some("plan-only"), &with(guess)).await;
            let mut output = Preview::fine(&answer);
            output["plan"]["spec"]["hash"] = Value::Null;
            output.to_string().replace(guess, "GUESS")
        };
        assert_eq!(told(right).await, told(&wrong).await, "{place}");
    }
}

/// All that is hidden is one value, so that nothing but it decides whether a guess is the same.
#[tokio::test]
async fn a_guess_at_the_only_hidden_value_is_a_change_right_or_wrong() {
    let text = changed("    runner_image: registry.example.com/${MIRROR}/runner:1\n", "");
    let loaded = loaded_from(&text);
    let was = |guess: &str| text.replace("KEY: ${DEPLOY_KEY}", &format!("KEY: {guess}"));
    let removed = |fixture: Fixture| {
        fixture.with(|spec| spec.pools[0].name = autogit::spec::PoolName::new("other").unwrap())
    };
    let preview = Preview::from(&loaded, fixture);
    let of_removed = Preview::from(&loaded, |loaded| removed(fixture(loaded)));
    let mut of_guesses = Vec::new();
    for guess in ["deploy-5ecretOfTheProcess", "deploy-wrong"] {
        let answer = preview.0.post("/plan", Some("plan-only"), &was(guess)).await;
        assert_eq!(actions(&Preview::fine(&answer)), ["drain-changed linux"], "{guess}");
        // The pool is declared again whose runner is still there.
        let answer = of_removed.0.post("/plan", Some("plan-only"), &was(guess)).await;
        of_guesses.push(actions(&Preview::fine(&answer)));
    }
    assert_eq!(of_guesses[0], of_guesses[1]);
    let status = preview.0.get("/status").await.json();
    let right = preview.0.post("/plan", Some("plan-only"), &was("deploy-5ecretOfTheProcess")).await;
    assert_ne!(status["spec"]["hash"], right.json()["plan"]["spec"]["hash"]);
}

#[tokio::test]
async fn previews_are_few_in_a_minute() {
    let preview = Preview::new();
    let mut served = 0;
    let refused = loop {
        let answer = preview.0.post("/plan", Some("plan-only"), IN_FORCE).await;
        if answer.status != 200 {
            break answer;
        }
        served += 1;
        assert!(served < 1_000, "there is no end of them");
    };
    assert!(served >= 20, "{served}");
    refused.is_problem(429, "too-many-previews");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    preview.0.clock.jump(SignedDuration::from_secs(3));
    assert_eq!(preview.0.post("/plan", Some("plan-only"), IN_FORCE).await.status, 200);
}

#[tokio::test]
async fn a_file_that_is_there_looks_like_one_that_is_not() {
    let folder = Folder::new();
    let there = folder.write("a-secret", "5ecret-of-a-file");
    let there = there.to_str().unwrap();
    let missing = there.replace("a-secret", "no-such!");
    let preview = Preview::new();
    for place in [
        ("token: ${GITLAB_TOKEN}", "token_file: $\n  ca_file: $"),
        ("webhook_secret: ${HOOK}", "webhook_secret_file: $\n  token_cache: $"),
        ("runner_token: ${RUNNER}", "runner_token_file: $"),
        ("plan-token", "$"),
    ] {
        let told = async |file: &str| {
            let answer = preview.send(&changed(place.0, &place.1.replace('$', file))).await;
            let mut output = Preview::fine(&answer);
            output["plan"]["spec"]["hash"] = Value::Null;
            output.to_string().replace(file, "FILE")
        };
        assert_eq!(told(there).await, told(&missing).await, "{place:?}");
    }
}

#[tokio::test]
async fn what_the_file_in_force_writes_as_plain_secret_is_not_compared() {
    let loaded = loaded();
    let harness = Preview::new().0;
    let text = changed("token: ${GITLAB_TOKEN}", "token: glpat-5ecretInTheFile");
    let written = autogit::source::Written::new(text, BTreeMap::new(), BTreeMap::new());
    let spec = Arc::clone(&harness.in_force.borrow().spec);
    harness
        .in_force
        .send_replace(InForce { written: Some(Arc::new(written)), ..InForce::of(&spec) });
    let answers = ["glpat-5ecretInTheFile", "glpat-5ecretInTheFilE"].map(async |guess| {
        let candidate = changed("token: ${GITLAB_TOKEN}", &format!("token: {guess}"));
        let mut output = harness.post("/plan", Some("plan-only"), &candidate).await.json();
        output["plan"]["spec"]["hash"] = Value::Null;
        output.to_string()
    });
    let [right, wrong] = answers;
    assert_eq!(right.await, wrong.await);
    drop(loaded);
}

#[tokio::test]
async fn the_plan_token_previews_and_does_nothing_else() {
    let preview = Preview::new();
    for (token, status) in [
        (Some("plan-only"), 200),
        (Some("operator-5ecretOfTheProcess"), 200),
        (Some("x"), 401),
        (None, 401),
    ] {
        let answer = preview.0.post("/plan", token, IN_FORCE).await;
        assert_eq!(answer.status, status, "{token:?}");
    }
    for path in ["/reconcile", "/reload", "/runners/autogit-runner-linux-amd64-0/drain"] {
        preview.0.post(path, Some("plan-only"), "").await.is_problem(403, "insufficient-token");
    }
    let open = Harness::of(Fixture::new());
    let problem = open.post("/plan", None, IN_FORCE).await.is_problem(403, "no-token-configured");
    assert_eq!(problem["hint"], "set `api.plan_token_file` or `api.token_file`");
}

#[tokio::test]
async fn a_body_that_is_no_spec_is_refused_by_its_kind() {
    let preview = Preview::new();
    let send = async |kind: &str, body: Vec<u8>| {
        let request = Request::post("/plan").header("authorization", "Bearer plan-only");
        let request = request.header("content-type", kind).body(Body::from(body)).unwrap();
        preview.0.send(request).await
    };
    let spec = || IN_FORCE.as_bytes().to_vec();
    send("multipart/form-data; boundary=x", spec()).await.is_problem(415, "unsupported-media-type");
    send("image/png", spec()).await.is_problem(415, "unsupported-media-type");
    send("application/yaml", vec![0xff, 0xfe]).await.is_problem(400, "bad-request");
    send("application/yaml", vec![b'x'; (1 << 20) + 1]).await.is_problem(413, "body-too-large");
    send("application/yaml", Vec::new()).await.is_problem(422, "spec-refused");
    assert_eq!(send("text/yaml; charset=utf-8", spec()).await.status, 200);
    assert_eq!(send("application/x-www-form-urlencoded", spec()).await.status, 200);
}

#[tokio::test]
async fn another_instances_spec_is_refused_as_by_a_reload() {
    let answer = Preview::new().send(&format!("instance: other\n{IN_FORCE}")).await;
    answer.is_problem(422, "other-instance");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_made_to_hurt_is_answered() {
    let preview = Preview::new();
    let bomb = (1..20).fold("a0: &a0 [x]\n".to_owned(), |bomb, level| {
        let before = level - 1;
        bomb + &format!("a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}]\n")
    });
    let deep = "[".repeat(100_000);
    let wide = (0..5_000).fold(IN_FORCE.to_owned(), |wide, key| wide + &format!("k{key}: 1\n"));
    let head = "gitlab: {url: \"https://gitlab.example.com\", token: x}\n";
    let pools = |count: u32| {
        (0..count)
            .fold("pools:\n".to_owned(), |pools, number| pools + &format!("  p{number}: {{}}\n"))
    };
    let many = format!("{head}defaults: {{tags: [x]}}\n{}", pools(1_001));
    let keys = (0..500).fold(String::new(), |keys, key| keys + &format!("k{key}: 1, "));
    let defaults = format!("defaults: {{tags: [x], job: {{environment: {{{keys}}}}}}}\n");
    let inherited = format!("{head}{defaults}{}", pools(300));
    for candidate in [bomb, deep, wide, many, inherited] {
        preview.send(&candidate).await.is_problem(422, "spec-refused");
    }
}
