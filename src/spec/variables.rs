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
pub(super) const FILLED_BYTES_MAX: usize = 4 << 20;

/// Replaces the variables of a tree, and keeps which stood where.
pub(super) struct Variables<'r, 'a> {
    /// The value of a variable, by the JSON pointer of where it stands and its name.
    pub(super) lookup: &'r dyn Fn(&str, &str) -> Option<String>,
    pub(super) missing: Missing,
    /// What is left of [`FILLED_BYTES_MAX`].
    pub(super) bytes_left: usize,
    pub(super) report: &'r mut Report<'a>,
    /// The variables at each JSON pointer.
    pub(super) used: BTreeMap<String, Templated>,
    /// Scalars that came out empty, which counts as absent.
    pub(super) empty: BTreeMap<Path, Span>,
}

impl Variables<'_, '_> {
    /// Replaces all variables below `node`. `false`: it came out empty and is to be left out.
    pub(super) fn fill(&mut self, node: &mut Node, path: &Path) -> bool {
        let span = node.span;
        match &mut node.kind {
            Kind::Unknown => true,
            Kind::Map(entries) => {
                entries.retain_mut(|entry| self.fill(&mut entry.value, &path.join(&entry.key)));
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
                self.add(span, path, finding);
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
        self.report.add(span, Finding { path: path.to_string(), ..finding });
    }
}
