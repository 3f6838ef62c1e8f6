//! Case files: `tests/pure/spec/<fact>.yaml`, and beside each what `autogit check` says of it.

use std::fmt::Write as _;

use autogit::spec::{Faults, Missing, Spec};

use crate::beside;

/// Each case is read under this environment.
fn lookup(name: &str) -> Option<String> {
    let value = match name {
        "GITLAB_TOKEN" => "glpat-of-a-test-000000",
        "MAX_IDLE_RUNNERS" | "FIVE" => "5",
        "WORD" => "some-word",
        "STRUCTURE" => "{group: team}",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn said_of(file: &str, text: &str) -> String {
    let (verdict, faults) = match Spec::parse(file, text, &lookup, Missing::Fault) {
        Ok(parsed) => ("passes", Faults::new(file, parsed.warnings)),
        Err(faults) => ("is refused", faults),
    };
    let mut said = format!("{file} {verdict}\n\n");
    said.write_str(&faults.render(false)).unwrap();
    said.trim_end().to_owned() + "\n"
}

#[test]
fn each_case_file_gets_the_faults_beside_it() {
    let cases = beside::cases("tests/pure/spec");
    assert!(cases.len() > 20, "the case files are gone");
    beside::compare(&cases, "faults", said_of);
}

/// For continuous integration, where no environment is at hand.
#[test]
fn an_unknown_key_is_a_fault_without_an_environment_too() {
    let text = "\
gitlab: {url: \"http://git:3000\", token: \"${GITLAB_TOKEN}\", tokn: \"${GITLAB_TOKEN}\"}
pools: {linux: {tags: [docker], wram: \"${WARM}\", cooldwon: }}
";
    let faults = Spec::parse("a.yaml", text, &|_| None, Missing::Accept).unwrap_err();
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["gitlab.tokn", "pools.linux.wram", "pools.linux.cooldwon"]);
}
