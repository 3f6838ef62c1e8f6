//! What people read in `examples/docs`: its commands are ones of this version, its specs pass, its
//! links lead somewhere, and what it shows is what they see.
//!
//! In a block marked `console` a line that begins with `$ ` is a command, and what follows is its
//! output; a line that is only `…` stands for any lines. A block marked `yaml` is a spec, or a part
//! of one, unless its first line names another file, as in `# faulty.yaml`. What is named so is there
//! for the commands below it.

mod blocks;

use std::path::{Path, PathBuf};

use autogit::spec::{Faults, Missing, Spec};
use clap::error::ErrorKind;

use crate::cli::binary::{Folder, out, talk};
use blocks::{Shown, blocks, headings, links};

/// They answer from what is in the document's folder and in the program.
const ALONE: &[&str] = &["check", "diff", "schema", "completions", "--help", "--version"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents with their names.
fn documents() -> Vec<(String, String)> {
    let listed = std::fs::read_dir(root().join("examples/docs")).unwrap();
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), read(path))).collect()
}

/// The words of a command behind variables and before what a shell does with it; `None`: another
/// program's.
fn own_words(line: &str) -> Option<Vec<String>> {
    let command = line.split(" | ").next()?.split(" > ").next()?.split("  #").next()?;
    let words = command.split_whitespace().map(|word| word.trim_matches(['\'', '"']).to_owned());
    let words: Vec<String> = words.skip_while(|word| word.contains('=')).collect();
    words.first().is_some_and(|first| first == "autogit").then_some(words)
}

/// Why this version does not take these words.
fn refused(words: &[String], may_be_a_part: bool) -> Option<String> {
    let error = autogit::cli::command_line().try_get_matches_from(words).err()?;
    let part = [
        ErrorKind::MissingRequiredArgument,
        ErrorKind::MissingSubcommand,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    let fine = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion];
    let taken = fine.contains(&error.kind()) || may_be_a_part && part.contains(&error.kind());
    (!taken).then(|| error.to_string())
}

#[test]
fn each_command_in_the_documents_is_one_of_this_version() {
    let mut shown = 0;
    for (name, text) in documents() {
        for block in blocks(&text) {
            for command in block.commands() {
                let Some(words) = own_words(&command.line) else { continue };
                assert_eq!(refused(&words, false), None, "{name}: {}", command.line);
                shown += 1;
            }
        }
        for line in blocks::inline(&text) {
            let Some(words) = own_words(&line) else { continue };
            assert_eq!(refused(&words, true), None, "{name}: `{line}`");
        }
    }
    assert!(shown > 20, "{shown}");
}

#[test]
fn a_command_that_there_is_not_is_found() {
    let words = own_words("GITLAB_TOKEN=x autogit plam --direct | less").unwrap();
    assert_eq!(words, ["autogit", "plam", "--direct"]);
    assert!(refused(&words, true).is_some());
}

/// As `autogit check --no-env` reads it; what a part lacks is put beside it.
fn faults(text: &str) -> String {
    let has = |key: &str| text.lines().any(|line| line.starts_with(key));
    let mut whole = text.to_owned();
    if !has("gitlab:") {
        whole.push_str("\ngitlab: {url: 'https://gitlab.example.com', token: '${GITLAB_TOKEN}'}\n");
    }
    if !has("pools:") {
        whole.push_str("\npools: {linux: {tags: [docker]}}\n");
    }
    match Spec::parse("autogit.yaml", &whole, &|_| None, Missing::Accept) {
        Ok(parsed) => Faults::new("autogit.yaml", parsed.warnings).render(false),
        Err(faults) => faults.render(false),
    }
}

#[test]
fn each_spec_in_the_documents_passes() {
    let mut specs = 0;
    for (name, text) in documents() {
        for block in blocks(&text) {
            let Some(spec) = block.spec() else { continue };
            assert_eq!(faults(&spec), "", "{name}:\n{spec}");
            specs += 1;
        }
    }
    assert!(specs > 3, "{specs}");
    assert!(faults("pools: {linux: {tag: [docker]}}").contains("did you mean `tags`?"));
}

#[test]
fn each_link_leads_to_a_file_and_its_heading() {
    let mut pages =
        documents().into_iter().map(|(name, text)| (format!("examples/docs/{name}"), text));
    let others = ["README.md", "examples/deploy/README.md", "examples/gitops/README.md"];
    let others = others.map(|name| (name.to_owned(), read(&root().join(name))));
    let mut followed = 0;
    for (name, text) in pages.by_ref().chain(others) {
        let page = root().join(&name);
        for link in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let to = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(to.exists(), "{name}: {link}");
            let known = heading.is_empty() || headings(&read(&to)).iter().any(|it| it == heading);
            assert!(known, "{name}: {link}: no such heading");
            followed += 1;
        }
    }
    assert!(followed > 30, "{followed}");
}

#[test]
fn what_the_documents_show_of_a_command_that_needs_no_gitlab_is_what_it_says() {
    let mut compared = 0;
    for (name, text) in documents() {
        let mut folder = Folder::new(&format!("docs-{name}"));
        for block in blocks(&text) {
            if let Some((file, text)) = block.file() {
                folder = folder.write(&file, &text);
            }
            for Shown { line, output } in block.commands() {
                let Some(words) = own_words(&line) else { continue };
                let alone = words.get(1).is_some_and(|word| ALONE.contains(&word.as_str()));
                if !alone && !words.iter().any(|word| word == "--help") || output.is_empty() {
                    continue;
                }
                let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
                let said = folder.autogit(&words, &[]);
                let said = out(&said) + &talk(&said);
                assert!(is_as_shown(&said, &output), "{name}: $ {line}\n{said}");
                compared += 1;
            }
        }
    }
    assert!(compared > 2, "{compared}");
}

/// The lines shown, `…` for any.
fn is_as_shown(said: &str, shown: &[String]) -> bool {
    let said: Vec<&str> = said.trim_end().lines().map(str::trim_end).collect();
    matches(&said, shown)
}

fn matches(said: &[&str], shown: &[String]) -> bool {
    match shown {
        [] => said.is_empty(),
        [any, rest @ ..] if any == "…" => {
            (0..=said.len()).any(|from| matches(&said[from..], rest))
        }
        [line, rest @ ..] => said.first() == Some(&line.as_str()) && matches(&said[1..], rest),
    }
}

#[test]
fn an_output_that_differs_is_found() {
    let shown = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert!(is_as_shown("a\nb\nc\n", &shown(&["a", "…", "c"])));
    assert!(!is_as_shown("a\nb\nc\n", &shown(&["a", "c"])));
    assert!(!is_as_shown("a\nb\n", &shown(&["a", "b", "c"])));
}

/// The symptoms that are looked for come with the names of what finds them.
#[test]
fn each_check_of_doctor_has_its_trouble() {
    let page = read(&root().join("examples/docs/troubleshooting.md"));
    for check in autogit::operate::doctor::Check::ALL {
        assert!(page.contains(&format!("`{}`", check.name())), "{}", check.name());
    }
}
