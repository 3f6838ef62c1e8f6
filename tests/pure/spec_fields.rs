//! What a key's row says is so: of each key of the schema, by a value that the file takes.

use autogit::source::{Environment, Origin, load};
use autogit::spec::{HostName, Missing, Spec, diff, shown};
use autogit::world::{EngineId, SpecHash, record_settings, spec_hash};
use serde_yaml::Value;

use crate::keys::{Key, keys};
use crate::source::folder::Folder;
use crate::support::now::outcome_of;
use crate::support::world::NOW;

/// With what some keys need beside them.
const BASE: &str = "
gitlab: {url: https://git.example, token: glpat-1}
hosts: {local: {docker: 'tcp://127.0.0.1:2375'}}
proxy: {http: 'http://proxy:1'}
pools: {linux: {tags: [docker]}}
";

/// One of them is right for any key, and another value than in [`BASE`].
const VALUES: &[&str] = &[
    "true",
    "false",
    "2",
    "warn",
    "ignore",
    "instance",
    "always",
    "retry",
    "discard",
    "shared",
    "[never]",
    "3s",
    "17m",
    "'10.0.0.1:9'",
    "'unix:///x'",
    "https://sample.example",
    "registry.example/sample:v18.9.0",
    "whsec_c2FtcGxl",
    "glrt-sample-sample",
    "[arm64]",
    "[linux]",
    "[sample/sample]",
    "[sample]",
    "{sample: sample}",
    "{cpus: 1}",
    "{vendor: nvidia}",
    "{group: sample}",
    "{ca: a, cert: b, key: c}",
    "sample",
];

fn parsed(text: &str) -> Option<Spec> {
    let mut spec = Spec::parse("a.yaml", text, &|_| None, Missing::Fault).ok()?.spec;
    // As when the file is read: what it holds is in containers, not its path.
    spec.gitlab.ca = spec.gitlab.ca_file.as_ref().map(|file| file.display().to_string());
    Some(spec)
}

/// [`BASE`] with that value at the key; a secret's file stands for the secret.
fn with(key: &Key, value: &str) -> String {
    let mut file: Value = serde_yaml::from_str(BASE).unwrap();
    let (last, above) = key.path.split_last().unwrap();
    let mut section = &mut file;
    for (index, step) in above.iter().enumerate() {
        let named = match (step.as_str(), index.checked_sub(1).map(|before| &*above[before])) {
            ("NAME", Some("hosts")) => "local",
            ("NAME", _) => "linux",
            (step, _) => step,
        };
        let section_of = section.as_mapping_mut().unwrap();
        section = section_of.entry(named.into()).or_insert_with(|| Value::Mapping(<_>::default()));
    }
    let section = section.as_mapping_mut().unwrap();
    if let Some(secret) = last.strip_suffix("_file") {
        section.remove(secret);
    }
    section.insert(last.as_str().into(), serde_yaml::from_str(value).unwrap());
    serde_yaml::to_string(&file).unwrap()
}

/// The keys that have a row, each with a file that says it otherwise than [`BASE`], and that spec.
fn said_otherwise() -> Vec<(Key, String, Spec)> {
    let base = parsed(BASE).unwrap();
    let rows = keys().into_iter().filter(|key| key.change.is_some() && !key.is_part);
    let supported = rows.filter(|key| key.change.as_deref() != Some("not supported yet"));
    let said = supported.map(|key| {
        let texts = VALUES.iter().filter(|value| key.may_be(value)).map(|value| with(&key, value));
        let mut specs = texts.filter_map(|text| Some((parsed(&text)?, text)));
        let other = specs.find(|(spec, _)| !diff(&base, spec).is_empty());
        let (spec, text) = other.unwrap_or_else(|| {
            panic!("`{}`: no value of it makes a difference: is it read?", key.name())
        });
        (key, text, spec)
    });
    said.collect()
}

#[test]
fn each_key_of_the_schema_has_a_row() {
    let keys = keys();
    for key in keys.iter().filter(|key| key.change.is_none() && key.path != ["defaults"]) {
        let below = keys
            .iter()
            .any(|one| one.path.len() > key.path.len() && one.path.starts_with(&key.path));
        assert!(below, "`{}` has neither a row nor keys of its own", key.name());
    }
    assert!(keys.len() > 100, "the keys are gone");
}

/// What goes into the containers of the pool, and what its record has.
fn made(spec: &Spec) -> (SpecHash, autogit::world::RecordSettings) {
    let (pool, host) = (&spec.pools[0], HostName::new("local").unwrap());
    let engine = EngineId::from_observed("engine");
    let arch = autogit::spec::Arch::Amd64;
    (spec_hash(spec, pool, &host, &engine), record_settings(pool, arch, true))
}

#[test]
fn a_change_does_what_its_row_says() {
    // With another record come other runners.
    let other_record = ["scope", "runner_token", "runner_token_file"];
    let (container, record) = made(&parsed(BASE).unwrap());
    for (key, text, spec) in said_otherwise() {
        let (new_container, new_record) = made(&spec);
        let last = key.path.last().unwrap().as_str();
        let replaces = new_container != container || other_record.contains(&last);
        let does = match (replaces, new_record != record) {
            _ if key.path == ["instance"] => "is refused at a reload",
            _ if key.name() == "api.listen" => "counts after a restart",
            (true, false) => "replaces runners",
            (false, true) => "updates the record",
            (false, false) => "counts at once",
            // Its tags follow from it, too.
            (true, true) if last == "gpu" => "replaces runners",
            (true, true) => "does both",
        };
        assert_eq!(key.change.as_deref(), Some(does), "`{}`:\n{text}", key.name());
    }
}

#[test]
fn what_a_difference_hides_is_hidden_in_a_shown_file_too() {
    let base = parsed(BASE).unwrap();
    let masks = |text: &str| text.matches("***").count();
    let mut hidden = 0;
    for (key, text, spec) in said_otherwise() {
        let is_hidden = diff(&base, &spec).iter().any(|line| masks(line) > 0);
        if !is_hidden {
            continue;
        }
        hidden += 1;
        let shown = shown(&text).unwrap();
        let before = shown.lines().skip_while(|line| !line.contains(key.path.last().unwrap()));
        let its: String = before.take(2).collect();
        assert!(masks(&its) > 0, "`{}`:\n{shown}", key.name());
    }
    assert!(hidden > 8, "{hidden}");
}

#[test]
fn each_file_of_a_secret_is_read() {
    let folder = Folder::new();
    let mut files = 0;
    for key in keys().iter().filter(|key| key.path.last().unwrap().ends_with("_file")) {
        let path = folder.write("autogit.yaml", &with(key, "none/there"));
        let error =
            outcome_of(load(&Origin::File(path), &Environment::default(), NOW)).unwrap_err();
        let field = key.name().replace("NAME", "linux");
        assert!(error.to_string().contains(&format!("{field}: ")), "`{field}`: {error}");
        files += 1;
    }
    assert!(files > 6);
}

#[test]
fn a_default_that_is_told_is_the_one_that_counts() {
    let base = parsed(BASE).unwrap();
    let mut told = 0;
    for key in keys().iter().filter(|key| !key.is_part && key.default_is_value()) {
        let default = key.default.as_deref().unwrap_or_default();
        let spec = parsed(&with(key, default));
        let spec = spec.unwrap_or_else(|| panic!("`{}` does not take `{default}`", key.name()));
        assert_eq!(diff(&base, &spec), Vec::<String>::new(), "`{}`", key.name());
        told += 1;
    }
    assert!(told > 15, "{told}");
}
