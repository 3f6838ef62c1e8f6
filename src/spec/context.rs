//! What the checks share: the tree to point into, the faults so far, and what is known to be
//! unusable, so that one mistake does not show up as several.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{Kind, Node, Scalar, Span};
use super::path::Path;
use super::report::{Finding, Report};
use super::words::value;

/// Values longer than this are not repeated in a message; the line shows them.
const SHOWN_MAX: usize = 60;

pub(super) struct Context<'a> {
    pub(super) tree: Node,
    pub(super) report: Report<'a>,
    /// Scalars that came out empty, by path.
    pub(super) empty: BTreeMap<Path, Span>,
    faulty: BTreeSet<Path>,
    unknown: BTreeSet<Path>,
}

impl<'a> Context<'a> {
    pub(super) fn new(tree: Node, report: Report<'a>, empty: BTreeMap<Path, Span>) -> Self {
        Self { tree, report, empty, faulty: BTreeSet::new(), unknown: BTreeSet::new() }
    }

    /// Takes a finding about the value at `path`.
    pub(super) fn add(&mut self, path: &Path, finding: Finding) {
        let span = match self.empty.get(path) {
            Some(span) => *span,
            None => self.tree.shown_at(path),
        };
        self.add_at(span, path, finding);
    }

    /// Takes a finding about the key at `path`.
    pub(super) fn add_at_key(&mut self, path: &Path, finding: Finding) {
        let span = self.tree.key_at(path).unwrap_or_else(|| self.tree.shown_at(path));
        self.add_at(span, path, finding);
    }

    fn add_at(&mut self, span: Span, path: &Path, mut finding: Finding) {
        if within(path, &self.unknown) {
            return;
        }
        if finding.severity == super::Severity::Error {
            self.faulty.insert(path.clone());
        }
        finding.path = path.to_string();
        if finding.label.is_none() {
            finding.label = self.origin(path);
        }
        let keys = self.tree.keys_to(path);
        self.report.add_shown(span, &keys, finding);
    }

    /// Notes that the value at `path` is not known, and no fault may follow from it.
    pub(super) fn set_unknown(&mut self, path: Path) {
        self.unknown.insert(path);
    }

    /// Whether the value at `path` can be judged: neither it nor a part of it is faulty.
    pub(super) fn sound(&self, path: &Path) -> bool {
        let touched = |paths: &BTreeSet<Path>| {
            // In order, what lies below a path follows it at once.
            let next = paths.range(path..).next();
            next.is_some_and(|next| next.starts_with(path)) || within(path, paths)
        };
        !touched(&self.faulty) && !touched(&self.unknown)
    }

    /// Whether `path` was written, in the pool itself or by `defaults`.
    pub(super) fn given(&self, path: &Path) -> bool {
        self.tree.at(path).is_some_and(|node| !node.is_null())
    }

    /// The value at `path` for a message.
    pub(super) fn shown(&self, path: &Path) -> String {
        match self.tree.at(path).map(|node| &node.kind) {
            Some(Kind::List(_)) => "a list".to_owned(),
            Some(Kind::Map(_)) => "a mapping".to_owned(),
            Some(Kind::Scalar(scalar)) if scalar.is_null() => "nothing".to_owned(),
            Some(Kind::Scalar(_)) => match self.showable(path) {
                Some(scalar) => format!("`{}`", value(&scalar.text)),
                None => "this value".to_owned(),
            },
            Some(Kind::Unknown) | None => "this value".to_owned(),
        }
    }

    /// Whether the scalar at `path` is written in quotes.
    pub(super) fn is_quoted(&self, path: &Path) -> bool {
        let scalar = self.tree.at(path).and_then(Node::scalar);
        scalar.is_some_and(|scalar| !scalar.plain && scalar.variables.is_empty())
    }

    /// The same as part of a sentence that names the field.
    pub(super) fn bare(&self, path: &Path) -> String {
        match self.showable(path) {
            Some(scalar) => value(&scalar.text),
            None => "this value".to_owned(),
        }
    }

    /// The scalar at `path`, if it may be printed and is worth it.
    fn showable(&self, path: &Path) -> Option<&Scalar> {
        let node = self.tree.at(path)?;
        let scalar = node.scalar().filter(|scalar| {
            scalar.text.len() <= SHOWN_MAX && !scalar.text.contains(char::is_control)
        })?;
        self.report.hidden.shows(path, node, scalar).then_some(scalar)
    }

    /// Which variables a value came from, where the text shows only their names.
    fn origin(&self, path: &Path) -> Option<String> {
        let scalar = self.tree.at(path)?.scalar()?;
        if scalar.variables.is_empty() {
            return None;
        }
        let variables = scalar.variables.join(", ");
        match self.showable(path) {
            Some(scalar) => Some(format!("{}, from {variables}", scalar.text)),
            None => Some(format!("from {variables}")),
        }
    }
}

/// Whether one of `paths` is `path` or holds it. Each pool asks this about each other pool, so it
/// may not look at all of them.
fn within(path: &Path, paths: &BTreeSet<Path>) -> bool {
    let above = std::iter::successors(Some(path.clone()), |path| {
        path.last().is_some().then(|| path.parent())
    });
    !paths.is_empty() && above.into_iter().any(|path| paths.contains(&path))
}
