//! What a spec that is read from GitLab may not say: the rows of [`super::section`] say it of each
//! key, and the operator's [`Limits`] open what they want to open.
//!
//! Variables are judged where they are written, before any is looked up: no message, default or
//! length depends on one that the spec may not name. Keys are judged by their values, once
//! variables are replaced. No message has a value in it.

use std::path::{Component, Path as FilePath, PathBuf};

use super::fault::Code;
use super::node::{Kind as NodeKind, Node};
use super::path::Path;
use super::report::{Finding, Report};
use super::section::{Kind, Pushed, RawSpec, Row};
use super::variables::{self, names_of};

/// The operator's variable that opens keys.
pub const ALLOWED_KEYS: &str = "AUTOGIT_SPEC_ALLOW";
/// The operator's variable with the variables that a spec may name.
pub const ALLOWED_VARIABLES: &str = "AUTOGIT_SPEC_VARIABLES";
/// The operator's variable with the folder of credentials.
pub const CREDENTIALS: &str = "AUTOGIT_CREDENTIALS";

/// Variables that have a place by their name, without being listed.
const KNOWN: &[(&str, &str)] = &[
    ("GITLAB_TOKEN", "gitlab.token"),
    ("GITLAB_URL", "gitlab.url"),
    ("GITLAB_URL", "gitlab.runner_url"),
    ("GITLAB_URL", "gitlab.clone_url"),
];

/// What the operator lets a spec say that others push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// The GitLab that it is read from.
    url: String,
    /// The folder that its credential files lie in.
    credentials: Option<PathBuf>,
    /// Variables it may name, anywhere or at one key.
    variables: Vec<Entry>,
    /// Keys that are open, with any value or with one.
    keys: Vec<Entry>,
}

/// `WORD`, or `WORD` with what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    word: String,
    bound: Option<String>,
}

impl Limits {
    /// Of a spec from the GitLab at `url`. `variables` are `NAME` or `NAME@KEY`, `keys` are `KEY` or
    /// `KEY=VALUE`, with white space between them.
    pub fn new(url: &str, credentials: Option<PathBuf>, variables: &str, keys: &str) -> Self {
        let entries = |text: &str, between: char| -> Vec<Entry> {
            let entry = |word: &str| match word.split_once(between) {
                Some((word, bound)) => {
                    Entry { word: word.to_owned(), bound: Some(bound.to_owned()) }
                }
                None => Entry { word: word.to_owned(), bound: None },
            };
            text.split_whitespace().map(entry).collect()
        };
        let (variables, keys) = (entries(variables, '@'), entries(keys, '='));
        Self { url: url.to_owned(), credentials, variables, keys }
    }

    /// The folder that relative paths are relative to.
    pub fn credentials(&self) -> Option<&FilePath> {
        self.credentials.as_deref()
    }

    /// Whether the variable may stand at that key. The token that reads the spec may stand at its own
    /// place alone, whatever is listed: anywhere else it would be handed to jobs. In the place of a
    /// secret stands what was given to that place: any other variable may be one that a pusher knows.
    fn admits(&self, name: &str, field: &Field) -> bool {
        let key = field.key.as_str();
        if KNOWN.iter().any(|(known, at)| *known == name && *at == key) {
            return true;
        }
        let is_secret = matches!(field.pushed, Pushed::ByVariable);
        let listed = |entry: &Entry| {
            let bound = entry.bound.as_ref();
            entry.word == name && bound.map_or(!is_secret, |bound| bound == key)
        };
        name != "GITLAB_TOKEN" && self.variables.iter().any(listed)
    }

    /// Whether the operator opened the key for all of these values.
    fn opens<'v>(&self, key: &str, mut values: impl Iterator<Item = &'v str>) -> bool {
        let of_key = |entry: &&Entry| {
            let below = key.strip_prefix(entry.word.as_str());
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let entries: Vec<_> = self.keys.iter().filter(of_key).collect();
        if entries.iter().any(|entry| entry.bound.is_none()) {
            return true;
        }
        !entries.is_empty()
            && values.all(|value| entries.iter().any(|entry| entry.bound.as_deref() == Some(value)))
    }
}

/// A field of the text.
struct Field {
    path: Path,
    /// Its place in the table: without the names of hosts and pools, and `defaults` are pools.
    key: String,
    pushed: Pushed,
}

impl Field {
    fn refused(&self, why: &str) -> Finding {
        let message = format!("`{}` is not for a spec from GitLab: {why}", self.key);
        Finding::error(Code::NotAllowed, message)
    }

    /// The same, where the operator can open the key.
    fn closed(&self, why: &str) -> Finding {
        let hint = format!(
            "whoever runs AutoGit opens it by `{key}` or `{key}=VALUE` in `{ALLOWED_KEYS}`",
            key = self.key
        );
        self.refused(why).hint(hint)
    }
}

/// Refuses variables and secrets that may not stand where they stand; what is refused has no value
/// from then on.
pub(super) fn check_as_written(tree: &mut Node, limits: &Limits, report: &mut Report<'_>) {
    each_field(tree, RawSpec::ROWS, (&Path::default(), ""), &mut |node, field| {
        check_variables(node, field, limits, report);
        let is_secret = matches!(field.pushed, Pushed::ByVariable);
        if is_secret && !is_empty(node) && !is_one_variable(node) {
            let finding = field.refused(
                "a secret is one variable, without other text or a default: what stands in a \
                 repository is read by all who may see it",
            );
            let hint = format!("use `{}_file`, a file in the operator's folder", field.key);
            add(report, node, &field.path, finding.hint(hint));
            node.kind = NodeKind::Unknown;
        }
    });
}

/// Refuses values that the operator did not open.
pub(super) fn check_values(tree: &mut Node, limits: &Limits, report: &mut Report<'_>) {
    each_field(tree, RawSpec::ROWS, (&Path::default(), ""), &mut |node, field| {
        if matches!(node.kind, NodeKind::Unknown) || node.is_null() {
            return;
        }
        let text = node.scalar().map_or("", |scalar| scalar.text.as_str());
        let finding = match field.pushed {
            Pushed::Freely | Pushed::ByVariable => None,
            Pushed::Allowed(why) => (!is_empty(node)).then(|| field.closed(why)),
            Pushed::FalseOnly(why) => {
                (!is_empty(node) && text != "false").then(|| field.closed(why))
            }
            Pushed::AllBut(word, why) => (text == word).then(|| field.closed(why)),
            Pushed::OwnGitlab => (!is_same_address(text, &limits.url)).then(|| {
                field.closed("it is another address than that of the GitLab it is read from")
            }),
            Pushed::InFolder => outside(text, limits).map(|(why, hint)| {
                let finding = field.refused(why);
                finding.hint(hint)
            }),
        };
        let Some(finding) = finding else { return };
        if !matches!(field.pushed, Pushed::InFolder) && limits.opens(&field.key, texts(node)) {
            return;
        }
        add(report, node, &field.path, finding);
    });
}

fn add(report: &mut Report<'_>, node: &Node, path: &Path, finding: Finding) {
    report.add(node.span, Finding { path: path.to_string(), ..finding });
}

/// Calls `act` with each field. A section of which nothing may be set is one field: it means
/// something by being there.
fn each_field(
    node: &mut Node,
    rows: &[Row],
    (path, key): (&Path, &str),
    act: &mut dyn FnMut(&mut Node, &Field),
) {
    let NodeKind::Map(entries) = &mut node.kind else { return };
    for entry in entries {
        let Some(row) = rows.iter().find(|row| row.key == entry.key) else { continue };
        let path = path.join(row.key);
        let step = if row.key == "defaults" { "pools" } else { row.key };
        let key = if key.is_empty() { step.to_owned() } else { format!("{key}.{step}") };
        match row.kind {
            Kind::Field(_, _, pushed) => act(&mut entry.value, &Field { path, key, pushed }),
            Kind::Section(below) => match closed(below) {
                Some(pushed) => act(&mut entry.value, &Field { path, key, pushed }),
                None => each_field(&mut entry.value, below, (&path, &key), act),
            },
            Kind::Named(below) => {
                let NodeKind::Map(named) = &mut entry.value.kind else { continue };
                for one in named {
                    let path = path.join(&one.key);
                    each_field(&mut one.value, below, (&path, &key), act);
                }
            }
        }
    }
}

/// Why nothing of a section may be set, if that is so.
fn closed(rows: &[Row]) -> Option<Pushed> {
    let pushed = |row: &Row| match row.kind {
        Kind::Field(_, _, pushed) => Some(pushed),
        Kind::Section(_) | Kind::Named(_) => None,
    };
    let all = rows.iter().all(|row| matches!(pushed(row), Some(Pushed::Allowed(_))));
    rows.first().filter(|_| all).and_then(pushed)
}

/// No text or item.
fn is_empty(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Scalar(scalar) => scalar.is_null() || scalar.text.is_empty(),
        NodeKind::List(items) => items.is_empty(),
        // A proxy of nothing is none, also where the operator set one.
        NodeKind::Map(_) => false,
        NodeKind::Unknown => true,
    }
}

fn is_one_variable(node: &Node) -> bool {
    node.scalar().is_some_and(|scalar| variables::is_one_variable(&scalar.text))
}

/// The texts of a scalar or of a list's items; of what has keys, one that is no value.
fn texts(node: &Node) -> impl Iterator<Item = &str> {
    const NO_VALUE: &str = "\n";
    fn text(node: &Node) -> &str {
        node.scalar().map_or(NO_VALUE, |scalar| scalar.text.as_str())
    }
    let items = match &node.kind {
        NodeKind::List(items) => items.iter().map(text).collect(),
        NodeKind::Scalar(_) | NodeKind::Map(_) | NodeKind::Unknown => vec![text(node)],
    };
    items.into_iter()
}

fn check_variables(node: &mut Node, field: &Field, limits: &Limits, report: &mut Report<'_>) {
    let refused = match &mut node.kind {
        NodeKind::Scalar(scalar) => {
            let names = names_of(&scalar.text);
            names.into_iter().find(|name| !limits.admits(name, field))
        }
        NodeKind::List(items) => {
            for item in items {
                check_variables(item, field, limits, report);
            }
            None
        }
        NodeKind::Map(entries) => {
            for entry in entries {
                check_variables(&mut entry.value, field, limits, report);
            }
            None
        }
        NodeKind::Unknown => None,
    };
    let Some(name) = refused else { return };
    let key = &field.key;
    let message = format!("a spec from GitLab may not name the variable `{name}` at `{key}`");
    let finding = Finding::error(Code::NotAllowed, message);
    let hint = if name == "GITLAB_TOKEN" {
        "it may stand at `gitlab.token` alone: anywhere else it is handed on".to_owned()
    } else {
        format!("whoever runs AutoGit gives it by `{name}@{key}` in `{ALLOWED_VARIABLES}`")
    };
    add(report, node, &field.path, finding.hint(hint));
    node.kind = NodeKind::Unknown;
}

/// Why a path does not lie in the folder of credentials, and what to do.
fn outside(text: &str, limits: &Limits) -> Option<(&'static str, String)> {
    let Some(folder) = &limits.credentials else {
        let why = "there is no folder that its files may lie in";
        return Some((
            why,
            format!(
                "whoever runs AutoGit names one by `{CREDENTIALS}`, or gives credentials by systemd"
            ),
        ));
    };
    let path = FilePath::new(text);
    let climbs = path.components().any(|part| part == Component::ParentDir);
    let inside = !climbs && (path.is_relative() || path.starts_with(folder));
    (!inside).then(|| {
        let hint = format!("name a file in the folder of `{CREDENTIALS}`, as in `gitlab-token`");
        ("the file is outside the operator's folder of credentials", hint)
    })
}

/// Both lead to the same GitLab: a path of the same server may be another program's.
fn is_same_address(one: &str, other: &str) -> bool {
    normal(one) == normal(other)
}

fn normal(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = scheme.to_ascii_lowercase();
    let authority = authority.to_ascii_lowercase();
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(usual).unwrap_or(&authority);
    format!("{scheme}://{authority}{path}")
}
