//! Texts at random: of any letters, and of valid specs with a few things changed.

use proptest::collection::vec;
use proptest::prelude::*;

const VALID: [&str; 6] = [
    include_str!("../../../autogit.yaml"),
    include_str!("../../../examples/group.yaml"),
    include_str!("../../../examples/homelab.yaml"),
    include_str!("../../../examples/registration-token.yaml"),
    include_str!("../../../examples/team.yaml"),
    include_str!("../../../examples/deploy/gitlab/config/autogit.yaml"),
];

/// What is put into a line, or in place of its key or value.
const PIECES: [&str; 36] = [
    "&a",
    "*a",
    "<<: *a",
    "<<: [*a, *a]",
    "${GITLAB_TOKEN}",
    "${UNSET}",
    "${",
    "$${",
    "${A:-b}",
    "${A:-${B}}",
    "null",
    "~",
    "!!str x",
    "- ",
    "? ",
    "---",
    "...",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "|",
    ">-",
    "# ",
    "\t",
    "\r",
    "\u{feff}",
    "\u{2028}",
    "\u{1f468}\u{200d}\u{1f469}",
    "e\u{301}",
    "\u{202e}",
    "\u{0}",
    "18446744073709551616",
    "-1e999",
];
const WORDS: [&str; 24] = [
    "gitlab",
    "pools",
    "defaults",
    "hosts",
    "api",
    "token",
    "runner_token",
    "webhook_secret",
    "runner_config",
    "job",
    "environment",
    "scope",
    "warm",
    "max",
    "tags",
    "resources",
    "services",
    "memory",
    "cooldown",
    "docker",
    "listen",
    "instance",
    "budget",
    "architectures",
];

/// Any text, with what means something to YAML or to us in it.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => proptest::sample::select(&PIECES[..]).prop_map(str::to_owned),
        3 => proptest::sample::select(&WORDS[..]).prop_map(str::to_owned),
        3 => proptest::sample::select(&[": ", "\n", "\n  ", "\n    ", " ", ", "][..])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A value of a variable.
pub(crate) fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        proptest::sample::select(&PIECES[..]).prop_map(str::to_owned),
        any_text(),
        Just("a: b\nc: [d, {e: f}]\n".to_owned()),
        Just("x".repeat(5000)),
    ]
}

#[derive(Debug, Clone)]
enum Change {
    Remove,
    Twice,
    Deeper,
    Insert(String),
    Key(&'static str),
    Value(String),
    Nested(usize),
    Long(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = || proptest::sample::select(&PIECES[..]).prop_map(str::to_owned);
    prop_oneof![
        Just(Change::Remove),
        Just(Change::Twice),
        Just(Change::Deeper),
        piece().prop_map(Change::Insert),
        proptest::sample::select(&WORDS[..]).prop_map(Change::Key),
        prop_oneof![piece(), any::<String>(), any::<i64>().prop_map(|number| number.to_string())]
            .prop_map(Change::Value),
        (1..80_usize).prop_map(Change::Nested),
        (1..3000_usize).prop_map(Change::Long),
    ]
}

/// A valid spec with a few lines changed.
pub(crate) fn changed_spec() -> impl Strategy<Value = String> {
    let changes = vec((any::<prop::sample::Index>(), change()), 1..6);
    (proptest::sample::select(&VALID[..]), changes).prop_map(|(text, changes)| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (at, change) in changes {
            if !lines.is_empty() {
                let at = at.index(lines.len());
                apply(&mut lines, at, &change);
            }
        }
        lines.join("\n")
    })
}

fn apply(lines: &mut Vec<String>, at: usize, change: &Change) {
    let line = lines[at].clone();
    let (key, value) = line.split_once(':').unwrap_or((&line, ""));
    let indent = &key[..key.len() - key.trim_start().len()];
    let changed = match change {
        Change::Remove => {
            lines.remove(at);
            return;
        }
        Change::Twice => format!("{line}\n{line}"),
        Change::Deeper => format!("  {line}"),
        Change::Insert(piece) => format!("{key}: {piece} {value}"),
        Change::Key(word) => format!("{indent}{word}:{value}"),
        Change::Value(value) => format!("{key}: {value}"),
        Change::Nested(depth) => format!("{key}: {}{}", "[".repeat(*depth), "]".repeat(*depth)),
        Change::Long(length) => format!("{key}: {}", "\u{e9}x".repeat(*length)),
    };
    lines[at] = changed;
}
