//! What holds of every text that is read as a spec.

use autogit::spec::{Fault, Faults, Missing, Spec};

/// What each variable in a secret's place holds.
const SECRET: &str = "canary-3f9a61d07be2";

/// Reads `text` with `value` in all variables but those of secrets and those that are not set.
pub(crate) fn check(text: &str, value: &str) {
    // A fuzzer learns the word from the comparisons below and writes it itself.
    if text.contains(SECRET) || value.contains(SECRET) {
        return;
    }
    let lookup = |place: &str, name: &str| match name {
        "UNSET" => None,
        _ if is_secret(place) => Some(SECRET.to_owned()),
        _ => Some(value.to_owned()),
    };
    for missing in [Missing::Fault, Missing::Accept] {
        let faults = match Spec::parse_by_place("a.yaml", text, &lookup, missing, None) {
            Ok(parsed) => {
                let shown = format!("{parsed:?}");
                assert!(!shown.contains(SECRET), "the spec's debug output tells a secret");
                Faults::new("a.yaml", parsed.warnings)
            }
            Err(faults) => {
                assert!(faults.errors() > 0, "refused without a fault");
                faults
            }
        };
        told(&faults, text);
    }
}

fn is_secret(place: &str) -> bool {
    let steps: Vec<&str> = place.split('/').skip(1).collect();
    match steps.as_slice() {
        ["gitlab", field] => ["token", "registration_token", "webhook_secret"].contains(field),
        ["api", field] => ["token", "read_token", "plan_token"].contains(field),
        ["defaults", field] | ["pools", _, field] => *field == "runner_token",
        _ => false,
    }
}

fn told(faults: &Faults, text: &str) {
    faults.iter().for_each(|fault| lies_within(fault, text));
    for said in [
        faults.render(false),
        faults.render(true),
        faults.to_string(),
        format!("{faults:?}"),
        faults.iter().map(ToString::to_string).collect(),
    ] {
        assert!(!said.contains(SECRET), "a secret is told: {said}");
    }
}

fn lies_within(fault: &Fault, text: &str) {
    let span = &fault.span;
    assert!(span.start <= span.end && text.get(span.clone()).is_some(), "{fault:?}");
    let line = fault.line.checked_sub(1).and_then(|index| text.split('\n').nth(index));
    let letters = line.unwrap_or_else(|| panic!("no such line: {fault:?}")).chars().count();
    assert!((1..=letters + 1).contains(&fault.column), "{fault:?}");
}
