//! `--env-file`: lines of `KEY=value`, as `docker compose` and shells write them.
//!
//! ```text
//! # a comment
//! GITLAB_URL=https://gitlab.example.com   # another
//! export GITLAB_TOKEN='taken to the letter: $, # and \ too'
//! GREETING="escapes: \n \t \" \\ \$"
//! ```
//!
//! Variables are not replaced inside the file: a `${` outside single quotes is a fault, because
//! taking it to the letter would surprise whoever knows compose, and replacing it would make the
//! value of a secret depend on the order of lines. No fault quotes a value: it may be a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::file::{self, FileError};

/// An env file is a page of text; a larger one is the wrong file.
const BYTES_MAX: u64 = 1 << 20;

/// A line of an env file that says nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: LineProblem,
}

/// What is wrong with a line of an env file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// No `=`.
    #[error("expected `KEY=value`")]
    NoValue,
    /// The part before `=` is no variable's name.
    #[error("a name has letters, digits and `_` only, and no digit first")]
    BadName,
    /// A quote without its end.
    #[error(
        "the quote is not closed on this line\nhint: write a line break as \\n in double quotes"
    )]
    OpenQuote,
    /// Something follows the closing quote.
    #[error("only a comment may follow the closing quote")]
    AfterQuote,
    /// `${` where it would be taken to the letter.
    #[error("variables are not replaced here\nhint: put a value with `${{` in single quotes")]
    Variable,
}

/// An env file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvFileError {
    /// It cannot be read.
    #[error("the env file {0}")]
    File(#[from] FileError),
    /// All its lines that say nothing.
    #[error("{}", Lines(path, faults))]
    Lines {
        /// The file as it was named.
        path: std::path::PathBuf,
        /// The faults, in order.
        faults: Vec<LineFault>,
    },
}

impl EnvFileError {
    /// The same with the file's name alone, for those who need not know where it lies.
    pub(super) fn without_folder(&self) -> Self {
        match self {
            Self::File(error) => Self::File(error.without_folder()),
            Self::Lines { path, faults } => {
                Self::Lines { path: file::name(path), faults: faults.clone() }
            }
        }
    }
}

struct Lines<'a>(&'a Path, &'a [LineFault]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, LineFault { line, problem }) in self.1.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{line}: {problem}", self.0.display())?;
        }
        Ok(())
    }
}

/// The variables of an env file.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, String>, EnvFileError> {
    let (text, _) = file::text(path, BYTES_MAX)?;
    parse(&text).map_err(|faults| EnvFileError::Lines { path: path.to_owned(), faults })
}

/// The variables of an env file's text, or all of its faults. Of two lines with one name the
/// later counts.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, Vec<LineFault>> {
    let mut variables = BTreeMap::new();
    let mut faults = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        match variable(line.trim()) {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                variables.insert(name.to_owned(), value);
            }
            Err(problem) => faults.push(LineFault { line: index + 1, problem }),
        }
    }
    if faults.is_empty() { Ok(variables) } else { Err(faults) }
}

fn variable(line: &str) -> Result<Option<(&str, String)>, LineProblem> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = match line.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => line,
    };
    let (name, value) = line.split_once('=').ok_or(LineProblem::NoValue)?;
    let name = name.trim_end();
    if !is_name(name) {
        return Err(LineProblem::BadName);
    }
    let value = value.trim_start();
    let value = match value.strip_prefix(['"', '\'']) {
        Some(rest) if value.starts_with('\'') => single_quoted(rest)?,
        Some(rest) => double_quoted(rest)?,
        None => bare(value)?,
    };
    Ok(Some((name, value)))
}

fn is_name(word: &str) -> bool {
    let first_fits = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    first_fits && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A value without quotes ends at the line's end or at a `#` after white space.
fn bare(value: &str) -> Result<String, LineProblem> {
    let comment = value
        .char_indices()
        .find(|(at, c)| *c == '#' && value.get(..*at).is_some_and(ends_in_white_space));
    let end = comment.map_or(value.len(), |(at, _)| at);
    let value = value.get(..end).unwrap_or(value).trim_end();
    if value.contains("${") { Err(LineProblem::Variable) } else { Ok(value.to_owned()) }
}

fn ends_in_white_space(text: &str) -> bool {
    text.is_empty() || text.ends_with(char::is_whitespace)
}

fn single_quoted(rest: &str) -> Result<String, LineProblem> {
    let (value, after) = rest.split_once('\'').ok_or(LineProblem::OpenQuote)?;
    nothing_follows(after)?;
    Ok(value.to_owned())
}

fn double_quoted(rest: &str) -> Result<String, LineProblem> {
    let mut value = String::new();
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                nothing_follows(letters.as_str())?;
                return Ok(value);
            }
            '\\' => match letters.next().ok_or(LineProblem::OpenQuote)? {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                escaped @ ('\\' | '"' | '$') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            '$' if letters.as_str().starts_with('{') => return Err(LineProblem::Variable),
            other => value.push(other),
        }
    }
    Err(LineProblem::OpenQuote)
}

fn nothing_follows(after: &str) -> Result<(), LineProblem> {
    let rest = after.trim_start();
    if rest.is_empty() || (rest.starts_with('#') && rest.len() < after.len()) {
        Ok(())
    } else {
        Err(LineProblem::AfterQuote)
    }
}
