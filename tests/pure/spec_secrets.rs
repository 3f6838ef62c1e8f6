//! What a refused file may tell: on the terminal of `check` no secret, anywhere else no value.

use autogit::spec::{Faults, Missing, Spec};

/// Stands in each place of a secret. It looks like nothing.
const SECRET: &str = "hunter2";

/// Stands in places that hold no secret, and is a value all the same.
const VALUE: &str = "canary";

fn lookup(name: &str) -> Option<String> {
    match name {
        "UNSET" => None,
        "PLAIN" => Some(VALUE.to_owned()),
        _ => Some(SECRET.to_owned()),
    }
}

fn refused(text: &str) -> Faults {
    match Spec::parse("a.yaml", text, &lookup, Missing::Fault) {
        Ok(_) => panic!("passes:\n{text}"),
        Err(faults) => faults,
    }
}

/// All that `check` says, and all that anything else does.
fn said(faults: &Faults) -> (String, String) {
    let elsewhere = [
        faults.in_words(),
        faults.to_string(),
        format!("{faults:?}"),
        faults.iter().map(|fault| format!("{fault} {fault:?}")).collect::<Vec<_>>().concat(),
        format!("{:?}", faults.iter().map(autogit::spec::Fault::hint).collect::<Vec<_>>()),
    ];
    let in_full = |fault: &autogit::spec::Fault| {
        format!("{} {:?}\n", fault.message_in_full(), fault.hint_in_full())
    };
    let check = faults.render(false) + &faults.iter().map(in_full).collect::<Vec<_>>().concat();
    (check, elsewhere.concat())
}

/// A file with one fault of its own beside what is tried.
fn around(gitlab: &str, pool: &str) -> String {
    format!(
        "gitlab:\n  url: http://git:3000\n  token: x\n{gitlab}\
         pools:\n  linux:\n    tags: [docker]\n    warm: 9\n{pool}"
    )
}

fn attacks() -> Vec<String> {
    let gitlab = [
        "  webhook_secret: |\n    hunter2\n  oops: 1\n",
        "  webhook_secret: >-\n    hunter2\n    [\n",
        "  webhook_secret:\n    hunter2\n  oops: 1\n",
        "  webhook_secret:\n    - hunter2\n",
        "  webhook_secret: {hunter2: hunter2}\n",
        "  webhook_secret: &s hunter2\n  groups: *s\n",
        "  webhook_secret: &s hunter2\n  poll_interval: *s\n  queue_source: *s\n  clone_url: *s\n",
        "  webhook_secret: ${UNSET:-hunter2}\n  poll_interval: ${UNSET:-hunter2\n",
        "  webhook_secret: a${UNSET}hunter2\n",
        "  poll_interval: ${AWS_SECRET_ACCESS_KEY}\n",
        "  poll_interval: ${AWS_SECRET_ACCESS_KEY:-x}\n  groups: ${DB_PASSWORD}\n",
        "  webhook_secret: ${SHARED}\n  poll_interval: ${SHARED}\n",
        "  clone_url: https://user:hunter2@git\n",
        "  clone_url: user:hunter2@git\n",
        "  runner_url: \"http://git:99999999/?private_token=glpat-hunter2\"\n",
        "  toekn: hunter2\n",
        "  toekn: [hunter2\n",
        "  toekn: \"hunter2\n",
        "  toekn: {token:hunter2}\n",
        "  {token:hunter2}\n",
        "  token:hunter2\n",
        "  webhook_secret: !secret hunter2\n",
        "  webhook_secret: hunter2: hunter2\n",
        "  webhook_secret: @hunter2\n",
        "  webhook_secret: %hunter2\n",
        "  webhook_secret: *hunter2\n",
        "  ? [hunter2]\n  : 1\n",
        "  <<: hunter2\n",
        "  <<: {toekn: hunter2}\n",
        "  ? &k \"${UNSET:-hunter2}\"\n  : 1\n",
        "  webhook_secret: hunter2\n  webhook_secret_file: hunter2\n",
        "  registration_token: 'hunter2' 'x'\n",
        "  webhook_secret: hunter2 # hunter2\n  oops: x # hunter2\n",
    ];
    let pool = [
        "    runner_token: hunter2\n",
        "    runner_token: [hunter2]\n",
        "    job: hunter2\n",
        "    job: {environment: {KEY: [hunter2]}}\n",
        "    job: {environment: hunter2}\n",
        "    job: {environment: {AWS_SECRET_ACCESS_KEY: hunter2}, oops: hunter2}\n",
        "    runner_config: hunter2\n",
        "    runner_config: {docker: hunter2}\n",
        "    runner_config: {docker: {auth: hunter2, image: hunter2}}\n",
        "    runner_config: {cache: {s3: {SecretKey: hunter2}}, token: hunter2}\n",
        "    password: hunter2\n    max: many\n",
        "    tags: [docker, &t hunter2]\n    runner_token: *t\n",
        "    job: {environment: {A: &t hunter2}}\n    cooldown: *t\n    max: *t\n    scope: *t\n",
    ];
    let whole =
        ["hunter2\n", "- hunter2\n", "password:hunter2\n", "a: b: hunter2\n", "\ttoken: hunter2\n"];
    let gitlab = gitlab.iter().map(|lines| around(lines, ""));
    let pool = pool.iter().map(|lines| around("", lines));
    gitlab.chain(pool).chain(whole.iter().map(|&text| text.to_owned())).collect()
}

/// Secrets in a key's place, and values that are known for secrets by their looks.
fn by_their_looks() -> Vec<String> {
    let gitlab = [
        "  glpat-hunter2: 1\n",
        "  \"token: hunter2\": 1\n",
        "  token=hunter2:\n",
        "  webhook_secret:\n    whsec_hunter2:\n",
        "  groups: {glpat-hunter2: 1}\n",
    ];
    let pool = [
        "    tags: [\"glpat-hunter2,\"]\n",
        "    job: {environment: {glpat-hunter2: [1]}}\n",
        "    job: {environment: {DB_PASSWORD hunter2: [1]}}\n",
        "    glrt-hunter2: {}\n",
    ];
    let whole = [
        "AWS_SECRET_ACCESS_KEY=hunter2:\n",
        "pools: {glrt-hunter2: {tags: [a]}}\n\
         hosts: {a: {docker: unix:///a, pools: [glrt-hunter1]}}\n",
    ];
    let gitlab = gitlab.iter().map(|lines| around(lines, ""));
    let pool = pool.iter().map(|lines| around("", lines));
    gitlab.chain(pool).chain(whole.iter().map(|&text| text.to_owned())).collect()
}

#[test]
fn no_secret_is_told_wherever_it_is_written() {
    for text in attacks().into_iter().chain(by_their_looks()) {
        let (check, elsewhere) = said(&refused(&text));
        assert!(!check.contains(SECRET), "{text}\n{check}");
        assert!(!elsewhere.contains(SECRET), "{text}\n{elsewhere}");
    }
}

#[test]
fn only_check_tells_a_value() {
    for lines in [
        "    max: canary\n",
        "    scope: canary\n",
        "    scope: {project: canary}\n",
        "    cooldown: canary\n",
        "    cooldown: ${PLAIN}\n",
        "    resources: {memory: canary}\n",
        "    architectures: [amd64, canary]\n",
        "    architectures: canary\n",
        "    pull_policy: canary\n",
        "    job: {image: [canary], network: canary}\n",
    ] {
        let text = around("", lines);
        let faults = refused(&text);
        let (check, elsewhere) = said(&faults);
        assert!(check.contains(VALUE) || lines.contains("image"), "{text}\n{check}");
        assert!(!elsewhere.contains(VALUE), "{text}\n{elsewhere}");
    }
}

#[test]
fn what_is_no_yaml_has_line_and_column_and_no_excerpt() {
    let faults = refused("gitlab:\n  url: [a\n  token: x\n");
    assert_eq!(faults.iter().count(), 1);
    let (check, _) = said(&faults);
    assert!(check.contains("a.yaml:") && !check.contains('^') && !check.contains("url"), "{check}");
}

#[test]
fn a_fault_shows_its_own_value_and_nothing_beside_it() {
    let text = around("", "    resources: {memory: 4, cpus: 7} # seven\n");
    let (check, _) = said(&refused(&text));
    assert!(check.contains("resources:  memory: 4\n"), "{check}");
    assert!(!check.contains("seven") && !check.contains("cpus"), "{check}");
}
