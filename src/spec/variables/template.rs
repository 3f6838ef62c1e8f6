//! One scalar as literal text and variables.

use std::collections::BTreeSet;

/// A `${…}` that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadTemplate {
    #[error("`${{` is not closed")]
    Unclosed,
    #[error("a `${{…}}` is no form of a variable")]
    Form,
    #[error("a variable stands in the default of another one")]
    Nested,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    Variable { name: &'t str, default: Option<&'t str> },
}

/// A scalar's text, taken apart.
#[derive(Debug)]
pub(super) struct Template<'t>(Vec<Piece<'t>>);

impl<'t> Template<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, BadTemplate> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            if let Some(before) = before.strip_suffix('$') {
                pieces.extend([Piece::Text(before), Piece::Text("${")]);
                rest = after;
                continue;
            }
            let (inside, following) = after.split_once('}').ok_or(BadTemplate::Unclosed)?;
            pieces.extend([Piece::Text(before), variable(inside)?]);
            rest = following;
        }
        pieces.push(Piece::Text(rest));
        Ok(Self(pieces))
    }

    /// The variables in it, each once, in order of appearance.
    pub(super) fn names(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let variables = self.0.iter().filter_map(|piece| match piece {
            Piece::Variable { name, .. } => Some(*name),
            Piece::Text(_) => None,
        });
        variables.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
    }

    /// It is one variable and nothing else that says anything.
    pub(super) fn is_one_variable(&self) -> bool {
        let said = self.0.iter().filter(|piece| **piece != Piece::Text(""));
        let said: Vec<_> = said.collect();
        matches!(said.as_slice(), [Piece::Variable { default: None | Some(""), .. }])
    }

    /// The text with values in place, and the variables that have none. Empty counts as absent.
    /// `None`: the text would be longer than `bytes_max`.
    pub(super) fn fill(
        &self,
        lookup: &dyn Fn(&str) -> Option<String>,
        bytes_max: usize,
    ) -> Option<(String, Vec<String>)> {
        let (mut text, mut missing) = (String::new(), Vec::new());
        for piece in &self.0 {
            if text.len() > bytes_max {
                return None;
            }
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Variable { name, default } => {
                    let value = lookup(name).filter(|value| !value.is_empty());
                    match (value, default) {
                        (Some(value), _) => text.push_str(&value),
                        (None, Some(default)) => text.push_str(default),
                        (None, None) => missing.push((*name).to_owned()),
                    }
                }
            }
        }
        (text.len() <= bytes_max).then_some((text, missing))
    }
}

fn variable(inside: &str) -> Result<Piece<'_>, BadTemplate> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if default.is_some_and(|default| default.contains("${")) {
        return Err(BadTemplate::Nested);
    }
    let first_fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let all_fit = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if first_fits && all_fit {
        Ok(Piece::Variable { name, default })
    } else {
        Err(BadTemplate::Form)
    }
}
