//! The spec in force as it was written, for whoever compares another text with it.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::spec::{Limits, Templated};

/// The text of a spec, and which variables stood where in it, with the values that they had.
#[derive(Clone)]
pub struct Written {
    text: String,
    variables: BTreeMap<String, Templated>,
    values: BTreeMap<String, SecretString>,
    limits: Option<Limits>,
}

impl Written {
    /// `variables` are the values that name some, by JSON pointer, `values` what was looked up.
    pub fn new(
        text: String,
        variables: BTreeMap<String, Templated>,
        values: BTreeMap<String, Option<String>>,
    ) -> Self {
        let known = values.into_iter().filter_map(|(name, value)| Some((name, value?.into())));
        Self { text, variables, values: known.collect(), limits: None }
    }

    /// The same, which had these limits.
    #[must_use]
    pub fn within(self, limits: Option<Limits>) -> Self {
        Self { limits, ..self }
    }

    /// What a text in its place may not say; `None`: whoever writes it may say anything.
    pub fn limits(&self) -> Option<&Limits> {
        self.limits.as_ref()
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is written at that place, if it names a variable.
    pub(super) fn at(&self, pointer: &str) -> Option<&Templated> {
        self.variables.get(pointer)
    }

    /// The value of that variable, if it stands at that place.
    pub fn value_at(&self, pointer: &str, name: &str) -> Option<&str> {
        let here = self.variables.get(pointer)?;
        if !here.names.iter().any(|known| known == name) {
            return None;
        }
        Some(self.values.get(name)?.expose_secret())
    }
}

/// The names and places of the variables only: text and values may hold secrets.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").field("variables", &self.variables).finish_non_exhaustive()
    }
}
