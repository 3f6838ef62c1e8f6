//! The files that users start from: the schema for their editors, the spec at the root, the
//! examples.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use autogit::operate::doctor::Check;
use autogit::spec::{Faults, Missing, Spec, Warm, schema_json};

use crate::keys::{Key, keys};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `autogit.yaml`, all that is in `examples/` itself, and each one that is deployed.
fn specs() -> Vec<PathBuf> {
    let listed = std::fs::read_dir(root().join("examples")).unwrap();
    let examples = listed.map(|entry| entry.unwrap().path());
    let yaml = examples.filter(|path| path.extension().is_some_and(|suffix| suffix == "yaml"));
    let deployed = below(&root().join("examples/deploy")).into_iter();
    let others = deployed.filter(|path| path.ends_with("autogit.yaml"));
    let named = ["autogit.yaml", "examples/gitops/autogit.yaml"];
    let others = others.chain(named.map(|path| root().join(path)));
    let mut specs: Vec<PathBuf> = yaml.chain(others).collect();
    specs.sort();
    specs
}

#[test]
fn the_published_schema_is_that_of_this_version() {
    let published = read(&root().join("schema/autogit.schema.json"));
    assert!(published == schema_json(), "run: autogit schema > schema/autogit.schema.json");
}

/// Set `UPDATE_CASES` to write what is said now; then read the difference.
#[test]
fn the_published_keys_are_those_of_this_version() {
    let path = root().join("schema/keys.md");
    let said = reference();
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(&path, said).unwrap();
    } else {
        assert!(read(&path) == said, "run this test with UPDATE_CASES=1");
    }
}

/// Set `UPDATE_CASES` to write what is said now; then read the difference.
#[test]
fn the_published_checks_are_those_of_this_version() {
    let path = root().join("schema/checks.md");
    let said = checks();
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(&path, said).unwrap();
    } else {
        assert!(read(&path) == said, "run this test with UPDATE_CASES=1");
    }
}

/// What `autogit doctor` checks, to be read by people.
fn checks() -> String {
    let mut page = "# What `autogit doctor` checks\n\n\
        Each check is `ok`, `warning` (AutoGit works, with a drawback), `not known` (it could not be \
        found out: this is never ok) or `failed` (AutoGit does not work, or not for some pools).\n\n\
        | area | check | what has to be so |\n| --- | --- | --- |\n"
        .to_owned();
    for check in Check::ALL {
        let (area, name, asks) = (check.area().as_str(), check.name(), check.asks());
        writeln!(page, "| {area} | `{name}` | {asks} |").unwrap();
    }
    page
}

/// What the schema says of each key, to be read by people.
fn reference() -> String {
    let mut page = "# The keys of `autogit.yaml`\n\n\
        Made from the [schema](autogit.schema.json). `NAME` is a name of yours; a key of a pool may \
        stand in `defaults`, too. `a change` says what a change does to what runs: runners are \
        replaced one after the other, each after its job. `from GitLab` says whether a spec that is \
        [pushed to GitLab](../examples/gitops/README.md#what-a-pusher-gains) may set the key: whoever \
        runs AutoGit opens some of them.\n"
        .to_owned();
    let mut sections: Vec<(String, String)> = Vec::new();
    for key in keys() {
        let section = match &key.path[..] {
            [] | [_] => String::new(),
            [above, name, ..] if name == "NAME" => format!("{above}.NAME"),
            [above, ..] => above.clone(),
        };
        let row = row(&key, &section);
        match sections.iter_mut().find(|(known, _)| *known == section) {
            Some((_, rows)) => rows.push_str(&row),
            None => sections.push((section, row)),
        }
    }
    for (section, rows) in sections {
        let title = if section.is_empty() { "Top level" } else { &format!("`{section}`") };
        let head = "| key | value | default | meaning | a change | from GitLab |\n\
            | --- | --- | --- | --- | --- | --- |";
        write!(page, "\n## {title}\n\n{head}\n{rows}").unwrap();
    }
    page
}

fn row(key: &Key, section: &str) -> String {
    let name = key.name();
    let name = name.strip_prefix(section).unwrap_or(&name).trim_start_matches('.');
    let default = match key.default.as_deref() {
        Some(value) if key.default_is_value() => format!("`{value}`"),
        Some(words) => words.to_owned(),
        None if key.is_required => "needed".to_owned(),
        None => String::new(),
    };
    let Key { value, meaning, .. } = key;
    let change = key.change.as_deref().unwrap_or_default();
    let pushed = key.pushed.as_deref().unwrap_or_default();
    format!("| `{name}` | {value} | {default} | {meaning} | {change} | {pushed} |\n")
}

/// All files below `folder`.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

#[test]
fn what_we_tell_people_names_commands_that_there_are() {
    let command_line = autogit::cli::command_line();
    let mut told = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    told.extend(["src", "examples"].iter().flat_map(|folder| below(&root().join(folder))));
    let mut named = 0;
    for path in told {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for words in text.split("`autogit ").skip(1) {
            let word = words.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap();
            // An option, or the mark of a record's note.
            if word.is_empty() || word.starts_with('-') || words[word.len()..].starts_with('=') {
                continue;
            }
            named += 1;
            let known = command_line.find_subcommand(word).is_some();
            assert!(known, "{}: `autogit {word}`", path.display());
        }
    }
    assert!(named > 20);
}

#[test]
fn each_spec_we_publish_passes_and_warns_of_nothing() {
    let examples = [
        "group.yaml",
        "homelab.yaml",
        "registration-token.yaml",
        "team.yaml",
        "gitlab/config/autogit.yaml",
        "beside-gitlab/config/autogit.yaml",
        "socket-proxy/config/autogit.yaml",
        "systemd/autogit.yaml",
        "podman/autogit.yaml",
    ];
    for wanted in examples {
        assert!(specs().iter().any(|path| path.ends_with(wanted)), "{wanted} is gone");
    }
    for path in specs() {
        let (file, text) = (path.display().to_string(), read(&path));
        let parsed = Spec::parse(&file, &text, &|_| None, Missing::Accept)
            .unwrap_or_else(|faults| panic!("{}", faults.render(false)));
        let warnings = Faults::new(&file, parsed.warnings);
        assert_eq!(warnings.iter().count(), 0, "{}", warnings.render(false));
    }
}

#[test]
fn an_editor_with_the_published_schema_finds_no_fault_in_them() {
    let schema: serde_json::Value = serde_json::from_str(&schema_json()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for path in specs() {
        let value: serde_json::Value = serde_yaml::from_str(&read(&path)).unwrap();
        let faults: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(faults, Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn the_guides_variables_drive_the_spec_at_the_root() {
    let text = read(&root().join("autogit.yaml"));
    let lookup = |name: &str| {
        let value = match name {
            "GITLAB_URL" => "http://gitlab.lan:3000",
            "GITLAB_TOKEN" => "glpat-x",
            "GITLAB_RUNNER_REGISTRATION_TOKEN" => "GR-x",
            "RUNNER_COOLDOWN_MINUTES" => "10",
            "MAX_IDLE_RUNNERS" => "2",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let spec = Spec::parse("autogit.yaml", &text, &lookup, Missing::Fault).unwrap().spec;
    assert_eq!(spec.gitlab.url, "http://gitlab.lan:3000");
    assert!(spec.gitlab.registration_token.is_some());
    assert_eq!(spec.pools[0].cooldown, std::time::Duration::from_mins(10));
    assert_eq!(spec.pools[0].warm, Warm::Count(2));

    let token_alone = |name: &str| (name == "GITLAB_TOKEN").then(|| "glpat-x".to_owned());
    let spec = Spec::parse("autogit.yaml", &text, &token_alone, Missing::Fault).unwrap().spec;
    assert_eq!(spec.gitlab.url, "http://autogit-git-server:3000");
    assert!(spec.gitlab.registration_token.is_none());
    assert_eq!(spec.pools[0].cooldown, std::time::Duration::from_mins(5));
    assert_eq!(spec.pools[0].warm, Warm::Count(0));
}
