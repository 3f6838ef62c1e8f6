//! Collects faults: one per place and kind, with line and column.

use std::collections::BTreeSet;

use super::fault::{Code, Fault, Severity};
use super::node::Span;

/// Faults beyond this many are dropped: nobody reads them, and a hostile file has no end of them.
pub(super) const FAULTS_MAX: usize = 200;

/// A fault without its place.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) code: Code,
    pub(super) path: String,
    /// Whom it is about, as in "pool `linux`".
    pub(super) subject: Option<String>,
    pub(super) message: String,
    pub(super) label: Option<String>,
    pub(super) hint: Option<String>,
}

impl Finding {
    pub(super) fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            path: String::new(),
            subject: None,
            message: message.into(),
            label: None,
            hint: None,
        }
    }

    pub(super) fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    pub(super) fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// The faults of one text so far.
#[derive(Debug)]
pub(super) struct Report<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    seen: BTreeSet<(Span, Code, String)>,
    faults: Vec<Fault>,
}

impl<'a> Report<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after_newlines).collect();
        Self { text, line_starts, seen: BTreeSet::new(), faults: Vec::new() }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Takes a finding, unless the same stands at that place already: what `defaults` or an
    /// alias gives to several pools is one fault.
    pub(super) fn add(&mut self, span: Span, finding: Finding) {
        let key = (span, finding.code, finding.message.clone());
        if self.faults.len() >= FAULTS_MAX || !self.seen.insert(key) {
            return;
        }
        let span = self.first_line(span);
        let (line, column) = self.place(span.start);
        let message = match &finding.subject {
            Some(subject) => format!("{subject}: {}", finding.message),
            None => finding.message,
        };
        self.faults.push(Fault {
            severity: finding.severity,
            code: finding.code,
            path: finding.path,
            message,
            label: finding.label,
            hint: finding.hint,
            span: span.start..span.end,
            line,
            column,
        });
    }

    pub(super) fn failed(&self) -> bool {
        self.faults.iter().any(|fault| fault.severity == Severity::Error)
    }

    /// The text is not to be looked at further.
    pub(super) fn is_beyond_limits(&self) -> bool {
        self.faults.iter().any(|fault| fault.code == Code::TooLarge)
    }

    /// The faults in file order.
    pub(super) fn finish(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| (fault.span.start, fault.severity));
        self.faults
    }

    /// The line that holds the byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    fn place(&self, at: usize) -> (usize, usize) {
        let line = self.line(at);
        let start = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied();
        let before = self.text.get(start.unwrap_or_default()..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// A caret marks one line: what a longer value has beyond its first one is cut off.
    fn first_line(&self, span: Span) -> Span {
        let written = self.text.get(span.start..span.end).unwrap_or_default();
        let line = written.lines().next().unwrap_or_default().trim_end();
        Span { start: span.start.min(self.text.len()), end: span.start + line.len() }
    }
}
