//! Where a value stands in the file.

use std::fmt;

use super::hidden::named;

/// The keys and list positions from the root to a value; printed as `pools.linux.tags.0`,
/// without what is no word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Path(Vec<String>);

impl Path {
    /// The value under `step` of this one.
    pub(super) fn join(&self, step: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.to_owned());
        Self(steps)
    }

    /// The path of the dotted keys, none of which holds a dot itself.
    pub(super) fn of(dotted: &str) -> Self {
        Self(dotted.split('.').map(str::to_owned).collect())
    }

    /// Reads a JSON pointer.
    pub(super) fn from_pointer(pointer: &str) -> Self {
        let unescape = |step: &str| step.replace("~1", "/").replace("~0", "~");
        Self(pointer.split('/').skip(1).map(unescape).collect())
    }

    /// Writes a JSON pointer, which no key can be mistaken in.
    pub(super) fn pointer(&self) -> String {
        let escape = |step: &String| format!("/{}", step.replace('~', "~0").replace('/', "~1"));
        self.0.iter().map(escape).collect()
    }

    /// What holds this value; the root holds itself.
    pub(super) fn parent(&self) -> Self {
        Self(self.0.split_last().map_or_else(Vec::new, |(_, above)| above.to_vec()))
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(super) fn last(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    /// The nearest key above or at the value, past list positions: what an operator calls it.
    pub(super) fn field(&self) -> &str {
        let is_key = |step: &&String| step.parse::<usize>().is_err();
        self.0.iter().rev().find(is_key).map_or("the file", |step| named(step))
    }

    pub(super) fn starts_with(&self, above: &Self) -> bool {
        self.0.starts_with(&above.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<&str> = self.0.iter().map(|step| named(step)).collect();
        f.write_str(&steps.join("."))
    }
}
