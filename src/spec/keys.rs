//! Unknown keys: each is a fault at the key, whatever its value is, and taken out of the tree.
//! Before variables are replaced, so that none hides behind one that is empty or not set.

use serde_json::Value;

use super::fault::Code;
use super::hidden::{Hidden, named};
use super::json::{below, branches};
use super::nearest::nearest;
use super::node::{Kind, Node};
use super::path::Path;
use super::report::{Finding, Report};

/// What begins like this at the top level is the operator's own, to hold anchors.
pub(super) const OWN: &str = "x-";

/// Keys that other tools, or other places, have for what a pool says in its own words.
const OTHER_WORDS: &[(&str, &str)] = &[
    (
        "image",
        "the jobs' image is `job.image`, the runner's is `runner_image`, those kept ready are `images`",
    ),
    ("concurrent", "runners take one job each: their number is `max`"),
    ("concurrency", "runners take one job each: their number is `max`"),
    ("limit", "runners take one job each: their number is `max`"),
    ("replicas", "runners are started as jobs need them, up to `max`; `warm` are kept"),
    ("min", "runners that are kept for the next job are `warm`"),
    ("idle_count", "runners that are kept for the next job are `warm`"),
    ("idle_time", "how long a runner may be idle is `cooldown`"),
    ("timeout", "the limit on a job's duration is `maximum_timeout`"),
    ("token", "a runner token of your own is `runner_token`"),
    ("paused", "a pool that takes no jobs has `enabled: false`"),
    ("disabled", "a pool that takes no jobs has `enabled: false`"),
    ("executor", "AutoGit's runners use the docker executor"),
    ("group", "write `scope: {group: path}`"),
    ("project", "write `scope: {project: path}`"),
    ("host", "hosts choose pools: write it as `pools` of the host"),
    ("hosts", "hosts choose pools: write it as `pools` of each host"),
    ("memory", "write it as `resources.memory`"),
    ("cpus", "write it as `resources.cpus`"),
];

/// Reports and takes out what `schema` does not know, and notes what may be a secret.
pub(super) fn check(tree: &mut Node, schema: &Value, report: &mut Report<'_>) {
    if let Kind::Map(entries) = &mut tree.kind {
        entries.retain(|entry| !entry.key.starts_with(OWN));
    }
    let mut unknown = Vec::new();
    let mut hidden = Hidden::default();
    take_out(tree, &branches(schema), &Path::default(), &mut unknown, &mut hidden);
    hidden.note(tree, &Path::default());
    report.hidden = hidden;
    for Unknown { mut path, keys, known } in unknown {
        // Each looks for the nearest name, and a hostile file has no end of them.
        if report.is_full() {
            break;
        }
        let Some(span) = keys.last() else { continue };
        // An alias in a key's place brings the text of its anchor.
        if report.hidden.hides(*span) {
            path = path.parent().join("");
        }
        report.add_shown(*span, &keys, finding(&path, &known));
    }
}

struct Unknown<'s> {
    path: Path,
    /// Where the keys to it are written, and it itself.
    keys: Vec<super::node::Span>,
    known: Vec<&'s str>,
}

/// The schemas of what stands below `key`; none: nobody knows it.
fn at_key<'s>(schemas: &[&'s Value], key: &str) -> Vec<&'s Value> {
    below(schemas, |schema| {
        let known = schema.get("properties").and_then(|known| known.get(key));
        known.or_else(|| {
            schema.get("additionalProperties").filter(|any| **any != Value::Bool(false))
        })
    })
}

fn take_out<'s>(
    node: &mut Node,
    schemas: &[&'s Value],
    path: &Path,
    unknown: &mut Vec<Unknown<'s>>,
    hidden: &mut Hidden,
) {
    match &mut node.kind {
        Kind::Scalar(_) | Kind::Unknown => {}
        Kind::List(items) => {
            let schemas = below(schemas, |schema| schema.get("items"));
            for (index, item) in items.iter_mut().enumerate() {
                take_out(item, &schemas, &path.join(&index.to_string()), unknown, hidden);
            }
        }
        Kind::Map(entries) => {
            let is_mapping = |schema: &&&Value| {
                schema.get("properties").is_some() || schema.get("additionalProperties").is_some()
            };
            let mappings: Vec<&Value> = schemas.iter().filter(is_mapping).copied().collect();
            // Where no mapping is wanted, that is what is said of it.
            if mappings.is_empty() {
                return;
            }
            let properties = mappings.iter().filter_map(|schema| schema.get("properties"));
            let known: Vec<&str> = properties
                .filter_map(Value::as_object)
                .flat_map(|known| known.keys().map(String::as_str))
                .collect();
            entries.retain_mut(|entry| {
                let path = path.join(&entry.key);
                let below = at_key(&mappings, &entry.key);
                let first = unknown.len();
                if below.is_empty() {
                    hidden.note_key(&entry.key, entry.key_span);
                    hidden.note(&entry.value, &path);
                    let keys = vec![entry.key_span];
                    unknown.push(Unknown { path, keys, known: known.clone() });
                    return false;
                }
                take_out(&mut entry.value, &below, &path, unknown, hidden);
                for one in unknown.iter_mut().skip(first) {
                    one.keys.insert(0, entry.key_span);
                }
                true
            });
        }
    }
}

fn finding(path: &Path, known: &[&str]) -> Finding {
    let key = path.last().unwrap_or_default();
    let above = path.parent();
    let message = match above.last() {
        Some(_) => format!("`{above}` knows no `{}`", named(key)),
        None => format!("the file knows no `{}`", named(key)),
    };
    let steps: Vec<&str> = above.steps().collect();
    let of_a_pool = matches!(steps.as_slice(), ["pools", _] | ["defaults"]);
    let said_elsewhere = || elsewhere(&key.to_ascii_lowercase());
    let hint = of_a_pool.then(said_elsewhere).flatten().or_else(|| {
        let near = nearest(key, known.iter().copied());
        let near = near.map(|near| format!("did you mean `{near}`?"));
        // `priviledged` is as near to what is said elsewhere.
        let words = OTHER_WORDS.iter().map(|(word, _)| word).chain(OF_A_JOB).copied();
        near.or_else(|| elsewhere(nearest(key, words.filter(|_| of_a_pool))?))
    });
    let mut finding = Finding::error(Code::UnknownKey, message).maybe_hint(hint);
    finding.path = path.to_string();
    finding
}

/// Where a pool says what other tools, or a job, say by that key.
fn elsewhere(key: &str) -> Option<String> {
    let other = OTHER_WORDS.iter().find(|(word, _)| *word == key);
    let other = other.map(|(_, hint)| (*hint).to_owned());
    other.or_else(|| OF_A_JOB.contains(&key).then(|| format!("write it as `job.{key}`")))
}

/// What is said of jobs, and often written where runners are.
const OF_A_JOB: &[&str] = &[
    "network",
    "privileged",
    "docker_socket",
    "capabilities",
    "volumes",
    "allowed_images",
    "allowed_services",
    "environment",
];
