//! `${VAR}`, `${VAR:-default}` and `$${` in scalars. A value can never add structure: the tree
//! stands before a variable is read.

mod template;

use std::collections::BTreeMap;

use super::fault::Code;
use super::node::{Kind, Node, Scalar, Span};
use super::parse::Templated;
use super::path::Path;
use super::report::{Finding, Report};
use template::Template;

/// What a variable without value and default means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A fault at its line.
    Fault,
    /// Nothing: the value is left out of the checks, for where no environment is at hand.
    Accept,
}

/// The text of all values with variables, once these are replaced: few bytes name a variable, and
/// its value may be long.
const FILLED_BYTES_MAX: usize = 4 << 20;

/// The variables that a text names; none where it is no template, which is a fault of its own.
pub(super) fn names_of(text: &str) -> Vec<String> {
    if !text.contains("${") {
        return Vec::new();
    }
    Template::parse(text).map(|template| template.names()).unwrap_or_default()
}

/// Whether all of a text is the value of one variable: nobody who writes the text knows any of it.
pub(super) fn is_one_variable(text: &str) -> bool {
    Template::parse(text).is_ok_and(|template| template.is_one_variable())
}

/// Replaces the variables of a tree, and keeps which stood where.
pub(super) struct Variables<'r, 'a> {
    /// The value of a variable, by the JSON pointer of where it stands and its name.
    lookup: &'r dyn Fn(&str, &str) -> Option<String>,
    missing: Missing,
    /// What is left of [`FILLED_BYTES_MAX`].
    bytes_left: usize,
    report: &'r mut Report<'a>,
    used: BTreeMap<String, Templated>,
    empty: BTreeMap<Path, Span>,
    /// The keys above the value at hand.
    keys: Vec<Span>,
}

impl<'r, 'a> Variables<'r, 'a> {
    pub(super) fn new(
        lookup: &'r dyn Fn(&str, &str) -> Option<String>,
        missing: Missing,
        report: &'r mut Report<'a>,
    ) -> Self {
        let (used, empty) = (BTreeMap::new(), BTreeMap::new());
        let bytes_left = FILLED_BYTES_MAX;
        Self { lookup, missing, bytes_left, report, used, empty, keys: Vec::new() }
    }

    /// Replaces all variables of `tree`. The answer is the variables at each JSON pointer, and the
    /// scalars that came out empty, which counts as absent.
    pub(super) fn replace(
        mut self,
        tree: &mut Node,
    ) -> (BTreeMap<String, Templated>, BTreeMap<Path, Span>) {
        self.fill(tree, &Path::default());
        (self.used, self.empty)
    }

    /// Replaces all variables below `node`. `false`: it came out empty and is to be left out.
    fn fill(&mut self, node: &mut Node, path: &Path) -> bool {
        let span = node.span;
        match &mut node.kind {
            Kind::Unknown => true,
            Kind::Map(entries) => {
                entries.retain_mut(|entry| {
                    self.keys.push(entry.key_span);
                    let kept = self.fill(&mut entry.value, &path.join(&entry.key));
                    self.keys.pop();
                    kept
                });
                true
            }
            Kind::List(items) => {
                let mut index = 0_usize;
                items.retain_mut(|item| {
                    let path = path.join(&index.to_string());
                    index += 1;
                    self.fill(item, &path)
                });
                true
            }
            Kind::Scalar(scalar) => match self.filled(scalar, span, path) {
                Some(filled) if filled.text.is_empty() && !filled.variables.is_empty() => {
                    self.empty.insert(path.clone(), span);
                    false
                }
                Some(filled) => {
                    *scalar = filled;
                    true
                }
                None => {
                    node.kind = Kind::Unknown;
                    true
                }
            },
        }
    }

    /// The scalar with its variables replaced; `None` when one has no value.
    fn filled(&mut self, scalar: &Scalar, span: Span, path: &Path) -> Option<Scalar> {
        if !scalar.text.contains("${") {
            return Some(scalar.clone());
        }
        let template = match Template::parse(&scalar.text) {
            Ok(template) => template,
            Err(bad) => {
                let finding = Finding::error(Code::BadVariable, bad.to_string())
                    .hint("write `${NAME}` or `${NAME:-default}`; `$${` is a literal `${`");
                // A default may be a secret whatever the field, and cannot be told from the rest.
                if scalar.text.contains(":-") {
                    self.report.add(span, Finding { path: path.to_string(), ..finding });
                } else {
                    self.add(span, path, finding);
                }
                return None;
            }
        };
        let names = template.names();
        if !names.is_empty() {
            let templated = Templated { names: names.clone(), text: scalar.text.clone() };
            self.used.insert(path.pointer(), templated);
        }
        let pointer = path.pointer();
        let lookup = |name: &str| (self.lookup)(&pointer, name);
        let Some((text, missing)) = template.fill(&lookup, self.bytes_left) else {
            let message = format!(
                "the file is larger than {} KiB, variables replaced",
                FILLED_BYTES_MAX / 1024
            );
            self.add(span, path, Finding::error(Code::TooLarge, message));
            return None;
        };
        self.bytes_left -= text.len();
        if missing.is_empty() {
            return Some(Scalar { text, plain: scalar.plain, variables: names });
        }
        if self.missing == Missing::Accept {
            return None;
        }
        for name in missing {
            let message = format!("the variable `{name}` is not set");
            let hint = format!("set it, or give a default: `${{{name}:-…}}`");
            self.add(span, path, Finding::error(Code::MissingVariable, message).hint(hint));
        }
        None
    }

    fn add(&mut self, span: Span, path: &Path, finding: Finding) {
        self.report.add_shown(span, &self.keys, Finding { path: path.to_string(), ..finding });
    }
}
