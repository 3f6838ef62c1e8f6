//! Case files: `tests/pure/spec/<fact>.yaml`, and beside each what `autogit check` says of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use autogit::spec::{Faults, Missing, Spec};

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

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/spec");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    cases.sort();
    cases
}

/// Set `UPDATE_CASES` to write what is said now; then read the difference.
#[test]
fn each_case_file_gets_the_faults_beside_it() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let cases = cases();
    assert!(cases.len() > 20, "the case files are gone");
    let mut differing = String::new();
    for case in cases {
        let text = std::fs::read_to_string(&case).unwrap();
        let file = case.file_name().unwrap().to_str().unwrap();
        let said = said_of(file, &text);
        let beside = case.with_extension("faults");
        if update {
            std::fs::write(&beside, said).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if said != expected {
            writeln!(differing, "expected of {file}:\n{expected}\nbut:\n{said}\n").unwrap();
        }
    }
    assert!(differing.is_empty(), "{differing}");
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
