//! What holds of every value of a variable.

use autogit::spec::{Code, Missing, Parsed, Spec};

const HEAD: &str = "gitlab: {url: http://g.test, token: t}\n";

/// Puts `value` in all places that take a variable: it stays one scalar there.
pub(crate) fn check(value: &str) {
    if value.is_empty() {
        return;
    }
    let environment = format!(
        "{HEAD}pools:\n  linux:\n    tags: [docker]\n    job:\n      environment:\n        \
         PLAIN: ${{V}}\n        AROUND: a ${{V}} b\n        QUOTED: \"${{V}}\"\n"
    );
    if let Some(parsed) = parsed(&environment, value) {
        let told = &parsed.spec.pools[0].job.environment;
        let told: Vec<(&str, &str)> = told.iter().map(|(key, text)| (&**key, &**text)).collect();
        let around = format!("a {value} b");
        assert_eq!(told, [("AROUND", &*around), ("PLAIN", value), ("QUOTED", value)]);
    }
    for place in [
        "tags: [docker, \"${V}\"]",
        "tags: [docker]\n    scope: {group: \"${V}\"}",
        "tags: [docker]\n    max: ${V}",
        "tags: [docker]\n    cooldown: ${V}",
        "tags: [docker]\n    resources: {memory: \"${V}\"}",
        "tags: [docker]\n    runner_image: ${V}",
        "tags: [docker]\n    runner_config: {a: {b: \"${V}\"}}",
        "tags: [docker]\n    job: {volumes: [\"${V}\"]}",
        "tags: ${V}",
    ] {
        parsed(&format!("{HEAD}pools:\n  linux:\n    {place}\n"), value);
    }
    for place in ["instance: ${V}", "network: ${V}", "api: {listen: \"${V}\"}", "hosts: ${V}"] {
        parsed(&format!("{HEAD}{place}\npools: {{linux: {{tags: [docker]}}}}\n"), value);
    }
    let url = "gitlab: {url: \"${V}\", token: \"${V}\"}\npools: {linux: {tags: [docker]}}\n";
    parsed(url, value);
}

/// The spec, if the value can stand there; its structure is that of the text in any case.
fn parsed(text: &str, value: &str) -> Option<Parsed> {
    let lookup = |name: &str| (name == "V").then(|| value.to_owned());
    match Spec::parse("a.yaml", text, &lookup, Missing::Fault) {
        Ok(parsed) => {
            let pools: Vec<&str> = parsed.spec.pools.iter().map(|p| p.name.as_str()).collect();
            assert_eq!(pools, ["linux"], "{text}");
            Some(parsed)
        }
        Err(faults) => {
            let structural = [Code::Syntax, Code::DuplicateKey, Code::UnknownKey, Code::Internal];
            let found = faults.iter().find(|fault| structural.contains(&fault.code));
            assert!(found.is_none(), "{found:?} in {text}");
            None
        }
    }
}
