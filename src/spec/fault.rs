//! What is wrong with a file: each fault with its place, and the next step.

use std::fmt;
use std::ops::Range;

use super::words::Words;

/// How much a fault weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken; somebody should look at it.
    Warning,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// Not YAML, or YAML that a spec has no use for.
    Syntax,
    /// Beyond a limit on size, depth or aliases.
    TooLarge,
    /// A key given twice.
    DuplicateKey,
    /// A variable without value and default.
    MissingVariable,
    /// `${…}` in a form or place that is not known.
    BadVariable,
    /// A key that means nothing here.
    UnknownKey,
    /// A key that has to be there.
    MissingKey,
    /// A value of the wrong type.
    WrongType,
    /// A value of the right type that cannot be meant.
    BadValue,
    /// Values that cannot go together.
    Conflict,
    /// Known to the spec, not to this version.
    NotSupportedYet,
    /// Lowers the wall between jobs and host or network.
    Unsafe,
    /// Something that will not do what it seems to.
    Doubtful,
    /// Not for a spec that is read from GitLab, unless the operator allows it.
    NotAllowed,
    /// The checks themselves failed.
    Internal,
}

impl Code {
    /// The word of the fault's kind in machine-readable output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::TooLarge => "too-large",
            Self::DuplicateKey => "duplicate-key",
            Self::MissingVariable => "missing-variable",
            Self::BadVariable => "bad-variable",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::BadValue => "bad-value",
            Self::Conflict => "conflict",
            Self::NotSupportedYet => "not-supported-yet",
            Self::Unsafe => "unsafe",
            Self::Doubtful => "doubtful",
            Self::NotAllowed => "not-allowed",
            Self::Internal => "internal",
        }
    }
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whether the file is refused for it.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// The value's path, as in `pools.linux.warm`; empty for the file as a whole.
    pub path: String,
    pub(super) message: Words,
    pub(super) hint: Option<Words>,
    pub(super) excerpt: Option<Excerpt>,
    /// The place, in bytes of the text.
    pub span: Range<usize>,
    /// The place's line, from 1.
    pub line: usize,
    /// The place's column in characters, from 1.
    pub column: usize,
}

/// What may be seen of the faulty line: the value and its keys, blanks in all other places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) line: String,
    /// The place within the line, in bytes.
    pub(super) place: Range<usize>,
    /// What stands at the place, where the text does not show it.
    pub(super) label: Option<String>,
}

impl Fault {
    /// What is wrong, in one line and without a value of the file: for whoever may not read that.
    pub fn message(&self) -> String {
        self.message.without_values()
    }

    /// The next step, without a value of the file.
    pub fn hint(&self) -> Option<String> {
        self.hint.as_ref().map(Words::without_values)
    }

    /// What is wrong, with the values: for whoever has the file at hand.
    pub fn message_in_full(&self) -> String {
        self.message.whole()
    }

    /// The next step, with the values.
    pub fn hint_in_full(&self) -> Option<String> {
        self.hint.as_ref().map(Words::whole)
    }
}

/// As what logs may have of it.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fault").field(&self.to_string()).finish()
    }
}

/// Line, column, path and what is wrong, without a value of the file.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "" } else { &format!("{}: ", self.path) };
        write!(f, "{}:{}: {path}{}", self.line, self.column, self.message())
    }
}

/// All faults of one file, in file order.
#[derive(Clone, PartialEq, Eq)]
pub struct Faults {
    pub(super) file: String,
    pub(super) faults: Vec<Fault>,
}

impl Faults {
    /// The faults of a text that messages call `file`.
    pub fn new(file: &str, faults: Vec<Fault>) -> Self {
        Self { file: file.to_owned(), faults }
    }

    /// The file's name in messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Each fault, in file order.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.faults.iter()
    }

    /// Each fault with its line, column, path and hint, without a value of the file: for logs, pages
    /// and all who may see that a file is refused and not what it says.
    pub fn in_words(&self) -> String {
        let lines = self.faults.iter().map(|fault| {
            let weight = fault.severity.as_str();
            let hint = fault.hint().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
            format!("{weight}: {}:{fault}{hint}\n", self.file)
        });
        lines.collect()
    }

    /// How many faults refuse the file.
    pub fn errors(&self) -> usize {
        self.faults.iter().filter(|fault| fault.severity == Severity::Error).count()
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One line: the first error, and how many more there are.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.errors();
        let first = self.faults.iter().find(|fault| fault.severity == Severity::Error);
        let Some(first) = first.or(self.faults.first()) else {
            return write!(f, "{}: no faults", self.file);
        };
        write!(f, "{}:{first}", self.file)?;
        match errors {
            0 | 1 => Ok(()),
            2 => f.write_str(" (and 1 more fault)"),
            more => write!(f, " (and {} more faults)", more - 1),
        }
    }
}

/// As what logs may have of it.
impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faults").field(&self.in_words()).finish()
    }
}

impl std::error::Error for Faults {}
