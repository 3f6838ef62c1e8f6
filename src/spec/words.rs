//! Sentences that tell the file's values from our own words: `check` says both on its terminal,
//! everything else says the words alone, because a value may be a secret that nobody knew for one.

use std::fmt;

use super::hidden::looks_secret;

/// Before and after a value. Neither can stand in a value: [`value`] takes them out.
const OPEN: char = '\u{2}';
const CLOSE: char = '\u{3}';

/// What stands for a value where none is shown.
const ELSEWHERE: &str = "…";

/// A value of the file, to be put into a sentence. What looks like a secret is in none.
pub(super) fn value(shown: impl fmt::Display) -> String {
    let shown = shown.to_string();
    if looks_secret(&shown) {
        return ELSEWHERE.to_owned();
    }
    let shown: String = shown.chars().filter(|c| !c.is_control()).collect();
    format!("{OPEN}{shown}{CLOSE}")
}

/// A sentence about the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Words(String);

impl<T: Into<String>> From<T> for Words {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl Words {
    /// All of it, for the terminal of whoever has the file.
    pub(super) fn whole(&self) -> String {
        self.0.replace([OPEN, CLOSE], "")
    }

    /// Our words alone.
    pub(super) fn without_values(&self) -> String {
        let mut said = String::with_capacity(self.0.len());
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once(OPEN) {
            said.push_str(before);
            said.push_str(ELSEWHERE);
            rest = after.split_once(CLOSE).map_or("", |(_, after)| after);
        }
        said.push_str(rest);
        // A value's backticks go with it.
        said.replace(&format!("`{ELSEWHERE}`"), ELSEWHERE)
    }

    /// The same, about that subject.
    pub(super) fn about(self, subject: &str) -> Self {
        Self(format!("{subject}: {}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Words, value};

    #[test]
    fn values_are_said_or_left_out_and_never_half() {
        let words = Words::from(format!("`warm` is {} of `{}`", value(5), value("a\u{3}b\n")));
        assert_eq!(words.whole(), "`warm` is 5 of `ab`");
        assert_eq!(words.without_values(), "`warm` is … of …");
        assert_eq!(Words::from(format!("`{}`", value("glpat-x"))).whole(), "`…`");
        assert_eq!(Words::from("cut \u{2}off").without_values(), "cut …");
    }
}
