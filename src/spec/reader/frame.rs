//! A list or mapping that is still being read.

use std::collections::BTreeSet;

use super::{Step, stop};
use crate::spec::fault::Code;
use crate::spec::hidden::named;
use crate::spec::node::{Entry, Kind, Node, Size, Span};
use crate::spec::report::Finding;

/// A longer key is none of ours or of gitlab-runner's; each value's path repeats the keys above it.
const KEY_BYTES_MAX: usize = 1024;

pub(super) struct Frame {
    pub(super) anchor: usize,
    /// What had been read before this one.
    pub(super) before: Size,
    start: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, keys: BTreeSet<String>, merged: Vec<Entry>, key: Key },
}

/// What a mapping waits for.
enum Key {
    Awaited,
    Named(String, Span),
    /// The key was refused with a fault; its value is dropped.
    Refused,
}

impl Frame {
    pub(super) fn list(anchor: usize, span: Span, before: Size) -> Self {
        Self { anchor, before, start: span.start, content: Content::List(Vec::new()) }
    }

    pub(super) fn map(anchor: usize, span: Span, before: Size) -> Self {
        let content = Content::Map {
            entries: Vec::new(),
            keys: BTreeSet::new(),
            merged: Vec::new(),
            key: Key::Awaited,
        };
        Self { anchor, before, start: span.start, content }
    }

    /// Takes the next item, key or value.
    pub(super) fn place(&mut self, node: Node) -> Step {
        match &mut self.content {
            Content::List(items) => {
                items.push(node);
                Ok(())
            }
            Content::Map { entries, keys, merged, key } => {
                match std::mem::replace(key, Key::Awaited) {
                    Key::Awaited => {
                        let (next, outcome) = next_key(node, keys);
                        *key = next;
                        outcome
                    }
                    Key::Refused => Ok(()),
                    Key::Named(name, _) if name == "<<" => merge(node, merged),
                    Key::Named(key, key_span) => {
                        entries.push(Entry { key, key_span, value: node });
                        Ok(())
                    }
                }
            }
        }
    }

    pub(super) fn finish(self, end: usize) -> Node {
        let span = Span { start: self.start, end: end.max(self.start) };
        let kind = match self.content {
            Content::List(items) => Kind::List(items),
            Content::Map { mut entries, mut keys, merged, .. } => {
                for entry in merged {
                    if keys.insert(entry.key.clone()) {
                        entries.push(entry);
                    }
                }
                Kind::Map(entries)
            }
        };
        Node { kind, span }
    }
}

fn next_key(node: Node, keys: &mut BTreeSet<String>) -> (Key, Step) {
    let Kind::Scalar(scalar) = node.kind else {
        let finding = Finding::error(Code::Syntax, "a key is a word, not a list or mapping");
        return (Key::Refused, stop(node.span, finding));
    };
    let key = scalar.text;
    if key.len() > KEY_BYTES_MAX {
        let message = format!("a key is longer than {KEY_BYTES_MAX} bytes");
        return (Key::Refused, stop(node.span, Finding::error(Code::TooLarge, message)));
    }
    if key != "<<" && !keys.insert(key.clone()) {
        let finding =
            Finding::error(Code::DuplicateKey, format!("`{}` is given twice", named(&key)))
                .hint("keep one of them");
        return (Key::Refused, stop(node.span, finding));
    }
    if key.contains("${") {
        let finding = Finding::error(Code::BadVariable, "a key has a variable in it")
            .hint("variables are replaced in values only");
        return (Key::Refused, stop(node.span, finding));
    }
    (Key::Named(key, node.span), Ok(()))
}

/// YAML's `<<`: keys that the mapping lacks come from another one, or from several.
fn merge(node: Node, merged: &mut Vec<Entry>) -> Step {
    match node.kind {
        Kind::Map(entries) => {
            merged.extend(entries);
            Ok(())
        }
        Kind::List(items) => items.into_iter().try_for_each(|item| merge(item, merged)),
        Kind::Scalar(_) | Kind::Unknown => {
            stop(node.span, Finding::error(Code::WrongType, "`<<` takes mappings"))
        }
    }
}
