use std::collections::BTreeMap;

use autogit::source::{Environment, LineProblem, parse_env_file};

use crate::source::folder::Folder;

fn check(line: &str, expected: Result<Option<(&str, &str)>, LineProblem>) {
    let expected = expected
        .map(|pair| {
            pair.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        })
        .map_err(|problem| vec![problem]);
    let parsed = parse_env_file(line);
    let parsed =
        parsed.map_err(|faults| faults.into_iter().map(|fault| fault.problem).collect::<Vec<_>>());
    assert_eq!(parsed, expected, "{line}");
}

#[test]
fn a_line_is_a_variable_a_comment_or_nothing() {
    check("", Ok(None));
    check("   # TOKEN=x", Ok(None));
    check("TOKEN=abc", Ok(Some(("TOKEN", "abc"))));
    check("  TOKEN = abc  ", Ok(Some(("TOKEN", "abc"))));
    check("\u{feff}TOKEN=abc\r\n", Ok(Some(("TOKEN", "abc"))));
    check("export TOKEN=abc", Ok(Some(("TOKEN", "abc"))));
    check("exported=abc", Ok(Some(("exported", "abc"))));
    check("EMPTY=", Ok(Some(("EMPTY", ""))));
    check("EMPTY= # nothing", Ok(Some(("EMPTY", ""))));
    check("URL=https://x/?a=b#part", Ok(Some(("URL", "https://x/?a=b#part"))));
    check("PORT=80 # http", Ok(Some(("PORT", "80"))));
    check("PRICE=5$ and $more", Ok(Some(("PRICE", "5$ and $more"))));
}

#[test]
fn quotes_keep_what_they_hold() {
    check("A='x # y ${Z} \\n'", Ok(Some(("A", "x # y ${Z} \\n"))));
    check("A=\"x # y\"  # said", Ok(Some(("A", "x # y"))));
    check(r#"A="a\nb\t\"c\" \\ \$ \q""#, Ok(Some(("A", "a\nb\t\"c\" \\ $ \\q"))));
    check(r#"A="\${Z}""#, Ok(Some(("A", "${Z}"))));
    check("A=it's", Ok(Some(("A", "it's"))));
    check("A=''", Ok(Some(("A", ""))));
}

#[test]
fn what_says_nothing_is_a_fault() {
    check("TOKEN", Err(LineProblem::NoValue));
    check("=abc", Err(LineProblem::BadName));
    check("1ST=abc", Err(LineProblem::BadName));
    check("MY-TOKEN=abc", Err(LineProblem::BadName));
    check("A='abc", Err(LineProblem::OpenQuote));
    check("A=\"abc\\", Err(LineProblem::OpenQuote));
    check("A='abc'def", Err(LineProblem::AfterQuote));
    check("A=\"abc\"#def", Err(LineProblem::AfterQuote));
    check("A=${B}", Err(LineProblem::Variable));
    check("A=\"${B}\"", Err(LineProblem::Variable));
}

#[test]
fn all_faults_are_said_with_their_lines_and_no_value() {
    let folder = Folder::new();
    let file = folder.write(".env", "A=1\nno-secret=hunter2\n\nB\n");
    let error = Environment::new(BTreeMap::new(), vec![file]).variables().unwrap_err();
    let expected = format!(
        "{0}:2: a name has letters, digits and `_` only, and no digit first\n\
         {0}:4: expected `KEY=value`",
        folder.path(".env").display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_process_wins_over_env_files_and_a_later_file_over_an_earlier_one() {
    let folder = Folder::new();
    let first = folder.write("first.env", "A=first\nB=first\nC=first\nD=first");
    let second = folder.write("second.env", "A=second\nB=second");
    let process = [("A", "process"), ("C", "")];
    let process = process.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let variables =
        Environment::new(process.into(), vec![first, second.clone()]).variables().unwrap();
    let values = ["A", "B", "C", "D", "E"].map(|name| variables.lookup(name));
    let expected = [Some("process"), Some("second"), Some("first"), Some("first"), None];
    assert_eq!(values, expected.map(|value| value.map(str::to_owned)));
}

#[test]
fn printing_an_environment_prints_no_value() {
    let process = [("TOKEN".to_owned(), "hunter2".to_owned())];
    let environment = Environment::new(process.into(), Vec::new());
    let printed = format!("{environment:?} {:?}", environment.variables().unwrap());
    assert!(printed.contains("TOKEN") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn a_missing_env_file_is_named() {
    let folder = Folder::new();
    let file = folder.path("gone.env");
    let error = Environment::new(BTreeMap::new(), vec![file.clone()]).variables().unwrap_err();
    assert_eq!(error.to_string(), format!("the env file `{}` does not exist", file.display()));
}
