//! The file as a tree that remembers where each key and value was written.

use super::path::Path;

/// A range of bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// How much values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size {
    pub(super) nodes: usize,
    /// Of the scalars and keys.
    pub(super) bytes: usize,
}

impl Size {
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(other.nodes),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// What was read since only `before` had been.
    pub(super) fn since(self, before: Self) -> Self {
        Self { nodes: self.nodes - before.nodes, bytes: self.bytes - before.bytes }
    }

    pub(super) fn times(self, count: usize) -> Self {
        Self { nodes: self.nodes.saturating_mul(count), bytes: self.bytes.saturating_mul(count) }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// A scalar whose variable has no value: nothing more can be said of it.
    Unknown,
}

/// A scalar as text; what it means is decided by its field's type.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Written without quotes.
    pub(super) plain: bool,
    /// The variables that went into the text.
    pub(super) variables: Vec<String>,
}

/// A key with its value. Order is the file's.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) value: Node,
}

impl Scalar {
    /// Whether this is YAML's null. A value that came from a variable is text, never null.
    pub(super) fn is_null(&self) -> bool {
        self.plain
            && self.variables.is_empty()
            && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

impl Node {
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Scalar(_) | Kind::List(_) | Kind::Unknown => &[],
        }
    }

    pub(super) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::List(_) | Kind::Map(_) | Kind::Unknown => None,
        }
    }

    pub(super) fn size(&self) -> Size {
        let one = |bytes| Size { nodes: 1, bytes };
        match &self.kind {
            Kind::Scalar(scalar) => one(scalar.text.len()),
            Kind::Unknown => one(0),
            Kind::List(items) => items.iter().map(Self::size).fold(one(0), Size::with),
            Kind::Map(entries) => entries.iter().fold(one(0), |size, entry| {
                size.with(Size { nodes: 0, bytes: entry.key.len() }).with(entry.value.size())
            }),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.scalar().is_some_and(Scalar::is_null)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    fn child(&self, step: &str) -> Option<(&Self, Span)> {
        match &self.kind {
            Kind::Map(_) => self.entry(step).map(|entry| (&entry.value, entry.key_span)),
            Kind::List(items) => {
                let item = items.get(step.parse::<usize>().ok()?)?;
                Some((item, item.span))
            }
            Kind::Scalar(_) | Kind::Unknown => None,
        }
    }

    /// The value at `path`.
    pub(super) fn at(&self, path: &Path) -> Option<&Self> {
        path.steps().try_fold(self, |node, step| node.child(step).map(|(child, _)| child))
    }

    /// Where a fault about `path` is shown: the value if it is a scalar, else its key; for what
    /// is not in the file, the nearest key above.
    pub(super) fn shown_at(&self, path: &Path) -> Span {
        let mut shown = Span { start: self.span.start, end: self.span.start };
        let mut node = self;
        for step in path.steps() {
            let Some((child, key_span)) = node.child(step) else { return shown };
            node = child;
            shown = match &node.kind {
                Kind::Scalar(scalar) if !scalar.text.is_empty() => node.span,
                Kind::Unknown => node.span,
                Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => key_span,
            };
        }
        shown
    }

    /// Where the keys on the way to `path` are written.
    pub(super) fn keys_to(&self, path: &Path) -> Vec<Span> {
        let mut keys = Vec::new();
        let mut node = self;
        for step in path.steps() {
            let Some((child, key_span)) = node.child(step) else { break };
            if matches!(node.kind, Kind::Map(_)) {
                keys.push(key_span);
            }
            node = child;
        }
        keys
    }

    /// The key of `path` as written.
    pub(super) fn key_at(&self, path: &Path) -> Option<Span> {
        self.at(&path.parent())?.child(path.last()?).map(|(_, key_span)| key_span)
    }
}
