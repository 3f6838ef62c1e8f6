//! The rules of how the code reads that no lint can say: who may name whom, how long a file gets,
//! what lies at the top of the tree, and which TLS there is.
//!
//! A rule that makes a place worse is broken openly: with an entry in [`EXCEPTIONS`].

mod paths;
pub(crate) mod tree;

use paths::{names, rooted_at};
use tree::{Source, files, files_with, read, sources};

/// A place where a rule does not hold, and the argument for it.
struct Exception {
    rule: &'static str,
    file: &'static str,
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[];

const LINES_OF_A_FILE: usize = 500;
const LINES_OF_A_SNAPSHOT: usize = 200;
/// It names each adapter, in a few lines.
const LINES_OF_MAIN: usize = 30;

const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "autogit.yaml",
    "clippy.toml",
    "deny.toml",
    "examples",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "schema",
    "src",
    "tests",
];

/// What decides or tells what follows, and so may know nothing but data.
const CORE: &[&str] = &["spec", "world", "plan", "model"];

/// What the core may never name of this crate: all that has effects or shows them.
const BESIDE_THE_CORE: &[&str] = &[
    "api",
    "apply",
    "cli",
    "clock",
    "engine",
    "error_policy",
    "gitlab",
    "observe",
    "operate",
    "reconcile",
    "sandbox",
    "source",
    "view",
];

/// Ways to the machine, the clock and the log.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "jiff::Timestamp::now",
    "tokio",
    "tracing",
];

const ADAPTERS: &[&str] = &["gitlab::http", "engine::docker", "engine::swarm"];

#[track_caller]
fn check(rule: &str, faults: Vec<(String, String)>) {
    let unexcused = faults.into_iter().filter(|(file, _)| {
        !EXCEPTIONS.iter().any(|exception| exception.rule == rule && exception.file == file)
    });
    let listed: Vec<String> = unexcused.map(|(file, what)| format!("{file}: {what}")).collect();
    assert!(listed.is_empty(), "{rule}:\n  {}\n", listed.join("\n  "));
}

/// Each naming of a crate module, in the modules of `who`, that `refused` does not want.
fn crate_names(who: &[&str], refused: &[&str]) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    for source in sources("src").into_iter().filter(|source| source.is_in(who)) {
        for path in rooted_at(&source.code, "crate") {
            if refused.iter().any(|refused| names(&path, refused)) {
                faults.push((source.path.clone(), format!("names `crate::{path}`")));
            }
        }
    }
    faults
}

fn longer_than(limit: usize, suffix: &str) -> Vec<(String, String)> {
    let long = files_with(suffix).into_iter().filter_map(|file| {
        let lines = read(&file).lines().count();
        (lines > limit).then(|| (file, format!("{lines} lines, at most {limit}")))
    });
    long.collect()
}

fn saying(sources: &[Source], word: &str) -> Vec<(String, String)> {
    let lines = sources.iter().flat_map(|source| {
        source.code.lines().map(|line| (source.path.clone(), line.trim().to_owned()))
    });
    lines.filter(|(_, line)| line.contains(word)).collect()
}

#[test]
fn no_file_is_too_long_to_read() {
    check("length", longer_than(LINES_OF_A_FILE, ".rs"));
}

#[test]
fn no_snapshot_is_too_long_to_review() {
    check("snapshot-length", longer_than(LINES_OF_A_SNAPSHOT, ".snap"));
}

#[test]
fn the_binary_only_starts_the_library() {
    check("thin-main", {
        let lines = read("src/main.rs").lines().count();
        let what = format!("{lines} lines, at most {LINES_OF_MAIN}: decide in the library");
        (lines > LINES_OF_MAIN).then(|| ("src/main.rs".to_owned(), what)).into_iter().collect()
    });
}

#[test]
fn a_module_opens_its_folder_by_its_own_name() {
    let mods = files_with("/mod.rs");
    check(
        "mod-rs",
        mods.into_iter().map(|file| (file, "is named by its folder".to_owned())).collect(),
    );
}

#[test]
fn what_decides_names_no_effect_of_ours() {
    check("core-crate", crate_names(CORE, BESIDE_THE_CORE));
}

#[test]
fn spec_knows_no_world_the_world_no_plan_and_a_plan_no_model() {
    let mut faults = crate_names(&["spec"], &["world", "plan", "model"]);
    faults.extend(crate_names(&["world"], &["plan", "model"]));
    faults.extend(crate_names(&["plan"], &["model"]));
    check("core-order", faults);
}

#[test]
fn what_decides_reaches_neither_machine_nor_clock_nor_log() {
    let mut faults = Vec::new();
    for source in sources("src").into_iter().filter(|source| source.is_in(CORE)) {
        for refused in IMPURE {
            let (root, below) = refused.split_once("::").unwrap_or((refused, ""));
            let found = rooted_at(&source.code, root);
            for path in found.iter().filter(|path| below.is_empty() || names(path, below)) {
                faults.push((source.path.clone(), format!("names `{root}::{path}`")));
            }
        }
    }
    check("core-pure", faults);
}

/// Else nothing in it could be renamed without a change of the users' JSON.
#[test]
fn what_decides_is_no_json() {
    let mut faults = Vec::new();
    for source in sources("src").into_iter().filter(|source| source.is_in(CORE)) {
        // A spec is read by serde and has a schema; what is below it is neither read nor written.
        let is_spec = source.is_in(&["spec"]);
        for root in ["serde", "schemars"] {
            let found = rooted_at(&source.code, root);
            for path in found.iter().filter(|path| !is_spec || names(path, "Serialize")) {
                faults.push((source.path.clone(), format!("names `{root}::{path}`")));
            }
        }
    }
    check("core-json", faults);
}

#[test]
fn what_acts_knows_ports_and_no_adapter() {
    let acting = ["observe", "apply", "operate", "reconcile", "source", "view"];
    check("adapters", crate_names(&acting, ADAPTERS));
}

#[test]
fn what_renders_does_not_act() {
    let mut faults = crate_names(&["api", "cli"], &["apply"]);
    faults.extend(crate_names(&["operate"], &["api", "cli"]));
    check("faces", faults);
}

#[test]
fn the_wire_stays_in_its_adapter() {
    let homes: &[(&str, &[&str])] = &[
        ("bollard", &["src/engine/"]),
        // The command line asks a running AutoGit for what it shows.
        ("reqwest", &["src/gitlab/", "src/cli/"]),
    ];
    let mut faults = Vec::new();
    for (wire, homes) in homes {
        for source in sources("src") {
            let at_home = homes.iter().any(|home| source.path.starts_with(home));
            if !at_home && !rooted_at(&source.code, wire).is_empty() {
                faults.push((source.path, format!("names `{wire}`")));
            }
        }
    }
    check("wire", faults);
}

#[test]
fn there_is_one_tls_and_its_cryptography_is_ring() {
    let lock = read("Cargo.lock");
    let has = |name: &str| lock.lines().any(|line| line == format!("name = \"{name}\""));
    let others = ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls"];
    let found = others.into_iter().filter(|name| has(name));
    check("tls", found.map(|name| ("Cargo.lock".to_owned(), name.to_owned())).collect());
    assert!(has("ring"), "Cargo.lock no longer has ring: this test looks for the wrong thing");
}

#[test]
fn the_top_of_the_tree_holds_what_is_known() {
    let unknown = files().into_iter().filter_map(|file| {
        let top = file.split('/').next().unwrap().to_owned();
        let known = top.starts_with('.') || TOP_LEVEL.contains(&top.as_str());
        (!known).then_some((top, "is not among the known entries".to_owned()))
    });
    check("top-level", unknown.collect());
}

#[test]
fn each_command_has_a_file_of_its_name() {
    let files = files();
    let commands = autogit::cli::command_line();
    let named = commands.get_subcommands().map(|command| command.get_name().replace('-', "_"));
    let named = named.map(|name| format!("src/cli/{name}.rs"));
    let missing = named.filter(|file| !files.contains(file));
    check("commands", missing.map(|file| (file, "is missing".to_owned())).collect());
}

/// Each links the whole crate anew, so there are no more of them than there are kinds of machine.
#[test]
fn the_tests_are_four_programs_whose_files_lie_where_their_modules_are() {
    let is_program = |file: &&String| {
        let below: Vec<&str> = file.split('/').collect();
        matches!(below.as_slice(), ["tests", name] if name.strip_suffix(".rs").is_some())
            || matches!(below.as_slice(), ["tests", _, "main.rs"])
    };
    let all = files();
    let programs: Vec<&String> = all.iter().filter(is_program).collect();
    let named = ["browser", "docker", "pure", "simulation"];
    assert_eq!(programs, named.map(|name| format!("tests/{name}/main.rs")).each_ref());
    let elsewhere = saying(&sources("tests"), concat!("#[", "path"));
    let elsewhere = elsewhere.into_iter().filter(|(file, what)| {
        !file.starts_with("tests/fuzz/") && !what.contains("\"../support/support.rs\"")
    });
    check("path", elsewhere.collect());
}

#[test]
fn tests_neither_sleep_nor_hide() {
    let all: Vec<Source> = sources("src").into_iter().chain(sources("tests")).collect();
    let (stand_in, ours): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|source| source.path.starts_with("tests/runner/"));
    assert!(!stand_in.is_empty(), "the test runner moved: this test would miss it");
    // Spelled in two halves, or this file would be found.
    let mut faults = saying(&ours, concat!("thread::", "sleep"));
    faults.extend(saying(&ours, concat!("#[", "ignore")));
    check("sleep", faults);
}

#[test]
fn each_exception_is_argued_and_still_stands_for_a_file() {
    for exception in EXCEPTIONS {
        assert!(!exception.reason.is_empty(), "{} {}", exception.rule, exception.file);
        assert!(files().contains(&exception.file.to_owned()), "{} is gone", exception.file);
    }
}
